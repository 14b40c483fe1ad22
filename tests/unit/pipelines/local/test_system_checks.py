"""What `churn up` checks before it makes anything, and what it starts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from churn.config.settings import Settings
from churn.errors import InputError
from pipelines.local.ports import free_port
from pipelines.local.system import KEYS, SECRETS, addresses, check_ports, programs, running

PORTS = ("port", "mlflow_port", "prefect_port", "evidently_port", "exporter_port")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    ports: dict[str, int] = {}
    while len(set(ports.values())) < len(PORTS):
        ports = {name: free_port() for name in PORTS}
    return Settings(home=tmp_path / "home", **ports)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def changed(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update=changes)


def test_free_ports_are_no_problem(settings: Settings) -> None:
    check_ports(settings)


@pytest.mark.parametrize("name", PORTS)
def test_a_taken_port_is_named_with_its_setting_before_anything_is_made(settings: Settings, taken: int, name: str) -> None:
    started = running(changed(settings, **{name: taken}))
    with pytest.raises(InputError, match=rf"port {taken} \(CHURN_{name.upper()}\)"), started:
        pytest.fail("it started")
    assert not settings.home.exists()


def test_one_port_for_two_programs_is_named(settings: Settings) -> None:
    with pytest.raises(InputError, match=f"one port for two programs: {settings.port}$"):
        check_ports(changed(settings, exporter_port=settings.port))


def test_mlflow_elsewhere_needs_no_port_and_is_not_started(settings: Settings, taken: int) -> None:
    elsewhere = changed(settings, mlflow_port=taken, tracking_uri="http://mlflow.example:5000")
    check_ports(elsewhere)
    assert [program.name for program in programs(elsewhere)] == ["prefect", "evidently", "exporter", "service", "flows"]
    assert addresses(elsewhere)["MLflow"] == "http://mlflow.example:5000/#/models/churn?workflowType=machine_learning"


def test_every_program_listens_on_its_port_of_the_loopback_and_sees_no_more_secrets_than_it_needs(settings: Settings) -> None:
    started = {program.name: program for program in programs(settings)}
    assert list(started) == ["mlflow", "prefect", "evidently", "exporter", "service", "flows"]
    for name in ("mlflow", "prefect", "evidently"):
        command = started[name].command
        assert command[command.index("--host") + 1] == "127.0.0.1"
        assert command[command.index("--port") + 1] == str(getattr(settings, f"{name}_port"))
        assert set(started[name].hidden) == set(SECRETS) >= {"CHURN_STORE_URL", "CHURN_API_KEY", "CHURN_PSEUDONYM_KEY"}
    assert set(started["exporter"].hidden) == set(KEYS)
    # The service answers callers' keys, and needs none of its own; the flows call it, and keep the pseudonyms' key.
    assert started["service"].hidden == ("CHURN_API_KEY",)
    assert started["flows"].hidden == ("CHURN_API_KEYS", "CHURN_API_KEY")
    shown = addresses(settings)
    assert {shown[name].rsplit(":", 1)[1].split("/")[0] for name in shown} == {str(getattr(settings, name)) for name in PORTS}
