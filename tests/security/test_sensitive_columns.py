"""What is sent of sensitive columns is read by the monitor, and by nobody who trains or answers."""

from __future__ import annotations

import re

from tests.checkout import CHECKOUT

# Whoever names the table or a method of it, and why.
KNOWN = {
    "churn/store/migrations/versions/0001_initial.py": "makes the table",
    "churn/store/tables.py": "describes it",
    "churn/store/sensitive_levels.py": "stores and reads it",
    "churn/store/store.py": "has the methods",
    "churn/store/erasure.py": "removes a customer's",
    "churn/store/export.py": "tells a customer what is known",
    "churn/store/retention.py": "removes old ones",
    "pipelines/backup/databases.py": "copies all tables",
    "churn/data/sensitive_levels.py": "reads the company's file",
    "pipelines/cli/store.py": "stores what the file says",
    "monitoring/sensitive_slices.py": "compares groups",
    "monitoring/performance/group_gaps.py": "compares groups",
}
NAMED = re.compile(r"sensitive_levels|SensitiveLevel|sensitive_frame")


def test_only_the_monitor_reads_what_was_sent() -> None:
    found = {
        str(path.relative_to(CHECKOUT))
        for package in ("churn", "service", "monitoring", "pipelines")
        for path in (CHECKOUT / package).rglob("*.py")
        if NAMED.search(path.read_text())
    }
    assert found == KNOWN.keys()
