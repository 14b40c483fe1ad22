from __future__ import annotations

import re
from pathlib import Path

import pytest

from churn.config.settings import Settings
from churn.config.unknown_settings import unknown_settings


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CHURN_STORE_ULR", "CHURN_STORE_URL"),
        ("CHURN_API_KEYS_FILES", "CHURN_API_KEYS_FILE"),
        ("CHURN_APIKEYS", "CHURN_API_KEYS"),
        ("CHURN_COOLDOWN", "CHURN_COOLDOWN_SECONDS"),
        ("churn_portt", "CHURN_PORT"),
        ("CHURN_MLFOW_PORT", "CHURN_MLFLOW_PORT"),
        ("CHURN_SERVICE_PORT", "CHURN_SERVICE_URL"),
    ],
)
def test_a_mistyped_setting_is_named_with_the_one_that_was_meant(name: str, meant: str) -> None:
    assert unknown_settings(["PATH", name]) == [f"{name} is no setting, and is ignored: did you mean {meant}?"]


def test_what_resembles_none_is_named_too() -> None:
    assert unknown_settings(["CHURN_TYPO"]) == ["CHURN_TYPO is no setting, and is ignored; docs/settings.md lists them"]


def test_settings_by_value_and_by_file_and_what_others_set_are_no_mistakes() -> None:
    known = [f"CHURN_{name.upper()}{end}" for name in Settings.model_fields for end in ("", "_FILE")]
    others = [
        "CHURN_API_KEY",
        "CHURN_TEST_DATA",
        *("CHURN_SERVICE_SERVICE_HOST", "CHURN_SERVICE_SERVICE_PORT", "CHURN_SERVICE_SERVICE_PORT_HTTP", "CHURN_SERVICE_PORT"),
        "CHURN_SERVICE_PORT_8000_TCP_ADDR",
        "CHURNED",
        "PATH",
    ]
    assert unknown_settings([*known, *others, *map(str.lower, known)]) == []


def test_no_variable_that_our_own_files_set_is_unknown() -> None:
    """Of the manifests, compose.yaml and the Dockerfile: a setting that was renamed would go on being set in vain."""
    root = Path(__file__).parents[4]
    files = [root / "Dockerfile", root / "compose.yaml", *(root / "k8s").rglob("*.yaml"), *(root / "deploy").rglob("*.*")]
    names = {
        name for file in files if file.suffix != ".pyc" for name in re.findall(r"\bCHURN_[A-Z_]+[A-Z]\b", file.read_text("utf-8"))
    }
    assert len(names) > 10
    assert unknown_settings(sorted(names)) == []
