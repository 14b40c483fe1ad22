"""`churn model …` and `churn evaluate`: the registered versions, which is champion, and how good they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from churn.lifecycle.actor import current_user
from pipelines.cli.data import warn_doubts
from pipelines.cli.models.diff import diff
from pipelines.cli.models.registry import open_registry
from pipelines.cli.models.segments import segments
from pipelines.cli.store import opened_store
from pipelines.cli.tables import as_document, history_table, print_scorecard, shadow_table
from pipelines.console import MAX_COUNT, console, print_json, warn

if TYPE_CHECKING:
    from churn.store.maturity import Maturity
    from churn.store.shadow import ShadowComparison
    from churn.store.store import Store

app = typer.Typer(no_args_is_help=True, help="List, show, promote and roll back models.")
LAST_DECISIONS = 10
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command("list")
def list_versions(as_json: Json = False) -> None:
    """List the registered versions, newest first.

    Example: churn model list
    """
    from churn.config.settings import load_settings
    from churn.registry.connect import registry_reader

    rows = [{"version": one.version, "aliases": one.aliases, **one.tags} for one in registry_reader(load_settings()).versions()]
    if as_json:
        print_json(rows)
        return
    table = Table("version", "aliases", "trigger", "data", "digest")
    for row in rows:
        aliases = ", ".join(row["aliases"])
        table.add_row(
            str(row["version"]), aliases, str(row.get("trigger")), str(row.get("data_source")), str(row.get("data_digest"))
        )
    console.print(table if rows else "no model yet; train one with: churn train")


@app.command()
def show(version: Annotated[str, typer.Argument(help="Version number or alias.")] = "champion", as_json: Json = False) -> None:
    """Show one version: what it is, how it did as a challenger, what was last decided about it.

    Example: churn model show 3
    """
    from dataclasses import asdict

    from churn.errors import ModelRefused
    from churn.lifecycle.decision_log import HISTORY, drop_closed_intents

    registry, refused = open_registry(), ""
    try:
        known = registry.load(version).info.model_dump(mode="json")
    except ModelRefused as error:
        # Then the registry's description and the decisions are all the more worth showing.
        refused, number = str(error), registry.version(version)
        known = {"version": number, **registry.tags_of(number)}
    with opened_store() as store:
        decided = drop_closed_intents(store.decisions(kind=HISTORY, model_version=known["version"], limit=LAST_DECISIONS))
        shadow, maturity = _compare_shadow(store, known["version"])
    if as_json:
        known |= {"shadow": None if shadow is None else asdict(shadow), "refused": refused or None}
        print_json({**known, "decisions": [as_document(one) for one in decided]})
        return
    if refused:
        warn(f"it cannot serve: {refused}")
    for name, value in known.items():
        shown = {metric: round(number, 4) for metric, number in value.items()} if name == "metrics" else value
        console.print(f"[bold]{name}[/bold]: {shown}")
    if shadow is not None:
        console.print(shadow_table(shadow))
        if maturity.seconds != 0:
            console.print(f"labels: {maturity.reason}", highlight=False, soft_wrap=True)
    if decided:
        console.print(history_table(decided))


def _compare_shadow(store: Store, version: str) -> tuple[ShadowComparison | None, Maturity]:
    """Return how a version did as a challenger, None if it never was one, and from which age on outcomes count in that."""
    from churn.clock import now
    from churn.config.settings import load_settings
    from churn.store.maturity import label_maturity

    settings = load_settings()
    maturity = label_maturity(store, settings.label_maturity_seconds, now())
    until = maturity.until(now())
    return store.compare_shadow(version, mature_until=until, contact_effect=settings.contact_effect), maturity


@app.command()
def card(
    version: Annotated[str, typer.Argument(help="Version number or alias.")] = "champion",
    raw: Annotated[bool, typer.Option("--raw", help="Print the Markdown itself, as a pipe always gets it.")] = False,
) -> None:
    """Show the model card: what a version is for, how good it is and for whom, its limits.

    Example: churn model card 3 --raw
    """
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.model_card.card import render_card

    model = open_registry().load(version)
    text = model.card or render_card(model.info, contract=load_contract(load_settings().contract))
    if raw or not console.is_terminal:
        typer.echo(text, nl=False)
        return
    from rich.markdown import Markdown

    console.print(Markdown(text), soft_wrap=False)


@app.command("sql")
def as_sql(
    version: Annotated[str, typer.Argument(help="Version number or alias.")] = "champion",
    dialect: Annotated[str, typer.Option(help="Of the database: postgres, duckdb, bigquery, snowflake, …")] = "postgres",
    table: Annotated[str, typer.Option(help="Of customers; its columns bear the contract's names.")] = "customers",
    key: Annotated[list[str] | None, typer.Option(help="A column that the result has too; default: customer_id.")] = None,
) -> None:
    """Print a SELECT that answers in a warehouse what the service would answer.

    A customer whom the service would refuse gets NULL.

    Example: churn model sql --dialect duckdb --table base.customers
    """
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.errors import InputError
    from churn.inference.compiler import compile_pipeline
    from churn.inference.sql import model_sql

    contract, model = load_contract(load_settings().contract), open_registry().load(version)
    info, compiled = model.info, compile_pipeline(model.pipeline, model.info.features, contract)
    if compiled is None:
        raise InputError(f"version {info.version} cannot be written as SQL: it is no sum of terms")
    keys, threshold = key or ["customer_id"], info.threshold
    written = model_sql(compiled, contract, threshold=threshold, version=info.version, table=table, keys=keys, dialect=dialect)
    typer.echo(written, nl=False)


@app.command()
def history(
    limit: Annotated[int, typer.Option(min=1, max=MAX_COUNT, help="How many, the newest.")] = 20,
    as_json: Json = False,
) -> None:
    """List the gate's decisions, promotions and rollbacks, newest first: who, when, which version and why.

    Example: churn model history --limit 5
    """
    from churn.lifecycle.decision_log import HISTORY, drop_closed_intents

    with opened_store() as store:
        # A completed promotion is two records, of which one is shown.
        decided = drop_closed_intents(store.decisions(kind=HISTORY, limit=2 * limit))[:limit]
    if as_json:
        print_json([as_document(one) for one in decided])
        return
    console.print(history_table(decided) if decided else "nothing was decided yet; train a model with: churn train")


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="Version number.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
) -> None:
    """Make a version the champion by hand, past the gate. Who did it and why is recorded.

    Example: churn model promote 3 --reason "the gate's rows were mislabelled"
    """
    from churn.lifecycle import promotion
    from churn.lifecycle.same_registry import check_version

    registry = open_registry()
    info = registry.load(version).info  # a model that cannot be loaded is not promoted
    with opened_store() as store:
        check_version(store, info.version, info.run_id)
        old = promotion.promote(registry, store, info, actor=current_user(), reason=reason)
    _say(info.version, old, "is champion")


@app.command()
def rollback(
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    leaving: Annotated[
        str | None, typer.Option(help="The version to leave; nothing is done if another is champion. Default: the champion.")
    ] = None,
) -> None:
    """Make the previous champion the champion again. Who did it and why is recorded.

    A second rollback undoes the first.

    Example: churn model rollback --reason "complaints from the call centre" --leaving 3
    """
    from churn.errors import ChampionChanged
    from churn.lifecycle import promotion
    from churn.lifecycle.same_registry import check_version

    registry = open_registry()
    with opened_store() as store:
        # Read before the model is loaded, which takes time: another champion is not what was meant.
        champion = registry.champion_version()
        if leaving not in (None, champion):
            raise ChampionChanged(f"version {champion} is champion, and not {leaving}; nothing was changed")
        info = registry.load(promotion.rollback_version(registry, store)).info
        check_version(store, info.version, info.run_id)
        old = promotion.rollback(registry, store, info, leaving=champion, actor=current_user(), reason=reason)
    _say(info.version, old, "is champion again")


@app.command()
def challenge(
    version: Annotated[str | None, typer.Argument(help="Version number.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Let nobody challenge the champion any more.")] = False,
) -> None:
    """Make a version the challenger, which is scored in the shadow of the champion.

    `churn model show` compares the two.

    Example: churn model challenge 3
    """
    from churn.errors import InputError

    if (version is None) is not stop:
        raise InputError("churn model challenge needs a version, or --stop (and not both)")
    registry = open_registry()
    if version is None:
        ended = registry.end_challenge()
        console.print("there was no challenger" if ended is None else f"version {ended} is no challenger any more")
        return
    info = registry.load(version).info  # a model that cannot be loaded challenges nobody
    if info.version == registry.aliases().get("champion"):
        raise InputError(f"version {info.version} is the champion; it cannot challenge itself")
    registry.challenge(info.version)
    console.print(f"version {info.version} is the challenger; compare: churn model show {info.version}")


app.command()(diff)
app.command()(segments)


def evaluate(
    file: Annotated[Path, typer.Argument(help="Labelled CSV or Parquet file.")],
    model: Annotated[str, typer.Option(help="Version number or alias.")] = "champion",
    as_json: Json = False,
) -> None:
    """Say how good a registered model is on a labelled file.

    Scores come with intervals, also for slices of the customers. A customer may have several rows (the same customer_id): the
    intervals are then as wide as so many customers make them. Of the file that the model was trained on, figures are too good.

    Example: churn evaluate data/telecom_churn.csv --model champion
    """
    from churn.config.params import load_params
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.data.dataset import read_dataset
    from churn.data.labelled import Labelled, customer_numbers
    from churn.evaluation.report import assess

    settings = load_settings()
    contract, params = load_contract(settings.contract), load_params(settings.params)
    dataset = read_dataset(file, contract, check_relations=False, once=False)
    loaded = open_registry().load(model)
    warn_doubts(dataset)
    # A source reads "customers.csv", "customers.csv + 40 labelled predictions" or "the newest 9,000 of" such.
    if re.search(rf"(^|of ){re.escape(dataset.source)}( \+|$)", loaded.info.data_source):
        held_out = f"those of customers held out: churn model card {loaded.info.version}"
        warn(f"version {loaded.info.version} was trained on customers of {dataset.source}: its figures are too good; {held_out}")
    customer = None if dataset.customer_id is None else customer_numbers(dataset.customer_id)
    known = Labelled(dataset.features, dataset.labelled, dataset.sensitive, customer)
    found = assess(known, loaded.predict_probability(dataset.features), loaded.info.threshold, contract, params)
    if as_json:
        report = {name: value for name, value in found.report().items() if name != "metrics"}
        named = {"file": str(file), "model_version": loaded.info.version}
        print_json({**named, **found.card.report(), "intervals": found.intervals, **report})
        return
    print_scorecard(found, f"version {loaded.info.version} on {file}")


def _say(version: str, old: str | None, what: str) -> None:
    if old == version:
        console.print(f"version {version} was champion already; nothing changed")
    else:
        console.print(f"version {version} {what}" + (f"; it was {old}" if old else ""))
