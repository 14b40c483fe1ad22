"""A tracker's flat names become values with their bounds."""

from __future__ import annotations

from churn.model_card.quality import UNKNOWN, metrics_section, paired


def test_bounds_belong_to_the_score_that_they_are_of_and_other_names_stay() -> None:
    flat = {"auc": 0.8, "auc_low": 0.7, "auc_high": 0.9, "alone_low": 0.1, "x_mid": 0.5, "low": 1.0, "very_high_low": 2.0}
    assert paired(flat) == {
        "auc": {"value": 0.8, "low": 0.7, "high": 0.9},
        "alone_low": {"value": 0.1},
        "x_mid": {"value": 0.5},
        "low": {"value": 1.0},
        "very_high_low": {"value": 2.0},
    }


def test_nothing_measured_is_said() -> None:
    assert metrics_section({}, None) == UNKNOWN
