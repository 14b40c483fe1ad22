"""What each setting must keep beyond its type, on each side of the rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from churn.config.setting_rules import NOT_EMPTY, ORDERED
from churn.config.settings import Settings


def problem(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings(**values)
    # (Defaults that are made from the setting cannot be made then, which pydantic counts as well.)
    return str(caught.value.errors()[0]["msg"]).removeprefix("Value error, ")


def test_a_home_is_absolute_and_may_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    assert Settings(home=Path("state")).home == tmp_path / "state"
    assert Settings(home=Path("~/state")).home == Path("/home/ada/state")


@pytest.mark.parametrize("name", NOT_EMPTY)
@pytest.mark.parametrize("value", ["", "  "])
def test_what_must_not_be_empty(name: str, value: str) -> None:
    assert problem(**{name: value}) == "must not be empty; leave it unset for the default"


@pytest.mark.parametrize("name", ["store_url", "tracking_uri"])
@pytest.mark.parametrize("value", ["", " "])
def test_a_store_and_a_registry_must_not_be_blank(name: str, value: str) -> None:
    assert problem(**{name: value}).startswith("must ")


@pytest.mark.parametrize(
    ("name", "good", "bad", "rule"),
    [
        ("service_url", "https://churn:8000", "ftp://churn", "must begin with http: or https:"),
        ("exporter_url", "http://h", "h:80", "must begin with"),
        ("evidently_url", "http://h", "http://", "must name a host"),
        ("dask_scheduler", "tls://h:8786", "http://h", "must begin with tcp:, tls:, ws: or wss:"),
        ("registry_database_url", "postgresql://h/x", "mysql://h/x", "must begin with sqlite: or postgresql:"),
        ("tracking_uri", "mssql://h/x", "file:///x", "must begin with sqlite:, http:"),
        ("store_url", "postgresql://h/x", "mysql://h/x", "must begin with sqlite: or postgresql:"),
        ("data_url", "https://h/x.csv", "file:///x.csv", "must begin with http: or https:"),
        ("host", "127.0.0.2", "http://h", "must be the name or the address of a host"),
        ("exporter_host", "::1", "a b", "must be the name or the address of a host"),
        ("page_links", "A=https://a", "A=javascript:x", "entry 1 must be NAME=URL"),
        ("retrain_cron", "0 3 * * *", "every day", "must have five fields"),
        ("score_cron", "*/5 * * * *", "61 * * * *", "minute '61' must be a number from 0 to 59"),
    ],
)
def test_an_address_or_schedule_is_kept_or_refused_with_its_rule(name: str, good: str, bad: str, rule: str) -> None:
    extra = {"host": {"api_keys": SecretStr("a:predict:" + "0" * 64)}}.get(name, {})
    assert Settings(**{name: good}, **extra).model_dump()[name] == good
    assert rule
    assert problem(**{name: bad}).startswith(rule)


@pytest.mark.parametrize(
    "name", ["service_url", "exporter_url", "evidently_url", "dask_scheduler", "registry_database_url", "data_url"]
)
def test_an_address_may_be_left_out(name: str) -> None:
    assert Settings(**{name: ""}).model_dump()[name] == ""


@pytest.mark.parametrize(("low", "high"), ORDERED)
def test_of_a_pair_the_first_is_not_above_the_second(low: str, high: str) -> None:
    start = Settings().model_dump()[high]
    edge = max(start, Settings().model_dump()[low], 10)
    assert Settings(**{high: edge, low: edge}).model_dump()[low] == edge
    assert problem(**{high: edge, low: edge + 1}) == (
        f"CHURN_{low.upper()} ({edge + 1}) must not be above CHURN_{high.upper()} ({edge})"
    )


def test_answers_need_a_place_where_something_is_scored() -> None:
    assert Settings(score_input="a.csv", score_output="b.csv").score_output == "b.csv"
    assert Settings(score_input="", score_output="").score_output == ""
    assert problem(score_input="a.csv", score_output=" ").startswith("must say where the answers go")
