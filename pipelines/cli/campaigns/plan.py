"""`churn campaign plan`: whom to call, in which order and why; what that should bring; and who was called, in the store."""

from __future__ import annotations

import filecmp
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.console import MAX_COUNT, console, errors, print_json, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from churn.batch.log import FileLog
    from churn.batch.model import Scorer
    from churn.config.params import ProfitParams
    from churn.config.settings import Settings
    from pipelines.planning import CampaignPlan

LOCK = "campaign"
LEFT_OUT = {
    "control_group": "left alone, as the control group",
    "opted_out": "want no contacts",
    "contacted_lately": "were contacted lately",
}


# Of any currency; beyond it is infinity, which is no budget.
MAX_BUDGET = 1e15


def plan(
    customers: Annotated[Path, typer.Argument(help="Customers to choose from, with ids: what `churn score` reads.")],
    output: Annotated[Path, typer.Argument(metavar="LIST", help="The list to write: a .csv or .parquet file.")],
    name: Annotated[str, typer.Option("--name", help="What the campaign is called, here and in reports.")],
    budget: Annotated[
        float | None, typer.Option(min=0.0, max=MAX_BUDGET, help="What all calls may be expected to cost, offers included.")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, max=MAX_COUNT, help="How many customers are called at most.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Where the gains curve goes; default: a .png beside the list.")] = None,
    model: Annotated[str, typer.Option(help="Version number or alias.")] = "champion",
    allow_absent: Annotated[
        bool, typer.Option("--allow-absent", help="A feature without a column counts as missing, as in a request; else refused.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a list that says something else.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the list and the picture, and nothing to the store: nobody counts as called.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Choose whom to call: those who are worth it, best first.

    The control group, those who want no contacts and those who were contacted lately are left out. Costs, and the value of
    customers where no column has the role `value`, are those by which the model's threshold was chosen. What was scored is
    logged, and who is on the list counts as contacted now. The same plan again does nothing.

    Example: churn campaign plan customers.csv november.csv --name november --budget 500
    """
    from churn.batch.plan import Terms, make_plan
    from churn.batch.run import usable_cores
    from churn.campaigns.ranking import Limit
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.errors import InputError
    from churn.lifecycle.actor import current_user
    from pipelines.candidates import find_candidates
    from pipelines.environment import prepare_environment
    from pipelines.planning import make_campaign_plan
    from pipelines.scoring import find_scorer, open_log

    if budget is not None and top is not None:
        raise InputError("--budget and --top: give one of them")
    drawn = _check_name_and_files(name, customers, output, picture)
    settings = load_settings()
    prepare_environment(settings)
    contract = load_contract(settings.contract)
    scorer = find_scorer(settings, contract, model)
    profit = scorer.model.profit
    terms = Terms("stop", allow_absent)
    source = make_plan(customers, scorer.model.digest, terms)
    with (
        open_log(settings, None, _waiting) as log,
        log.store.lock(LOCK, current_user(), timeout_seconds=60, on_wait=_waiting) as lock,
    ):
        with _bar("scoring", source.rows, quiet=as_json) as advance:
            found = find_candidates(scorer, source, terms, profit, advance)
        planned = make_campaign_plan(found, scorer, profit, _left_out(log, settings, name), Limit(top, budget))
        known = _is_planned(log, name, planned)
        with _drawn(planned, profit, drawn, name), _bar("listing", len(planned.called), quiet=as_json) as advance:
            _write(planned, scorer, output, advance, overwrite=overwrite)
        written = 0
        if not dry_run and not known:
            # Contacts come after the predictions that their customers were chosen by.
            log.write(scorer, source, terms, found.rows, usable_cores())
            lock.confirm()
            written = _write_contacts(log, planned, name)
    done = {"dry_run": dry_run, "contacts_written": written, "planned_before": known}
    _show({**_document(planned, scorer), "name": name, "list": str(output), "picture": str(drawn), **done}, as_json)


def _check_name_and_files(name: str, customers: Path, output: Path, picture: Path | None) -> Path:
    """Return where the picture goes. Refused are names that `POST /contacts` refuses, and a file that is another one too."""
    from churn.atomic_write import is_same_file
    from churn.campaigns.call_list import ENDINGS
    from churn.errors import InputError
    from churn.store.contacts.records import MAX_CAMPAIGN_LENGTH, NAME_PATTERN

    if len(name) > MAX_CAMPAIGN_LENGTH or not re.fullmatch(NAME_PATTERN, name):
        raise InputError(
            f"--name must have 1 to {MAX_CAMPAIGN_LENGTH} characters, no line break among them, and begin with none that is blank"
        )
    if output.suffix not in ENDINGS:
        raise InputError(f"{output}: the list is a {' or '.join(ENDINGS)} file")
    if is_same_file(output, customers):
        raise InputError(f"{output}: is the file of customers; name another one for the list")
    drawn = picture or output.with_suffix(".png")
    if any(is_same_file(drawn, other) for other in (customers, output)):
        raise InputError(f"{drawn}: the picture needs a file of its own; name another one with --picture")
    return drawn


def _waiting(holder: str) -> None:
    warn(f"waiting for {holder}")


def _left_out(log: FileLog, settings: Settings, name: str) -> Callable[[list[str]], dict[str, str]]:
    from churn.clock import now

    def ask(ids: list[str]) -> dict[str, str]:
        stored = {_stored(log, one): one for one in ids}
        since = now() - settings.contact_effect
        return {stored[one]: why for one, why in log.store.not_to_contact(list(stored), since, name).items()}

    return ask


def _stored(log: FileLog, customer_id: str) -> str:
    return customer_id if log.pseudonym is None else log.pseudonym(customer_id)


def _is_planned(log: FileLog, name: str, planned: CampaignPlan) -> bool:
    """Return whether this very plan is in the store; InputError if another campaign has the name."""
    from churn.errors import InputError

    members = log.store.campaign_members(name)
    if not members:
        return False
    wanted = {_stored(log, one) for one in planned.ids}
    if members != wanted:
        raise InputError(
            f"a campaign {name!r} is stored with other customers: {len(members):,}, of whom {len(members & wanted):,} are among "
            f"the {len(wanted):,} of this plan; give it another --name"
        )
    return True


def _write(planned: CampaignPlan, scorer: Scorer, output: Path, advance: Callable[[int], None], *, overwrite: bool) -> None:
    from churn.atomic_write import atomic_write, remove_abandoned
    from churn.campaigns.call_list import write_list
    from churn.errors import InputError, unwritable
    from pipelines.planning import listed

    remove_abandoned(output.parent)
    try:
        with atomic_write(output) as staging:
            write_list(staging, output.suffix, listed(planned, scorer, advance), segment=planned.segments is not None)
            if output.exists() and not overwrite and not filecmp.cmp(staging, output, shallow=False):
                raise InputError(f"{output}: is there and says something else; name another file, or give --overwrite")
    except OSError as error:
        raise unwritable(output, error) from error


@contextmanager
def _drawn(planned: CampaignPlan, profit: ProfitParams, picture: Path, name: str) -> Iterator[None]:
    """Draw the picture, and put it where it belongs once the list is there: without the one, the other is not written."""
    from churn.atomic_write import atomic_write
    from churn.campaigns.gains_picture import draw_gains
    from churn.errors import unwritable

    title = f"Campaign {name}: what calls are expected to bring".replace("$", r"\$")
    figure = draw_gains(planned.curve, len(planned.called), profit.currency.replace("$", r"\$"), title)
    try:
        with atomic_write(picture) as staging:
            figure.savefig(staging, format="png", dpi=120)
            yield
    except OSError as error:
        raise unwritable(picture, error) from error


def _write_contacts(log: FileLog, planned: CampaignPlan, name: str) -> int:
    from churn.clock import now
    from churn.store.contacts.records import Contact

    at = now()
    # A plan of which a part is stored could not be told from another campaign of that name.
    receipt = log.store.write_contacts_whole([Contact(at, customer_id=_stored(log, one), campaign=name) for one in planned.ids])
    return receipt.accepted


def _document(planned: CampaignPlan, scorer: Scorer) -> dict[str, Any]:
    expected, found = planned.expected, planned.candidates
    return {
        "model_version": scorer.model.version,
        "customers": found.rows,
        "calls": len(planned.called),
        "saved": planned.total(expected.saved),
        "cost": planned.total(expected.cost),
        "gain": planned.total(expected.gain),
        "currency": scorer.model.profit.currency,
        "worth_a_call": len(found.ids),
        "left_out": planned.left_out,
        "below_threshold": planned.below_threshold,
        "usual_value": found.usual_value,
        "segments": [asdict(one) for one in planned.by_segment()],
    }


def _show(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    for line in _lines(document):
        console.print(line, markup=False)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    money = document["currency"]
    yield f"campaign {document['name']}: {document['calls']:,} calls, chosen from {document['customers']:,} customers"
    yield f"  worth a call    {document['worth_a_call']:,}"
    for why, number in document["left_out"].items():
        if number:
            yield f"    of whom       {number:,} {LEFT_OUT[why]}"
    cost, gain = (f"{document[what]:,.0f} {money}" for what in ("cost", "gain"))
    yield f"  expected        {document['saved']:,.1f} saved, cost {cost}, gain {gain}"
    for one in document["segments"]:
        brings = f"{one['saved']:,.1f} saved, cost {one['cost']:,.0f} {money}, gain {one['gain']:,.0f} {money}"
        yield f"    of whom       {one['calls']:,} in {one['segment']!r}: {brings}"
    if document["below_threshold"]:
        yield f"  not compared    {document['below_threshold']:,} of the calls, as the model does not name these customers"
    if 0 < document["usual_value"] < document["customers"]:
        yield f"  value not known {document['usual_value']:,} customers: that of the model stands for it"
    yield f"list: {document['list']}; gains curve: {document['picture']}"
    if document["dry_run"]:
        yield "nothing was written to the store: nobody counts as called"
    elif document["planned_before"]:
        yield "planned before: nothing was added to the store"
    else:
        yield f"{document['contacts_written']:,} contacts were written to the store"


@contextmanager
def _bar(what: str, total: int | None, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("customers"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=quiet or not errors.is_terminal) as shown:
        task = shown.add_task("", total=total)
        yield lambda rows: shown.advance(task, rows)
