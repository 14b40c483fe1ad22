"""What makes a command slow to start is what it imports: no clock is read here, only `sys.modules`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests.unit.pipelines.cli.test_main import commands
from tests.unit.pipelines.loopback import Answer, Asked, web_server

# Each costs a tenth of a second to several seconds. (Pydantic too, but Typer reads options with it.)
HEAVY = {
    *("mlflow", "prefect", "evidently", "pandas", "numpy", "scipy", "sklearn", "skops", "pyarrow", "dask", "distributed"),
    *("matplotlib", "fastapi", "sqlalchemy", "alembic", "httpx", "httpx2", "requests", "asyncio", "supervisor"),
}
# Runs each command of a JSON list in one process, and prints after each which modules there are.
PROGRAM = """
import contextlib, io, json, sys
from pipelines.cli.main import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["churn", *words]
    out, code = io.StringIO(), 0
    with contextlib.redirect_stdout(out):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    packages = sorted({name.partition(".")[0] for name in sys.modules})
    print(json.dumps({"code": code, "out": out.getvalue(), "packages": packages}))
"""


def run(commands: Sequence[Sequence[str]], folder: Path, **environment: str) -> list[dict[str, Any]]:
    """Run commands in one new process, in an empty folder."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[4]), "CHURN_HOME": str(folder / "home"), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_version_and_help_import_nothing_heavy_whatever_the_command(tmp_path: Path) -> None:
    asked = [(*command, "--help") for command in [(), ("data",), ("model",), ("store",), *commands()]]
    version, *told = run([("--version",), *asked], tmp_path)
    assert version["out"].startswith("churn-loop ")
    assert not HEAVY & set(version["packages"])
    for command, said in zip(asked, told, strict=True):
        assert (said["code"], HEAVY & set(said["packages"])) == (0, set()), command
        assert "Usage: churn" in said["out"]


# What reads settings and asks a database or a server needs these.
NEEDED = {"sqlalchemy", "httpx2", "asyncio"}


def assert_listed(said: dict[str, Any]) -> None:
    assert said["code"] == 0
    assert [version["version"] for version in json.loads(said["out"])] == ["3"]
    assert HEAVY & set(said["packages"]) <= NEEDED


def test_models_of_a_file_are_listed_without_mlflow(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    engine = create_engine(f"sqlite:///{tmp_path / 'home' / 'mlflow.db'}")
    with engine.begin() as connection:
        for table, columns in (
            ("model_versions", "name, version, current_stage"),
            ("model_version_tags", "name, version, key, value"),
            ("registered_model_aliases", "name, version, alias"),
        ):
            connection.execute(text(f"CREATE TABLE {table} ({columns})"))
        connection.execute(text("INSERT INTO model_versions VALUES ('churn', 3, 'None')"))
    engine.dispose()
    (said,) = run([["model", "list", "--json"]], tmp_path)
    assert_listed(said)


def test_models_of_a_server_are_listed_without_mlflow(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        found = {"registered_model": {}} if "registered-models" in asked.path else {"model_versions": [{"version": "3"}]}
        return Answer(json.dumps(found).encode())

    with web_server(answer) as url:
        (said,) = run([["model", "list", "--json"]], tmp_path, CHURN_TRACKING_URI=url)
    assert_listed(said)


def test_what_only_looks_does_not_import_what_trains(tmp_path: Path) -> None:
    ports = {f"CHURN_{name}PORT": "1" for name in ("", "MLFLOW_", "PREFECT_", "EVIDENTLY_", "EXPORTER_")}
    commands = [["status"], ["train", "--if-none"]]
    for command, said in zip(commands, run(commands, tmp_path, **ports), strict=True):
        assert said["code"] != 0, command
        assert not {"mlflow", "prefect", "evidently", "sklearn", "scipy", "dask", "matplotlib"} & set(said["packages"]), command
