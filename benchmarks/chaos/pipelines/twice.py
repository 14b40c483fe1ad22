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
    with Forks(fixture.environment) as forks:
        return train_together(fixture, forks, int(size.pick(1, 10)))


def train_together(fixture: Fixture, forks: Forks, pairs: int) -> Row:
    """Begin pairs of trainings; then one more that waits for another."""
    row = Row("two trainings at once")
    training = {"flow": "train", "kill": None, "promote": True}
    first = forks.run("train", promote=True)
    row.expect(f"the first training works: {first['error']}", first["result"])
    for number in range(pairs):
        row.faults += 1
        by_hand, by_monitor = {"trigger": "manual"}, {"trigger": "drift", "asked_by": f"decision {number}"}
        answers = forks.run_together(training | {"arguments": by_hand}, training | {"arguments": by_monitor})
        ended = [answer["result"] or {} for answer in answers]
        row.made += 2
        trained = [result for result in ended if result.get("promoted")]
        refused = [result["message"] for result in ended if result.get("state") == "CANCELLED"]
        row.failed += 2 - len(trained) - len(refused)
        row.expect(f"one of two trained: {ended}", len(trained) >= 1)
        row.expect(f"the other says who does: {refused}", all("(process " in said for said in refused))
    waited = [answer["result"] for answer in forks.run_together(*[training | {"arguments": {"wait": True}}] * 2)]
    row.made += 2
    row.expect("those who wait both train, one after the other", all(result and result["promoted"] for result in waited))
    check_story(fixture, row)
    champions = [decision.model_version for decision in fixture.decisions(DecisionKind.PROMOTION)]
    row.duplicated += len(champions) - len(set(champions))
    return row
