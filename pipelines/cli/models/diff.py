"""`churn model diff`: two versions side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from pipelines.cli.models.registry import open_registry
from pipelines.console import MAX_COUNT, console, print_json

if TYPE_CHECKING:
    from churn.model_diff.compare import ModelDiff
    from churn.model_diff.customers import CustomerChange

SHOWN = 8
LOWER_IS_BETTER = frozenset({"brier", "log_loss", "ece"})
NO_SIDE = frozenset({"selection_rate"})


def diff(
    first: Annotated[str, typer.Argument(help="Version number or alias.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    data: Annotated[Path | None, typer.Option(help="File of labelled customers; default CHURN_DATA.")] = None,
    top: Annotated[
        int, typer.Option(min=0, max=MAX_COUNT, help="How many customers to name whose probability changes most.")
    ] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Compare two versions: scores and slices, what they are made of, and for which customers the answer changes, and why.

    Scores are of customers held out of both trainings; who is named, and the changes, of all customers of the file.

    Example: churn model diff 3 champion
    """
    from churn.config.params import load_params
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.customers.pseudonym import Pseudonymiser
    from churn.data.dataset import read_dataset
    from churn.model_diff.compare import check_comparable, compare
    from pipelines.data_sources.source import find_data

    settings = load_settings(data=data) if data else load_settings()
    contract, params, registry = load_contract(settings.contract), load_params(settings.params), open_registry()
    models = registry.load_judged(first), registry.load_judged(second)
    check_comparable(*models, contract)  # before a file is read
    source = find_data(settings)
    dataset = read_dataset(source.path, contract, simulated=source.simulated, check_relations=False, once=False)
    pseudonym = Pseudonymiser(settings.pseudonym_key.get_secret_value())
    found = compare(*models, dataset, contract, params, pseudonym, top=top)
    if as_json:
        print_json(found.report())
        return
    show_diff(found)


def show_diff(found: ModelDiff) -> None:
    """Print a comparison for people."""
    a, b = (f"version {of['version']}" for of in (found.first, found.second))
    console.print(_scores(found, a, b))
    if found.slices:
        console.print(_slices(found, a, b))
    if found.columns:
        console.print(_columns(found, a, b))
        console.print(_terms(found, a, b))
    console.print(_named(found, a, b))
    if found.changes:
        console.print(_changes(found, a, b))
    for note in found.notes:
        console.print(note, style="dim", markup=False)


def _scores(found: ModelDiff, a: str, b: str) -> Table:
    table = Table("measure", title=f"{found.held_out:,} held-out customers of {escape(found.source)}", box=box.SIMPLE_HEAD)
    for name in (a, b, "difference", f"{found.confidence:.0%} interval"):
        table.add_column(name, justify="right")
    table.add_column("beyond chance")
    for score in found.scores:
        verdict = ""
        if score.low > 0 or score.high < 0:
            better = (score.difference < 0) == (score.measure in LOWER_IS_BETTER)
            verdict = "differs" if score.measure in NO_SIDE else f"{b if better else a} is better"
        table.add_row(
            score.measure,
            f"{score.first:.4f}",
            f"{score.second:.4f}",
            f"{score.difference:+.4f}",
            f"{score.low:+.4f} to {score.high:+.4f}",
            verdict,
        )
    return table


def _slices(found: ModelDiff, a: str, b: str) -> Table:
    table = Table("slice", title="log loss by slice (lower is better)", box=box.SIMPLE_HEAD)
    for name in ("customers", a, b, "difference"):
        table.add_column(name, justify="right")
    for part in found.slices:
        table.add_row(
            escape(f"{part.column}: {part.level}"),
            f"{part.rows:,}",
            f"{part.first:.4f}",
            f"{part.second:.4f}",
            f"{part.difference:+.4f} ({part.low:+.4f} to {part.high:+.4f})",
        )
    return table


def _columns(found: ModelDiff, a: str, b: str) -> Table:
    table = Table("column", title="mean contribution of a column, either way, in log-odds", box=box.SIMPLE_HEAD)
    for name in (a, b, "difference"):
        table.add_column(name, justify="right")
    for column, (old, new) in list(found.columns.items())[:SHOWN]:
        table.add_row(escape(column), f"{old:.3f}", f"{new:.3f}", f"{new - old:+.3f}")
    return table


def _terms(found: ModelDiff, a: str, b: str) -> Table:
    lost, new = (sum(getattr(term, side) is None for term in found.terms) for side in ("second", "first"))
    shared = len(found.terms) - lost - new
    title = f"terms: {shared} in both, {lost} only in {a}, {new} only in {b}; those that moved most"
    table = Table("term", title=title, box=box.SIMPLE_HEAD)
    for name in (a, b):
        table.add_column(name, justify="right")
    for term in found.terms[:SHOWN]:
        table.add_row(escape(term.term), *("" if weight is None else f"{weight:+.3f}" for weight in (term.first, term.second)))
    return table


def _named(found: ModelDiff, a: str, b: str) -> Table:
    named = found.named
    table = Table("predicted to churn", title=f"who is named, of {found.labelled:,} labelled customers", box=box.SIMPLE_HEAD)
    for name in ("customers", "who churned"):
        table.add_column(name, justify="right")
    words = {"both": "by both", "first_only": f"only by {a}", "second_only": f"only by {b}", "neither": "by neither"}
    for name, text in words.items():
        table.add_row(text, f"{getattr(named, name):,}", f"{named.churned[name]:,}")
    return table


def _changes(found: ModelDiff, a: str, b: str) -> Table:
    table = Table("customer", title="largest changes, first of those whom one version names", box=box.SIMPLE_HEAD)
    for name in (a, b):
        table.add_column(name, justify="right")
    for name in ("named by", "churned", f"why: log-odds in {a} → {b}"):
        table.add_column(name)
    words = {"first": a, "second": b}
    for change in found.changes:
        table.add_row(
            escape(change.customer),
            f"{change.first:.3f}",
            f"{change.second:.3f}",
            words.get(change.named_by, change.named_by),
            "yes" if change.churned else "no",
            escape(_why(change)),
        )
    return table


def _why(change: CustomerChange) -> str:
    return "; ".join(f"{why.feature} {_value(why.value)}: {why.first:+.2f} → {why.second:+.2f}" for why in change.reasons)


def _value(value: object) -> str:
    return "missing" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
