from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from churn.config.settings import load_settings
from churn.errors import InputError


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"  {'k' * 32}\n")
    return file


def refused(name: str) -> str:
    with pytest.raises(InputError) as caught:
        load_settings()
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("name", ["api_keys", "pseudonym_key"])
def test_a_file_says_what_the_variable_would_have(monkeypatch: pytest.MonkeyPatch, secret: Path, name: str) -> None:
    monkeypatch.setenv(f"CHURN_{name.upper()}_FILE", str(secret))
    assert getattr(load_settings(), name).get_secret_value() == "k" * 32


@pytest.mark.parametrize(("name", "text", "value"), [("port", "8123", 8123), ("log_level", "debug", "debug"), ("seed", "1", 1)])
def test_any_setting_can_come_from_a_file(
    monkeypatch: pytest.MonkeyPatch, secret: Path, name: str, text: str, value: object
) -> None:
    secret.write_text(text)
    monkeypatch.setenv(f"CHURN_{name.upper()}_FILE", str(secret))
    assert getattr(load_settings(), name) == value


def test_the_password_of_the_store_comes_from_a_file(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    monkeypatch.setenv("CHURN_STORE_URL", "postgresql://churn@postgres/churn")
    monkeypatch.setenv("CHURN_STORE_PASSWORD_FILE", str(secret))
    assert load_settings().store_url == f"postgresql://churn:{'k' * 32}@postgres/churn"


def test_arguments_win_over_files(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    monkeypatch.setenv("CHURN_PSEUDONYM_KEY_FILE", str(secret))
    assert load_settings(pseudonym_key="a" * 16).pseudonym_key.get_secret_value() == "a" * 16


def test_no_file_is_named_by_an_empty_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_PSEUDONYM_KEY_FILE", "")
    assert load_settings().pseudonym_key.get_secret_value() == ""


def test_a_missing_file_is_no_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHURN_API_KEYS_FILE", str(tmp_path / "nowhere"))
    assert "nowhere cannot be read (No such file or directory)" in refused("CHURN_API_KEYS_FILE: ")
    monkeypatch.setenv("CHURN_API_KEYS_FILE", str(tmp_path))
    assert "cannot be read (Is a directory)" in refused("CHURN_API_KEYS_FILE: ")


@pytest.mark.parametrize(("content", "why"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "is not text")])
def test_a_file_that_says_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, secret: Path, content: bytes, why: str) -> None:
    secret.write_bytes(content)
    monkeypatch.setenv("CHURN_API_KEYS_FILE", str(secret))
    assert why in refused("CHURN_API_KEYS_FILE: ")


def test_one_setting_is_said_in_one_place(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    monkeypatch.setenv("CHURN_API_KEYS", "shop:predict:0123")
    monkeypatch.setenv("CHURN_API_KEYS_FILE", str(secret))
    told = refused("CHURN_API_KEYS and CHURN_API_KEYS_FILE are both set")
    assert "0123" not in told


@pytest.mark.parametrize("name", ["pseudonym_key", "port", "log_level", "page_links", "store_url", "false_alarm_rate"])
def test_what_a_file_holds_is_never_told(monkeypatch: pytest.MonkeyPatch, secret: Path, name: str) -> None:
    secret.write_text("s3cret")
    monkeypatch.setenv(f"CHURN_{name.upper()}_FILE", str(secret))
    if name == "store_url":
        monkeypatch.setenv("CHURN_STORE_PASSWORD", "x")
    told = refused(f"CHURN_{name.upper()}: ")
    assert f"(read from {secret})" in told
    assert "s3cret" not in told
