from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from churn.model import Model, ModelInfo
from churn.params import GateParams
from churn.promotion import bootstrap_mean_interval, decide, log_losses
from churn.records import now
from churn.split import Labelled

GATE = GateParams(resamples=200)
# For questions about the comparison alone: with few rows the calibration error is mostly chance.
COMPARISON = GateParams(resamples=200, max_calibration_error=1.0)


class Says:
    """Stands for a pipeline: what it says is written in a column."""

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        said = frame.iloc[:, 0].to_numpy()
        return np.column_stack([1 - said, said])


def model(column: str, version: str = "") -> Model:
    info: dict[str, Any] = {"data_digest": "", "data_source": "", "rows": 0, "contract": "", "contract_digest": ""}
    return Model(Says(), ModelInfo(name="m", version=version, trained_at=now(), features=[column], threshold=0.5, **info))


def judged(rows: int, seed: int, **noise: float) -> Labelled:
    """Customers, and what models that see their true log-odds through noise say of them."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-1.5, 1.2, rows)
    said = {name: expit(truth + rng.normal(0, sd, rows)) for name, sd in noise.items()}
    outcome = (rng.random(rows) < expit(truth)).astype(np.int64)
    return Labelled(pd.DataFrame({"truth": expit(truth), **said}), pd.Series(outcome))


CHALLENGER, CHAMPION = model("new"), model("old", version="3")


def test_an_equally_good_challenger_passes_as_often_as_the_setting_says() -> None:
    trials = 250
    passed = sum(
        decide(CHALLENGER, CHAMPION, judged(200, seed, new=0.7, old=0.7), COMPARISON, seed).promote for seed in range(trials)
    )
    # 5 % of 250 is 12.5, give or take 3.4: more than three standard deviations to either side.
    assert 1 <= passed <= 24


def test_the_question_is_one_sided() -> None:
    # With confidence 0.95 the lower end is the 5 % quantile, not the 2.5 % one.
    fresh = judged(300, 1, new=0.5, old=0.7)
    y = fresh.outcome.to_numpy()
    gain = log_losses(y, fresh.features["old"].to_numpy()) - log_losses(y, fresh.features["new"].to_numpy())
    interval = decide(CHALLENGER, CHAMPION, fresh, GATE, 1).evidence["interval"]
    assert interval == pytest.approx(bootstrap_mean_interval(gain, confidence=0.9, resamples=200, seed=1), rel=1e-9)


def test_a_stricter_gate_lets_fewer_equals_through() -> None:
    strict = COMPARISON.model_copy(update={"confidence": 0.995})
    passed = sum(decide(CHALLENGER, CHAMPION, judged(200, seed, new=0.7, old=0.7), strict, seed).promote for seed in range(100))
    assert passed <= 3


def test_a_better_challenger_passes_and_a_worse_one_does_not() -> None:
    fresh = judged(1500, 1, new=0.1, old=1.2)
    better = decide(CHALLENGER, CHAMPION, fresh, GATE, 1)
    worse = decide(model("old"), model("new", version="4"), fresh, GATE, 1)
    assert better.promote
    assert better.evidence["interval"][0] > 0
    assert not worse.promote
    assert worse.evidence["log_loss_gain"] == pytest.approx(-better.evidence["log_loss_gain"])
    assert "not better beyond chance" in worse.reason
    assert "version 4" in worse.reason


def test_the_same_model_again_does_not_pass() -> None:
    assert not decide(model("new"), model("new", version="1"), judged(500, 1, new=0.3), GATE, 1).promote


def test_a_challenger_whose_probabilities_are_wrong_does_not_pass_however_much_better_it_ranks() -> None:
    fresh = judged(1500, 1, old=3.0)
    # It ranks as the truth does, but says too much; still better by log loss than the champion's noise.
    fresh.features["new"] = expit(logit(fresh.features["truth"]) + 1.2)
    decision = decide(CHALLENGER, CHAMPION, fresh, GATE, 1)
    assert decision.evidence["checks"] == {"better_log_loss": True, "calibrated": False}
    assert not decision.promote
    assert "calibration error" in decision.reason


def test_the_first_model_must_beat_the_churn_rate() -> None:
    fresh = judged(1500, 1, new=0.1)
    fresh.features["rate"] = fresh.outcome.mean()
    fresh.features["noise"] = np.random.default_rng(1).beta(2, 8, len(fresh))
    passed = decide(CHALLENGER, None, fresh, GATE, 1)
    assert passed.promote
    assert passed.evidence["champion"] is None
    assert "no model at all" in passed.reason
    assert not decide(model("rate"), None, fresh, GATE, 1).promote
    assert not decide(model("noise"), None, fresh, COMPARISON, 1).promote


def test_the_evidence_is_written_as_json_and_is_the_same_every_time() -> None:
    fresh = judged(300, 1, new=0.1, old=1.0)
    first, again = (decide(CHALLENGER, CHAMPION, fresh, GATE, 5) for _ in range(2))
    assert first == again
    document = json.loads(json.dumps(first.evidence))
    assert document["rows"] == 300
    assert document["rival"] == "version 3"
    assert document["challenger"]["log_loss"] < document["champion"]["log_loss"]
    assert document["champion"]["log_loss"] - document["challenger"]["log_loss"] == pytest.approx(document["log_loss_gain"])


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for seed in range(200):
        low, high = bootstrap_mean_interval(rng.exponential(1.0, 100), confidence=0.9, resamples=200, seed=seed)
        covered += low <= 1.0 <= high
    assert 165 <= covered <= 192


def test_a_higher_confidence_is_a_wider_interval() -> None:
    sample = np.random.default_rng(3).normal(size=80)
    low, high = bootstrap_mean_interval(sample, confidence=0.8, resamples=300, seed=1)
    lower, higher = bootstrap_mean_interval(sample, confidence=0.99, resamples=300, seed=1)
    assert lower < low < sample.mean() < high < higher


def test_log_losses_are_finite_for_certainties() -> None:
    losses = log_losses(np.array([1, 0, 1, 0]), np.array([0.5, 0.5, 0.0, 0.0]))
    assert losses[:2] == pytest.approx(np.log(2))
    assert np.isfinite(losses).all()
    assert losses[2] > 30
    assert losses[3] < 1e-14
