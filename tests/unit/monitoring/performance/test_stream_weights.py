from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.performance.correlation import intraclass_correlation
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

    assert found == pytest.approx([worth(3) - worth(2), 1.0, (worth(3) - worth(1)) / 2, (worth(3) - worth(1)) / 2])
    assert np.all((found >= 0) & (found <= 1))


def test_a_customer_without_a_name_stands_for_itself() -> None:
    found = stream_weights(outcomes(["a"]), outcomes(["a", None, None]))
    assert found is not None
    assert found[1:].tolist() == [1.0, 1.0]
    assert found[0] < 1


def test_the_weights_of_a_run_are_those_of_its_own_outcomes() -> None:
    found = stream_weights(outcomes(["a", "b"] * 3), outcomes(["b"]))
    assert found is not None
    assert found.shape == (1,)
    assert found[0] < 0.2
