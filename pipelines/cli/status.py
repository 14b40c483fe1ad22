"""`churn status`: one screen of the whole system, for people; or JSON; and an exit code for scripts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from pipelines.console import console, print_json

if TYPE_CHECKING:
    from pipelines.local.status import Status


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False) -> None:
    """Show how the system is; exit 1 if it is not healthy.

    Which parts are up, which model answers, traffic, the newest monitoring run, decisions, and the next runs of flows.

    Example: churn status --json
    """
    from churn.config.settings import load_settings
    from pipelines.local.status import find_status

    found = find_status(load_settings())
    if as_json:
        print_json(found.as_dict())
    else:
        console.print(_screen(found))
    if not found.healthy:
        raise typer.Exit(1)


def _screen(found: Status) -> Group:
    state = "[bold green]healthy[/bold green]" if found.healthy else "[bold red]not healthy[/bold red]"
    lines = [f"{state} at {found.at:%Y-%m-%d %H:%M:%S} UTC", *(f"  [red]•[/red] {escape(text)}" for text in found.problems)]
    return Group("\n".join(lines), "", _parts(found), "", _facts(found), "", _decisions(found))


def _parts(found: Status) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for part in found.parts:
        mark = "[green]up[/green]" if part.up else "[red]down[/red]"
        table.add_row(
            f"[bold]{part.name}[/bold]",
            mark,
            escape(part.page if part.up and part.page else part.address),
            f"[yellow]{escape(part.problem)}[/yellow]",
        )
    return table


def _facts(found: Status) -> Table:
    from pipelines.local.status import format_age

    table = Table(box=None, pad_edge=False, show_header=False)
    model, traffic, monitor = found.model, found.traffic, found.monitor
    if model is not None:
        invented = ", of [bold yellow]simulated[/bold yellow] customers" if model["simulated"] else ""
        since = f", in service for {_ago(found, model['loaded_at'])}" if model["loaded_at"] else ""
        trained = f"trained {_ago(found, model['trained_at'])} ago ({escape(str(model['trigger']))}){invented}"
        table.add_row("[bold]model[/bold]", f"version {escape(str(model['version']))}, {trained}{since}")
    else:
        table.add_row("[bold]model[/bold]", "[red]none answers[/red]")
    if traffic is not None:
        last = traffic["last_prediction_at"]
        more = "more than " if traffic["at_least"] else ""
        # A file is logged as of a moment, which may be days before it is scored.
        newest = f"; last logged: as of {last:%Y-%m-%d %H:%M} UTC, {_ago(found, last)} ago" if last else ""
        table.add_row("[bold]traffic[/bold]", f"{more}{traffic['last_hour']:,} predictions in the last hour{newest}")
        told = traffic["last_outcome_at"]
        table.add_row("[bold]outcomes[/bold]", f"newest received {_ago(found, told)} ago" if told else "none received yet")
    if monitor is not None:
        decided = f"{monitor['action']} {_ago(found, monitor['at'])} ago: {escape(monitor['reason'])}"
        table.add_row("[bold]monitor[/bold]", decided)
    elif traffic is not None:
        table.add_row("[bold]monitor[/bold]", "has not run yet")
    for flow in found.flows:
        ended = "failed" if flow["last_failure"] else "ended well"
        took = f"{flow['last_seconds']:.0f} s; {flow['succeeded']} well, {flow['failed']} failed so far"
        table.add_row(
            f"[bold]flow {escape(flow['flow'])}[/bold]", f"{ended} {_ago(found, flow['last_ended_at'])} ago after {took}"
        )
    for run in found.upcoming:
        table.add_row(
            "[bold]next[/bold]", f"{escape(run['flow'])} {format_age(found.at - run['at'])} ({run['at']:%Y-%m-%d %H:%M} UTC)"
        )
    return table


def _decisions(found: Status) -> Table:
    table = Table("when", "what", "by", "model", "why", box=None, pad_edge=False, header_style="bold")
    for decision in found.decisions:
        what = f"{decision['kind']}: {decision['action']}"
        who, which = escape(decision["actor"]), escape(str(decision["model_version"] or ""))
        table.add_row(f"{decision['decided_at']:%m-%d %H:%M}", escape(what), who, which, escape(decision["reason"]))
    return table


def _ago(found: Status, moment: datetime | str) -> str:
    from pipelines.local.status import format_age

    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return format_age(max(timedelta(0), found.at - when))
