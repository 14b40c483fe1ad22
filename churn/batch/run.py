"""A whole run: plan, folder, parts, manifest."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from churn.batch.answer_file import Done
from churn.batch.log import FileLog, Logged
from churn.batch.model import Scorer
from churn.batch.output import OutputFolder, own_folder
from churn.batch.part import attempt
from churn.batch.plan import Part, Plan, Terms, make_plan
from churn.clock import now
from churn.errors import ChurnError, InputError

OnPart = Callable[[Done], None]


class Runner(Protocol):
    """Who scores the parts: gives the fields of each part's `Done` (or of its error) as it comes, in any order."""

    def __call__(self, scorer: Scorer, parts: Sequence[Part], terms: Terms, folder: Path, /) -> Iterator[dict[str, Any]]:
        """Score all parts. Whoever stops asking ends the work."""


@dataclass(frozen=True)
class Summary:
    """What came of a run.

    Attributes
    ----------
    rows, rejected, churn : int
        Customers read; of those, set apart; and answered as churn.
    parts, kept : int
        Parts in all, and those that an earlier run had finished.
    logged : Logged or None
        What came of writing them to the store; None: they were not to be.
    """

    output: str
    model_version: str
    run_id: str
    key: str
    files: int
    parts: int
    kept: int
    rows: int
    rejected: int
    churn: int
    logged: Logged | None = None

    @property
    def scored(self) -> int:
        """Customers that were answered."""
        return self.rows - self.rejected


def usable_cores() -> int:
    """Tell how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_threads(threads: int | None = None) -> Runner:
    """Score parts here. NumPy and Arrow give the interpreter's lock away, so that threads use all processors."""

    def run(scorer: Scorer, parts: Sequence[Part], terms: Terms, folder: Path, /) -> Iterator[dict[str, Any]]:
        stop, count = Event(), threads or usable_cores()
        pool = ThreadPoolExecutor(count)
        # Of fewer parts than threads each is scored by several.
        per_part = max(1, count // max(1, len(parts)))
        try:
            for future in as_completed([pool.submit(attempt, scorer, part, terms, folder, stop, per_part) for part in parts]):
                yield future.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)

    return run


def score_folder(
    scorer: Scorer,
    source: Path,
    folder: Path,
    terms: Terms,
    run: Runner,
    *,
    overwrite: bool = False,
    on_plan: Callable[[Plan, Sequence[Done]], None] | None = None,
    on_part: OnPart | None = None,
    log: FileLog | None = None,
) -> Summary:
    """Score an input into a folder of Parquet files; done again after an interruption, it goes on from the parts that are there.

    Parameters
    ----------
    scorer : Scorer
    source, folder : Path
        See `make_plan` and `own_folder`.
    terms : Terms
    run : Runner
    overwrite : bool
        Whether finished answers of another run may be replaced.
    on_plan : callable, optional
        Told of the plan, and of what is there already.
    on_part : callable, optional
        Told of every part that is finished.
    log : FileLog, optional
        Where the answers are stored when all customers are answered, and before the folder says that it is finished.

    Returns
    -------
    Summary

    Raises
    ------
    InputError
        If the input or the folder will not do; of a customer who breaks a rule, with file, row, column and rule. Parts that were
        finished stay for the next run; there is no `_SUCCESS`.
    ChurnError
        If something fails.
    """
    _check_apart(source, folder)
    started = now()
    plan = make_plan(source, scorer.model.digest, terms)
    with own_folder(folder, plan, overwrite=overwrite) as output:
        done = list(output.kept.values())
        if on_plan is not None:
            on_plan(plan, done)
        summary = _summed(scorer, plan, output, done)
        if output.finished is not None:
            return _logged(log, scorer, plan, terms, summary)
        missing = [part for part in plan.parts if part.output not in output.kept]
        results = run(scorer, missing, terms, folder)
        try:
            for made in _ended(results):
                done.append(made)
                if on_part is not None:
                    on_part(made)
        finally:
            # Whoever still writes a part ends before the folder is cleared up: it would make the folder anew.
            if isinstance(results, Generator):
                results.close()
        summary = _summed(scorer, plan, output, done)
        summary = _logged(log, scorer, plan, terms, summary)
        output.finish(_manifest(scorer, plan, summary, terms, done) | {"started_at": started.isoformat()})
    return summary


def _logged(log: FileLog | None, scorer: Scorer, plan: Plan, terms: Terms, summary: Summary) -> Summary:
    if log is None:
        return summary
    return replace(summary, logged=log.write(scorer, plan, terms, summary.scored, usable_cores()))


def _ended(results: Iterable[dict[str, Any]]) -> Iterator[Done]:
    for result in results:
        if "error" in result:
            raise (InputError if result["exit_code"] == InputError.exit_code else ChurnError)(result["error"])
        yield Done(**result)


def _summed(scorer: Scorer, plan: Plan, output: OutputFolder, done: Sequence[Done]) -> Summary:
    model = scorer.model
    return Summary(
        output=str(output.folder),
        model_version=model.version,
        run_id=model.run_id,
        key=plan.key,
        files=plan.files,
        parts=len(plan.parts),
        kept=len(output.kept),
        rows=sum(one.rows for one in done),
        rejected=sum(one.rejected for one in done),
        churn=sum(one.churn for one in done),
    )


def _manifest(scorer: Scorer, plan: Plan, summary: Summary, terms: Terms, done: Sequence[Done]) -> dict[str, Any]:
    model, by_fingerprint = scorer.model, {one.fingerprint: one for one in done}
    return {
        "key": plan.key,
        "model": {"name": model.name, "version": model.version, "run_id": model.run_id, "threshold": model.threshold},
        "contract": {"name": model.contract.name, "digest": model.contract.digest},
        "input": {"path": str(plan.source.absolute()), "files": plan.files},
        "terms": asdict(terms),
        **{name: getattr(summary, name) for name in ("rows", "scored", "rejected", "churn")},
        "parts": [{"path": part.output, "input": part.name, **asdict(by_fingerprint[part.fingerprint])} for part in plan.parts],
        "finished_at": now().isoformat(),
    }


def _check_apart(source: Path, folder: Path) -> None:
    inner, outer = folder.resolve(), source.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise InputError(f"{folder}: must lie apart from the input {source}, or the next run would take one for the other")


def renamed(summary: Summary, output: Path) -> Summary:
    """Return the summary of answers that were moved.

    Parameters
    ----------
    summary : Summary
        From before they were moved.
    output : Path
        Where they are now.

    Returns
    -------
    Summary
    """
    return replace(summary, output=str(output))
