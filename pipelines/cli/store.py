"""`churn store …`: the database of predictions, outcomes, monitoring runs and decisions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import console, errors, fail, print_json, warn

if TYPE_CHECKING:
    from churn.store.store import Store

app = typer.Typer(no_args_is_help=True, help="Set up and look after the prediction store.")
# How often a database that is not there yet is looked for.
POLL_SECONDS = 1.0
# Why a customer is erased, if nobody says more.
ASKED_FOR = "asked for"
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def migrate(
    wait: Annotated[float, typer.Option(min=0, max=1e9, help="Wait so many seconds for a database that is not there yet.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Bring the store to the newest schema, and print its revision.

    The store is that of CHURN_STORE_URL. Doing it again changes nothing.

    Example: churn store migrate --wait 60
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

    from churn.config.settings import load_settings
    from churn.errors import StoreAway
    from churn.store.migrate import migrate

    url = load_settings().store_url
    attempts = Retrying(
        retry=retry_if_exception_type(StoreAway),
        stop=stop_after_delay(wait),
        wait=wait_fixed(POLL_SECONDS),
        before_sleep=lambda state: warn(f"{state.outcome.exception()}; waiting") if state.attempt_number == 1 else None,  # type: ignore[union-attr]
        reraise=True,
    )
    revision = attempts(migrate, url)
    if as_json:
        print_json({"revision": revision})
    else:
        console.print(f"the store is at revision {revision}")


@app.command()
def prune(
    keep_days: Annotated[float, typer.Option(min=0, max=100_000, help="Remove what was asked for longer ago than so many days.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    even_unjudged: Annotated[bool, typer.Option("--even-unjudged", help="Also what the monitor has not judged yet.")] = False,
    as_json: Json = False,
) -> None:
    """Remove old predictions with their outcomes, contacts and sensitive levels.

    It goes in small steps, and the service goes on meanwhile. Monitoring runs and decisions stay. So do predictions that the
    monitor has not judged yet, of models that still answer.

    Example: churn store prune --keep-days 400 --dry-run
    """
    from dataclasses import asdict
    from datetime import timedelta

    from churn.clock import now
    from churn.config.settings import load_settings
    from churn.store.retention import prune

    before = now() - timedelta(days=keep_days)
    with opened_store() as store, console.status("removing") as status:
        done = prune(
            store.engine,
            before,
            contact_effect=load_settings().contact_effect,
            even_unjudged=even_unjudged,
            dry_run=dry_run,
            on_batch=lambda so_far: status.update(f"removing; {so_far.predictions:,} predictions so far"),
        )
    if as_json:
        print_json({"before": before.isoformat(), "dry_run": dry_run, **asdict(done)})
        return
    console.print(
        f"{'would remove' if dry_run else 'removed'} {done.predictions:,} predictions, {done.outcomes:,} outcomes and "
        f"{done.shadow_predictions:,} shadow predictions from before {before:%Y-%m-%d %H:%M} UTC, and {done.contacts:,} contacts "
        f"whose effect was over by then, and {done.sensitive_levels:,} sensitive levels of customers of whom nothing else is left"
    )
    if done.kept_unjudged:
        console.print(f"{done.kept_unjudged:,} stay, as the monitor has not judged them yet (remove them with --even-unjudged)")


@app.command()
def sensitive(
    file: Annotated[Path, typer.Argument(help="Customers' ids and sensitive columns: CSV (also .csv.gz) or Parquet.")],
    as_json: Json = False,
) -> None:
    """Store customers' sensitive columns, for comparing groups alone.

    The monitor compares how good the model is in each group. No model, request or answer ever holds them. A blank cell removes
    what was known; who is not in the file, and a column that it does not have, stay as they are. The same file again changes
    nothing. Set CHURN_PSEUDONYM_KEY as the service has it.

    Example: churn store sensitive groups.csv
    """
    from dataclasses import asdict

    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.customers.pseudonym import Pseudonymiser
    from churn.data.sensitive_levels import read_sensitive_levels
    from churn.store.sensitive_levels import SensitiveLevel

    settings = load_settings()
    read = read_sensitive_levels(file, load_contract(settings.contract))
    pseudonym = Pseudonymiser(settings.pseudonym_key.get_secret_value())
    stored_as = [pseudonym(customer_id) for customer_id in read.index]
    said = [
        SensitiveLevel(who, str(column), level) for column in read for who, level in zip(stored_as, read[column], strict=True)
    ]
    with opened_store() as store, console.status("storing"):
        done = store.write_sensitive_levels(said)
    if as_json:
        print_json({"customers": len(read), "columns": list(read.columns), **asdict(done)})
        return
    console.print(
        f"{len(read):,} customers by {', '.join(read.columns)}: {done.new:,} levels are new, {done.changed:,} changed, "
        f"{done.removed:,} were removed, {done.same:,} are as before"
    )


def _agreed(question: str) -> bool:
    """Ask on stderr, since stdout is for the result (`typer.confirm` writes a blank there); nobody there is a no."""
    errors.print(f"{question} [y/N]: ", end="", markup=False)
    answer = sys.stdin.readline()
    if not answer:
        errors.print()  # the line of the question ends
    return answer.strip().lower() in {"y", "yes"}


@app.command()
def erase(
    customer_id: Annotated[str, typer.Argument(help="As it was sent to the service.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reason: Annotated[str, typer.Option(help="For the record. Do not name the customer in it.")] = ASKED_FOR,
    as_json: Json = False,
) -> None:
    """Erase one customer.

    Predictions, outcomes, challengers' answers, contacts, sensitive levels, and what waits on this machine's disk go. An
    opt-out stays, under a digest of the id: who asks to be forgotten is not called again.

    Set CHURN_PSEUDONYM_KEY as the service has it. Other copies (backups, training data) are listed in docs/erasure.md.

    Example: churn store erase c-4711 --reason "request 2026-17"
    """
    from dataclasses import asdict

    from churn.config.settings import load_settings
    from churn.errors import InputError, StoreError
    from churn.store.erasure import count_customer, erase_customer
    from service.prediction_log.spool_erasure import erase_spooled

    settings, names = load_settings(), names_of(customer_id)
    if reason != ASKED_FOR and customer_id in reason:
        raise InputError("the reason is kept: it must not name the customer")
    with opened_store() as store:
        known = count_customer(store.engine, names)
        if not yes and not _agreed(f"Erase this customer, with {known:,} predictions, for good?"):
            fail("nothing was erased, as nobody said yes; --yes says it")
            raise typer.Exit(1)
        with console.status("erasing"):
            # The spool first: what a service puts from there into the store meanwhile is erased there.
            wiped = erase_spooled(settings.home / "spool", names)
            erased = erase_customer(store.engine, names, reason=reason, spooled=wiped.rows)
    if as_json:
        print_json({**asdict(erased), "spooled": wiped.rows, "held_spool_files": [str(path) for path in wiped.held]})
    else:
        console.print(
            f"erased {erased.predictions:,} predictions, {erased.outcomes:,} outcomes, {erased.shadow_predictions:,} shadow "
            f"predictions, {erased.contacts:,} contacts, {erased.sensitive_levels:,} sensitive levels and {wiped.rows:,} "
            "predictions that waited on disk"
        )
    if wiped.held:
        raise StoreError(
            f"{len(wiped.held)} files in {settings.home / 'spool'} are held by a running service and may hold the customer; "
            "erase again when churn_log_spooled is 0"
        )


@app.command()
def export(
    customer_id: Annotated[str, typer.Argument(help="As it was sent to the service.")],
) -> None:
    """Print all that is known of one customer as JSON.

    Predictions, outcomes, contacts, sensitive levels, and an opt-out. Rows that wait on this machine's disk for the store are
    among them. Set CHURN_PSEUDONYM_KEY as the service has it. Other copies (backups, training data) are listed in
    docs/erasure.md.

    Example: churn store export c-4711 > c-4711.json
    """
    from churn.config.settings import load_settings
    from churn.store.export import export_customer
    from service.prediction_log.spool_search import find_spooled

    settings, names = load_settings(), names_of(customer_id)
    spooled = [row._asdict() for row in find_spooled(settings.home / "spool", names)]
    with opened_store() as store:
        known = export_customer(store.engine, names)
    # Written to the store between the two looks: there already.
    stored = {one["prediction_id"] for one in known["predictions"]}
    print_json({"customer_id": customer_id, **known, "spooled": [one for one in spooled if one["prediction_id"] not in stored]})


def names_of(customer_id: str) -> list[str]:
    """Return the names that a customer may have in the store: what was stored before there was a key has the plain id."""
    from churn.config.settings import load_settings
    from churn.customers.customer_id import require_id
    from churn.customers.pseudonym import Pseudonymiser

    stored = require_id(customer_id)
    return sorted({stored, Pseudonymiser(load_settings().pseudonym_key.get_secret_value())(stored)})


@contextmanager
def opened_store() -> Iterator[Store]:
    """Open the store of the settings for a `with` block."""
    from churn.config.settings import load_settings
    from churn.store.store import Store

    store = Store.open(load_settings().store_url)
    try:
        yield store
    finally:
        store.close()
