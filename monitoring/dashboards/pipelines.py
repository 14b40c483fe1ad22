"""The board of the flows: did they run, and what did they decide?"""

from __future__ import annotations

from monitoring.dashboards.question import Question, Row

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
                "Last monitoring run",
                "How long ago it ended; the interval is how often one is due.",
                "s",
                (
                    ("time() - churn_monitor_last_run_timestamp_seconds", "last run"),
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
