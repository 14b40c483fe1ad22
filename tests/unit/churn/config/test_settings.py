from __future__ import annotations

import re
import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import make_url

from churn.config.settings import Settings, load_settings
from churn.errors import InputError
from tests.checkout import CHECKOUT

REFERENCE = CHECKOUT / "docs" / "settings.md"


def rows() -> dict[str, tuple[str, str]]:
    found = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", REFERENCE.read_text("utf-8"), re.MULTILINE)
    return {name: (default, description) for name, default, description in found}


def shown_default(name: str) -> str:
    field = Settings.model_fields[name]
    if name in ("store_url", "tracking_uri"):
        return f"`sqlite:///CHURN_HOME/{'store.db' if name == 'store_url' else 'mlflow.db'}`"
    if name == "label_maturity_seconds":
        return "`auto`"
    value = getattr(field.default, "get_secret_value", lambda: field.default)()
    return f"`{value}`" if str(value) else "empty"


def test_reference_lists_exactly_the_settings_there_are() -> None:
    assert list(rows()) == [f"CHURN_{name.upper()}" for name in Settings.model_fields]


def test_reference_tells_default_and_description() -> None:
    told = rows()
    for name, field in Settings.model_fields.items():
        assert told[f"CHURN_{name.upper()}"] == (shown_default(name), field.description), name


def test_environment_wins_over_defaults_and_arguments_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_PORT", "8123")
    assert load_settings().port == 8123
    assert load_settings(port=8124).port == 8124


def test_state_lies_under_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(home="state")
    assert settings.home == tmp_path / "state"
    assert settings.store_url == f"sqlite:///{tmp_path}/state/store.db"
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/state/mlflow.db"
    assert not settings.home.exists()


@pytest.mark.parametrize("name", ["wh?t", "two\nlines"])
def test_a_home_whose_databases_could_not_be_addressed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    with pytest.raises(InputError, match=r"^CHURN_HOME: .*question mark"):
        load_settings(home="state")


@pytest.mark.parametrize(("name", "value"), [("port", "70000"), ("false_alarm_rate", "0"), ("store_url", " "), ("seed", "-1")])
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"CHURN_{name.upper()}", value)
    with pytest.raises(InputError, match=f"^CHURN_{name.upper()}: "):
        load_settings()


def test_keys_do_not_show() -> None:
    settings = load_settings(api_keys="shop:predict:0123abcd")
    assert "0123abcd" not in repr(settings)
    assert settings.api_keys.get_secret_value() == "shop:predict:0123abcd"


def test_a_pseudonym_key_is_long_enough_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().pseudonym_key.get_secret_value() == ""
    monkeypatch.setenv("CHURN_PSEUDONYM_KEY", "k" * 16)
    assert load_settings().pseudonym_key.get_secret_value() == "k" * 16
    monkeypatch.setenv("CHURN_PSEUDONYM_KEY", "fifteen-letters")
    with pytest.raises(InputError, match=r"^CHURN_PSEUDONYM_KEY: .*16 characters") as caught:
        load_settings()
    assert "fifteen" not in "".join(traceback.format_exception(caught.value))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load_settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize("url", ["postgresql://churn@postgres:5432/churn", "postgresql+psycopg://churn@postgres:5432/churn"])
def test_the_password_is_put_into_the_url_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CHURN_STORE_PASSWORD", "p@ss/word%")
    settings = load_settings(store_url=url)
    assert make_url(settings.store_url) == make_url(url).set(password="p@ss/word%")
    assert "p%40ss" not in repr(settings)
    # As the service hands its settings to the process that fetches a model.
    assert load_settings(**settings.model_dump(include={"store_url"})) == settings


@pytest.mark.parametrize("url", [None, "sqlite:////tmp/x.db", "postgresql://churn:0ther@postgres/churn", "secret stuff"])
def test_a_password_needs_a_url_to_go_into(monkeypatch: pytest.MonkeyPatch, url: str | None) -> None:
    # Above all where the URL was forgotten: or predictions would go to a file that nobody looks at.
    if url:
        monkeypatch.setenv("CHURN_STORE_URL", url)
    monkeypatch.setenv("CHURN_STORE_PASSWORD", "s3cret")
    with pytest.raises(InputError, match=r"^CHURN_STORE_URL: ") as caught:
        load_settings()
    shown = "".join(traceback.format_exception(caught.value))
    assert not [word for word in ("s3cret", "0ther", "secret stuff") if word in shown]


@pytest.mark.parametrize(("said", "meant"), [("auto", None), (" Auto ", None), ("86400", 86_400.0), ("0", 0.0)])
def test_maturity_is_a_number_or_found_from_the_outcomes(said: str, meant: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_LABEL_MATURITY_SECONDS", said)
    assert load_settings().label_maturity_seconds == meant


def test_maturity_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_LABEL_MATURITY_SECONDS", "soon")
    with pytest.raises(InputError, match=r"^CHURN_LABEL_MATURITY_SECONDS: .*number"):
        load_settings()


def test_parameters_that_somebody_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHURN_PARAMS", raising=False)
    assert load_settings().params == Path("params.yaml")
    monkeypatch.setenv("CHURN_PARAMS", "mine.yaml")
    with pytest.raises(InputError, match=r"CHURN_PARAMS: there is no such file; .* \(found 'mine.yaml'\)"):
        load_settings()
    (tmp_path / "mine.yaml").touch()
    assert load_settings().params == Path("mine.yaml")
