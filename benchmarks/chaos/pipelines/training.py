"""Training is killed at each of its steps; the next one works, and says what it found."""

from __future__ import annotations

from collections import Counter

from benchmarks.chaos.pipelines.fixture import Fixture, make_fixture
from benchmarks.chaos.pipelines.forks import TRAIN_STEPS, Forks
from benchmarks.chaos.scenarios import Row, Size, scenario
from churn.errors import NoModel
from churn.lifecycle.decision_log import open_intents
from churn.store.records import DecisionAction, DecisionKind


@scenario("training killed")
def training_killed(size: Size) -> Row:
    """Kill a training at each step, several rounds in the long form; each run begins by clearing up after the one before."""
    fixture = make_fixture(size.work / "home")
    with Forks(fixture.environment) as forks:
        return kill_trainings(fixture, forks, list(TRAIN_STEPS) * int(size.pick(1, 5)))


def kill_trainings(fixture: Fixture, forks: Forks, steps: list[str]) -> Row:
    """Kill one training after the other at the given steps, and let the last one live."""
    row = Row("training killed")
    first = forks.run("train", promote=True)
    row.expect(f"the first training works: {first['error']}", first["result"] and first["result"]["promoted"])
    for step in steps:
        row.made += 1
        done = forks.run("train", step, promote=True)
        row.faults += done["killed"]
        row.expect(f"the training that is to be killed at {step!r} comes that far: {done}", done["killed"])
        check_champion(fixture, row, step)
    last = forks.run("train", promote=True)
    row.made += 1
    row.failed += last["result"] is None
    row.expect(f"the last training works: {last['error']}", last["result"] and last["result"]["promoted"])
    check_story(fixture, row)
    row.note = f"of {len(steps)} kills, one left {_said(last)} to be cleared up by the last training"
    return row


def check_champion(fixture: Fixture, row: Row, step: str) -> None:
    """Whoever leads is whole, and passed the gate."""
    registry = fixture.registry()
    try:
        model = registry.load(registry.champion_version())
    except NoModel:
        row.expect(f"there is a champion after a kill at {step!r}", False)
        return
    version = model.info.version
    passed = [d for d in fixture.decisions(DecisionKind.GATE) if d.model_version == version and d.action == DecisionAction.PASSED]
    row.expect(f"the champion after a kill at {step!r} has one gate decision, and passed", len(passed) == 1)


def check_story(fixture: Fixture, row: Row) -> None:
    """Hold registry and decisions against each other when all is over."""
    store, registry = fixture.store(), fixture.registry()
    try:
        row.expect("no intent is open", open_intents(store) == [])
    finally:
        store.close()
    told = fixture.decisions(DecisionKind.PROMOTION)
    row.duplicated += sum(count - 1 for count in Counter(d.evidence["intent"] for d in told).values())
    row.expect("the champion is who was promoted last", told[-1].model_version == registry.champion_version())
    leads, unbroken = None, True
    for decision in told:
        unbroken, leads = unbroken and decision.evidence["replaced"] == leads, decision.model_version
    row.expect("each promotion names the one before it", unbroken)
    row.expect("the way back leads to who led before", registry.previous_version() == told[-1].evidence["replaced"])
    intents = {d.decision_id for d in fixture.decisions(DecisionKind.INTENT) if d.action == DecisionAction.PROMOTION}
    closed = {d.evidence.get("intent") for d in fixture.decisions(DecisionKind.INTENT, DecisionKind.PROMOTION)}
    row.expect("each intent has an end", intents <= closed)
    begun = {d.evidence["training"] for d in fixture.decisions(DecisionKind.TRAINING) if d.action == DecisionAction.STARTED}
    ends = Counter(d.evidence["training"] for d in fixture.decisions(DecisionKind.RETRAIN))
    row.lost += len(begun - set(ends))
    row.duplicated += sum(count - 1 for count in ends.values())
    row.expect("no run of MLflow stands open", registry.end_runs(begun) == [])
    digests = [tags.get("artifact_digest", "") for _, _, tags in registry.versions()]
    row.expect("every version has the digest of its artifact", all(digests))


def _said(done: dict[str, object]) -> str:
    result = done["result"]
    return "; ".join(result["cleared"]) if isinstance(result, dict) else "nothing"
