from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.performance.correlation import intraclass_correlation
from monitoring.performance.cusum_calibration import resume
from monitoring.performance.stream_weights import stream_weights


def outcomes(customers: list[str | None], churned: object = 0.0, probability: object = 0.2) -> pd.DataFrame:
    return pd.DataFrame({"churn_probability": probability, "churned": churned, "customer_id": pd.Series(customers, dtype=object)})


NONE = outcomes([])


def test_where_nobody_comes_again_each_weighs_one() -> None:
    assert stream_weights(NONE, outcomes(["a", "b", None, None])) is None
    assert stream_weights(outcomes(["a"]), outcomes(["b"])) is None


def test_an_outcome_weighs_what_the_design_effect_grows_by() -> None:
    earlier, now = outcomes(["a", "a", "b"], [0.0, 1.0, 0.0]), outcomes(["a", "c", "b", "b"], [0.0, 1.0, 0.0, 1.0])
    found = stream_weights(earlier, now)
    assert found is not None
    rows = pd.concat([earlier, now])
    y, p = rows["churned"].to_numpy(), rows["churn_probability"].to_numpy()
    r = intraclass_correlation(y - p, np.sqrt(p * (1 - p)), np.array([0, 0, 1, 0, 2, 1, 1]))

    def worth(count: int) -> float:
        return count / (1 + max(count - 1, 0) * r)

    added = worth(3) - worth(2) + worth(1) + worth(3) - worth(1)
    alike = np.array([1.0, 1.0, worth(2) / 2, worth(2) / 2])
    assert found == pytest.approx(added * alike / alike.sum())
    assert np.all((found >= 0) & (found <= 1))


def test_a_customer_without_a_name_stands_for_itself() -> None:
    found = stream_weights(NONE, outcomes(["a", "a", None, None]))
    assert found is not None
    assert found[2:].tolist() == [1.0, 1.0]
    assert np.all(found[:2] < 1)


def test_newcomers_weigh_no_more_than_who_was_there_before() -> None:
    base = [f"c{n}" for n in range(40)]
    found = stream_weights(outcomes(base * 5), outcomes([*base[4:], "new 1", "new 2", "new 3", "new 4"]))
    assert found is not None
    assert found.min() == pytest.approx(found.max())
    # The four say something new, and the others hardly do.
    assert 4 < found.sum() < 20


def test_newcomers_who_leave_are_no_change_where_a_tenth_of_the_base_always_leaves() -> None:
    # Each night the same base, of whom a tenth leave within its horizon of ten nights, and are followed by others who do.
    reference = outcomes([None] * 2_000, [1.0] * 200 + [0.0] * 1_800, np.tile([0.05, 0.15], 1_000))
    last, rows = None, NONE
    for night in range(50):
        leavers = [f"n{one} {twin}" for one in range(night, night + 10) for twin in (1, 2)]
        there = [leavers[n // 10] if n % 10 == n // 100 else f"s{n}" for n in range(200)]
        now = outcomes(there, [float(who in leavers) for who in there], np.tile([0.05, 0.15], 100))
        last = resume(last, reference, now, false_alarm_rate=0.002, weights=stream_weights(rows, now))
        assert not last.alarm
        rows = pd.concat([rows, now], ignore_index=True)


def test_the_weights_of_a_run_are_those_of_its_own_outcomes() -> None:
    found = stream_weights(outcomes(["a", "b"] * 3), outcomes(["b"]))
    assert found is not None
    assert found.shape == (1,)
    assert found[0] < 0.2
