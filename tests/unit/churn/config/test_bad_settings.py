"""Every setting is checked when it is read: a value that could only fail later is refused with its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from churn.config.setting_rules import NOT_EMPTY, ORDERED
from churn.config.settings import Settings, load_settings
from churn.errors import InputError

TEXTS_OF_ANY_KIND = {
    "model_name",
    "page_links",
    "score_input",
    "api_keys",
    "pseudonym_key",
    "store_password",
    "dvc_remote",
    "control_key",
}
ADDRESSES = ("service_url", "exporter_url", "evidently_url", "dask_scheduler")


def kind(name: str) -> Any:
    return Settings.model_fields[name].annotation


def refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(f"CHURN_{name.upper()}", value)
    with pytest.raises(InputError) as caught:
        load_settings()
    monkeypatch.delenv(f"CHURN_{name.upper()}")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if kind(name) in (int, float)])
def test_numbers_are_finite_and_of_a_size_that_somebody_means(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in ("nan", "inf", "-inf", "1e300", "9" * 30, "-1", "", "many"):
        assert refused(monkeypatch, name, value).startswith(f"CHURN_{name.upper()}: "), value


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if get_args(kind(name)) or kind(name) is bool])
def test_choices_are_those_that_there_are(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in ("", "perhaps", " "):
        assert refused(monkeypatch, name, value).startswith(f"CHURN_{name.upper()}: "), value


@pytest.mark.parametrize("name", [*NOT_EMPTY, "store_url"])
@pytest.mark.parametrize("value", ["", "  "])
def test_what_must_not_be_empty_is_not_taken_for_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert "must not be empty" in refused(monkeypatch, name, value)


@pytest.mark.parametrize("name", [*ADDRESSES, "data_url", "store_url", "tracking_uri", "registry_database_url"])
@pytest.mark.parametrize("value", ["localhost:8000", "ftp://files/x", "file:///etc/passwd", "javascript:alert(1)", "//host"])
def test_addresses_have_a_scheme_that_is_served(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert "must begin with" in refused(monkeypatch, name, value)


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("rest", ["", "/path", ":8000", "host:0", "host:70000", "host:port", "two words", "1.2.3"])
def test_addresses_name_a_host_and_a_port_that_there_can_be(monkeypatch: pytest.MonkeyPatch, name: str, rest: str) -> None:
    scheme = "tcp" if name == "dask_scheduler" else "http"
    assert "host" in refused(monkeypatch, name, f"{scheme}://{rest}")


@pytest.mark.parametrize("name", ["host", "exporter_host"])
@pytest.mark.parametrize("value", ["http://127.0.0.1", "127.0.0.1:8000", "my host", "256.0.0.1", "-x", "a" * 64, "a\tb", "*"])
def test_hosts_are_names_or_addresses(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert "name or the address of a host" in refused(monkeypatch, name, value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "fe80::1%eth0", "localhost", "churn_service.default.svc.cluster.local."])  # noqa: S104 -- read, not bound
def test_usual_hosts_are_taken(host: str) -> None:
    assert load_settings(host=host).host == host


@pytest.mark.parametrize(("low", "high"), ORDERED)
def test_two_settings_that_contradict_each_other_are_named_together(low: str, high: str) -> None:
    most = max(load_settings().model_dump()[high], 10**6)
    with pytest.raises(InputError, match=f"CHURN_{low.upper()} .* must not be above CHURN_{high.upper()}"):
        load_settings(**{low: most + 1, high: most})
    assert load_settings(**{low: most, high: most}) is not None


def test_a_default_counts_where_only_one_of_two_is_set() -> None:
    with pytest.raises(InputError, match="CHURN_POLICY_K"):
        load_settings(policy_k=4)


@pytest.mark.parametrize("value", ["every sunday", "0 3 * * 8", "@daily"])
def test_a_schedule_that_is_none_is_refused_by_all_commands(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for name in ("retrain_cron", "score_cron"):
        assert refused(monkeypatch, name, value).endswith(f"(found {value!r})")


def test_every_text_setting_is_checked_here_or_where_it_is_used() -> None:
    checked = {*ADDRESSES, *NOT_EMPTY, "score_output", "llm_model", "store_url", "data_url"}
    checked |= {"tracking_uri", "registry_database_url"}
    texts = {name for name in Settings.model_fields if kind(name) not in (int, float, bool) and not get_args(kind(name))}
    assert texts == checked | TEXTS_OF_ANY_KIND
    assert isinstance(load_settings().home, Path)
