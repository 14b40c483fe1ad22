"""`churn traffic`: send invented customers to a running service."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.console import console, print_json

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def traffic(
    scenario: Annotated[str, typer.Option(help="Name of a scenario; --list shows them.")] = "calm",
    customers: Annotated[int, typer.Option(min=1, help="How many to send.")] = 500,
    outcomes: Annotated[bool, typer.Option(help="Send what came true as well.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other customers.")] = 1,
    url: Annotated[str | None, typer.Option(help="Address of the service; default CHURN_SERVICE_URL, or the local one.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List the scenarios and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Send invented customers to a running service, and later what came true.

    Example: churn traffic --scenario plan-launch --customers 1000
    """
    import os

    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.simulation.simulate import SCENARIOS
    from pipelines.service_client import Client, simulate_scenario

    if show:
        for name, described in SCENARIOS.items():
            console.print(f"{name:16} {described.description}")
        return
    settings = load_settings()
    contract = load_contract(settings.contract)
    population = simulate_scenario(contract, scenario, customers, seed)
    address = url or settings.service_url or f"http://127.0.0.1:{settings.port}"
    with Client(address, contract, key=os.environ.get("CHURN_API_KEY")) as client:
        answers = client.predict(population, prefix=f"{scenario}-{seed}")
        accepted = client.report_outcomes(answers, population) if outcomes else 0
    flagged = sum(answer["churn"] for answer in answers)
    if as_json:
        print_json({"scenario": scenario, "sent": len(answers), "flagged": flagged, "outcomes": accepted})
    else:
        console.print(f"{len(answers)} customers asked about, {flagged} predicted to churn, {accepted} outcomes accepted")
