"""A Dask cluster as a place to work: the only file that imports Dask. Nothing here is needed where no scheduler is named.

Workers need this package and the same file system. What is sent to them is plain data and the names of functions of this package;
but whoever reaches a scheduler can have any code run by its workers: docs/scoring-files.md says how to guard it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from churn import DISTRIBUTION
from churn.batch.model import Scorer, code_digest
from churn.batch.part import score_part
from churn.batch.plan import Part, Terms
from churn.batch.run import Runner, usable_cores
from churn.errors import ChurnError, InputError

LOCAL = "local"
CONNECT_SECONDS, WORKER_SECONDS = 10, 60
# A part is at most some hundred thousand rows, scored in seconds: a cluster that ends none in an hour stands still.
SILENCE_SECONDS = 3600
logger = logging.getLogger(__name__)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Connect to the scheduler at `address`, or to a cluster of processes on this machine if that is `local`.

    Raises
    ------
    InputError
        If it is no address.
    ChurnError
        If Dask is not installed, the scheduler does not answer, or it has no worker.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ChurnError(f"Dask is not installed: pip install '{DISTRIBUTION}[dask]', or leave the scheduler out") from error
    if address == LOCAL:
        with (
            LocalCluster(n_workers=usable_cores(), threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster, timeout=CONNECT_SECONDS) as client,
        ):
            yield client
        return
    if not address.startswith(("tcp://", "tls://")):
        raise InputError(f"{address!r} is no address of a scheduler; it begins with tcp:// or tls://")
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ChurnError(f"the scheduler at {address} does not answer") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            raise ChurnError(f"the scheduler at {address} has no worker") from error
        yield client


def on_cluster(client: Any) -> Runner:
    """Return a runner that scores parts on a cluster. If a worker dies, others score its parts again: the same files."""

    def run(scorer: Scorer, parts: Sequence[Part], terms: Terms, folder: Path, /) -> Iterator[dict[str, Any]]:
        from distributed.scheduler import KilledWorker

        model = scorer.model
        if model.compiled is None:
            raise ChurnError(f"version {model.version} cannot be sent as data; score with it without --scheduler")
        if model.opted_out and model.opted_out.pseudonym is not None:
            raise ChurnError(
                f"{len(model.opted_out):,} customers want no contacts and are known by pseudonyms, whose key goes to no worker; "
                "score without --scheduler"
            )
        common = asdict(terms), str(folder.absolute()), code_digest()
        sent = model.to_json()
        # Not remembered between runs: the files are what remembers.
        futures = [client.submit(score_part, sent, part.to_json(), *common, pure=False) for part in parts]
        try:
            for future in _completed(futures):
                yield future.result(timeout=SILENCE_SECONDS)
        except KilledWorker as error:
            raise ChurnError("the same part ended several workers; have they enough memory? (see their logs)") from error
        finally:
            client.cancel(futures)

    return run


def _completed(futures: Sequence[Any]) -> Iterator[Any]:
    """Yield each future when it has ended; raise ChurnError if the cluster stands still."""
    from distributed import wait

    running = list(futures)
    while running:
        try:
            done, _ = wait(running, timeout=SILENCE_SECONDS, return_when="FIRST_COMPLETED")
        except TimeoutError as error:
            raise ChurnError(
                f"the cluster ended no part within {SILENCE_SECONDS} s: look at its scheduler and workers, and run again; "
                "what is scored stays"
            ) from error
        running = [future for future in running if future not in done]
        yield from done


@contextmanager
def spread(address: str) -> Iterator[None]:
    """Let what joblib runs in parallel (tuning, calibration) run on the cluster at `address`; here, if that is empty.

    A cluster that is away costs time and no result: then the work is done here, with a warning. The numbers are the same.
    """
    with ExitStack() as stack:
        if address:
            import joblib

            try:
                client = stack.enter_context(connected(address))
                stack.enter_context(joblib.parallel_config(backend="dask", client=client))
            except InputError:
                raise
            except ChurnError as away:
                logger.warning("%s: the work is done here", away)
        yield
