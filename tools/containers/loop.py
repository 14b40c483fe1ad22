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
# How often the history is asked whether the gate has rejected it: rare, and each time a command that starts from nothing.
HISTORY_SECONDS = 30.0


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
        rejected: set[str] = set()
        for number, customers in enumerate(people.mixed, start=1):
            found = _window(stack, client, f"launch-{number}", customers)
            say(f"{len(customers)} customers after the launch of a plan: {found['action']}, {found['reason']}")
            if found["action"] == "retrain" and _is_replaced(stack, client, customers, contract, first, rejected, say):
                return
    raise ChurnError("the customers of the new plan led to no promotion")


def _window(stack: ContainerStack, client: Client, name: str, customers: Dataset) -> dict[str, str]:
    answers = client.predict(customers, name)
    accepted = client.report_outcomes(answers, customers)
    if accepted != len(customers):
        raise ChurnError(f"{name}: {accepted} outcomes of {len(customers)} were accepted")
    found = stack.run_json("flows", "churn", "monitor", "--once", "--json", **QUICK)
    if not found.get("judged"):
        raise ChurnError(f"{name}: the monitor judged nothing: {found.get('reason')}")
    return {str(key): str(value) for key, value in found.items()}


def _is_replaced(
    stack: ContainerStack,
    client: Client,
    customers: Dataset,
    contract: Contract,
    first: str,
    rejected: set[str],
    say: Callable[[str], None],
) -> bool:
    """Wait, under load, until the replicas answer with the model that a retraining has made, and no other, or it is rejected.

    How many of the customers judge it is chance, and so is whether they are enough: the next window brings more. Versions that
    are rejected join `rejected`.
    """
    began = asked = time.monotonic()
    refused: dict[str, str] = {}
    with Stream(client, customers, contract) as stream:
        while not (refused or stream.versions - {first}):
            if time.monotonic() - began > TIMEOUT_SECONDS:
                raise ChurnError(f"no other model than {first} was in service {TIMEOUT_SECONDS} s after drift was seen")
            if time.monotonic() - asked > HISTORY_SECONDS:
                history = stack.run_json("flows", "churn", "model", "history", "--json")
                verdicts = {str(one["model_version"]): str(one["reason"]) for one in history if one["action"] == "rejected"}
                refused = {version: reason for version, reason in verdicts.items() if version not in rejected}
                asked = time.monotonic()
            time.sleep(0.2)
    if stream.failed:
        raise ChurnError(f"{len(stream.failed)} of {stream.sent} requests failed while the model changed: {stream.failed[0]}")
    if refused:
        rejected.update(refused)
        say("; ".join(f"version {version} was rejected: {reason}" for version, reason in refused.items()))
        return False
    (second,) = stream.versions - {first}
    say(
        f"retrained and promoted: version {second} answers {time.monotonic() - began:.0f} s later; "
        f"{stream.sent} requests meanwhile, 0 failed"
    )
    return True
