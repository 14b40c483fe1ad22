"""`churn drift`: files against a reference, one result each; no server, no store, no model."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from churn.errors import ChurnError, InputError
from pipelines.console import console, fail, print_json

if TYPE_CHECKING:
    import pandas as pd

    from churn.contract import Contract
    from churn.data.unvalidated import UnvalidatedRows
    from monitoring.drift.profile import ReferenceProfile
    from monitoring.drift.results import DriftReport, DriftResult

SHOWN = 8


def drift(
    reference: Annotated[Path, typer.Argument(help="File to compare with.")],
    current: Annotated[list[Path], typer.Argument(help="Files to judge.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Draw an Evidently page here; of several files, each in a page of its own.")
    ] = None,
    fail_on_drift: Annotated[bool, typer.Option("--fail-on-drift", help="Exit 1 if any file alarms.")] = False,
) -> None:
    """Compare files with a reference file; no server, store or model is needed.

    CHURN_FALSE_ALARM_RATE is the false-alarm rate of each file. Where the contract has a column with role: time, what the
    reference's months usually do is no drift, as for the monitor. Values that break the contract are compared as they are. A
    file that cannot be read is named, the others are judged, and the exit code is 2. The impact on churn is shown where the
    reference has outcomes.

    Example: churn drift january.csv february.csv march.csv
    """
    from churn.atomic_write import is_same_file
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.data.unvalidated import read_unvalidated
    from monitoring.drift.detect import detect_drift

    pages = {path: _page_of(report, path, current) for path in current} if report is not None else {}
    for page, read in product(pages.values(), (reference, *current)):
        if is_same_file(page, read):
            raise InputError(f"{page}: is a file of customers; name another one for the page")
    settings = load_settings()
    contract = load_contract(settings.contract)
    before, known, profile = _read_reference(reference, contract)
    if (when := contract.time_column) is not None and before.asked_at is not None and not as_json:
        _print_months(before, when.name, len(profile.months.sums))
    results, unread = [], []
    for path in current:
        try:
            now = read_unvalidated(path, contract)
        except ChurnError as error:
            unread.append(path)
            results.append({"file": str(path), "error": str(error)})
            if not as_json:
                fail(str(error))
            continue
        found = detect_drift(profile, now.frame.drop(columns="churned", errors="ignore"), contract, settings.false_alarm_rate)
        results.append(_document(now, found, len(profile.months.sums)))
        if not as_json:
            _print(now, found)
        if path in pages:
            _draw(pages[path], known, now, found)
    if as_json:
        print_json(results)
    if unread:
        raise typer.Exit(2)
    if fail_on_drift and any(result["alarm"] for result in results):
        raise typer.Exit(1)


def _page_of(report: Path, path: Path, current: list[Path]) -> Path:
    return report if len(current) == 1 else report.with_stem(f"{report.stem}-{path.stem}")


def _read_reference(path: Path, contract: Contract) -> tuple[UnvalidatedRows, pd.DataFrame, ReferenceProfile]:
    """Return a reference file as it was read, those of its columns that it has, and their profile; InputError without rows."""
    from churn.data.row_time import MONTH, months_of
    from churn.data.unvalidated import read_unvalidated
    from monitoring.drift.profile import ReferenceProfile

    before = read_unvalidated(path, contract)
    if before.frame.empty:
        raise InputError(f"{path}: has no rows to compare with")
    known = before.frame.drop(columns=list(before.absent))
    dated = known if before.asked_at is None else known.assign(**{MONTH: months_of(before.asked_at)})
    return before, known, ReferenceProfile.of(dated, contract)


def _document(now: UnvalidatedRows, found: DriftReport, months: int) -> dict[str, Any]:
    extra = {"unreadable": now.unreadable, "absent": list(now.absent), "reference_months": months}
    return {"file": str(now.path), **found.as_dict(), **extra}


def _print_months(reference: UnvalidatedRows, time_column: str, months: int) -> None:
    from monitoring.drift.months import MIN_MONTH_ROWS, MIN_MONTHS

    name = str(reference.path).replace("[", r"\[")
    rows = reference.frame.shape[0]
    if unread := reference.unreadable.get(time_column, 0):
        console.print(f"{name}: {unread} of {rows} times cannot be read, and name no month", soft_wrap=True)
    if months:
        console.print(f"{name}: what its {months} months usually do is no drift", soft_wrap=True)
        return
    console.print(
        f"{name}: months are not compared, since {MIN_MONTHS} of {MIN_MONTH_ROWS} rows each are needed: a season counts as drift",
        soft_wrap=True,
    )


def _print(now: UnvalidatedRows, found: DriftReport) -> None:
    word = "[red]drift[/red]" if found.alarm else "[green]no drift[/green]"
    name = str(now.path).replace("[", r"\[")
    if not now.frame.shape[0]:
        console.print(f"{name}: {word} (it has no rows)")
        return
    console.print(f"{name}: {word} (p = {found.p_value:.2g}, {found.rows:,} rows)", soft_wrap=True)
    for result in found.drifted[:SHOWN]:
        console.print(f"  {_line(result)}", markup=False, soft_wrap=True)
    if len(found.drifted) > SHOWN:
        console.print(f"  and {len(found.drifted) - SHOWN} more; --json lists them", markup=False)
    for column, cells in now.unreadable.items():
        console.print(
            f"  {column}: {cells} of {found.rows} cells cannot be read, and count as missing", markup=False, soft_wrap=True
        )
    for column in now.absent:
        console.print(f"  {column}: the file has no such column; it counts as missing", markup=False, soft_wrap=True)


def _line(result: DriftResult) -> str:
    moved = "" if result.shift is None else f" {result.reference:.4g} → {result.current:.4g} ({result.shift:+.3g})"
    impact = "" if result.impact is None else f", impact {result.impact:+.2f} log-odds"
    note = ", a note: it hardly matters to who leaves" if result.note else ""
    tested = f"statistic {result.statistic:.3g}, p {result.p_value:.2g} ≤ {result.threshold:g} by {result.method}"
    return f"{result.feature} ({result.aspect}): {result.measure}{moved}; {tested}{impact}{note}"


def _draw(path: Path, known: pd.DataFrame, now: UnvalidatedRows, found: DriftReport) -> None:
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from monitoring.reports.evidently_report import write_comparison
    from pipelines.environment import prepare_environment

    settings = load_settings()
    prepare_environment(settings)
    write_comparison(path, known, now.frame, found, load_contract(settings.contract), settings)
