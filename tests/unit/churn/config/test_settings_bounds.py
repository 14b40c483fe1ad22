"""Every number among the settings has the bounds that are promised, and no other."""

from __future__ import annotations

import pytest

from churn.config.settings import Settings
from tests.unit.churn.config.bounds import bounded, check

BOUNDS = {
    "[0, 65535]": ("port",),
    "[1, 65535]": (
        "mlflow_port",
        "prefect_port",
        "evidently_port",
        "exporter_port",
    ),
    "[1024, 1125899906842624]": (
        "max_body_bytes",
        "max_inflight_bytes",
    ),
    "[1, 1000000000]": (
        "max_batch_rows",
        "max_concurrent",
        "rate_burst",
        "probation_min_requests",
        "probation_min_outcomes",
        "policy_k",
        "policy_n",
        "max_retrains_per_day",
    ),
    "[0, 1e+09]": ("rate_limit",),
    "(0, 3650]": ("contact_effect_days",),
    "[0, 1)": ("control_share",),
    "(0, 316224000]": (
        "body_timeout_seconds",
        "store_timeout_seconds",
        "registry_poll_seconds",
        "probation_latency_seconds",
        "retrain_timeout_seconds",
        "monitor_interval_seconds",
        "llm_timeout_seconds",
    ),
    "[0, 1000000000]": ("failed_requests_kept",),
    "[0, 1125899906842624]": ("spool_max_bytes",),
    "[0, 316224000]": (
        "score_settle_seconds",
        "score_max_age_seconds",
        "spool_drain_seconds",
        "probation_seconds",
        "label_maturity_seconds",
        "cooldown_seconds",
    ),
    "[0, 1]": ("shadow_share",),
    "(0, 1)": (
        "probation_error_rate",
        "probation_brier",
        "probation_false_rollback_rate",
        "false_alarm_rate",
        "page_brier",
    ),
    "(1, 1e+06]": ("probation_latency_factor",),
    "[0, 4294967296)": ("seed",),
    "[20, 1000000000]": (
        "min_window_rows",
        "max_window_rows",
    ),
    "[10, 1000000000]": ("min_labelled_rows",),
    "[100, 1000000000]": ("max_training_rows",),
}


@pytest.mark.parametrize(("name", "interval"), [(name, interval) for interval, names in BOUNDS.items() for name in names])
def test_a_number_is_taken_up_to_its_bounds_and_no_further(name: str, interval: str) -> None:
    # Where one may not be above another, the other one is out of the way.
    others = {
        "max_body_bytes": {"max_inflight_bytes": 2**50},
        "max_inflight_bytes": {"max_body_bytes": 1024},
        "policy_k": {"policy_n": 10**9},
        "policy_n": {"policy_k": 1},
        "min_window_rows": {"max_window_rows": 10**9},
        "max_window_rows": {"min_window_rows": 20, "min_labelled_rows": 10},
        "min_labelled_rows": {"max_window_rows": 10**9},
    }
    check(Settings, name, interval, **others.get(name, {}))


def test_every_number_has_bounds() -> None:
    assert bounded(Settings) == {name for names in BOUNDS.values() for name in names}
