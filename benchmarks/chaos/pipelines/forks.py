"""Flows that are killed at a named step: one process imports everything once, and forks a child for each run.

    python -m benchmarks.chaos.pipelines.forks < orders > answers

A line holds a JSON list of orders, which are run at the same time. An order is {"flow": "train" | "monitor", "kill": NAME of a
step or null, "promote": bool, "arguments": {...}, "victim": process to be killed instead of the child, "environment": {...}}.
The child runs the flow's own function with the tasks' own functions, without Prefect's engine, and kills itself by SIGKILL before
or after the step. The answer is a JSON list in a line: how each child ended, and what its flow gave.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable
from copy import copy
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from benchmarks.chaos.pipelines.without_engine import flow_without_engine
from churn.store.records import DecisionKind

Match = Callable[..., bool]


def _kind(*kinds: DecisionKind) -> Match:
    return lambda _self, decision, *_args, **_named: decision.kind in kinds


def _alias(name: str) -> Match:
    return lambda _self, _model, alias, *_args, **_named: alias == name


def _any(*_args: object, **_named: object) -> bool:
    return True


# Where a run is killed: the function, before or after it, and at which call. In the order of life.
TRAIN_STEPS: dict[str, tuple[str, str, Match]] = {
    "begun": ("churn.store.decisions:Decisions.write", "after", _kind(DecisionKind.TRAINING)),
    "load": ("pipelines.flows.train:read_dataset", "before", _any),
    "split": ("pipelines.flows.train:assemble", "before", _any),
    "tune": ("churn.modeling.training:tune", "before", _any),
    "fit": ("churn.modeling.training:tune", "after", _any),
    "evaluate": ("churn.modeling.training:assess", "before", _any),
    "gate": ("pipelines.flows.train:decide", "after", _any),
    "log": ("churn.registry.runs:Runs._log_run", "after", _any),
    "artifact": ("churn.registry.runs:Runs._log_model", "after", _any),
    "register": ("mlflow:register_model", "after", _any),
    "verdict": ("churn.store.decisions:Decisions.write", "after", _kind(DecisionKind.GATE)),
    "intent": ("churn.store.decisions:Decisions.write", "after", _kind(DecisionKind.INTENT)),
    "previous": ("mlflow:MlflowClient.set_registered_model_alias", "after", _alias("previous")),
    "alias": ("mlflow:MlflowClient.set_registered_model_alias", "after", _alias("champion")),
    "promotion": ("churn.store.decisions:Decisions.write", "after", _kind(DecisionKind.PROMOTION)),
    "end": ("churn.store.decisions:Decisions.write", "after", _kind(DecisionKind.RETRAIN)),
}
MONITOR_STEPS: dict[str, tuple[str, str, Match]] = {
    "read": ("monitoring.monitor:take_window", "before", _any),
    "judged": ("pipelines.flows.monitor:conclude", "before", _any),
    # Within the transaction: the run is inserted, its decision is not.
    "half written": ("churn.store.monitor_runs:_newest_before", "after", _any),
    "committed": ("churn.store.monitor_runs:MonitorRuns.write", "after", _any),
    "sent": ("pipelines.flows.events:send", "after", _any),
    "summary": ("pipelines.flows.monitor:write_page", "before", _any),
    "report": ("monitoring.reports.evidently_report:write_report", "before", _any),
}
STEPS = {"train": TRAIN_STEPS, "monitor": MONITOR_STEPS}
# What a child would otherwise import for itself, each one anew.
PRELOADED = (
    *("pipelines.flows.train", "pipelines.flows.monitor", "matplotlib.figure", "mlflow.pyfunc", "mlflow.sklearn", "skops.io"),
    *("mlflow.store.model_registry.sqlalchemy_store", "mlflow.store.tracking.sqlalchemy_store"),
)


class Forks:
    """The process that forks, for the time of a `with` block."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._elsewhere: dict[str, str] = {}

    def elsewhere(self, environment: dict[str, str]) -> Forks:
        """Give one that runs flows in another environment, forked from the same process."""
        other = copy(self)
        other._elsewhere = environment
        return other

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.chaos.pipelines.forks"],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Closes its ends of the pipes, by which the process ends, and waits for that.
        self._process.__exit__(kind, error, trace)

    def run(self, flow: str, kill: str | None = None, **order: Any) -> dict[str, Any]:
        """Run a flow to its end, whatever that is.

        Returns
        -------
        dict
            killed: bool; result: what the flow gave, or None; error: its class and words, or "".
        """
        return self.run_together({"flow": flow, "kill": kill, **order})[0]

    def run_together(self, *orders: dict[str, Any]) -> list[dict[str, Any]]:
        """Run flows at the same time, a process each, and wait for all of them; see `run`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        placed = [order | {"environment": self._elsewhere | order.get("environment", {})} for order in orders]
        self._process.stdin.write(json.dumps(placed) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        assert said, "the process that forks is gone"
        return cast(list[dict[str, Any]], json.loads(said))


def main() -> None:
    """Fork as ordered, until there are no more orders."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    warnings.simplefilter("ignore")
    from churn.config.settings import load_settings
    from pipelines.environment import prepare_environment, quiet_prefect

    settings = load_settings()
    prepare_environment(settings)
    quiet_prefect()
    # A child that is killed would leave it behind. Where Prefect starts one after all, it is an error.
    os.environ["PREFECT_SERVER_EPHEMERAL_ENABLED"] = "false"
    for module in PRELOADED:
        importlib.import_module(module)
    for line in sys.stdin:
        orders = json.loads(line)
        files = [settings.home / f"said-{number}.json" for number in range(len(orders))]
        children = [_fork(order, said) for order, said in zip(orders, files, strict=True)]
        answers.write(json.dumps([_wait(child, said) for child, said in zip(children, files, strict=True)]) + "\n")
        answers.flush()


def _fork(order: dict[str, Any], said: Path) -> int:
    said.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        try:
            _obey(order, said)
        except BaseException:  # noqa: BLE001 - a child must not go on as its parent
            traceback.print_exc()
        os._exit(0)
    return child


def _wait(child: int, said: Path) -> dict[str, Any]:
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    answer = json.loads(said.read_text()) if said.exists() else {"result": None, "error": "" if killed else f"status {status}"}
    return {"killed": killed, **answer}


def _obey(order: dict[str, Any], said: Path) -> None:
    from churn.errors import ChurnError

    os.environ.update(order.get("environment", {}))
    name = order["flow"]
    module = importlib.import_module(f"pipelines.flows.{name}")
    flow = flow_without_engine(name, pictures=order["kill"] == "report")
    if order.get("promote"):
        _always_promote(module)
    if order["kill"]:
        _arm(*STEPS[name][order["kill"]], order.get("victim") or os.getpid())
    answer: dict[str, Any] = {"result": None, "error": ""}
    try:
        result = flow(**order.get("arguments", {}))
        answer["result"] = result if isinstance(result, dict) else {"state": str(result.type.value), "message": result.message}
    except ChurnError as error:
        answer["error"] = f"{type(error).__name__}: {error}"
    said.write_text(json.dumps(answer, default=str))


def _always_promote(module: Any) -> None:
    """Let every challenger pass: what is asked here is not how good it is."""
    decide = module.decide

    def passed(*given: Any, **named: Any) -> Any:
        found = decide(*given, **named)
        return type(found)(True, "it passes: what is asked is not how good it is", found.evidence)

    module.decide = passed


def _arm(target: str, when: str, match: Match, victim: int) -> None:
    module_name, _, path = target.partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, attribute = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    function = getattr(owner, attribute)

    def deadly(*given: Any, **named: Any) -> Any:
        hit = match(*given, **named)
        if hit and when == "before":
            os.kill(victim, signal.SIGKILL)
        result = function(*given, **named)
        if hit and when == "after":
            os.kill(victim, signal.SIGKILL)
        return result

    setattr(owner, attribute, deadly)


if __name__ == "__main__":
    main()
