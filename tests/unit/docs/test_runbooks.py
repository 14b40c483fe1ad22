from __future__ import annotations

import re
import shlex

import pytest

from churn.config.safe_yaml import load_yaml
from churn.config.settings import Settings
from tests.checkout import CHECKOUT
from tests.unit.deploy.commands import assert_is_churn_command

FOLDER = CHECKOUT / "docs/runbooks"
ALERTS = [rule["alert"] for rule in load_yaml((CHECKOUT / "monitoring/prometheus/alerts.yml").read_text())["groups"][0]["rules"]]
SECTIONS = ["What it means", "How bad", "Look here first", "How to mend", "How to roll back"]

runbooks = pytest.mark.parametrize("alert", ALERTS)


def test_there_is_one_page_an_alert_and_each_is_listed():
    assert {path.stem for path in FOLDER.glob("*.md")} == {*ALERTS, "README"}
    index = (FOLDER / "README.md").read_text()
    assert all(f"[{alert}]({alert}.md)" in index for alert in ALERTS)


@runbooks
def test_a_page_says_all_that_is_asked_at_night(alert):
    text = (FOLDER / f"{alert}.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert "```promql" in text
    assert all((FOLDER / name).exists() for name in re.findall(r"\]\((\w+\.md)\)", text))


@runbooks
def test_its_commands_and_settings_exist(alert):
    text = (FOLDER / f"{alert}.md").read_text()
    for command in re.findall(r"\.venv/bin/churn ([^`\n]+)", text):
        assert_is_churn_command(["churn", *shlex.split(command)])
    for name in re.findall(r"CHURN_([A-Z_]+)", text):
        assert name.lower() in Settings.model_fields, name
