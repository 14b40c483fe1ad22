"""Write what was scored to the store: once for each input and model, in commits between which others write."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from churn.batch.log_rows import MAX_ROWS, RowMaker, chunks
from churn.batch.model import Scorer
from churn.batch.ordered import in_order
from churn.batch.plan import Plan, Terms
from churn.clock import CLOCK_SKEW, now
from churn.errors import InputError
from churn.store.scoring_runs import ScoringRun
from churn.store.store import Store

LOCK = "scoring"
# Records are made here while a thread writes others: the interpreter's lock lets no more than that be done at once.
ENCODING_THREADS = 2
# After each commit others may write for this share of the time that it took: whoever waits for SQLite's lock asks for it now and
# then, and would find it taken each time.
PAUSE_SHARE = 0.5
ALIVE_SECONDS = 30.0
_DIGEST_BYTES = 2**20


@dataclass(frozen=True)
class Logged:
    """What came of logging.

    Attributes
    ----------
    rows : int
        Predictions of this input and model that are in the store.
    written : int
        Of those, written now.
    requested_at : datetime
        Of all of them.
    """

    rows: int
    written: int
    requested_at: datetime


@dataclass(frozen=True)
class FileLog:
    """Where scored customers go, and under which moment.

    Attributes
    ----------
    store : Store
    holder : str
        Who writes, for others who wait.
    as_of : datetime or None
        The moment that the input speaks of, with a time zone; None: when it is logged first.
    pseudonym : callable or None
        Turns customers' ids into what is stored.
    on_wait : callable
        Told who else writes, if somebody has to be waited for.
    on_rows : callable
        Told how many rows were written, commit by commit.
    """

    store: Store
    holder: str
    as_of: datetime | None = None
    pseudonym: Callable[[str], str] | None = None
    on_wait: Callable[[str], None] = lambda _holder: None
    on_rows: Callable[[int], None] = lambda _rows: None

    def write(self, scorer: Scorer, plan: Plan, terms: Terms, rows: int, threads: int) -> Logged:
        """Write the answers of an input, or what an earlier run that was stopped has left of them.

        Parameters
        ----------
        scorer : Scorer
        plan : Plan
            Of the input; all of it was scored.
        terms : Terms
        rows : int
            Customers that were answered.
        threads : int
            Threads that read.

        Returns
        -------
        Logged

        Raises
        ------
        InputError
            If the input was changed meanwhile, or was logged under another moment than `as_of`.
        StoreError
            If the store is away.
        """
        if (plan.rows or 0) > MAX_ROWS:
            raise InputError(f"{plan.source}: has more than {MAX_ROWS:,} rows, which cannot be logged at once; split it")
        digest = _run_digest(scorer, plan)
        with self.store.lock(LOCK, self.holder, timeout_seconds=float("inf"), on_wait=self.on_wait) as held:
            run = self._begin(digest.hex(), scorer, plan)
            if run.finished_at is not None:
                return Logged(run.rows, 0, run.requested_at)
            maker = RowMaker(scorer, digest, run.requested_at, self.pseudonym)
            written = self._write(maker, plan, terms, threads, run.run_key)
            held.confirm()
            self.store.finish_scoring_run(run.run_key, rows)
        return Logged(rows, written, run.requested_at)

    def _begin(self, run_key: str, scorer: Scorer, plan: Plan) -> ScoringRun:
        requested_at = (self.as_of or now()).replace(microsecond=0)
        if requested_at > now() + CLOCK_SKEW:
            raise InputError(f"--as-of {requested_at:%Y-%m-%d %H:%M} is in the future; name the moment that the input speaks of")
        run = self.store.begin_scoring_run(
            run_key, source=str(plan.source.absolute()), model_version=scorer.model.version, requested_at=requested_at
        )
        if self.as_of is not None and run.requested_at != requested_at:
            raise InputError(
                f"{plan.source}: was logged with version {scorer.model.version} as of {run.requested_at:%Y-%m-%d %H:%M:%S} UTC, "
                f"not {requested_at:%Y-%m-%d %H:%M:%S}; no answer is logged twice: leave --as-of out"
            )
        return run

    def _write(self, maker: RowMaker, plan: Plan, terms: Terms, threads: int, run_key: str) -> int:
        # Commits come in the order of the rows: what is there says where an earlier run was stopped.
        last = self.store.last_id_within(*maker.ids([0, MAX_ROWS - 1]))
        some = chunks(maker.scorer, plan, terms, threads, 0 if last is None else maker.number(last) + 1)
        written, alive = 0, time.monotonic()
        with closing(some), closing(in_order(maker.rows, some, ENCODING_THREADS)) as encoded:
            for rows in encoded:
                begun = time.monotonic()
                self.store.copy_rows(rows)
                ended = time.monotonic()
                written += len(rows)
                self.on_rows(len(rows))
                if ended - alive > ALIVE_SECONDS:
                    alive = ended
                    self.store.keep_scoring_run_alive(run_key)
                if self.store.single_writer:
                    time.sleep(PAUSE_SHARE * (ended - begun))
        return written


def _run_digest(scorer: Scorer, plan: Plan) -> bytes:
    """Digest what is scored, by its content, and which model scores it: 16 bytes."""
    paths = list(dict.fromkeys((part.path, part.name) for part in plan.parts))
    with ThreadPoolExecutor() as pool:
        contents = list(pool.map(lambda file: _content_digest(Path(file[0])), paths))
    # A file may be called otherwise and be the same; in a folder, names say which customers a file has (`region=north/`).
    files = contents if plan.source.is_file() else [[name, digest] for (_, name), digest in zip(paths, contents, strict=True)]
    said = [files, scorer.model.name, scorer.model.version, scorer.model.run_id]
    return hashlib.sha256(orjson.dumps(said)).digest()[:16]


def _content_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: not readable ({error.strerror})") from error
