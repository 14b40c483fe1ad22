from __future__ import annotations

from tests.checkout import CHECKOUT
from tools.metrics_page import PAGE, monitor_metrics, render, service_metrics


def test_the_page_is_the_one_that_the_code_makes():
    assert (CHECKOUT / PAGE).read_text() == render(), "run: .venv/bin/python -m tools.metrics_page"


def test_every_promised_metric_is_there():
    names = {metric.name for metric in (*service_metrics(), *monitor_metrics())}
    promised = """
        churn_predictions_total churn_predicted_probability churn_http_requests_total
        churn_http_request_duration_seconds churn_model_info churn_model_loaded_timestamp_seconds
        churn_model_reloads_total churn_feature_missing_total churn_log_written_total churn_log_spooled
        churn_log_lag_seconds churn_monitor_last_run_timestamp_seconds churn_window_rows churn_drift_statistic
        churn_drift_threshold churn_drift_alarm churn_roc_auc churn_brier_score churn_outcomes_total
        churn_retrains_total churn_flow_last_success_timestamp_seconds
    """
    assert set(promised.split()) <= names
    assert all(metric.help for metric in (*service_metrics(), *monitor_metrics()))
