"""What the dashboards show: every panel is a question, the queries that answer it, and the unit of the answer."""

from __future__ import annotations

from typing import Literal, NamedTuple

HERE = '{instance=~"$instance"}'
RATE = "[$__rate_interval]"


class Question(NamedTuple):
    """One panel.

    Attributes
    ----------
    queries : tuple of (str, str)
        PromQL, and how the legend names its series.
    unit : str
        One of Grafana's.
    limit : float or None
        Above it, a line is drawn red.
    """

    title: str
    says: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: Literal["timeseries", "stat", "heatmap"] = "timeseries"
    limit: float | None = None


Row = tuple[str, tuple[Question, ...]]


def _rate(metric: str, by: str = "", where: str = 'instance=~"$instance"') -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{where}}}{RATE}))"


def _quantile(q: float) -> str:
    where = 'instance=~"$instance", route="/predict"'
    return f"histogram_quantile({q}, {_rate('churn_http_request_duration_seconds_bucket', 'le', where)})"


def _by_source(title: str, metric: str, says: str, unit: str = "none") -> Question:
    return Question(title, says, unit, ((metric, "{{source}}"),))


SERVICE: tuple[Row, ...] = (
    (
        "Now",
        (
            Question(
                "Model in service",
                "Version of the champion, by instance.",
                "none",
                ((f"churn_model_info{HERE} == 1", "version {{version}} on {{instance}}"),),
                "stat",
            ),
            Question("Requests", "All routes together.", "reqps", ((_rate("churn_http_requests_total"), "requests"),), "stat"),
            Question(
                "Failed by our fault, 5 min",
                "Share of requests answered 5xx; the objective allows 0.1 %.",
                "percentunit",
                (("churn:errors:ratio5m", "failed"),),
                "stat",
                0.001,
            ),
            Question(
                "Slow, 5 min",
                "Share of single predictions above 50 ms; the objective allows 1 %.",
                "percentunit",
                (("churn:slow:ratio5m", "slow"),),
                "stat",
                0.01,
            ),
            Question(
                "Waiting on disk",
                "Predictions that the store has not got yet.",
                "short",
                ((f"sum(churn_log_spooled{HERE})", "spooled"),),
                "stat",
                1,
            ),
            Question(
                "Registry",
                "1: it answers. 0: the service goes on with what it has.",
                "none",
                ((f"min(churn_registry_up{HERE})", "registry"),),
                "stat",
            ),
        ),
    ),
    (
        "Golden signals",
        (
            Question(
                "Traffic", "Requests a second by route.", "reqps", ((_rate("churn_http_requests_total", "route"), "{{route}}"),)
            ),
            Question(
                "Answers by status",
                "5xx are ours, 4xx the caller's.",
                "reqps",
                ((_rate("churn_http_requests_total", "status"), "{{status}}"),),
            ),
            Question(
                "Latency of /predict",
                "Dots are single requests; their request_id finds them in the log.",
                "s",
                ((_quantile(0.5), "p50"), (_quantile(0.99), "p99")),
                limit=0.05,
            ),
            Question(
                "Problems told",
                "Requests answered with a problem, by what it was, and those turned away at the door.",
                "reqps",
                ((_rate("churn_rejected_total", "problem"), "{{problem}}"), (_rate("churn_requests_shed_total"), "turned away")),
            ),
            Question(
                "Processor time",
                "Cores in use; each worker can use one.",
                "short",
                (
                    (_rate("churn_process_cpu_seconds_total", "instance"), "{{instance}}"),
                    (f"sum by (instance) (churn_workers{HERE})", "workers of {{instance}}"),
                ),
            ),
            Question(
                "Memory",
                "Of all workers.",
                "bytes",
                ((f"sum by (instance) (churn_process_resident_memory_bytes{HERE})", "{{instance}}"),),
            ),
            Question(
                "Open files",
                "Sockets included.",
                "short",
                ((f"sum by (instance) (churn_process_open_fds{HERE})", "{{instance}}"),),
            ),
        ),
    ),
    (
        "Objectives",
        (
            Question(
                "Burn of the error budget",
                "1: the budget is just used up in its 30 days. 14.4 pages, 6 pages, 3 and 1 make a ticket.",
                "short",
                tuple((f"churn:errors:ratio{w} / 0.001", w) for w in ("5m", "1h", "6h", "3d")),
                limit=14.4,
            ),
            Question(
                "Burn of the latency budget",
                "The same for single predictions above 50 ms.",
                "short",
                tuple((f"churn:slow:ratio{w} / 0.01", w) for w in ("5m", "1h", "6h", "3d")),
                limit=14.4,
            ),
        ),
    ),
    (
        "Model and log",
        (
            Question(
                "Changes of the model",
                "Attempts to take another model, by result.",
                "short",
                (("sum by (result) (increase(churn_model_reloads_total" + HERE + "[5m]))", "{{result}}"),),
            ),
            Question(
                "On probation",
                "1 while a new champion is watched; it is left by itself if it does worse.",
                "none",
                ((f"max by (instance) (churn_probation_active{HERE})", "{{instance}}"),),
            ),
            Question(
                "Log written",
                "Predictions a second that reached the store, and that came there from the disk.",
                "wps",
                ((_rate("churn_log_written_total"), "written"), (_rate("churn_log_replayed_total"), "from disk")),
            ),
            Question(
                "Log lag",
                "Age of the oldest prediction that is not in the store.",
                "s",
                ((f"max by (instance) (churn_log_lag_seconds{HERE})", "{{instance}}"),),
                limit=60,
            ),
        ),
    ),
)
VERSION = 'instance=~"$instance", model_version=~"$version"'
FLAGGED = (
    _rate("churn_predictions_total", "model_version", f'{VERSION}, decision="churn"')
    + " / "
    + _rate("churn_predictions_total", "model_version", VERSION)
)
MODEL: tuple[Row, ...] = (
    (
        "Answers",
        (
            Question(
                "Predictions",
                "By version and decision.",
                "reqps",
                (
                    (
                        _rate("churn_predictions_total", "model_version, decision", VERSION),
                        "version {{model_version}}: {{decision}}",
                    ),
                ),
            ),
            Question(
                "Share decided as churn",
                "By version.",
                "percentunit",
                (
                    (
                        FLAGGED,
                        "version {{model_version}}",
                    ),
                ),
            ),
            Question(
                "Churn probabilities",
                "How the answers are spread, over time.",
                "short",
                ((f"sum by (le) (increase(churn_predicted_probability_bucket{HERE}{RATE}))", "{{le}}"),),
                "heatmap",
            ),
            Question(
                "Mean churn probability",
                "Of all answers.",
                "percentunit",
                ((f"{_rate('churn_predicted_probability_sum')} / {_rate('churn_predicted_probability_count')}", "mean"),),
            ),
            Question(
                "Missing values",
                "Answered customers without the feature, a second.",
                "reqps",
                ((_rate("churn_feature_missing_total", "feature"), "{{feature}}"),),
            ),
            Question(
                "Challenger in the shadow",
                "Customers whom it was asked too, and whom it decides differently.",
                "reqps",
                (
                    (_rate("churn_shadow_difference_count"), "asked"),
                    (_rate("churn_shadow_disagreements_total"), "decided differently"),
                ),
            ),
        ),
    ),
    (
        "Quality: realized, estimated, and when it was trained",
        (
            _by_source("ROC AUC", "churn_roc_auc", "1: every leaver is ranked above every stayer; 0.5: chance.", "percentunit"),
            _by_source("PR AUC", "churn_pr_auc", "Average precision.", "percentunit"),
            Question(
                "Brier score",
                "Lower is better. Above the limit, with an alarm on outcomes, somebody is woken.",
                "none",
                (("churn_brier_score", "{{source}}"), ("churn_brier_page_limit", "limit")),
            ),
            _by_source("Log loss", "churn_log_loss", "Lower is better."),
            _by_source(
                "Calibration in the large",
                "churn_calibration_in_the_large",
                "Share that left minus share that the model expected.",
                "percentunit",
            ),
            _by_source("Churn rate", "churn_rate", "Share of customers who left, or are expected to.", "percentunit"),
            _by_source(
                "Profit a customer",
                "churn_profit_per_customer",
                "Of contacting who is at or above the threshold, in the currency of params.yaml.",
            ),
            Question(
                "Changes of the champion",
                "Promotions and rollbacks of the last hour.",
                "short",
                (("sum by (kind) (increase(churn_takeovers_total[1h]))", "{{kind}}"),),
            ),
        ),
    ),
)
DRIFT: tuple[Row, ...] = (
    (
        "Alarms",
        (
            Question(
                "What followed from the newest look",
                "1 for what was decided.",
                "none",
                (("churn_policy_action", "{{action}}"),),
                "stat",
            ),
            Question("Alarms", "1: the newest look alarms.", "none", (("churn_drift_alarm", "{{kind}}"),), "stat", 1),
            Question(
                "Newest window",
                "Predictions and outcomes that were judged.",
                "short",
                (("churn_window_rows", "predictions"), ("churn_window_labelled_rows", "outcomes")),
                "stat",
            ),
        ),
    ),
    (
        "Features",
        (
            Question(
                "Drift of each feature against its threshold",
                "At 1 or above it drifted: the look's false-alarm rate is shared by all tests.",
                "none",
                (("churn_drift_statistic / churn_drift_threshold", "{{feature}}"),),
                limit=1,
            ),
            Question(
                "Statistic and threshold",
                "-log10 of the adjusted p-value.",
                "none",
                (("churn_drift_statistic", "{{feature}}"), ("max(churn_drift_threshold)", "threshold")),
            ),
            Question(
                "Impact on the model",
                "By how many log-odds the shift moves what is expected.",
                "none",
                (("churn_drift_impact", "{{feature}}"),),
            ),
            Question("Alarms over time", "By kind.", "none", (("churn_drift_alarm", "{{kind}}"),)),
        ),
    ),
    (
        "What was done",
        (
            Question(
                "Decisions",
                "What followed from the looks of the last hour.",
                "short",
                (("sum by (action) (increase(churn_policy_decisions_total[1h]))", "{{action}}"),),
            ),
            Question(
                "Retrainings",
                "Of all time, by why and how they ended.",
                "short",
                (("sum by (reason, result) (churn_retrains_total)", "{{reason}}: {{result}}"),),
            ),
            Question(
                "Outcomes", "That came, a second.", "wps", (("sum(rate(churn_outcomes_total[$__rate_interval]))", "outcomes"),)
            ),
            Question(
                "Age of the newest outcome",
                "Without outcomes nobody knows whether the model is right.",
                "s",
                (("time() - churn_outcomes_last_received_timestamp_seconds", "newest outcome"),),
            ),
        ),
    ),
)
PIPELINES: tuple[Row, ...] = (
    (
        "Flows",
        (
            Question("Newest run failed", "0: it ended well.", "none", (("churn_flow_last_failed", "{{flow}}"),), "stat", 1),
            Question(
                "Last success",
                "How long ago each flow ended well.",
                "s",
                (("time() - churn_flow_last_success_timestamp_seconds", "{{flow}}"),),
                "stat",
            ),
            Question(
                "Monitor looked",
                "How long ago; it is to look at this interval.",
                "s",
                (
                    ("time() - churn_monitor_last_run_timestamp_seconds", "last look"),
                    ("churn_monitor_interval_seconds", "interval"),
                ),
                "stat",
            ),
            Question("Store", "1: the exporter can read it.", "none", (("churn_monitor_up", "store"),), "stat"),
            Question(
                "Runs",
                "That ended in the last hour.",
                "short",
                (("sum by (flow, result) (increase(churn_flow_runs_total[1h]))", "{{flow}}: {{result}}"),),
            ),
            Question("Duration", "Of the newest run.", "s", (("churn_flow_duration_seconds", "{{flow}}"),)),
            Question(
                "Last end",
                "How long ago each flow ended, well or not.",
                "s",
                (("time() - churn_flow_last_run_timestamp_seconds", "{{flow}}"),),
            ),
        ),
    ),
    (
        "Age",
        (
            Question(
                "Age of the model",
                "Since its training.",
                "s",
                (("time() - (churn_model_trained_timestamp_seconds > 0)", "{{instance}}"),),
            ),
            Question(
                "Age of the data",
                "Since the newest prediction and the newest outcome.",
                "s",
                (
                    ("time() - churn_predictions_last_timestamp_seconds", "newest prediction"),
                    ("time() - churn_outcomes_last_received_timestamp_seconds", "newest outcome"),
                ),
            ),
            Question(
                "Outcomes in the store",
                "What the next training can learn from.",
                "short",
                (("churn_outcomes_total", "outcomes"),),
            ),
        ),
    ),
)
BOARDS: dict[str, tuple[str, tuple[Row, ...]]] = {
    "service": ("How requests are answered: golden signals, objectives, the model in service, the log.", SERVICE),
    "model": ("What is answered, and how good it is: realized, estimated, and when it was trained.", MODEL),
    "drift": ("How far customers and outcomes are from what the model was trained on, and what was done about it.", DRIFT),
    "pipelines": ("Whether the flows run, how long they take, how old model and data are.", PIPELINES),
}
