"""Groups by sensitive columns that the company sends: judged with the other slices, each against its own earlier outcomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from churn.config.params import SliceParams
from churn.contract import Column, Contract
from churn.store.records import DecisionAction
from monitoring.drift import null_distribution
from monitoring.monitor import record_run, run_monitor
from monitoring.performance import metrics
from monitoring.policy.decide import decide
from monitoring.reference import Reference
from monitoring.reports.summary import render_summary
from monitoring.run_result import RunResult
from monitoring.sensitive_slices import SensitiveSlices
from monitoring.slice_quality import SliceSince, judge_slices, take_baseline
from tests.unit.monitoring import grouped
from tests.unit.monitoring.fakes import NOW, FakeStore, make_settings
from tests.unit.monitoring.test_outcomes_by_slice import log

SENSITIVE = (
    Column(name="gender", source="Gender", kind="category", role="sensitive"),
    Column(name="age", source="Age", kind="integer", role="sensitive"),
)
CONTRACT = Contract.model_validate(
    grouped.CONTRACT.model_dump() | {"columns": [one.model_dump() for one in (*grouped.CONTRACT.columns, *SENSITIVE)]}
)
# All alike but in what is sensitive: the reference has no slices of its own.
PLAIN = {"plan": 0.0, "area": "north", "tenure": 5.0}
REFERENCE = Reference.of(grouped.draw(3000, 1).assign(**PLAIN), CONTRACT)


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """No slice hangs on the drift and the intervals that a run tells beside them."""
    monkeypatch.setattr(null_distribution, "DRAWS", 2 * null_distribution.BLOCK)
    monkeypatch.setattr(metrics, "RESAMPLES", 20)


class Life:
    """Customers who come in windows, each once, and what is known of them."""

    def __init__(self, **settings: int) -> None:
        self.store, self.settings, self.seen = (
            FakeStore(log(grouped.draw(0, 0))),
            make_settings(max_window_rows=10_000, **settings),
            0,
        )

    def window(
        self, rows: int, seed: int, *, worse: float = 0.0, fewer: float = 0.0, women: float = 0.4, sent: float = 1.0
    ) -> RunResult:
        """Of the women a share `worse` leaves whatever the model says; `fewer` of the men who would have left stay."""
        rng = np.random.default_rng(seed)
        frame = grouped.draw(rows, seed).assign(**PLAIN)
        woman, left = rng.random(rows) < women, frame["churned"].to_numpy() == 1
        left = np.where(woman, left | (rng.random(rows) < worse), left & (rng.random(rows) >= fewer))
        new = log(frame.assign(churned=left.astype(float)), self.seen + 1)
        new["customer_id"] = [f"c{n}" for n in new["seq"]]
        for name, is_woman, known, age in zip(
            new["customer_id"], woman, rng.random(rows) < sent, rng.integers(18, 90, rows), strict=True
        ):
            if known:
                self.store.levels[name] = {"gender": "female" if is_woman else "male"}
                self.store.levels[name] |= {"age": str(age)} if age < 80 else {}
        self.store.log = pd.concat([self.store.log, new], ignore_index=True) if self.seen else new
        self.seen += rows
        run = run_monitor(self.store, CONTRACT, self.settings, "1", REFERENCE, now=NOW)  # type: ignore[arg-type]
        assert record_run(self.store, run)  # type: ignore[arg-type]
        return RunResult.from_record(self.store.runs[0])


def judged(result: RunResult) -> dict[str, int]:
    return {} if result.slices is None else {f"{one.column}: {one.level}": one.rows for one in result.slices.judged}


def test_a_group_that_leaves_more_than_before_is_named_and_acted_upon() -> None:
    life = Life()
    first, calm = life.window(2000, 1), life.window(2000, 2)
    assert [run.worse_slices + run.missed_groups for run in (first, calm)] == [(), ()]
    assert set(judged(calm)) >= {"gender: female", "gender: male"}
    assert len([name for name in judged(calm) if name.startswith("age: ")]) == 5
    assert calm.slices is not None
    assert calm.slices.alpha == pytest.approx(0.001)
    worse = life.window(2000, 3, worse=0.15, fewer=0.6)
    assert worse.worse_slices[0].startswith("customers with gender female: churned ")
    assert worse.policy.action == DecisionAction.RETRAIN
    assert worse.worse_slices[0] in worse.policy.reason


def test_a_group_on_which_the_model_was_always_off_is_no_news() -> None:
    life = Life()
    first, *others = [life.window(2000, seed, worse=0.15, fewer=0.6) for seed in range(3)]
    assert first.missed_groups[0].startswith("customers with gender female: churned ")
    for run in (first, *others):
        assert run.worse_slices == ()
    assert not any(run.missed_groups for run in others)


def test_a_group_missed_from_the_first_day_on_is_said_once_and_left_to_a_person() -> None:
    life = Life()
    first = life.window(2000, 1, worse=0.1)
    assert first.slices is not None
    assert {one.first for one in first.slices.judged} == {True}
    assert [one.level for one in first.slices.misses if one.column == "gender"] == ["female"], "men are served as expected"
    assert first.to_decision().evidence["missed_groups"] == list(first.missed_groups)
    page = render_summary(first, [], false_alarm_rate=0.01)
    assert "customers with gender female, at first sight" in page
    assert "compared with what was expected of all" in page
    # No violation of its own: what only it says is for a person.
    assert decide(replace(first, concept=None, sequential=None), [], [], life.settings, NOW).action == DecisionAction.WATCH
    second = life.window(2000, 2, worse=0.1)
    assert second.slices is not None
    assert not any(one.first for one in second.slices.judged)
    assert second.missed_groups == ()


def test_what_is_sent_late_is_judged_on_all_outcomes_of_the_version() -> None:
    life = Life()
    assert life.window(1000, 1, worse=0.15, sent=0.0).slices is None
    women = np.random.default_rng(1).random(1000) < 0.4
    life.store.levels.update({f"c{n}": {"gender": "female" if woman else "male"} for n, woman in enumerate(women, 1)})
    found = judged(life.window(60, 2, worse=0.15))
    assert found["gender: female"] + found["gender: male"] == 1060


def test_first_sight_and_slices_of_the_reference_share_the_rate() -> None:
    life = Life()
    first, second = life.window(500, 1), life.window(500, 2)
    assert first.slices is not None
    assert second.slices is not None
    assert first.slices.alpha == second.slices.alpha == pytest.approx(0.001)
    assert first.slices.introduced == second.slices.introduced == ("gender", "age")


def test_who_was_not_sent_is_in_no_group() -> None:
    life = Life()
    life.window(2000, 1, sent=0.5)
    result = judged(life.window(2000, 2, sent=0.5))
    known = sum(f"c{n}" in life.store.levels for n in range(2001, 4001))
    assert result["gender: female"] + result["gender: male"] == known
    assert sum(rows for name, rows in result.items() if name.startswith("age")) == known
    # Of whom only the age is not known is a group, as on the scorecard.
    without_age = sum("age" not in life.store.levels.get(f"c{n}", {"age": ""}) for n in range(2001, 4001))
    assert result["age: missing"] == without_age
    life.store.levels.clear()
    erased = life.window(2000, 3).slices
    assert erased is not None
    assert erased.judged == (), "new groups have no outcomes of before"
    assert erased.introduced == ("gender", "age"), "and are not taken for the first ones"


def test_outcomes_of_a_small_group_wait_and_count_once() -> None:
    life, waited, seen = Life(), 0, []
    life.window(1500, 1, women=0.12)
    for seed in range(2, 6):
        own = judged(life.window(250, seed, women=0.12)).get("gender: female")
        waited += sum(life.store.levels[f"c{n}"]["gender"] == "female" for n in range(life.seen - 249, life.seen + 1))
        assert own == (waited if waited >= 50 else None)
        seen.append(own)
        waited = 0 if own else waited
    assert [own is None for own in seen] == [True, False, True, False]


def test_where_nothing_is_sent_or_sensitive_nothing_changes() -> None:
    life = Life()
    life.window(500, 1, sent=0.0)
    result = life.window(500, 2, sent=0.0)
    assert (result.slices, result.groups) == (None, None)
    assert result.concept is not None
    assert result.concept.alpha == pytest.approx(0.003)


@pytest.mark.long
def test_without_drift_any_group_alarms_as_often_as_asked_for() -> None:
    rng, alarms, trials = np.random.default_rng(7), 0, 60
    for _ in range(trials):
        drawn = log(grouped.draw(1500, rng))
        drawn["customer_id"] = [f"c{n}" for n in range(1500)]
        drawn["gender"] = np.where(rng.random(1500) < 0.3, "female", "male").astype(object)
        drawn["age"] = rng.integers(18, 90, 1500).astype(float)
        slices = SensitiveSlices.of(drawn[:1000], CONTRACT, SliceParams(), {}, (1000, NOW))
        assert len(slices.baselines) == 6
        window = drawn[1000:]
        alarms += any(one.alarm for one in judge_slices(slices.baselines, window, slices.members_of(window), 50, 0.1))
    assert 0.01 <= alarms / trials <= 0.22


@pytest.mark.long
def test_at_first_sight_a_calm_version_alarms_as_rarely_as_asked_for() -> None:
    rng, alarms, trials = np.random.default_rng(8), 0, 60
    reference = grouped.draw(3000, 9)
    for _ in range(trials):
        drawn = log(grouped.draw(600, rng))
        drawn["customer_id"] = [f"c{n}" for n in range(600)]
        drawn["gender"] = np.where(rng.random(600) < 0.3, "female", "male").astype(object)
        drawn["age"] = rng.integers(18, 90, 600).astype(float)
        slices = SensitiveSlices.of(drawn, CONTRACT, SliceParams(), {}, (600, NOW))
        baselines = [take_baseline(one.rule, reference, learned=False) for one in slices.baselines]
        alarms += any(one.alarm for one in judge_slices(baselines, drawn, slices.members_of(drawn), 50, 0.1))
    assert 0.01 <= alarms / trials <= 0.22


def test_outcomes_that_wait_for_a_group_are_not_what_it_is_compared_with() -> None:
    rng = np.random.default_rng(1)
    earlier = log(grouped.draw(1000, rng))
    earlier["customer_id"] = [f"c{n}" for n in range(1000)]
    earlier["gender"] = np.where(rng.random(1000) < 0.3, "female", "male").astype(object)
    waiting = SliceSince("gender", "female", 600, NOW)
    slices = SensitiveSlices.of(earlier, CONTRACT, SliceParams(), {("gender", "female"): waiting}, (1000, NOW))
    rows = {one.rule.level: one.large.rows for one in slices.baselines}
    assert rows == {"female": (earlier["gender"][:600] == "female").sum(), "male": (earlier["gender"] == "male").sum()}
    assert slices.since == (waiting, SliceSince("gender", "male", 1000, NOW))
    soon = SliceSince("gender", "female", 30, NOW)
    few = SensitiveSlices.of(earlier, CONTRACT, SliceParams(), {("gender", "female"): soon}, (1000, NOW))
    assert [one.rule.level for one in few.baselines] == ["male"], "too few to compare it with"
