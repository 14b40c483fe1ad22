"""The board of drift: has the world moved?"""

from __future__ import annotations

from monitoring.dashboards.question import Question, Row

DRIFT: tuple[Row, ...] = (
    (
        "Alarms",
        (
            Question(
                "What followed from the newest monitoring run",
                "1 for what was decided.",
                "none",
                (("churn_policy_action", "{{action}}"),),
                "stat",
            ),
            Question(
                "Alarms",
                "1: news in the newest monitoring run. moved: customers moved since they were last seen; newcomers: they differ "
                "from newcomers before them; covariate, prediction, joint: customers differ from the reference; "
                "concept: outcomes contradict the model.",
                "none",
                (("churn_drift_alarm", "{{kind}}"),),
                "stat",
                1,
            ),
            Question(
                "Said before",
                "Features that differ from the reference as was said of the same customers before: no alarm until it grows.",
                "none",
                (("churn_drift_said_before", "features"),),
                "stat",
            ),
            Question(
                "Newest window",
                "Predictions and outcomes that were judged; customers who were seen before are compared with themselves.",
                "short",
                (
                    ("churn_window_rows", "predictions"),
                    ("churn_window_returning_customers", "seen before"),
                    ("churn_window_labelled_rows", "outcomes"),
                ),
                "stat",
            ),
        ),
    ),
    (
        "Features",
        (
            Question(
                "Differs from the reference: each feature against its threshold",
                "At 1 or above it differs beyond chance; an alarm only if it was not said before.",
                "none",
                (("churn_drift_statistic / churn_drift_threshold", "{{feature}}"),),
                limit=1,
            ),
            Question(
                "Moved since last seen: each feature against the threshold",
                "Customers who came again, compared with themselves. At 1 or above they moved beyond chance.",
                "none",
                (("churn_moved_statistic / scalar(max(churn_moved_threshold))", "{{feature}}"),),
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
                "What followed from the monitoring runs of the last hour.",
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
            Question(
                "Outcomes of leavers alone",
                "1: nobody tells who stayed, so outcomes are not judged, and nothing is learned from them.",
                "short",
                (("churn_window_leavers_only", "leavers alone"),),
                limit=0.5,
            ),
        ),
    ),
)
