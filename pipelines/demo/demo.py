"""`churn demo`: the loop closed once, on real customers. Nothing is scripted: every step is seen to happen, or the demo fails."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, cast

from churn.clock import now
from churn.config.settings import Settings, load_settings
from churn.contract import Contract, load_contract
from churn.data.dataset import Dataset, read_dataset
from churn.errors import ChurnError
from churn.evaluation.scorecard import evaluate
from churn.evaluation.statistics import bootstrap_mean_interval, log_losses
from churn.registry.registry import Registry
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from monitoring.run_result import RunResult
from pipelines.console import console, warn
from pipelines.data_sources.pull import pull_data
from pipelines.data_sources.simulated import write_simulated
from pipelines.demo.customers import PLAN, Cast, deal_out, population, shorten
from pipelines.demo.report import WindowResult, describe_drift, draw_windows, print_windows, summarise
from pipelines.demo.stream import Stream
from pipelines.environment import prepare_environment
from pipelines.local.ports import free_port
from pipelines.local.system import running
from pipelines.service_client import Client

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

# How long a step that should come by itself is waited for, in seconds.
TIMEOUT_SECONDS = 120.0
# Of the policy "k of the last n": the first violation retrains.
AT_ONCE = {"policy_k": 1, "policy_n": 1}


class DemoFailed(ChurnError):
    """A step of the loop did not happen."""


def run(settings: Settings, out: Path, *, keep: bool = False, short: bool = False) -> None:
    """Close the loop in a system of its own (other ports, a folder inside CHURN_HOME), then take it down.

    Parameters
    ----------
    settings : Settings
    out : Path
        Folder for the table, the plot and the report.
    keep : bool
        Leave the state of the system in place.
    short : bool
        One ordinary window, one in which the plan is launched, one after that; and the first window in which the model is worse
        asks for a retraining. Evidently draws the last run only.

    Raises
    ------
    DemoFailed
        If any step did not really happen; the message says which.
    """
    started = time.monotonic()
    # Told to stop, the demo takes its system down like after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    prepare_environment(settings)
    out.mkdir(parents=True, exist_ok=True)
    contract = load_contract(settings.contract)
    people = _people(settings, contract)
    if short:
        people = shorten(people)
    demo_settings = _own_system(settings, people.training, contract, **(AT_ONCE if short else {}))
    # Nobody is told where its pages would be.
    with running(demo_settings, looked_at=False), Client(f"http://127.0.0.1:{demo_settings.port}", contract) as client:
        loop = Loop(load_settings(), contract, client, people, pictures=not short)
        try:
            loop.close()
        finally:
            loop.store.close()
            if loop.results:
                print_windows(loop.results)
                console.print(f"plot    {draw_windows(loop.results, out / 'windows.png')}")
                console.print(f"report  {_kept(loop.reports, out)}")
    if not keep:
        shutil.rmtree(demo_settings.home, ignore_errors=True)
    console.print(f"[green]the loop closed[/green] in {time.monotonic() - started:.0f} s")


def _people(settings: Settings, contract: Contract) -> Cast:
    source = pull_data(settings, contract)
    real = None if source.simulated else read_dataset(source.path, contract)
    if real is None:
        warn(f"{source.how}. This demo runs on invented customers.")
    return deal_out(population(contract, real, settings.seed), settings.seed)


def _own_system(settings: Settings, training: Dataset, contract: Contract, **more: object) -> Settings:
    """Settings of a system beside the user's own. They go through the environment, as the programs will read them."""
    from churn.simulation.simulate import write_csv

    home = settings.home / "demo"
    shutil.rmtree(home, ignore_errors=True)
    data = home / "data" / "before-the-launch.csv"
    data.parent.mkdir(parents=True)
    (write_simulated if training.simulated else write_csv)(training, contract, data)
    own: dict[str, Any] = {
        "home": home,
        "data": data,
        "store_url": f"sqlite:///{home / 'store.db'}",
        "tracking_uri": f"sqlite:///{home / 'mlflow.db'}",
        "min_window_rows": 100,
        # Time runs faster here: the monitor runs when it is asked, and may act at once.
        "monitor_interval_seconds": 86_400,
        "cooldown_seconds": 0,
        "registry_poll_seconds": 0.5,
        **more,
    }
    own |= {name: free_port() for name in ("port", "mlflow_port", "prefect_port", "evidently_port", "exporter_port")}
    os.environ |= {f"CHURN_{name.upper()}": str(value) for name, value in own.items()}
    os.environ |= {"PREFECT_HOME": str(home / "prefect"), "PREFECT_API_URL": f"http://127.0.0.1:{own['prefect_port']}/api"}
    (home / "prefect").mkdir()
    return load_settings()


class Loop:
    """The demo's steps, in order, and what came of them. Without `pictures`, Evidently draws nothing before the promotion."""

    def __init__(self, settings: Settings, contract: Contract, client: Client, people: Cast, *, pictures: bool = True) -> None:
        self.contract = contract
        self.client = client
        self.people = people
        self.pictures = pictures
        self.store = Store.open(settings.store_url)
        self.registry = Registry(settings)
        self.results: list[WindowResult] = []
        self.reports: list[str] = []

    def close(self) -> None:
        """Go once around."""
        first = self.client.get("/model")["version"]
        for number, customers in enumerate(self.people.calm, start=1):
            self._ordinary(f"ordinary {number}", customers)
        later = self._until_taken_over(self.people.mixed)
        self.pictures = True
        for number, customers in enumerate(later, start=1):
            answers = self._serve(f"after {number}", customers)
            run = self._monitor()
            self._note(f"after {number}", customers, answers, run, run, first)
        self._compare(first, later)

    def _ordinary(self, name: str, customers: Dataset) -> None:
        answers = self._serve(name, customers)
        run = self._monitor()
        self._note(name, customers, answers, run, run)
        if run.covariate_alarm or run.concept_alarm:
            raise DemoFailed(f"{name}: the monitor alarmed on ordinary traffic: {run.policy.reason}")

    def _until_taken_over(self, windows: list[Dataset]) -> list[Dataset]:
        """Serve mixed windows until a challenger is in service; give back the windows not used."""
        console.rule("the international plan is launched")
        for number, customers in enumerate(windows[:-1], start=1):
            run = self._launch(f"launch {number}", customers, run_at_once=number == 1)
            if run.policy.action == DecisionAction.RETRAIN and self._retrain(customers):
                return windows[number:]
        raise DemoFailed("no challenger passed the gate")

    def _launch(self, name: str, customers: Dataset, *, run_at_once: bool) -> RunResult:
        """Serve a window with customers of the new plan; covariate shift must be seen, on request before any outcome is known."""
        answers = self._serve(name, customers, outcomes=not run_at_once)
        shift = run = self._monitor()
        if run_at_once:
            console.print(f"{name}: before any outcome: {shift.policy.reason}")
            self.client.report_outcomes(answers, customers)
            run = self._monitor()
        if not shift.covariate_alarm:
            raise DemoFailed(f"{name}: no alarm on covariate shift")
        console.print(f"{name}: drift in {describe_drift(shift)}")
        self._note(name, customers, answers, shift, run)
        return run

    def _retrain(self, customers: Dataset) -> bool:
        """Let the event retrain while traffic goes on; True if the challenger took over, False if the gate turned it down."""
        if not any(result.run.concept_alarm for result in self.results):
            raise DemoFailed("a retraining without an alarm on concept drift")
        with Stream(self.client, customers, self.contract) as stream:
            decision = self._await_retraining()
            console.print(f"retraining: {decision.action}: {decision.reason}")
            if decision.action == DecisionAction.PROMOTED:
                self._await_promotion(str(decision.model_version), stream)
        if stream.failed:
            raise DemoFailed(f"{len(stream.failed)} of {stream.sent} requests failed meanwhile: {stream.failed[0]}")
        versions = " and ".join(sorted(stream.versions))
        console.print(f"meanwhile {stream.sent} requests, none failed, answered by version {versions}")
        return decision.action == DecisionAction.PROMOTED

    def _serve(self, name: str, customers: Dataset, *, outcomes: bool = True) -> list[dict[str, Any]]:
        with console.status(f"{name}: {len(customers)} customers"):
            answers = self.client.predict(customers, name)
            if outcomes and self.client.report_outcomes(answers, customers) != len(customers):
                raise DemoFailed(f"{name}: not every outcome was accepted")
        return answers

    def _monitor(self) -> RunResult:
        """Start a monitoring run by hand, in the deployment that the schedule uses."""
        from prefect.deployments import run_deployment

        asked_at = now()
        with console.status("the monitor runs"):
            flow_run = cast(
                "FlowRun",
                run_deployment(
                    "monitor/run",
                    parameters={"pictures": self.pictures},
                    timeout=TIMEOUT_SECONDS,
                    poll_interval=0.5,
                    as_subflow=False,
                ),
            )
        if flow_run.state is None or not flow_run.state.is_completed():
            raise DemoFailed(f"the monitor's run {flow_run.name} ended as {flow_run.state}")
        newest = self.store.monitor_runs(limit=1)
        if not newest or newest[0].started_at < asked_at:
            raise DemoFailed(f"the monitor's run {flow_run.name} judged nothing")
        self.reports += [newest[0].report] if newest[0].report else []
        return RunResult.from_record(newest[0])

    def _await_retraining(self) -> Decision:
        """Wait for the retraining that the monitor's event triggers."""
        known = {decision.decision_id for decision in self.store.decisions(kind=DecisionKind.RETRAIN)}
        deadline = time.monotonic() + TIMEOUT_SECONDS
        with console.status("the event starts a retraining"):
            while time.monotonic() < deadline:
                new = [
                    decision for decision in self.store.decisions(kind=DecisionKind.RETRAIN) if decision.decision_id not in known
                ]
                if new and new[0].action == DecisionAction.FAILED:
                    raise DemoFailed(f"the retraining failed: {new[0].reason}")
                if new:
                    return new[0]
                time.sleep(0.5)
        raise DemoFailed(f"no retraining ended within {TIMEOUT_SECONDS:.0f} s")

    def _await_promotion(self, version: str, stream: Stream) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while version not in stream.versions:
            if time.monotonic() > deadline:
                raise DemoFailed(f"version {version} is champion, but the service did not take it within {TIMEOUT_SECONDS:.0f} s")
            time.sleep(0.1)

    def _note(
        self,
        name: str,
        customers: Dataset,
        answers: list[dict[str, Any]],
        shift: RunResult,
        outcome: RunResult,
        replaced: str | None = None,
    ) -> None:
        result = summarise(name, customers, answers, shift, outcome)
        if replaced is not None:
            probability = self.registry.load(replaced).predict_probability(customers.features)
            result = replace(result, without=evaluate(customers.labelled.to_numpy(), probability, result.card.threshold))
        self.results.append(result)
        console.print(f"{name}: {self.results[-1].alarms}; {outcome.policy.action}: {outcome.policy.reason}")

    def _compare(self, first: str, windows: list[Dataset]) -> None:
        """Old against new champion, on customers with the plan whom no training, gate or window has used."""
        old, new = self.registry.load(first), self.registry.load("champion")
        losses: dict[str, list[float]] = {"old": [], "new": []}
        squares: dict[str, list[float]] = {"old": [], "new": []}
        for customers in windows:
            has_plan = (customers.features[PLAN] == 1).to_numpy()
            y = customers.labelled.to_numpy()[has_plan]
            for key, model in (("old", old), ("new", new)):
                p = model.predict_probability(customers.features[has_plan])
                losses[key] += log_losses(y, p).tolist()
                squares[key] += ((p - y) ** 2).tolist()
        gain = [a - b for a, b in zip(losses["old"], losses["new"], strict=True)]
        low, high = bootstrap_mean_interval(gain, confidence=0.95, resamples=2_000, seed=1)
        console.print(
            f"{len(gain)} customers with the plan that were not used so far: "
            f"Brier {fmean(squares['old']):.3f} → {fmean(squares['new']):.3f}, "
            f"log loss {fmean(losses['old']):.3f} → {fmean(losses['new']):.3f}, gain {fmean(gain):.3f} [{low:.3f}, {high:.3f}]"
        )
        if low <= 0:
            raise DemoFailed("on customers with the plan the new champion is not clearly better")


def _kept(reports: list[str], out: Path) -> str:
    """Copy the newest report out of the demo's folder, which is going to be removed."""
    with suppress(OSError, IndexError):
        return str(shutil.copy(reports[-1], out / "last-monitoring-run.html"))
    return "none was written"
