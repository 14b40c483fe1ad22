from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
import typer.main

from churn.contract import Contract
from churn.simulation.simulate import simulate, write_csv
from pipelines.cli import main
from tests.unit.pipelines.cli.command import Churn, Result

# Typer builds every command anew each time that one is run: as long as many of them take.
built_once = cache(typer.main.get_command)


@pytest.fixture
def churn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Churn]:
    """The command, run in an empty folder with an empty CHURN_HOME and no network."""

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["churn", *map(str, arguments)])
        code = 0
        try:
            main.main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 0 if exit_.code is None else 1
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    monkeypatch.setattr(typer.main, "get_command", built_once)
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ):
        for name in list(os.environ):
            if name.startswith(("CHURN_", "MLFLOW_", "PREFECT_")):
                del os.environ[name]
        os.environ |= {"CHURN_HOME": "home", "CHURN_DATA_URL": "", "CHURN_DVC_REMOTE": "", "COLUMNS": "200"}
        os.environ["CHURN_DATA_FROM_INDEX"] = "false"
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
        yield run


@pytest.fixture
def customers(contract: Contract, tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    write_csv(simulate(contract, 300, 1), contract, path)
    return path
