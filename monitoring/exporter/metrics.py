"""Every metric family of the exporter: its name, its meaning, its labels. docs/metrics.md is made from it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


class Exported(NamedTuple):
    """One metric family as it is declared. `name` is as Prometheus shows it: a counter's ends in _total."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...] = ()

    def family(self, samples: dict[tuple[str, ...], float]) -> Metric:
        """Return the family of these values, by the values of their labels."""
        made: GaugeMetricFamily | CounterMetricFamily
        if self.kind == "counter":
            made = CounterMetricFamily(self.name.removesuffix("_total"), self.help, labels=self.labels)
        else:
            made = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in samples.items():
            made.add_metric(labels, value)
        return made


SOURCES = "realized: on the newest judged outcomes; estimated: from the answers, without outcomes; reference: at training"
SLICES = "Of the newest run that judged outcomes: its groups with enough of them, at most forty, the most surprising"
GROUPS = "Of the newest run that judged outcomes, where the company sends sensitive columns: groups that are large enough"
CAMPAIGNS = "Of the twenty campaigns with the newest contacts, while these are at most 120 days old"
EXPORTED = {
    metric.name: metric
    for metric in (
        Exported("churn_monitor_up", "gauge", "1 if the store that these numbers come from answers, else 0."),
        Exported(
            "churn_monitor_last_run_timestamp_seconds",
            "gauge",
            "When the newest monitoring run ended well, whether or not there was anything to judge.",
        ),
        Exported("churn_monitor_interval_seconds", "gauge", "How often a monitoring run is due, in seconds."),
        Exported("churn_window_rows", "gauge", "Predictions in the newest window."),
        Exported(
            "churn_window_segment_share",
            "gauge",
            "Share of the newest window's answers that are about this segment, of the model that answered: six segments at most.",
            ("segment",),
        ),
        Exported(
            "churn_window_returning_customers",
            "gauge",
            "Customers of the newest window who were seen before, and are compared with themselves; 0 if they are too few.",
        ),
        Exported("churn_window_labelled_rows", "gauge", "Outcomes in the newest window that had any."),
        Exported(
            "churn_window_effective_rows",
            "gauge",
            "Effective sample size of these outcomes: fewer where the control group stands for who was contacted.",
        ),
        Exported(
            "churn_window_aside_rows",
            "gauge",
            "Outcomes that came with them and were not judged, as their customers were contacted, or might have been.",
        ),
        Exported(
            "churn_window_blind",
            "gauge",
            "1 if customers were contacted and nobody was held out: how good the model is can no longer be known.",
        ),
        Exported(
            "churn_window_leavers_only",
            "gauge",
            "1 if the newest run found outcomes of those who left only: they are not judged, and wait for those of who stayed.",
        ),
        Exported(
            "churn_drift_statistic",
            "gauge",
            "How far the feature differs from the reference: -log10 of the smallest of its p-values, adjusted for all tests.",
            ("feature",),
        ),
        Exported(
            "churn_drift_threshold",
            "gauge",
            "A churn_drift_statistic at or above it is drift: -log10 of the false-alarm rate of all tests.",
            ("feature",),
        ),
        Exported(
            "churn_moved_statistic",
            "gauge",
            "How far the feature moved since the same customers were last seen: -log10 of the smallest adjusted p-value.",
            ("feature",),
        ),
        Exported("churn_moved_threshold", "gauge", "A churn_moved_statistic at or above it is a move beyond chance."),
        Exported(
            "churn_drift_said_before",
            "gauge",
            "Features that differ from the reference as an earlier run said of the same customers: no alarm until it grows.",
        ),
        Exported(
            "churn_drift_impact",
            "gauge",
            "By how many log-odds the shift of this feature moves the expected churn, where it is known.",
            ("feature",),
        ),
        Exported(
            "churn_drift_alarm",
            "gauge",
            "1 if the newest run alarms. covariate, prediction, joint: customers, answers, or what hangs together differ from "
            "the reference; moved: customers moved since they were last seen; newcomers: they differ from newcomers before them; "
            "concept: outcomes contradict the model.",
            ("kind",),
        ),
        Exported(
            "churn_slice_alarm",
            "gauge",
            f"1 if the outcomes of this group of customers contradict the model. {SLICES}.",
            ("slice",),
        ),
        Exported("churn_slice_rate", "gauge", f"Share of this group that left. {SLICES}.", ("slice",)),
        Exported(
            "churn_slice_expected_rate",
            "gauge",
            f"Share of this group that was expected to leave, by the model and what its reference says of the group. {SLICES}.",
            ("slice",),
        ),
        Exported("churn_slice_brier_score", "gauge", f"Brier score of this group. {SLICES}.", ("slice",)),
        Exported("churn_slice_rows", "gauge", f"Outcomes of this group that were judged. {SLICES}.", ("slice",)),
        Exported(
            "churn_group_gap",
            "gauge",
            f"Largest rate of this sensitive column's groups minus the smallest: recall, or what params.yaml says. {GROUPS}.",
            ("column", "measure"),
        ),
        Exported(
            "churn_group_gap_p_value",
            "gauge",
            f"How often groups drawn at random are so far apart, or more: small, and it is no chance. {GROUPS}.",
            ("column", "measure"),
        ),
        Exported("churn_group_rate", "gauge", f"This group's rate. {GROUPS}.", ("group", "measure")),
        Exported("churn_roc_auc", "gauge", f"ROC AUC. {SOURCES}.", ("source",)),
        Exported("churn_pr_auc", "gauge", f"Average precision. {SOURCES}.", ("source",)),
        Exported("churn_brier_score", "gauge", f"Brier score. {SOURCES}.", ("source",)),
        Exported("churn_log_loss", "gauge", f"Log loss. {SOURCES}.", ("source",)),
        Exported("churn_rate", "gauge", f"Share of customers who leave. {SOURCES}.", ("source",)),
        Exported("churn_calibration_in_the_large", "gauge", f"Mean outcome minus mean probability. {SOURCES}.", ("source",)),
        Exported(
            "churn_profit_per_customer",
            "gauge",
            f"What contacting earns per customer. {SOURCES}.",
            ("source",),
        ),
        Exported(
            "churn_brier_page_limit",
            "gauge",
            "A realized Brier score above it may page: the reference + CHURN_PAGE_BRIER.",
        ),
        Exported("churn_outcomes_total", "counter", "Outcomes that were reported, including those removed since."),
        Exported(
            "churn_contacts_total",
            "counter",
            "Contacts that were reported, including those removed since, of the hundred campaigns with the newest ones.",
            ("campaign",),
        ),
        Exported("churn_opt_outs", "gauge", "Customers who want no contacts."),
        Exported(
            "churn_campaign_last_contact_timestamp_seconds",
            "gauge",
            f"When the campaign last contacted somebody. {CAMPAIGNS}.",
            ("campaign",),
        ),
        Exported(
            "churn_campaign_customers",
            "gauge",
            "Customers whom the model named in the campaign's time. meant: to be contacted; contacted: those of them who were; "
            "held_out: the control group; leaked: those of it who were contacted all the same; waiting: of all, without outcome.",
            ("campaign", "group"),
        ),
        Exported(
            "churn_campaign_saved",
            "gauge",
            "Customers who stayed and would have left without the campaign: estimate, and the low and high bound of its 95 % "
            "interval. Absent while it cannot be known.",
            ("campaign", "bound"),
        ),
        Exported(
            "churn_campaign_effective_sample_size",
            "gauge",
            "Customers of the control group with an outcome, less what is lost since their scores are mixed otherwise.",
            ("campaign",),
        ),
        Exported(
            "churn_campaign_measured_timestamp_seconds",
            "gauge",
            "When the campaign's customers were last counted.",
            ("campaign",),
        ),
        Exported("churn_outcomes_last_received_timestamp_seconds", "gauge", "When the newest outcome was received."),
        Exported(
            "churn_predictions_last_timestamp_seconds",
            "gauge",
            "When the prediction logged last was asked for; of a scored file, the moment that it is logged as of.",
        ),
        Exported(
            "churn_policy_action", "gauge", "1 for what the newest monitoring run decided, 0 for the other actions.", ("action",)
        ),
        Exported("churn_policy_decisions_total", "counter", "Decisions of monitoring runs.", ("action",)),
        Exported("churn_retrains_total", "counter", "Retrainings that ended, by reason and result.", ("reason", "result")),
        Exported("churn_promotions_total", "counter", "Changes of the champion: promotion or rollback.", ("kind",)),
        Exported("churn_promotion_timestamp_seconds", "gauge", "When the champion was last changed so.", ("kind",)),
        Exported("churn_flow_runs_total", "counter", "Runs of a flow that ended: succeeded or failed.", ("flow", "result")),
        Exported("churn_flow_last_run_timestamp_seconds", "gauge", "When a run of the flow last ended, well or not.", ("flow",)),
        Exported("churn_flow_last_success_timestamp_seconds", "gauge", "When a run of the flow last ended well.", ("flow",)),
        Exported("churn_flow_last_failed", "gauge", "1 if the newest run of the flow failed, else 0.", ("flow",)),
        Exported("churn_flow_duration_seconds", "gauge", "How long the newest run of the flow took.", ("flow",)),
    )
}


def exported(name: str, samples: dict[tuple[str, ...], float] | float) -> Metric:
    """Make a metric family.

    Parameters
    ----------
    name : str
        One of `EXPORTED`.
    samples : dict or float
        Values by the values of their labels; or the one value of a family without labels.

    Returns
    -------
    Metric
        Ready to be yielded to Prometheus.
    """
    return EXPORTED[name].family({(): samples} if isinstance(samples, int | float) else samples)
