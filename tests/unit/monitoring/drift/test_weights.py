from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.drift import weights as module
from monitoring.drift.rank_scores import RankScores
from monitoring.drift.weights import IGNORED_SHARE, SHRINKAGE, Weights, fit_weights

RNG = np.random.default_rng(0)
ROWS = 2_000
FRAME = pd.DataFrame(
    {
        "minutes": RNG.uniform(0, 100, ROWS),
        "noise": RNG.normal(size=ROWS),
        "state": np.array(["KS", "OH", None], dtype=object)[RNG.integers(0, 3, ROWS)],
    }
)
EFFECT = 0.03 * (FRAME["minutes"] - 50) + np.where(FRAME["state"] == "OH", 1.0, 0.0)


def scores_of(frame: pd.DataFrame, *names: str) -> dict[str, RankScores]:
    found = {name: RankScores.of(frame[name].to_numpy(dtype=float)) for name in names}
    return {name: scores for name, scores in found.items() if scores is not None}


def answered(effect: pd.Series) -> pd.DataFrame:
    return FRAME.assign(churn_probability=1 / (1 + np.exp(-effect)))


def fit(frame: pd.DataFrame) -> Weights:
    found = fit_weights(frame, scores_of(frame, "minutes", "noise"), ["state", "absent"])
    assert found is not None
    return found


def test_the_picture_tells_who_moves_the_answer_and_by_how_much() -> None:
    found = fit(answered(EFFECT))
    part = 0.03 * np.std(FRAME["minutes"])
    assert found.shares["minutes"] == pytest.approx(part / np.std(EFFECT), rel=0.03)
    assert found.shares["state"] == pytest.approx(np.std(FRAME["state"] == "OH") / np.std(EFFECT), rel=0.03)
    assert found.ignores("noise")
    assert not found.ignores("minutes")
    assert found.levels["state"]["OH"] - found.levels["state"]["KS"] == pytest.approx(1.0, rel=0.05)
    assert set(found.levels) == {"state"}
    assert set(found.scores) == {"minutes", "noise"}
    # Weights times scores are the log-odds again.
    scored = scores_of(FRAME, "minutes")["minutes"].of_column(FRAME["minutes"].to_numpy()).astype(float)
    assert np.corrcoef(scored @ found.scores["minutes"], FRAME["minutes"])[0, 1] > 0.999
    assert (scored @ found.scores["minutes"]).std() == pytest.approx(part, rel=0.03)


def test_it_is_the_ridge_regression_that_it_says() -> None:
    frame = answered(EFFECT)
    scores = scores_of(frame, "minutes")
    found = fit_weights(frame, scores, [])
    assert found is not None
    design = scores["minutes"].of_column(frame["minutes"].to_numpy()).astype(float)
    y = (EFFECT - EFFECT.mean()).to_numpy()
    augmented = np.vstack([design, np.sqrt(SHRINKAGE) * np.eye(design.shape[1])])
    expected = np.linalg.lstsq(augmented, np.concatenate([y, np.zeros(design.shape[1])]), rcond=None)[0]
    np.testing.assert_allclose(found.scores["minutes"], expected, rtol=1e-6, atol=1e-9)


def test_without_answers_the_outcomes_tell() -> None:
    left = (np.random.default_rng(1).random(ROWS) < 1 / (1 + np.exp(-EFFECT))).astype(float)
    found = fit(FRAME.assign(churned=left))
    assert found.shares["minutes"] > found.shares["noise"]
    assert found.levels["state"]["OH"] - found.levels["state"]["KS"] == pytest.approx(1.0, abs=0.35)
    # Answers come before outcomes.
    both = fit(answered(EFFECT).assign(churned=left))
    assert both.levels == fit(answered(EFFECT)).levels


@pytest.mark.parametrize(
    "columns",
    [{}, {"churned": 0.0}, {"churned": 1.0}, {"churn_probability": [np.nan] + [0.5] * (ROWS - 1)}],
)
def test_where_nothing_is_known_there_is_no_picture(columns: dict[str, object]) -> None:
    assert fit_weights(FRAME.assign(**columns), scores_of(FRAME, "minutes"), ["state"]) is None


def test_without_columns_or_rows_there_is_none() -> None:
    frame = answered(EFFECT)
    assert fit_weights(frame, {}, []) is None
    assert fit_weights(frame.assign(state=None), {}, ["state"]) is None
    assert fit_weights(frame.iloc[:0], {}, ["state"]) is None
    assert fit_weights(frame, scores_of(frame, "churn_probability"), []) is None


def test_answers_of_0_and_1_and_answers_that_are_all_alike_are_finite() -> None:
    extreme = FRAME.assign(churn_probability=(FRAME["minutes"] > 50).astype(float))
    assert np.isfinite(fit(extreme).scores["minutes"]).all()
    flat = fit(FRAME.assign(churn_probability=0.2))
    assert list(flat.shares.values()) == pytest.approx([0.0] * 3, abs=1e-9)


def test_a_column_without_a_share_is_not_ignored() -> None:
    found = Weights({}, {}, {"low": IGNORED_SHARE - 1e-9, "edge": IGNORED_SHARE})
    assert [found.ignores(name) for name in ("low", "edge", "constant")] == [True, False, False]


def test_many_rows_are_sampled_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 500)
    first, again = fit(answered(EFFECT)), fit(answered(EFFECT))
    assert first.levels == again.levels
    monkeypatch.setattr(module, "MAX_ROWS", ROWS)
    assert fit(answered(EFFECT)).levels != first.levels
