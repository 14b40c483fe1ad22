"""The loop closed once through the containers: train → predict → outcomes → drift → retrain → promotion → served."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.errors import ChurnError
from pipelines.demo.customers import Cast
from pipelines.demo.stream import Stream
from pipelines.service_client import Client
from tools.containers.stack import ContainerStack

# The monitor judges windows as small as the demo's, and may act at once.
QUICK = {"CHURN_MIN_WINDOW_ROWS": "100", "CHURN_COOLDOWN_SECONDS": "0"}
TIMEOUT_SECONDS = 600


def first_customers(people: Cast, contract: Contract, folder: Path) -> bytes:
    """Return the file that the first model is trained on: customers from before the international plan was launched.

    Parameters
    ----------
    people : Cast
    contract : Contract
    folder : Path
        For the file while it is written.

    Returns
    -------
    bytes
    """
    from churn.simulation.simulate import write_csv

    write_csv(people.training, contract, folder / "customers.csv")
    return (folder / "customers.csv").read_bytes()


def close_the_loop(stack: ContainerStack, people: Cast, contract: Contract, say: Callable[[str], None]) -> None:
    """Send customers through the proxy until drift has led to a retraining and its model serves.

    Parameters
    ----------
    stack : ContainerStack
        Up, with its first model in service.
    people : Cast
        Whose `training` the first model was trained on.
    contract : Contract
    say : callable
        Told what happened.

    Raises
    ------
    ChurnError
        If a step did not happen; the message says which.
    """
    with Client(stack.url("proxy"), contract, key=stack.key) as client:
        first = client.get("/model")["version"]
        calm = _window(stack, client, "ordinary", people.calm[0])
        say(f"{len(people.calm[0])} ordinary customers and their outcomes: {calm['action']}, {calm['reason']}")
        if calm["action"] == "retrain":
            raise ChurnError("the monitor wants to retrain on ordinary customers")
        for number, customers in enumerate(people.mixed, start=1):
            found = _window(stack, client, f"launch-{number}", customers)
            say(f"{len(customers)} customers after the launch of a plan: {found['action']}, {found['reason']}")
            if found["action"] == "retrain":
                _await_promotion(client, customers, contract, first, say)
                return
    raise ChurnError("the customers of the new plan led to no retraining")


def _window(stack: ContainerStack, client: Client, name: str, customers: Dataset) -> dict[str, str]:
    answers = client.predict(customers, name)
    accepted = client.report_outcomes(answers, customers)
    if accepted != len(customers):
        raise ChurnError(f"{name}: {accepted} outcomes of {len(customers)} were accepted")
    found = stack.run_json("flows", "churn", "monitor", "--once", "--json", **QUICK)
    if not found.get("judged"):
        raise ChurnError(f"{name}: the monitor judged nothing: {found.get('reason')}")
    return {str(key): str(value) for key, value in found.items()}


def _await_promotion(client: Client, customers: Dataset, contract: Contract, first: str, say: Callable[[str], None]) -> None:
    """Wait, under load, until the replicas answer with the model that the event's retraining has made, and with no other."""
    began = time.monotonic()
    with Stream(client, customers, contract) as stream:
        while not stream.versions - {first}:
            if time.monotonic() - began > TIMEOUT_SECONDS:
                raise ChurnError(f"no other model than {first} was in service {TIMEOUT_SECONDS} s after drift was seen")
            time.sleep(0.2)
    if stream.failed:
        raise ChurnError(f"{len(stream.failed)} of {stream.sent} requests failed while the model changed: {stream.failed[0]}")
    (second,) = stream.versions - {first}
    say(
        f"retrained and promoted: version {second} answers {time.monotonic() - began:.0f} s later; "
        f"{stream.sent} requests meanwhile, 0 failed"
    )
