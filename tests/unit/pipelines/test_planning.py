"""A campaign's plan: nobody whom one may not call, the best first, and figures that add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from churn.campaigns.call_list import MAX_REASONS
from churn.campaigns.control_group import ControlGroup
from churn.campaigns.expected import expect
from churn.campaigns.ranking import Limit
from churn.config.params import ProfitParams
from churn.customers.columns import CustomerColumns
from churn.errors import InputError
from pipelines import planning
from pipelines.candidates import Candidates
from pipelines.planning import CampaignPlan, call_reasons, call_segmenter, listed, make_campaign_plan
from tests.integration.files_to_score import CONTRACT, make_scorer

PROFIT = ProfitParams()
COUNT = 40
AS_FAR_AS_CALLS_PAY = Limit()
CONTROL = ControlGroup(0.2, "a key")
# A few are below the threshold of .5, and worth a call all the same.
PROBABILITY = np.linspace(0.95, 0.3, COUNT)[np.random.default_rng(3).permutation(COUNT)]
IDS = [f"c{n}" for n in range(COUNT)]
HELD = {name for name in IDS if CONTROL.has(name)}
FREE = [name for name in IDS if name not in HELD]


def candidates(ids: list[str] = IDS, others: tuple[float, ...] = (-0.5, -3.0, 0.0)) -> Candidates:
    count = len(ids)
    values = {one.name: np.full(count, 0 if one.kind == "category" else 1.0) for one in CONTRACT.features}
    values["total_day_minutes"] = np.linspace(100, 300, count)
    some = {name: found.astype(int) if CONTRACT[name].kind == "category" else found for name, found in values.items()}
    value = np.full(count, float(PROFIT.customer_value))
    return Candidates(ids, PROBABILITY[:count], value, CustomerColumns(some), count + len(others), np.array(others), count)


def plan(
    found: Candidates | None = None,
    left_out: dict[str, str] | None = None,
    limit: Limit = AS_FAR_AS_CALLS_PAY,
    *,
    segments: bool = False,
) -> CampaignPlan:
    scorer = make_scorer(control=CONTROL, segments=segments)
    return make_campaign_plan(candidates() if found is None else found, scorer, PROFIT, lambda _ids: left_out or {}, limit)


def test_the_best_are_called_first_and_nobody_who_is_left_out() -> None:
    out = {FREE[0]: "opted_out", FREE[1]: "contacted_lately", FREE[2]: "opted_out", "somebody else": "opted_out"}
    made = plan(left_out=out)
    allowed = [name for name in FREE if name not in out]
    assert made.ids == sorted(allowed, key=lambda name: -PROBABILITY[IDS.index(name)])
    assert made.left_out == {"control_group": len(HELD), "opted_out": 2, "contacted_lately": 1}
    assert made.below_threshold == sum(PROBABILITY[IDS.index(name)] < 0.5 for name in allowed) > 0


def test_who_opted_out_and_is_of_the_control_group_counts_once() -> None:
    held = sorted(HELD)[0]
    assert plan(left_out={held: "opted_out"}).left_out == {
        "control_group": len(HELD) - 1,
        "opted_out": 1,
        "contacted_lately": 0,
    }


def test_totals_and_the_curve_are_those_of_the_calls() -> None:
    made = plan(limit=Limit(calls=5))
    assert len(made.ids) == 5
    each = expect(PROBABILITY, np.full(COUNT, float(PROFIT.customer_value)), PROFIT)
    called = [IDS.index(name) for name in made.ids]
    assert made.total(made.expected.gain) == pytest.approx(each.gain[called].sum())
    at = made.curve.calls.tolist().index(5)
    assert made.curve.gain[at] == pytest.approx(made.total(made.expected.gain))
    assert made.curve.calls[-1] == len(FREE) + 3, "of the others too, who are worth no call"
    assert made.curve.gain[-1] == pytest.approx(each.gain[[IDS.index(name) for name in FREE]].sum() - 3.5)
    assert made.curve.gain.argmax() == len(FREE), "the last call that pays is the last of the candidates'"


def test_segments_are_those_of_the_called_and_add_up_to_all() -> None:
    made = plan(segments=True)
    totals = made.by_segment()
    assert [one.calls for one in totals] == sorted((one.calls for one in totals), reverse=True)
    assert sum(one.calls for one in totals) == len(made.ids)
    assert all(one.calls for one in totals)
    for of, name in ((made.expected.saved, "saved"), (made.expected.cost, "cost"), (made.expected.gain, "gain")):
        assert sum(getattr(one, name) for one in totals) == pytest.approx(made.total(of))
    assert made.segments is not None
    first = made.segments.of(slice(0, 1))[0]
    (line, *_), *_ = listed(made, make_scorer(control=CONTROL, segments=True))
    assert line.segment == first
    assert plan().by_segment() == []


@pytest.mark.parametrize("at_once", [1, 7, 2_000])
def test_the_list_is_the_plan_whatever_the_size_of_its_pieces(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(planning, "LISTED_AT_ONCE", at_once)
    made, told = plan(), list[int]()
    pieces = list(listed(made, make_scorer(control=CONTROL), told.append))
    assert told == [len(piece) for piece in pieces]
    assert max(told) <= at_once
    lines = [line for piece in pieces for line in piece]
    assert [line.customer_id for line in lines] == made.ids
    assert [line.expected_gain for line in lines] == [round(gain, 2) for gain in made.expected.gain[made.called].tolist()]
    assert all(line.segment is None and len(line.reasons.split("; ")) <= MAX_REASONS for line in lines)
    assert any(line.reasons for line in lines)


@pytest.mark.parametrize(
    ("found", "left_out", "limit", "said"),
    [
        (candidates([], (-0.5, -3.0)), {}, Limit(), r"nobody is worth a call: the best of 2 customers should bring -0\.50"),
        (candidates(), dict.fromkeys(IDS, "opted_out"), Limit(), "nobody is left to call: of 40 who are worth it, 40 opted out"),
        (
            candidates(),
            dict.fromkeys(FREE, "contacted_lately"),
            Limit(),
            f"nobody is left to call: of 40 who are worth it, {len(FREE)} contacted lately, {len(HELD)} control group",
        ),
        (candidates(), {}, Limit(budget=0.01), "the budget pays for no call: the first is expected to cost"),
    ],
)
def test_why_nobody_is_called_is_said(found: Candidates, left_out: dict[str, str], limit: Limit, said: str) -> None:
    with pytest.raises(InputError, match=said):
        plan(found, left_out, limit)


def test_a_model_that_is_not_compiled_gives_a_list_without_reasons_and_segments() -> None:
    scorer = make_scorer(control=CONTROL, segments=True)
    bare = replace(scorer, model=replace(scorer.model, compiled=None))
    made = make_campaign_plan(candidates(), bare, PROFIT, lambda _ids: {}, Limit(calls=3))
    assert made.segments is None
    assert call_segmenter(bare) is None
    assert call_segmenter(make_scorer()) is None, "nor where the model knows none"
    assert call_reasons(bare).explainer is None
    assert [line.reasons for line in next(iter(listed(made, bare)))] == ["", "", ""]
