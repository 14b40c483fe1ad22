from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from churn.segments import find
from churn.segments.clustering import MAX_SEGMENTS, MIN_CUSTOMERS
from churn.segments.find import draw_sample, find_segments
from churn.segments.segments import EVERYBODY, Nearest
from tests.unit.churn.segments.groups import CONTRACT, customers


def test_true_groups_are_found_and_named_by_their_reasons() -> None:
    frame, reasons, group = customers()
    found = find_segments(frame, reasons, CONTRACT, seed=1)
    assert found.names == ["high bill", "many service calls", "typical", "region south"]
    assert adjusted_rand_score(group, [Nearest(found).of(row) for row in reasons]) > 0.99
    assert found.shares[2] == pytest.approx((group == 0).mean(), abs=0.01)
    assert found.stability is not None
    assert found.stability > 0.95


def test_the_same_customers_have_the_same_segments_in_any_order() -> None:
    frame, reasons, _ = customers()
    keyed = frame.assign(**{f"reason {at}": reasons[:, at] for at in range(5)})
    shuffled = keyed.sample(frac=1, random_state=3).reset_index(drop=True)
    found = []
    for one in (keyed, shuffled, keyed):
        sample = draw_sample(one)
        found.append(find_segments(sample[list(frame)], sample[[f"reason {at}" for at in range(5)]].to_numpy(), CONTRACT, seed=1))
    assert found[0] == found[1] == found[2]
    assert found[0].model_dump_json() == found[1].model_dump_json()


def test_a_sample_is_bounded_and_does_not_depend_on_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "MAX_CUSTOMERS", 100)
    frame, _, _ = customers()
    sample = draw_sample(frame)
    assert len(sample) == 100
    pd.testing.assert_frame_equal(draw_sample(frame.iloc[::-1]), sample)


@pytest.mark.parametrize("rows", [0, 1, 2 * MIN_CUSTOMERS - 1])
def test_too_few_customers_are_one_segment(rows: int) -> None:
    frame, reasons, _ = customers()
    found = find_segments(frame[:rows], reasons[:rows], CONTRACT, seed=1)
    assert (found.names, found.shares, found.stability) == ([EVERYBODY], [1.0], None)
    assert Nearest(found).of([0.0] * 5) == 0


def test_forty_customers_are_at_most_two_segments() -> None:
    frame, reasons, _ = customers(40)
    assert len(find_segments(frame, reasons, CONTRACT, seed=1).names) <= 2


def test_equal_contributions_and_chance_alone_are_one_segment() -> None:
    frame, reasons, _ = customers()
    assert find_segments(frame, np.full_like(reasons, 0.3), CONTRACT, seed=1).names == [EVERYBODY]
    noise = np.random.default_rng(5).normal(0, 1, reasons.shape)
    assert find_segments(frame, noise, CONTRACT, seed=1).names == [EVERYBODY]


def test_one_column_alone_makes_segments() -> None:
    frame, reasons, group = customers()
    found = find_segments(frame[["service_calls"]], reasons[:, :1], CONTRACT, seed=1)
    assert found.names == ["many service calls", "typical"]
    assert [Nearest(found).of(row) for row in reasons[:, :1]] == np.where(group == 1, 0, 1).tolist()


def test_segments_that_no_words_tell_apart_are_one() -> None:
    frame, _, group = customers()
    # Two groups whose only column has one level: whatever their contributions, they would have one name.
    frame["region"] = "north"
    found = find_segments(frame[["region"]], np.where(group == 3, -4.0, -8.0)[:, None], CONTRACT, seed=1)
    assert found.names == [EVERYBODY]


def test_there_are_never_more_segments_than_a_person_keeps_apart() -> None:
    rng = np.random.default_rng(2)
    group = rng.integers(0, 12, 2_000)
    frame = pd.DataFrame({"service_calls": group.astype(float), "day_charge": (group % 4).astype(float)})
    reasons = np.column_stack([group * 2.0, (group % 4) * 3.0]) + rng.normal(0, 0.05, (2_000, 2))
    assert len(find_segments(frame, reasons, CONTRACT, seed=1).names) <= MAX_SEGMENTS
