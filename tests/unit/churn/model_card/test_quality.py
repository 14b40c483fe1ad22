"""A tracker's flat names become values with their bounds."""

from __future__ import annotations

from churn.model_card.quality import UNKNOWN, gate_section, metrics_section, paired


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


def test_the_gate_is_told_by_month_and_with_what_its_labels_are_worth() -> None:
    month = {"month": "2026-03", "rows": 1200, "churn_rate": 0.15, "roc_auc": None, "log_loss": 0.3, "baseline_log_loss": 0.4}
    gate = {"promote": True, "reason": "better", "months": [month], "labels": {"sentence": "counts once it is 30 days old"}}
    told = gate_section(gate)
    assert "| 2026-03 | 1,200 | 0.1500 | n/a | n/a | 0.3000 | 0.4000 |" in told
    assert told.endswith("Labels: counts once it is 30 days old.")
    assert "month" not in gate_section({"promote": True, "reason": "better", "months": [], "labels": None})
