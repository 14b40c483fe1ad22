"""`churn campaign …`: plan and report campaigns, list those that contacts were reported of, and keep customers out of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pipelines.cli.campaigns.plan import plan
from pipelines.cli.campaigns.report import add_segments, log_report, report_lines
from pipelines.cli.store import opened_store
from pipelines.console import console, print_json

app = typer.Typer(no_args_is_help=True, help="Plan campaigns, report what they brought, and keep customers out.")
app.command()(plan)
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command("list")
def list_campaigns(as_json: Json = False) -> None:
    """List the campaigns with their contacts, newest first.

    Contacts without a campaign are shown as one without a name.

    Example: churn campaign list
    """
    from dataclasses import asdict

    with opened_store() as store:
        found = store.campaigns()
    if as_json:
        print_json([asdict(one) for one in found])
        return
    table = Table("campaign", "contacts", "first", "last")
    for one in found:
        first, last = (f"{at:%Y-%m-%d %H:%M}" for at in (one.first_contact_at, one.last_contact_at))
        table.add_row(escape(one.name) or "(no name)", f"{one.contacts:,}", first, last)
    console.print(table if found else "no contacts yet; report them to POST /contacts")


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="The campaign, as in `churn campaign list`.")],
    write_params: Annotated[
        bool, typer.Option("--write-params", help="Put the acceptance that was measured into params.yaml, and how sure it is.")
    ] = False,
    log: Annotated[
        bool, typer.Option("--log", help="Write it as a page under CHURN_HOME, and log it as a run to MLflow.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what a campaign brought: customers saved and money made, with intervals.

    Everybody whom the model named in the campaign's time is compared with those of them who were held out. Money is what
    params.yaml says that a customer, a contact and an offer are worth.

    Example: churn campaign report november
    """
    from churn.campaigns.effect import SCORE_STEPS
    from churn.campaigns.report import make_report
    from churn.clock import now
    from churn.config.params import load_params
    from churn.config.params_file import write_param
    from churn.config.settings import load_settings
    from churn.errors import InputError
    from churn.store.maturity import label_maturity

    settings = load_settings()
    with opened_store() as store:
        moment = now()
        until = label_maturity(store, settings.label_maturity_seconds, moment).until(moment)
        counts = store.count_campaign(name, SCORE_STEPS, mature_until=until)
        if counts is None:
            raise InputError(f"no contact of a campaign {name!r} is stored; `churn campaign list` names those there are")
        profit = load_params(settings.params).profit
        found = add_segments(make_report(name, counts, profit), store, settings, until)
    # What cannot be written is refused before anything is.
    acceptance = found.measured_acceptance() if write_params else None
    logged = log_report(found, profit, settings) if log else {}
    if acceptance is not None:
        names = ("acceptance_alpha", "acceptance_beta")
        values = zip(names, found.acceptance_distribution() or (), strict=False)
        write_param(settings.params, ("profit", "acceptance"), acceptance, {("profit", name): value for name, value in values})
    if as_json:
        print_json({**found.to_document(), **logged})
        return
    for line in report_lines(found):
        console.print(line, markup=False)
    for what, where in logged.items():
        console.print(f"{what.replace('_', ' ')}: {where}", markup=False)
    if acceptance is not None:
        changed = f"profit.acceptance is {acceptance:g} now, and was {profit.acceptance:g}"
        console.print(f"{settings.params}: {changed}; the next training chooses its threshold by it", markup=False)


@app.command("opt-out")
def opt_out(
    customer_ids: Annotated[list[str] | None, typer.Argument(help="As they were sent to the service.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A text file with one id a line, or CSV with a column of ids.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="They may be contacted again.")] = False,
    as_json: Json = False,
) -> None:
    """Record that customers want no contacts: no campaign lists them from then on.

    It outlives the erasure of their data. Set CHURN_PSEUDONYM_KEY as the service has it.

    Example: churn campaign opt-out c-4711 c-4712
    """
    from churn.campaigns.id_list import read_id_list
    from churn.clock import now
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.customers.customer_id import require_id
    from churn.customers.pseudonym import Pseudonymiser
    from churn.errors import InputError
    from churn.store.contacts.records import Contact

    listed = read_id_list(file, load_contract(load_settings().contract)) if file else []
    named = [*map(require_id, customer_ids or []), *listed]
    if not named:
        raise InputError("which customers? Name one or more ids, or a --file with one a line")
    pseudonym, said_at = Pseudonymiser(load_settings().pseudonym_key.get_secret_value()), now()
    said = [Contact(said_at, customer_id=pseudonym(one), opt_out=not undo) for one in dict.fromkeys(named)]
    with opened_store() as store:
        store.write_contacts(said)
        in_all = store.count_opt_outs()
    if as_json:
        print_json({"customers": len(said), "opt_out": not undo, "opted_out_in_all": in_all})
    else:
        wish = "may be contacted again" if undo else "will not be contacted"
        console.print(f"{len(said):,} customer{'s' if len(said) > 1 else ''} {wish}; {in_all:,} want no contacts in all")
