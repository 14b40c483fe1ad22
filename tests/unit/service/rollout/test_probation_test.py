from __future__ import annotations

from math import inf, log

import numpy as np
import pytest

from service.rollout.probation_test import (
    Bounds,
    ProbationEvidence,
    RequestStats,
    error_log_e_value,
    is_slow,
    loss_log_e_value,
    run_probation_test,
    slow_limit,
)

BOUNDS = Bounds()
FAST = ((0.01, 990), (0.1, 9), (0.5, 1), (1.0, 0), (inf, 0))
BEFORE = RequestStats(1_000, 0, FAST)


def requests(number: int, errors: int = 0) -> RequestStats:
    return RequestStats(number, errors, FAST)


@pytest.mark.parametrize(
    ("since", "kind"),
    [
        # Idle, or hardly anything yet: nobody is rolled back.
        (ProbationEvidence(RequestStats()), "undecided"),
        (ProbationEvidence(requests(99, errors=99)), "undecided"),
        (ProbationEvidence(requests(0), excess_losses=[0.9] * 49), "undecided"),
        # Errors, allowed up to 1 % more than before.
        (ProbationEvidence(requests(100)), "kept"),
        (ProbationEvidence(requests(100, errors=2)), "kept"),
        (ProbationEvidence(requests(100, errors=7)), "kept"),  # 7 % are much, but chance may do it
        (ProbationEvidence(requests(100, errors=8)), "violated"),
        (ProbationEvidence(requests(100, errors=20)), "violated"),
        (ProbationEvidence(requests(10_000, errors=100)), "kept"),
        (ProbationEvidence(requests(10_000, errors=120)), "kept"),
        (ProbationEvidence(requests(10_000, errors=200)), "violated"),
        # Latency, only when poll after poll was slow.
        (ProbationEvidence(requests(5_000), slow_polls=3), "kept"),
        (ProbationEvidence(requests(5_000), slow_polls=4), "violated"),
        # Losses on the same customers, allowed up to 0.01 more.
        (ProbationEvidence(requests(0), excess_losses=[0.0] * 1_000), "kept"),
        (ProbationEvidence(requests(0), excess_losses=[0.009] * 5_000), "kept"),
        (ProbationEvidence(requests(0), excess_losses=[0.4, -0.4] * 500), "kept"),
        (ProbationEvidence(requests(0), excess_losses=[0.1] * 60), "kept"),
        (ProbationEvidence(requests(0), excess_losses=[0.9, 0.9] * 30), "violated"),
        (ProbationEvidence(requests(0), excess_losses=[0.3, -0.1] * 500), "violated"),
        (ProbationEvidence(requests(0), excess_losses=[-0.3] * 1_000), "kept"),
    ],
)
def test_errors_latency_and_outcomes_decide_whether_a_version_is_kept(since: ProbationEvidence, kind: str) -> None:
    assert run_probation_test(BEFORE, since, BOUNDS).kind == kind


def test_what_failed_before_as_well_is_not_held_against_the_new_model() -> None:
    since = ProbationEvidence(requests(2_000, errors=100))
    assert run_probation_test(requests(1_000, errors=50), since, BOUNDS).kind == "kept"
    assert run_probation_test(requests(1_000), since, BOUNDS).kind == "violated"
    assert run_probation_test(requests(10, errors=1), since, BOUNDS).kind == "violated", "ten requests tell of no rate"


def test_the_result_says_why_with_figures() -> None:
    result = run_probation_test(BEFORE, ProbationEvidence(requests(400, errors=40)), BOUNDS)
    assert result.reason == "40 of 400 requests failed; 0.00% did before, 1.00% more may"
    assert result.evidence["errors"] == 40
    worse = run_probation_test(BEFORE, ProbationEvidence(requests(0), excess_losses=[0.5] * 100), BOUNDS)
    assert "0.5000 worse" in worse.reason
    assert "100 known outcomes" in worse.reason
    slow = run_probation_test(BEFORE, ProbationEvidence(requests(500), slow_polls=4), BOUNDS)
    assert "longer than 0.1 s, in 4 polls in a row" in slow.reason


def test_a_model_within_its_bounds_is_rolled_back_no_more_often_than_promised() -> None:
    """At the very edge of both bounds, tested after each of 400 requests or outcomes."""
    rng, rate, runs = np.random.default_rng(5), 0.05, 400
    needed, stopped = log(2 / rate), {"errors": 0, "losses": 0}
    for _ in range(runs):
        failed = np.cumsum(rng.random(400) < 0.05)
        stopped["errors"] += any(error_log_e_value(int(failed[n]), n + 1, 0.05) >= needed for n in range(0, 400, 5))
        losses = rng.choice([-0.98, 1.0], 400, p=[0.5, 0.5])
        stopped["losses"] += any(loss_log_e_value(losses[:n].tolist(), 0.01) >= needed for n in range(20, 400, 40))
    assert stopped["errors"] / runs <= rate / 2 + 0.01
    assert stopped["losses"] / runs <= rate / 2 + 0.01


def test_weights_change_no_promise_and_let_the_control_group_speak_for_those_who_were_called() -> None:
    """One in ten outcomes is of the control group and stands for ten; it loses, and the others gain, just as the bound allows."""
    rng, rate, runs = np.random.default_rng(7), 0.05, 400
    needed, stopped = log(2 / rate), {"the bound": 0, "those they stand for": 0}
    for _ in range(runs):
        control = rng.random(400) < 0.1
        weights = np.where(control, 1.0, 0.1)
        # E[w (loss - bound)] = 0.1 * 0.09 - 0.9 * 0.1 * 0.1 = 0.
        losses = np.where(control, rng.choice([-0.8, 1.0], 400), -0.09)
        stopped["the bound"] += any(
            loss_log_e_value(losses[:n].tolist(), 0.01, weights[:n].tolist()) >= needed for n in range(20, 401, 40)
        )
        # Far worse where nobody was called, a little better elsewhere: without weights the mean would be within its bound.
        worse = np.where(control, 0.4, -0.05)
        stopped["those they stand for"] += loss_log_e_value(worse.tolist(), 0.01, weights.tolist()) >= needed
        assert loss_log_e_value(worse.tolist(), 0.01) < needed
    assert stopped["the bound"] / runs <= rate / 2 + 0.01
    assert stopped["those they stand for"] / runs >= 0.95


def test_weights_that_are_all_one_are_none() -> None:
    losses = [0.3, -0.1] * 500
    plain, weighted = (
        run_probation_test(BEFORE, ProbationEvidence(requests(0), excess_losses=losses, weights=weights), BOUNDS)
        for weights in ((), [1.0] * 1_000)
    )
    assert plain == weighted


def test_the_excess_that_is_said_is_that_of_all_for_whom_outcomes_stand() -> None:
    since = ProbationEvidence(requests(0), excess_losses=[0.5] * 50 + [0.0] * 450, weights=[1.0] * 50 + [0.1] * 450)
    found = run_probation_test(BEFORE, since, BOUNDS)
    assert found.evidence["brier_excess"] == pytest.approx(25 / 95)
    assert (found.kind, "0.2632 worse" in found.reason) == ("violated", True)


def test_a_model_that_is_much_worse_is_found_within_a_hundred_outcomes() -> None:
    rng, found = np.random.default_rng(6), 0
    for _ in range(50):
        losses = rng.normal(0.25, 0.3, 100).clip(-1, 1).tolist()
        found += run_probation_test(BEFORE, ProbationEvidence(RequestStats(), excess_losses=losses), BOUNDS).kind == "violated"
    assert found >= 48


def test_extremes_overflow_nothing() -> None:
    assert error_log_e_value(10**7, 10**7, 1e-9) > 1e8
    assert error_log_e_value(0, 10**7, 0.5) < 0
    assert error_log_e_value(5, 10, 1.0) == -inf, "everything may fail"
    assert loss_log_e_value([-1.0] * 10_000, 0.999) < 0 < loss_log_e_value([1.0] * 10_000, 0.0)


@pytest.mark.parametrize(
    ("before", "limit"),
    [
        (RequestStats(1_000, 0, FAST), 0.1),  # the floor
        (
            RequestStats(1_000, 0, ((0.01, 0), (0.1, 1_000), (0.5, 0), (1.0, 0), (inf, 0))),
            0.5,
        ),  # three times 0.1, up to the next bound
        (RequestStats(1_000, 0, ((0.1, 980), (1.0, 0), (inf, 20))), inf),  # p99 is off the scale
        (RequestStats(99, 0, FAST), inf),
        (RequestStats(), inf),
    ],
)
def test_slow_is_some_times_the_tail_before(before: RequestStats, limit: float) -> None:
    assert slow_limit(before, BOUNDS) == limit


@pytest.mark.parametrize(
    ("since", "slow"),
    [
        (RequestStats(99, 0, ((0.1, 0), (1.0, 99), (inf, 0))), None),
        (RequestStats(1_000, 0, ((0.1, 990), (1.0, 10), (inf, 0))), False),
        (RequestStats(1_000, 0, ((0.1, 989), (1.0, 11), (inf, 0))), True),
    ],
)
def test_a_poll_is_slow_if_more_than_the_tail_is(since: RequestStats, slow: bool | None) -> None:
    assert is_slow(BEFORE, since, BOUNDS) is slow


def test_periods_are_differences() -> None:
    now, then = RequestStats(10, 3, ((0.1, 6), (inf, 4))), RequestStats(4, 1, ((0.1, 2), (inf, 2)))
    assert now - then == RequestStats(6, 2, ((0.1, 4), (inf, 2)))
    assert now - RequestStats() == now
