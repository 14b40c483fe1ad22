from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from churn.config.settings import Settings
from churn.errors import InputError
from pipelines.environment import prefect_api, prepare_environment, use_local_prefect
from tests.unit.pipelines.loopback import Answer, web_server


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    with mock.patch.dict(os.environ):
        for name in list(os.environ):
            if name.startswith(("PREFECT_", "MLFLOW_", "CHURN_", "DVC_", "DO_NOT")):
                del os.environ[name]
        yield


def test_nothing_phones_home_and_all_state_is_in_churn_home(tmp_path: Path) -> None:
    prepare_environment(Settings(home=tmp_path / "home"))
    assert os.environ["DO_NOT_TRACK"] == "true"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["DVC_NO_ANALYTICS"] == "true"
    assert os.environ["CHURN_HOME"] == str(tmp_path / "home")
    assert Path(os.environ["PREFECT_HOME"]) == tmp_path / "home" / "prefect"
    assert (tmp_path / "home" / "prefect").is_dir()


def test_what_the_user_has_set_stays(tmp_path: Path) -> None:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "false"
    os.environ["PREFECT_HOME"] = str(tmp_path / "mine")
    prepare_environment(Settings(home=tmp_path / "home"))
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "false"
    assert os.environ["PREFECT_HOME"] == str(tmp_path / "mine")
    assert (tmp_path / "mine").is_dir()


def test_a_home_that_cannot_be_made_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/home cannot be made \(Not a directory\): set CHURN_HOME"):
        prepare_environment(Settings(home=tmp_path / "file" / "home"))
    os.environ["PREFECT_HOME"] = str(tmp_path / "file" / "prefect")
    with pytest.raises(InputError, match="file/prefect cannot be made"):
        prepare_environment(Settings(home=tmp_path))


def test_a_prefect_server_that_runs_is_used_and_one_the_user_named_first() -> None:
    with web_server(lambda asked: Answer(status=200 if asked.path == "/api/health" else 404)) as url:
        settings = Settings(prefect_port=int(url.rsplit(":", 1)[1]))
        use_local_prefect(settings)
        assert os.environ["PREFECT_API_URL"] == prefect_api(settings) == f"{url}/api"
        os.environ["PREFECT_API_URL"] = "http://elsewhere/api"
        use_local_prefect(settings)
        assert os.environ["PREFECT_API_URL"] == "http://elsewhere/api"


def test_without_a_prefect_server_none_is_named() -> None:
    use_local_prefect(Settings(prefect_port=1))
    assert "PREFECT_API_URL" not in os.environ


def test_every_command_prepares_the_environment_before_it_asks_the_registry() -> None:
    """MLflow reads the environment when it is imported: afterwards it has phoned home already."""
    asking = 0
    for path in sorted((Path(__file__).parents[3] / "pipelines/cli").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
            called = [(call.lineno, call.func.id) for call in calls if isinstance(call.func, ast.Name)]
            asked = [line for line, name in called if name in ("Registry", "find_scorer")]
            prepared = [line for line, name in called if name == "prepare_environment"]
            if asked:
                asking += 1
                assert prepared, f"{path.name}: {function.name}"
                assert min(prepared) < min(asked), f"{path.name}: {function.name}"
    assert asking >= 5
