"""Prometheus' rules as the operator's PrometheusRule, made of monitoring/prometheus: `python -m tools.kubernetes_rules`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

RULES = Path("monitoring/prometheus")
FILES = ("recording.yml", "alerts.yml")
MANIFEST = Path("k8s/components/prometheus-operator/prometheus-rules.yaml")
HEAD = f"""# Made of {RULES}/{{{",".join(FILES)}}} by `python -m tools.kubernetes_rules`; a test fails if it is not the same.
"""


def render(checkout: Path = Path()) -> str:
    """Write the manifest, with every group of the rule files in their order.

    Parameters
    ----------
    checkout : pathlib.Path
        Where the rule files' folder is.
    """
    groups = [group for name in FILES for group in yaml.safe_load((checkout / RULES / name).read_text())["groups"]]
    manifest: dict[str, Any] = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "churn", "labels": {"app.kubernetes.io/part-of": "churn"}},
        "spec": {"groups": groups},
    }
    return HEAD + yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=110)


def main() -> None:
    """Write the file anew."""
    MANIFEST.write_text(render())


if __name__ == "__main__":
    main()
