"""`churn score`: files of customers into files of answers, here or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipelines.cli.interrupted import INTERRUPTED
from pipelines.cli.score_progress import ScoreProgress
from pipelines.console import console, fail, print_json, warn

if TYPE_CHECKING:
    from churn.batch.run import Runner, Summary


def score(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Parquet file, folder of Parquet files, or CSV file.")],
    output: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT", help="Folder for the answers; or, of one file, a .parquet, .csv or .csv.gz file."),
    ],
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler (tcp://...), or `local` for a cluster on this machine.")
    ] = None,
    model: Annotated[str, typer.Option(help="Version number or alias.")] = "champion",
    invalid: Annotated[
        Literal["stop", "skip"],
        typer.Option(help="At a customer who breaks a rule: stop; or write such customers aside, with the reason, and go on."),
    ] = "stop",
    allow_absent: Annotated[
        bool, typer.Option("--allow-absent", help="A feature without a column counts as missing, as in a request; else refused.")
    ] = False,
    segment: Annotated[
        bool, typer.Option("--segment", help="Add a column with each customer's segment; about 30 µs of CPU a customer.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace finished answers of another run.")] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1_000, help="Threads that score here; default: one a processor.")
    ] = None,
    log: Annotated[
        bool,
        typer.Option("--log", help="Write what was scored to the store, once: outcomes find it, and the monitor sees it."),
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="With --log: the moment that the file speaks of, in UTC; default: when it is logged."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Score files of any size. Run again after a stop, it goes on.

    Rules and numbers are those of the service. With --log, the same input scored by the same version is logged once, however
    often this is run.

    Example: churn score customers/ scored/2026-11-26 --scheduler tcp://10.0.0.5:8786
    """
    from churn.batch.plan import Terms
    from churn.batch.run import on_threads, score_folder
    from churn.batch.single_file import is_file_name, score_file
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from pipelines.environment import prepare_environment
    from pipelines.scoring import find_scorer, open_log, with_opt_outs

    settings = load_settings()
    moment = _read_as_of(as_of, log=log)
    prepare_environment(settings)
    contract = load_contract(settings.contract)
    scorer = with_opt_outs(find_scorer(settings, contract, model, segment=segment), settings)
    terms = Terms(invalid, allow_absent)
    score_input = score_file if is_file_name(output) else score_folder
    try:
        with ScoreProgress(quiet=as_json) as progress, ExitStack() as stack:
            logging = None if not log else stack.enter_context(open_log(settings, moment, _waiting, progress.logged))
            run = stack.enter_context(_runner(scheduler, on_threads(threads)))
            summary = score_input(
                *(scorer, source, output, terms, run),
                overwrite=overwrite,
                on_plan=progress.planned,
                on_part=progress.finished,
                log=logging,
            )
    except KeyboardInterrupt:
        fail("stopped; what is finished stays, and the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(_document(summary))
    else:
        _print_summary(summary)


def _waiting(holder: str) -> None:
    warn(f"waiting for {holder}, which logs a file")


def _read_as_of(text: str | None, *, log: bool) -> datetime | None:
    """Read the moment that a file speaks of. One that is not yet is refused before anything is written."""
    from churn.clock import CLOCK_SKEW, now
    from churn.errors import InputError

    if text is None:
        return None
    if not log:
        raise InputError("--as-of is for --log: without it nothing is stored that has a moment")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"--as-of {text!r} is no date, such as 2026-03-31 or 2026-03-31T22:00") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment > now() + CLOCK_SKEW:
        raise InputError(f"--as-of {text} is in the future; name the moment that the input speaks of")
    return moment


@contextmanager
def _runner(scheduler: str | None, here: Runner) -> Iterator[Runner]:
    if scheduler is None:
        yield here
        return
    from pipelines.flows.dask_cluster import connected, on_cluster

    with connected(scheduler) as client:
        yield on_cluster(client)


def _document(summary: Summary) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(summary), "scored": summary.scored}


def _print_summary(summary: Summary) -> None:
    rejected = f", {summary.rejected:,} set apart" if summary.rejected else ""
    kept = f" ({summary.kept} of {summary.parts} parts were there)" if summary.kept else ""
    console.print(
        f"{summary.scored:,} customers scored by version {summary.model_version}, "
        f"{summary.churn:,} predicted to churn{rejected}: {summary.output}{kept}",
        markup=False,
    )
    if (logged := summary.logged) is not None:
        moment = f"as of {logged.requested_at:%Y-%m-%d %H:%M:%S} UTC"
        if logged.written == logged.rows:
            text = f"{logged.rows:,} predictions logged {moment}"
        elif logged.written:
            text = f"{logged.rows:,} predictions logged {moment}: {logged.written:,} now, the others by a run that was stopped"
        else:
            text = f"{logged.rows:,} predictions were logged before, {moment}; nothing was added"
        console.print(text, markup=False)
