"""`churn traffic`: send invented customers to a running service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.console import MAX_COUNT, console, print_json

if TYPE_CHECKING:
    from churn.data.dataset import Dataset
    from churn.simulation.treatment import Reaction

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def traffic(
    scenario: Annotated[str, typer.Option(help="Name of a scenario; --list shows them.")] = "calm",
    customers: Annotated[int, typer.Option(min=1, max=MAX_COUNT, help="How many to send.")] = 500,
    outcomes: Annotated[bool, typer.Option(help="Send what came true as well.")] = True,
    campaign: Annotated[
        str | None, typer.Option(help="Contact everybody whose action is `contact`, report it under this name, and save some.")
    ] = None,
    acceptance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="With --campaign: share of those who would leave, and stay if contacted.")
    ] = 0.3,
    spread: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="With --campaign: how much customers differ in the acceptance.")
    ] = 0.0,
    sleeping_dogs: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="With --campaign: share of customers whom --harm is about.")
    ] = 1.0,
    harm: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="With --campaign: share of those who would stay, and leave if contacted.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other customers.")] = 1,
    url: Annotated[str | None, typer.Option(help="Address of the service; default CHURN_SERVICE_URL, or the local one.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List the scenarios and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Send simulated customers to a running service, and their outcomes.

    With --campaign, outcomes are those after it; `churn campaign report NAME` shows what it brought.

    Example: churn traffic --scenario plan-launch --customers 1000 --campaign november
    """
    import os

    import numpy as np

    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.simulation.simulate import SCENARIOS
    from churn.simulation.treatment import Reaction
    from pipelines.service_client import Client, simulate_scenario

    if show:
        for name, described in SCENARIOS.items():
            console.print(f"{name:16} {described.description}")
        return
    settings = load_settings()
    contract = load_contract(settings.contract)
    population = simulate_scenario(contract, scenario, customers, seed)
    reaction = Reaction(acceptance=acceptance, spread=spread, sleeping_dogs=sleeping_dogs, harm=harm)
    reaction.of(np.zeros(0), np.zeros(0))  # what cannot be is said before anybody is asked about
    address = url or settings.service_url or f"http://127.0.0.1:{settings.port}"
    with Client(address, contract, key=os.environ.get("CHURN_API_KEY")) as client:
        answers = client.predict(population, prefix=f"{scenario}-{seed}")
        contacted = 0
        if campaign is not None:
            contacted = client.report_contacts(answers, campaign)
            population = _after_contacts(population, answers, seed, reaction)
        accepted = client.report_outcomes(answers, population) if outcomes else 0
    flagged = sum(answer["churn"] for answer in answers)
    if as_json:
        print_json({"scenario": scenario, "sent": len(answers), "flagged": flagged, "contacts": contacted, "outcomes": accepted})
    else:
        also = "" if campaign is None else f", {contacted} contacts"
        console.print(f"{len(answers)} customers asked about, {flagged} predicted to churn{also}, {accepted} outcomes accepted")


def _after_contacts(population: Dataset, answers: list[dict[str, Any]], seed: int, reaction: Reaction) -> Dataset:
    """Return the customers with the outcomes they have once all whose action is `contact` were contacted."""
    from dataclasses import replace

    import numpy as np
    import pandas as pd

    from churn.simulation.treatment import react

    called = np.array([answer["action"] == "contact" for answer in answers])
    left = react(population.labelled.to_numpy() == 1, called, seed, reaction)
    return replace(population, outcome=pd.Series(left.astype(np.int64)))
