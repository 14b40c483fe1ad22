"""Prometheus' and Alertmanager's own checkers on our files, and what they do not check."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from churn.config.safe_yaml import load_yaml
from tests.checkout import CHECKOUT
from tools.metrics_page import monitor_metrics, service_metrics

FOLDER = CHECKOUT / "monitoring/prometheus"
TESTS = ("alerts_test.yml", "alerts_slow_test.yml", "alerts_days_test.yml", "alerts_campaigns_test.yml")
GROUPS: list[dict[str, Any]] = [
    group for name in ("recording.yml", "alerts.yml") for group in load_yaml((FOLDER / name).read_text())["groups"]
]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"]: rule for rule in RULES if "record" in rule}
# Histograms and counters have series of other names than the family.
SUFFIXES = ("_bucket", "_count", "_sum")

alerts = pytest.mark.parametrize("alert", ALERTS, ids=[alert["alert"] for alert in ALERTS])


# What is known at once, and must be told at once.
AT_ONCE = {
    *("ChurnPredictionsSetAside", "ChurnDriftWatch", "ChurnRetrainWanted", "ChurnMonitorPages", "ChurnRolledBack"),
    "ChurnWatchdog",
}


def run(*command: str, folder: Path = FOLDER, is_good: bool = True) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not here: apt-get install prometheus prometheus-alertmanager")
    # Go collects garbage less often: a fifth of promtool's time.
    env = os.environ | {"GOGC": "400"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == is_good, done.stdout + done.stderr
    return done.stdout + done.stderr


def series(expression: str) -> set[str]:
    """Give the names of the series that an expression of PromQL reads."""
    bare = re.sub(r"\{[^}]*\}", "{}", expression)
    return set(re.findall(r"\b(churn[_:][\w:]+)", bare))


@cache
def cases() -> list[dict[str, Any]]:
    return [case for name in TESTS for case in load_yaml((FOLDER / name).read_text())["tests"]]


@cache
def known_series() -> set[str]:
    families = {metric.name for metric in (*service_metrics(), *monitor_metrics())}
    return families | {f"{name}{suffix}" for name in families for suffix in SUFFIXES} | set(RECORDED)


def read_by(alert_names: set[str]) -> list[dict[str, Any]]:
    """Give the groups with nothing but these alerts, and the recorded series that these read."""
    wanted = [alert for alert in ALERTS if alert["alert"] in alert_names]
    assert {alert["alert"] for alert in wanted} == alert_names
    for rule in wanted:  # it grows meanwhile
        wanted += [RECORDED[name] for name in series(rule["expr"]) & set(RECORDED) if RECORDED[name] not in wanted]
    kept = [group | {"rules": [rule for rule in group["rules"] if rule in wanted]} for group in GROUPS]
    return [group for group in kept if group["rules"]]


def apart(name: str, folder: Path) -> list[str]:
    """Write each test of a file as one of its own, with the rules that it is about: Prometheus judges all that it is given."""
    # As texts: to YAML, `0x40`, forty times 0, is a number.
    document = yaml.load((FOLDER / name).read_text(), Loader=yaml.BaseLoader)  # noqa: S506 -- texts, lists, mappings
    written = []
    for number, test in enumerate(document["tests"]):
        groups = read_by({case["alertname"] for case in test["alert_rule_test"]})
        rules, file = folder / f"rules-{number}-{name}", folder / f"{number}-{name}"
        rules.write_text(json.dumps({"groups": groups}))
        order = [group["name"] for group in groups]
        file.write_text(json.dumps(document | {"rule_files": [rules.name], "group_eval_order": order, "tests": [test]}))
        written.append(file.name)
    return written


@pytest.mark.parametrize("tests", TESTS)
def test_each_alert_fires_when_it_should_and_is_silent_when_it_should_not(tests, tmp_path):
    run("promtool", "test", "rules", *apart(tests, tmp_path), folder=tmp_path)


def test_no_alert_fires_before_its_time(tmp_path, monkeypatch):
    waiting = {alert["alert"] for alert in ALERTS if "for" in alert}
    assert waiting == {alert["alert"] for alert in ALERTS} - AT_ONCE
    # That the tests hold this: without any `for:`, each of these alerts fires where a test says that it is silent.
    for alert in ALERTS:
        monkeypatch.delitem(alert, "for", raising=False)
    files = []
    for file in [tmp_path / file for name in TESTS for file in apart(name, tmp_path)]:
        document = json.loads(file.read_text())
        (test,) = document["tests"]
        if early := too_early(test):
            file.write_text(json.dumps(document | {"tests": [test | {"alert_rule_test": early}]}))
            files.append(file.name)
    said = run("promtool", "test", "rules", *files, folder=tmp_path, is_good=False)
    assert set(re.findall(r"alertname: (\w+)", said)) == waiting


def too_early(test: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the checks of a test that its alert, which fires later in it, is silent."""
    fires = {case["alertname"] for case in test["alert_rule_test"] if case["exp_alerts"]}
    return [case for case in test["alert_rule_test"] if case["alertname"] in fires and not case["exp_alerts"]]


def test_the_configuration_of_prometheus_is_valid():
    run("promtool", "check", "config", "--lint=all", "--lint-fatal", "prometheus.yml")


def test_the_configuration_of_alertmanager_is_valid():
    run("amtool", "check-config", "alertmanager.yml")


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("severity=page objective=errors", "pager"),
        ("severity=ticket", "tickets"),
        ("severity=info", "chat"),
        ("severity=none", "dead-man"),
        ("alertname=SomebodyElses", "tickets"),
    ],
)
def test_alerts_reach_who_is_to_have_them(labels, receiver):
    run("amtool", "config", "routes", "test", "--config.file=alertmanager.yml", f"--verify.receivers={receiver}", *labels.split())


@alerts
def test_an_alert_is_tested_both_ways(alert):
    found = [bool(case["exp_alerts"]) for t in cases() for case in t["alert_rule_test"] if case["alertname"] == alert["alert"]]
    assert True in found
    # The watchdog is never silent: that is what it is for.
    assert False in found or alert["alert"] == "ChurnWatchdog"


@alerts
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert):
    assert alert["labels"]["severity"] in ("page", "ticket", "info", "none")
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["runbook_url"].endswith(f"/{alert['alert']}.md")


@alerts
def test_an_alert_reads_only_what_the_code_exports(alert):
    unknown = series(alert["expr"]) - known_series()
    assert not unknown


def test_the_rules_read_only_what_the_code_exports():
    assert not set().union(*(series(rule["expr"]) for rule in RULES)) - known_series()
