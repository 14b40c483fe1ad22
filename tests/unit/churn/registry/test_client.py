"""What MLflow, the network and the database below it raise becomes one error of ours, without a password."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from churn.config.settings import Settings
from churn.errors import InputError, NoModel, RegistryError
from churn.registry.client import HTTP_LIMITS, Client


@pytest.fixture
def remote(mlflow_environment: None, tmp_path: Path) -> Client:
    return Client(Settings(home=tmp_path / "home", tracking_uri="http://ada:secret@mlflow:5000"))


def test_it_is_made_once_and_mlflow_s_own_functions_ask_the_same_registry(client: Client) -> None:
    import mlflow

    mlflow.set_tracking_uri("sqlite:////nowhere/else.db")
    assert not client.settings.home.exists()
    assert client.mlflow is client.mlflow
    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri()) == (client.uri, client.uri)
    assert client.settings.home.is_dir()
    assert (client.name, client.uri) == (client.settings.model_name, client.settings.tracking_uri)


@pytest.mark.parametrize("given", [None, "7"])
def test_a_registry_that_does_not_answer_is_not_waited_for_as_long_as_mlflow_would(
    remote: Client, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    for name in HTTP_LIMITS:
        monkeypatch.setenv(name, given or "")
        if given is None:
            monkeypatch.delenv(name)
    assert remote.mlflow is not None
    assert {name: os.environ[name] for name in HTTP_LIMITS} == {name: given or value for name, value in HTTP_LIMITS.items()}, (
        "what the user has set stays"
    )


def test_only_a_file_is_local(client: Client, remote: Client) -> None:
    assert client.is_local
    assert not remote.is_local
    assert remote.mlflow is not None
    assert not remote.settings.home.exists()


@pytest.mark.parametrize("code", ["RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"])
def test_what_is_missing_is_no_model_where_the_caller_says_so(code: str, remote: Client) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos import databricks_pb2

    error = MlflowException("no such thing", getattr(databricks_pb2, code))
    with pytest.raises(NoModel, match=r"^there is none$"), remote.translated("there is none"):
        raise error
    with pytest.raises(RegistryError, match="did not answer: no such thing") as caught, remote.translated():
        raise error
    assert not isinstance(caught.value, NoModel)


def test_any_other_error_of_mlflow_is_a_registry_that_is_away_whatever_is_missing(remote: Client) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(RegistryError) as caught, remote.translated("there is none"):
        raise MlflowException(f"API request to {remote.uri}/x failed\nwith details")
    assert not isinstance(caught.value, NoModel)
    assert str(caught.value) == (
        "the registry at http://ada:***@mlflow:5000 did not answer: API request to http://ada:***@mlflow:5000/x failed"
    )


def test_errors_of_the_network_the_database_and_the_disk_too(remote: Client) -> None:
    from requests.exceptions import ConnectionError as NoConnection
    from sqlalchemy.exc import OperationalError

    errors = {
        NoConnection("refused"): "refused",
        OperationalError("SELECT", {}, Exception("locked")): "(builtins.Exception) locked",
        PermissionError("not allowed"): "not allowed",
        OSError(): "OSError",
    }
    for error, shown in errors.items():
        with pytest.raises(RegistryError) as caught, remote.translated("there is none"):
            raise error
        assert str(caught.value) == f"the registry at http://ada:***@mlflow:5000 did not answer: {shown}"
        assert caught.value.__cause__ is error


@pytest.mark.parametrize("wrapped", [True, False])
def test_what_this_machine_refuses_is_not_the_registrys_fault(wrapped: bool, remote: Client) -> None:
    from mlflow.exceptions import MlflowException

    error = OSError(28, "No space left on device")
    told = f"The following failures occurred while downloading one or more artifacts from s3://b/m:\n##### File a #####\n{error}"
    with pytest.raises(OSError, match="No space left on device") as caught, remote.translated():
        raise MlflowException(told) if wrapped else error
    assert caught.value.errno == 28
    # A server may say the same of itself.
    with pytest.raises(RegistryError), remote.translated():
        raise MlflowException(f"API request failed with error code 500: {error}")


def test_a_backend_that_only_full_mlflow_knows_says_what_to_install(remote: Client) -> None:
    with (
        pytest.raises(InputError, match=r"CHURN_TRACKING_URI needs full MLflow: pip install '.*\[pipelines\]' \(no alembic\)"),
        remote.translated(),
    ):
        raise ImportError("no alembic")


def test_an_error_of_ours_passes(remote: Client) -> None:
    with pytest.raises(ZeroDivisionError), remote.translated("there is none"):
        raise ZeroDivisionError
