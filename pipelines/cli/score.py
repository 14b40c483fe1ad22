"""`churn score`: files of customers into files of answers, here or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipelines.console import console, errors, fail, print_json, warn

if TYPE_CHECKING:
    from churn.batch.answer_file import Done
    from churn.batch.model import Scorer
    from churn.batch.plan import Plan
    from churn.batch.run import Runner, Summary
    from churn.config.settings import Settings
    from churn.contract import Contract
    from service.scoring.served_model import ServedModel

# As shells spell it.
INTERRUPTED = 130


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
        typer.Option(help="At a customer who breaks a rule: stop, or set such apart, with the reason, and go on."),
    ] = "stop",
    allow_absent: Annotated[
        bool, typer.Option("--allow-absent", help="A feature without a column counts as missing, as in a request; else refused.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace finished answers of another run.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads that score here; default: one a processor.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Score files of any size: the same rules and the same numbers as the service. Run again after a stop, it goes on.

    Example: churn score customers/ scored/2026-11-26 --scheduler tcp://10.0.0.5:8786
    """
    from churn.batch.plan import Terms
    from churn.batch.run import on_threads, score_folder
    from churn.batch.single_file import is_file_name, score_file
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from pipelines.environment import prepare_environment

    settings = load_settings()
    prepare_environment(settings)
    contract = load_contract(settings.contract)
    scorer = find_scorer(settings, contract, model)
    terms = Terms(invalid, allow_absent)
    into = score_file if is_file_name(output) else score_folder
    try:
        with _runner(scheduler, on_threads(threads)) as run, _Progress(quiet=as_json) as progress:
            summary = into(
                scorer, source, output, terms, run, overwrite=overwrite, on_plan=progress.planned, on_part=progress.finished
            )
    except KeyboardInterrupt:
        fail("stopped; what is finished stays, and the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(_document(summary))
    else:
        _print(summary)


def find_scorer(settings: Settings, contract: Contract, version: str) -> Scorer:
    """Load a model from the registry as the service does; the last known good one, said loudly, if the registry is away.

    Raises
    ------
    NoModel, RegistryError, ModelRefused
    """
    from churn.batch.model import Scorer, ScoringModel
    from churn.errors import NoModel, RegistryError
    from service.model_loading.registry_source import RegistrySource
    from service.scoring.scorer import CompiledScorer

    found = RegistrySource(settings, contract)
    try:
        served = _registered(found, version)
        if version == "champion":
            found.save_last_known_good(served)
    except NoModel:
        raise
    except RegistryError as away:
        last: ServedModel | None = found.load_last_known_good(True)
        if last is None or version not in ("champion", last.version):
            raise
        served = last
        warn(f"{away}\nscoring with the last known good model, version {last.version}, which may not lead any more")
    compiled = served.scorer.compiled.to_document() if isinstance(served.scorer, CompiledScorer) else None
    info = served.info
    known = ScoringModel(settings.model_name, info.version, info.run_id, info.threshold, compiled, contract)
    return Scorer.of(known, None if compiled is not None else served.scorer.many)


def _registered(found: Any, version: str) -> ServedModel:
    from churn.errors import NoModel

    aliases = found.aliases()
    if version == "champion" and version not in aliases:
        raise NoModel("there is no champion yet; train one with: churn train")
    served: ServedModel = found.load(aliases.get(version, version))
    return served


@contextmanager
def _runner(scheduler: str | None, here: Runner) -> Iterator[Runner]:
    if scheduler is None:
        yield here
        return
    from pipelines.flows.dask_cluster import connected, on_cluster

    with connected(scheduler) as client:
        yield on_cluster(client)


class _Progress:
    """A bar that grows with the customers, or with the parts where their number is not known."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[unit]}"))
        silent = quiet or not errors.is_terminal
        times = TimeElapsedColumn(), TimeRemainingColumn()
        self._shown = Progress(*columns, *times, console=errors, transient=True, disable=silent)
        self._by_rows = False

    def __enter__(self) -> _Progress:
        self._shown.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._shown.stop()

    def planned(self, plan: Plan, kept: Sequence[Done]) -> None:
        """Show how much there is, and what of it was done before."""
        self._by_rows = plan.rows is not None
        total = plan.rows if plan.rows is not None else len(plan.parts)
        self._task = self._shown.add_task("", total=total, unit="customers" if self._by_rows else "parts")
        for done in kept:
            self.finished(done)

    def finished(self, done: Done) -> None:
        """Move on by a part."""
        self._shown.advance(self._task, done.rows if self._by_rows else 1)


def _document(summary: Summary) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(summary), "scored": summary.scored}


def _print(summary: Summary) -> None:
    rejected = f", {summary.rejected:,} set apart" if summary.rejected else ""
    kept = f" ({summary.kept} of {summary.parts} parts were there)" if summary.kept else ""
    console.print(
        f"{summary.scored:,} customers scored by version {summary.model_version}, "
        f"{summary.churn:,} predicted to churn{rejected}: {summary.output}{kept}",
        markup=False,
    )
