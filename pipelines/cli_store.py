"""`churn store …`: the database of predictions, outcomes, looks and decisions."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.console import console, print_json, warn

app = typer.Typer(no_args_is_help=True, help="Set up and look after the prediction store.")
# How often a database that is not there yet is looked for.
LOOK_SECONDS = 1.0
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def migrate(
    wait: Annotated[float, typer.Option(min=0, help="Wait so many seconds for a database that is not there yet.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Bring the store at CHURN_STORE_URL to the newest schema, and print its revision. Doing it again changes nothing.

    Example: churn store migrate --wait 60
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

    from churn.errors import StoreAway
    from churn.settings import load_settings
    from churn.store import migrate

    url = load_settings().store_url
    attempts = Retrying(
        retry=retry_if_exception_type(StoreAway),
        stop=stop_after_delay(wait),
        wait=wait_fixed(LOOK_SECONDS),
        before_sleep=lambda state: warn(f"{state.outcome.exception()}; waiting") if state.attempt_number == 1 else None,  # type: ignore[union-attr]
        reraise=True,
    )
    revision = attempts(migrate, url)
    if as_json:
        print_json({"revision": revision})
    else:
        console.print(f"the store is at revision {revision}")
