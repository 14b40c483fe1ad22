"""`churn store …` on real databases, run as a person or a Job runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.integration.postgres import Server

CHURN = (sys.executable, "-m", "pipelines.cli.main")


def start(home: Path, url: str, *arguments: str) -> subprocess.Popen[str]:
    env = os.environ | {"CHURN_HOME": str(home), "CHURN_STORE_URL": url}
    pipe = subprocess.PIPE
    return subprocess.Popen([*CHURN, *arguments], env=env, stdout=pipe, stderr=pipe, text=True)


def test_migrate_waits_for_a_database_that_comes_later(postgres: Server, tmp_path: Path) -> None:
    with postgres.database() as url:
        pass  # it is gone again, its address is known
    name = url.split("/")[3].split("?")[0]
    with start(tmp_path, url, "store", "migrate", "--wait", "60", "--json") as waiting:
        assert waiting.stderr is not None
        assert "does not exist" in waiting.stderr.readline()
        postgres.run(f"CREATE DATABASE {name}")
        out, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, err) == (0, "")
    assert json.loads(out) == {"revision": "0001"}
    postgres.drop(name)


def test_migrate_gives_up_in_one_line(tmp_path: Path) -> None:
    url = "postgresql://churn:secret@127.0.0.1:1/churn"
    with start(tmp_path, url, "store", "migrate") as failing:
        out, err = failing.communicate(timeout=60)
    assert (failing.returncode, out) == (1, "")
    assert err.startswith("churn: the store cannot be reached: ")
    assert "secret" not in err
    assert err.count("\n") == 1
