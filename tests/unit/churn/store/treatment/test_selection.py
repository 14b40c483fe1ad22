"""Which outcomes may be learned from, worked out by hand. (Through the store: test_labels.py.)"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from churn.store.treatment.selection import MAX_STRATA, MIN_HELD_OUT, MIN_NAMED, MIN_STRATUM, MONTH, Selection, select

NAN = float("nan")
START = np.datetime64("2026-01-01T00:00:00", "us")
# The first instant of a month as they are counted: thirty days each since 1970.
BEGIN = np.datetime64(0, "us") + (START - np.datetime64(0, "us")) // MONTH * MONTH
OTHER, NAMED, HELD = NAN, 0.0, 1.0


def found(
    *groups: tuple[int, float, bool], months: list[int] | None = None, scores: list[float] | None = None
) -> Selection | None:
    """Of groups of customers: how many, whether held out, whether acted on."""
    held = np.concatenate([np.full(count, kind) for count, kind, _ in groups])
    acted = np.concatenate([np.full(count, was) for count, _, was in groups])
    month = np.repeat(months or [0] * len(groups), [count for count, *_ in groups])
    score = np.repeat(scores or [0.5] * len(groups), [count for count, *_ in groups])
    return select(acted, held, BEGIN + month * MONTH, score)


def chosen(*groups: tuple[int, float, bool], **more: list) -> Selection:
    made = found(*groups, **more)
    assert made is not None
    return made


def weights(selection: Selection, *counts: int) -> list[float]:
    """The weight of each group, which is one for all of it."""
    parts = np.split(selection.weight, np.cumsum(counts)[:-1])
    for part in parts:
        np.testing.assert_array_equal(part, part[0])
    return [float(part[0]) for part in parts]


def test_where_nobody_was_acted_on_all_count_as_they_are() -> None:
    assert found((5, NAMED, False), (5, HELD, False), (5, OTHER, False)) is None


def test_the_control_group_stands_for_all_who_were_named() -> None:
    one = chosen((10, NAMED, True), (4, NAMED, False), (6, HELD, False), (20, OTHER, False))
    assert weights(one, 10, 4, 6, 20) == [0, 0, 20 / 6, 1]
    assert one.report() == {
        "acted_on": 10, "leaked": 0, "aside": 4, "standing": 6, "unknown": 0,
        "effective_rows": round(40**2 / (6 * (20 / 6) ** 2 + 20), 1),
    }  # fmt: skip
    assert one.set_aside == 14
    assert not one.blind


def test_one_of_the_control_group_who_was_contacted_counts_as_contacted() -> None:
    one = chosen((10, NAMED, True), (2, HELD, True), (6, HELD, False))
    assert weights(one, 10, 2, 6) == [0, 0, 3]
    assert (one.acted_on, one.leaked, one.aside, one.standing) == (12, 2, 0, 6)


def test_a_month_in_which_nobody_was_acted_on_is_left_as_it_is() -> None:
    one = chosen((10, NAMED, True), (5, HELD, False), (8, NAMED, False), (2, HELD, False), months=[0, 0, 1, 1])
    assert weights(one, 10, 5, 8, 2) == [0, 3, 1, 1]
    assert (one.aside, one.standing) == (0, 5)


def test_months_are_of_thirty_days_since_1970() -> None:
    held, acted = np.array([*[NAMED] * 5, *[HELD] * 5]), np.array([*[True] * 5, *[False] * 5])
    last = BEGIN + MONTH - np.timedelta64(1, "us")
    scores = np.full(10, 0.5)
    same = select(acted, held, np.array([BEGIN] * 5 + [last] * 5), scores)
    other = select(acted, held, np.array([BEGIN] * 5 + [BEGIN + MONTH] * 5), scores)
    assert same is not None
    assert other is not None
    assert weights(same, 5, 5) == [0, 2]
    # Those held out are of a month without a campaign; for the others nobody stands.
    assert weights(other, 5, 5) == [0, 1]
    assert (same.unknown, other.unknown) == (0, 5)


def test_months_with_few_of_the_control_group_are_taken_together_with_the_next() -> None:
    few = MIN_HELD_OUT - 2
    one = chosen(
        (10, NAMED, True), (few, HELD, False), (20, NAMED, True), (2, HELD, False), (40, NAMED, True),
        (MIN_HELD_OUT, HELD, False), months=[0, 0, 1, 1, 2, 2],
    )  # fmt: skip
    together = (10 + few + 20 + 2) / (few + 2)
    assert weights(one, 10, few, 20, 2, 40, MIN_HELD_OUT) == [0, together, 0, together, 0, (40 + MIN_HELD_OUT) / MIN_HELD_OUT]


def test_the_last_months_join_the_group_before_if_they_have_too_few() -> None:
    one = chosen((10, NAMED, True), (MIN_HELD_OUT, HELD, False), (20, NAMED, True), (1, HELD, False), months=[0, 0, 1, 1])
    together = (30 + MIN_HELD_OUT + 1) / (MIN_HELD_OUT + 1)
    assert weights(one, 10, MIN_HELD_OUT, 20, 1) == [0, together, 0, together]


def test_a_few_of_the_control_group_stand_alone_if_there_are_no_more() -> None:
    assert weights(chosen((10, NAMED, True), (1, HELD, False)), 10, 1) == [0, 11]


@pytest.mark.parametrize(("named", "is_blind"), [(MIN_NAMED, True), (MIN_NAMED - 1, False)])
def test_many_named_ones_of_whom_nobody_was_held_out_are_no_chance(named: int, is_blind: bool) -> None:
    one = chosen((named, NAMED, True), (10, NAMED, True), (5, HELD, False), months=[0, 1, 1])
    assert one.unknown == (named if is_blind else 0)
    assert weights(one, named, 10, 5) == [0, 0, 3 if is_blind else (named + 15) / 5]


def test_whom_nobody_stands_for_makes_blind_and_is_said() -> None:
    one = chosen((9, NAMED, True), (3, NAMED, False), (7, OTHER, False))
    assert (one.unknown, one.blind) == (12, True)
    assert weights(one, 9, 3, 7)[:2] == [0, 0]
    assert np.isnan(one.weight[12:]).all(), "what the others of the month stand for is not known either"
    assert str(one).endswith(
        "; nobody stands for 12 whom a model named, so what such customers do can no longer be known: "
        "set CHURN_CONTROL_SHARE, and contact nobody whose action is hold_out"
    )


def test_of_others_who_were_contacted_the_others_of_the_month_stand_for_them() -> None:
    one = chosen((4, OTHER, True), (6, OTHER, False), (5, OTHER, False), (3, OTHER, True), months=[0, 0, 1, 2])
    assert weights(one, 4, 6, 5, 3) == [0, 10 / 6, 1, 0]
    assert (one.unknown, one.aside, one.standing) == (0, 0, 0)


def test_scores_that_a_campaign_did_not_reach_are_left_as_they_are() -> None:
    size = MIN_STRATUM
    one = chosen((size, NAMED, False), (size // 2, NAMED, True), (size // 2, HELD, False), scores=[0.2, 0.9, 0.9])
    assert weights(one, size, size // 2, size // 2) == [1, 0, 2]
    # With fewer there is one group of scores only.
    few = chosen((size - 1, NAMED, False), (size // 2, NAMED, True), (size // 2, HELD, False), scores=[0.2, 0.9, 0.9])
    assert weights(few, size - 1, size // 2, size // 2) == [0, 0, (2 * size - 1) / (size // 2)]


def test_scores_are_compared_in_five_groups_at_most() -> None:
    size, groups = 100, 10
    scores = [number / groups for number in range(groups)]
    # Of the two highest tenths, which are one fifth, only the upper was called.
    kinds = [*[(size, NAMED, False)] * (groups - 1), (size // 2, NAMED, True), (size // 2, HELD, False)]
    one = chosen(*kinds, scores=[*scores, scores[-1]])
    assert groups == 2 * MAX_STRATA
    assert weights(one, *[size] * (groups - 1), size // 2, size // 2) == [*[1] * (groups - 2), 0, 0, 2 * size / (size // 2)]


WORDS = Selection(np.zeros(4_000), 1_100, 0, 0, 0, 0, 2_345.6)
SAID = "1,100 of 4,000 outcomes are of customers who were acted on"


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (WORDS, f"{SAID}; effective sample size 2,346"),
        (replace(WORDS, aside=1_200), f"{SAID}, 1,200 of others who might have been; effective sample size 2,346"),
        (
            replace(WORDS, standing=1_300, leaked=1_400),
            f"{SAID}; 1,300 of the control group stand for them (1,400 of the control group were contacted all the same)"
            "; effective sample size 2,346",
        ),
    ],
)
def test_it_is_said_in_words(selection: Selection, said: str) -> None:
    assert str(selection) == said
