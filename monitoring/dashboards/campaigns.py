"""The board of campaigns: who was acted on, who was left alone, and what that brought."""

from __future__ import annotations

from monitoring.dashboards.question import Question, Row

HELD_OUT = 'churn_campaign_customers{group="held_out"}'


def of_held_out(group: str) -> str:
    """Return the PromQL of a group of customers as a share of the control group; absent where there is none."""
    return f'churn_campaign_customers{{group="{group}"}} / ignoring (group) ({HELD_OUT} > 0)'


CAMPAIGNS: tuple[Row, ...] = (
    (
        "What campaigns brought",
        (
            Question(
                "Customers saved",
                "Who stayed and would have left: the estimate, and its 95 % interval. An interval below 0: the campaign harms.",
                "short",
                (("churn_campaign_saved", "{{campaign}}: {{bound}}"),),
            ),
            Question(
                "Effective sample size of the control group",
                "So many customers with outcomes are what the estimate rests on. Few: the interval is wide.",
                "short",
                (("churn_campaign_effective_sample_size", "{{campaign}}"),),
            ),
            Question(
                "Still without outcome",
                "Of those whom the model named in the campaign's time. They are in no estimate yet.",
                "percentunit",
                (
                    (
                        'churn_campaign_customers{group="waiting"} / ignoring (group) '
                        '(sum without (group) (churn_campaign_customers{group=~"meant|held_out"}) > 0)',
                        "{{campaign}}",
                    ),
                ),
            ),
        ),
    ),
    (
        "Who was acted on, and who was left alone",
        (
            Question(
                "Meant to be contacted, and contacted",
                "Customers whom the model named and who are not held out, and those of them whom the campaign contacted.",
                "short",
                (('churn_campaign_customers{group=~"meant|contacted"}', "{{campaign}}: {{group}}"),),
            ),
            Question(
                "Held out",
                "The control group: whom the model named, and the campaign leaves alone. At 0 nobody can tell what it brings.",
                "short",
                ((HELD_OUT, "{{campaign}}"),),
            ),
            Question(
                "Leakage of the control group",
                "Share of those held out who were contacted all the same. They hide what the campaign brings.",
                "percentunit",
                ((of_held_out("leaked"), "{{campaign}}"),),
                limit=0.05,
            ),
        ),
    ),
    (
        "Whom the answers are about",
        (
            Question(
                "Answers by segment",
                "Share of the newest window's answers that are about customers of each segment, whether or not they are named.",
                "percentunit",
                (("churn_window_segment_share", "{{segment}}"),),
            ),
        ),
    ),
    (
        "What can still be learned",
        (
            Question(
                "Outcomes in the newest window, and what they are worth",
                "How many were judged, their effective sample size, and how many were set aside, as customers were contacted.",
                "short",
                (
                    ("churn_window_labelled_rows", "judged"),
                    ("churn_window_effective_rows", "effective sample size"),
                    ("churn_window_aside_rows", "set aside"),
                ),
            ),
            Question(
                "Contacts without a control group",
                "1: nobody stands for those who were contacted, so how good the model is can no longer be known.",
                "short",
                (("churn_window_blind", "blind"),),
                limit=0.5,
            ),
        ),
    ),
    (
        "Contacts",
        (
            Question(
                "Contacts",
                "That were reported so far, by campaign.",
                "short",
                (("churn_contacts_total", "{{campaign}}"),),
            ),
            Question(
                "Contacts reported",
                "A second, by campaign.",
                "wps",
                (("sum by (campaign) (rate(churn_contacts_total[$__rate_interval]))", "{{campaign}}"),),
            ),
            Question("Opt-outs", "Customers who want no contacts.", "short", (("churn_opt_outs", "want none"),)),
            Question(
                "Last contact, and last count",
                "How long ago the campaign last contacted somebody, and these figures were last counted.",
                "s",
                (
                    ("time() - churn_campaign_last_contact_timestamp_seconds", "{{campaign}}: contact"),
                    ("time() - churn_campaign_measured_timestamp_seconds", "{{campaign}}: count"),
                ),
            ),
        ),
    ),
)
