"""The monitor is killed at each of its steps: no half run, nothing judged twice, and what it asked for is heard in the end."""

from __future__ import annotations

from pathlib import Path

from benchmarks.chaos.pipelines.event_receiver import EventReceiver, event_receiver
from benchmarks.chaos.pipelines.fixture import EVERYTHING, Fixture, make_fixture
from benchmarks.chaos.pipelines.forks import MONITOR_STEPS, Forks
from benchmarks.chaos.scenarios import Row, Size, scenario
from churn.errors import NoModel
from churn.lifecycle.training_runs import record_end, record_start
from churn.modeling.model import Model
from churn.simulation.simulate import SCENARIOS, simulate
from churn.store.records import DecisionAction, DecisionKind
from churn.store.tables import outcomes, predictions
from pipelines.flows.events import RETRAIN_EVENT

ROWS = 300
# The first violation asks for a retraining, and nothing speaks against the next.
SENSITIVE = {"policy_k": "1", "policy_n": "1", "min_window_rows": "100", "min_labelled_rows": "100"}


@scenario("monitor killed")
def monitor_killed(size: Size) -> Row:
    """Kill a monitoring run at each step, several rounds in the long form; the next run catches up."""
    fixture = make_fixture(size.work / "home", **SENSITIVE)
    with event_receiver() as receiver, Forks(fixture.environment | receiver.environment) as forks:
        return kill_monitoring_runs(fixture, forks, receiver, list(MONITOR_STEPS) * int(size.pick(1, 5)))


def kill_monitoring_runs(fixture: Fixture, forks: Forks, receiver: EventReceiver, steps: list[str]) -> Row:
    """Let customers come who are answered badly, kill the run on them at a step, and run again; for each of the steps."""
    row = Row("monitor killed")
    try:
        champion = fixture.registry().load("champion")
    except NoModel:
        trained = forks.run("train", promote=True)
        row.expect(f"the training works: {trained['error']}", trained["result"])
        champion = fixture.registry().load("champion")
    for number, step in enumerate(steps):
        _drift(fixture, champion, number)
        done = forks.run("monitor", step)
        row.faults += done["killed"]
        row.expect(f"the run that is to be killed at {step!r} comes that far: {done}", done["killed"])
        again = forks.run("monitor")
        row.made += 2
        row.failed += again["result"] is None
        row.expect(f"the run after a kill at {step!r} works: {again['error']}", again["result"])
        check_monitoring_runs(fixture, champion.info.version, receiver, row, step)
        _answer(fixture, number)
    return row


def check_monitoring_runs(fixture: Fixture, version: str, receiver: EventReceiver, row: Row, step: str) -> None:
    """Everything was judged once, with one decision a run, a page, and an event heard."""
    store = fixture.store()
    try:
        runs = store.monitor_runs(model_version=version, limit=EVERYTHING)
        with store.engine.connect() as connection:
            asked, told = (len(connection.execute(table.select()).all()) for table in (predictions, outcomes))
    finally:
        store.close()
    judged, labelled = sum(run.rows for run in runs), sum(run.labelled_rows for run in runs)
    row.lost += max(0, asked - judged) + max(0, told - labelled)
    row.duplicated += max(0, judged - asked) + max(0, labelled - told)
    row.expect(f"after a kill at {step!r} everything was judged once", (judged, labelled) == (asked, told))
    decided = [d for d in fixture.decisions(DecisionKind.POLICY) if "run_id" in d.evidence]
    row.expect(
        f"after a kill at {step!r} each run has one decision",
        {d.evidence["run_id"] for d in decided} == {r.run_id for r in runs},
    )
    row.expect(f"after a kill at {step!r} no run has two", len(decided) == len(runs))
    wanted = {d.decision_id for d in decided if d.action == DecisionAction.RETRAIN}
    row.expect(f"after a kill at {step!r} a retraining was asked for", len(wanted) == len(runs))
    row.expect(f"after a kill at {step!r} every wish was heard", wanted == set(receiver.decision_ids(RETRAIN_EVENT)))
    row.expect(f"after a kill at {step!r} the run's page can be read", runs[0].report and Path(runs[0].report).is_file())


def _drift(fixture: Fixture, champion: Model, number: int) -> None:
    fixture.serve(champion, simulate(fixture.contract, ROWS, 100 + number, shift=SCENARIOS["plan-launch"].shift))


def _answer(fixture: Fixture, number: int) -> None:
    """Let a retraining that was asked for end without a better model."""
    asked = [d for d in fixture.decisions(DecisionKind.POLICY) if d.action == DecisionAction.RETRAIN][-1]
    store = fixture.store()
    try:
        record_start(store, f"training {number}", "drift", asked.decision_id)
        record_end(store, f"training {number}", "drift", DecisionAction.REJECTED, "not better")
    finally:
        store.close()
