"""Two trainings at once, in two processes: one acts, the other says whose turn it is, or waits for it."""

from __future__ import annotations

from benchmarks.chaos.pipelines.fixture import Fixture, make_fixture
from benchmarks.chaos.pipelines.forks import Forks
from benchmarks.chaos.pipelines.training import check_story
from benchmarks.chaos.scenarios import Row, Size, scenario
from churn.store.records import DecisionKind


@scenario("two trainings at once")
def two_trainings(size: Size) -> Row:
    """Let pairs of trainings begin together, by hand and by the monitor."""
    fixture = make_fixture(size.work / "home")
    with Forks(fixture.environment) as one, Forks(fixture.environment) as other:
        return train_together(fixture, one, other, int(size.pick(1, 10)))


def train_together(fixture: Fixture, one: Forks, other: Forks, pairs: int) -> Row:
    """Begin pairs of trainings; then one more that waits for another."""
    row = Row("two trainings at once")
    first = one.run("train", promote=True)
    row.expect(f"the first training works: {first['error']}", first["result"])
    for number in range(pairs):
        row.faults += 1
        one.begin("train", promote=True, arguments={"trigger": "manual"})
        other.begin("train", promote=True, arguments={"trigger": "drift", "asked_by": f"decision {number}"})
        ended = [one.answer()["result"] or {}, other.answer()["result"] or {}]
        row.made += 2
        trained = [result for result in ended if result.get("promoted")]
        refused = [result["message"] for result in ended if result.get("state") == "CANCELLED"]
        row.failed += 2 - len(trained) - len(refused)
        row.expect(f"one of two trained: {ended}", len(trained) >= 1)
        row.expect(f"the other says who does: {refused}", all("(process " in said for said in refused))
    one.begin("train", promote=True, arguments={"wait": True})
    other.begin("train", promote=True, arguments={"wait": True})
    waited = [one.answer()["result"], other.answer()["result"]]
    row.made += 2
    row.expect("those who wait both train, one after the other", all(result and result["promoted"] for result in waited))
    check_story(fixture, row)
    champions = [decision.model_version for decision in fixture.decisions(DecisionKind.PROMOTION)]
    row.duplicated += len(champions) - len(set(champions))
    return row
