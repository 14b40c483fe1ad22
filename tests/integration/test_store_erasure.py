"""`churn store erase` as a program: it erases the store and the spool, on both databases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson

from churn.store.store import Store
from service.prediction_log.spool import Spool
from tests.forked import churn
from tests.unit.churn.store.test_erasure import ANNA, BEN, HIDDEN, KEY, everything, fill, is_anywhere, prediction


def environment(url: str, home: Path) -> dict[str, str]:
    return os.environ | {"CHURN_HOME": str(home), "CHURN_STORE_URL": url, "CHURN_PSEUDONYM_KEY": KEY}


def run(url: str, home: Path, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    return churn("store", "erase", *arguments, environment=environment(url, home), answer=answer)


def test_the_command_erases_the_store_and_the_spool(url: str, store: Store, tmp_path: Path) -> None:
    fill(store)
    home = tmp_path / "home"
    left_behind = Spool(home / "spool", 2**20)
    left_behind.append([prediction(n, (ANNA, BEN, HIDDEN)[n % 3]).row() for n in range(1000, 1006)])
    left_behind.close()
    running = Spool(home / "spool", 2**20)
    running.append([prediction(2000, BEN).row()])

    asked = run(url, home, ANNA, "--json")
    assert (asked.returncode, asked.stdout) == (1, ""), "nobody said yes"
    assert asked.stderr.splitlines()[-1] == "churn: nothing was erased, as nobody said yes; --yes says it"
    assert is_anywhere(store, ANNA)
    held = run(url, home, ANNA, "--yes", "--json")
    assert held.returncode == 1, held.stderr
    assert "held by a running service" in held.stderr
    assert ANNA not in held.stdout + held.stderr
    said = orjson.loads(held.stdout)
    assert (said["predictions"], said["spooled"], len(said["held_spool_files"])) == (200, 4, 1)
    running.close()
    assert run(url, home, ANNA, answer="n\n").returncode == 1
    assert run(url, home, ANNA, answer="y\n").returncode == 0
    assert not is_anywhere(store, ANNA)
    assert not any(word.encode() in file.read_bytes() for file in (home / "spool").iterdir() for word in (ANNA, HIDDEN))

    waiting = Spool(home / "spool", 2**20)
    assert waiting.adopt() == 3, "the others' rows still wait"
    waiting.replay(store.write_rows)
    assert [row["customer_id"] for row in everything(store)["predictions"][100:]] == [BEN] * 3


def test_an_id_that_the_usual_reason_holds_can_be_erased(tmp_path: Path) -> None:
    """As a program that was just started; the other commands here are forks of this process."""
    command = [sys.executable, "-m", "pipelines.cli.main", "store", "erase", "for", "--yes", "--json"]
    own = environment(f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    said = subprocess.run(command, env=own, capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, orjson.loads(said.stdout)["predictions"]) == (0, 0), said.stderr


def test_an_id_in_the_reason_is_refused(tmp_path: Path) -> None:
    said = run(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, BEN, "--yes", "--reason", f"{BEN} asked")
    assert said.returncode == 2
    assert BEN not in said.stderr
