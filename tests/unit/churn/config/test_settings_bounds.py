"""Every number among the settings has the bounds that are promised, and no other."""

from __future__ import annotations

import pytest

from churn.config.settings import Settings
from tests.unit.churn.config.bounds import bounded, check

BOUNDS = {
    "[0, 65535]": ("port",),
    "[1, 65535]": ("mlflow_port", "prefect_port", "evidently_port", "exporter_port"),
    "[1024, inf)": ("max_body_bytes", "max_inflight_bytes"),
    "[1, inf)": (
        *("max_batch_rows", "max_concurrent", "rate_burst", "probation_min_requests", "probation_min_outcomes"),
        *("policy_k", "policy_n", "max_retrains_per_day"),
    ),
    "[0, inf)": (
        *("rate_limit", "failed_requests_kept", "spool_max_bytes", "spool_drain_seconds", "probation_seconds"),
        *("seed", "label_maturity_seconds", "cooldown_seconds"),
    ),
    "(0, inf)": (
        *("body_timeout_seconds", "registry_poll_seconds", "probation_latency_seconds"),
        *("retrain_timeout_seconds", "monitor_interval_seconds"),
    ),
    "(0, 3600]": ("store_timeout_seconds",),
    "[0, 1]": ("shadow_share",),
    "(0, 1)": ("probation_error_rate", "probation_brier", "probation_false_rollback_rate", "false_alarm_rate", "page_brier"),
    "(1, inf)": ("probation_latency_factor",),
    "[20, inf)": ("min_window_rows", "max_window_rows"),
    "[10, inf)": ("min_labelled_rows",),
    "[100, inf)": ("max_training_rows",),
}


@pytest.mark.parametrize(("name", "interval"), [(name, interval) for interval, names in BOUNDS.items() for name in names])
def test_a_number_is_taken_up_to_its_bounds_and_no_further(name: str, interval: str) -> None:
    check(Settings, name, interval)


def test_every_number_has_bounds() -> None:
    assert bounded(Settings) == {name for names in BOUNDS.values() for name in names}
