"""The board of the model: which one serves, and how good is it?"""

from __future__ import annotations

from monitoring.dashboards.question import HERE, RATE, Question, Row, by_source, rate_of

VERSION = 'instance=~"$instance", model_version=~"$version"'


FLAGGED = (
    rate_of("churn_predictions_total", "model_version", f'{VERSION}, decision="churn"')
    + " / "
    + rate_of("churn_predictions_total", "model_version", VERSION)
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
                        rate_of("churn_predictions_total", "model_version, decision", VERSION),
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
                ((f"{rate_of('churn_predicted_probability_sum')} / {rate_of('churn_predicted_probability_count')}", "mean"),),
            ),
            Question(
                "Missing values",
                "Answered customers without the feature, a second.",
                "reqps",
                ((rate_of("churn_feature_missing_total", "feature"), "{{feature}}"),),
            ),
            Question(
                "Challenger in the shadow",
                "Customers whom it was asked too, and whom it decides differently.",
                "reqps",
                (
                    (rate_of("churn_shadow_difference_count"), "asked"),
                    (rate_of("churn_shadow_disagreements_total"), "decided differently"),
                ),
            ),
        ),
    ),
    (
        "Quality: realized, estimated, and when it was trained",
        (
            by_source("ROC AUC", "churn_roc_auc", "1: every leaver is ranked above every stayer; 0.5: chance.", "percentunit"),
            by_source("PR AUC", "churn_pr_auc", "Average precision.", "percentunit"),
            Question(
                "Brier score",
                "Lower is better. Above the limit, with an alarm on outcomes, somebody is woken.",
                "none",
                (("churn_brier_score", "{{source}}"), ("churn_brier_page_limit", "limit")),
            ),
            by_source("Log loss", "churn_log_loss", "Lower is better."),
            by_source(
                "Calibration in the large",
                "churn_calibration_in_the_large",
                "Share that left minus share that the model expected.",
                "percentunit",
            ),
            by_source("Churn rate", "churn_rate", "Share of customers who left, or are expected to.", "percentunit"),
            by_source(
                "Profit a customer",
                "churn_profit_per_customer",
                "Of contacting who is at or above the threshold, in the currency of params.yaml.",
            ),
            Question(
                "Groups of customers: left, against what was expected",
                "Above 0 more of the group left than was expected. Of the newest run with outcomes, groups with enough of them.",
                "percentunit",
                (("churn_slice_rate - churn_slice_expected_rate", "{{slice}}"),),
            ),
            Question(
                "Groups that the model fails",
                "How many have outcomes that contradict the model, beyond the chance of all groups. The run's reason names them.",
                "none",
                (("sum(churn_slice_alarm)", "groups"),),
                "stat",
                1,
            ),
            Question("Brier score by group", "Lower is better.", "none", (("churn_slice_brier_score", "{{slice}}"),)),
            Question("Outcomes by group", "That were judged.", "short", (("churn_slice_rows", "{{slice}}"),)),
            Question(
                "Gaps between sensitive groups",
                "Largest rate of a column's groups minus the smallest, where the company sends such columns; and p: how often "
                "groups drawn at random are so far apart.",
                "percentunit",
                (("churn_group_gap", "{{measure}} by {{column}}"), ("churn_group_gap_p_value", "p, {{measure}} by {{column}}")),
            ),
            Question(
                "Rates of sensitive groups",
                "Recall: the share of those who left whom the model had named.",
                "percentunit",
                (("churn_group_rate", "{{measure}} of {{group}}"),),
            ),
            Question(
                "Changes of the champion",
                "Promotions and rollbacks of the last hour.",
                "short",
                (("sum by (kind) (increase(churn_promotions_total[1h]))", "{{kind}}"),),
            ),
        ),
    ),
)
