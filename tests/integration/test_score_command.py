"""`churn score` as a program: killed and gone on with; with a registry, and with one that is away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from churn.errors import ChurnError, InputError
from tests.integration.files_to_score import CONTRACT, read_answers, write_folder
from tests.unit.churn.batch.scoring import score


def test_a_killed_run_is_gone_on_with(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "in", parts=40, rows=100)
    script = (
        "import sys, time; from pathlib import Path; from churn.batch.run import on_threads, score_folder\n"
        "from churn.batch.plan import Terms; from tests.integration.files_to_score import make_scorer\n"
        "slow = (lambda done: time.sleep(0.05)) if sys.argv[3] == 'slow' else None\n"
        "made = score_folder(make_scorer(), Path(sys.argv[1]), Path(sys.argv[2]), Terms(), on_threads(1), on_part=slow)\n"
        "print(made.kept, made.rows)\n"
    )
    out = tmp_path / "out"
    command = [sys.executable, "-c", script, str(source), str(out)]
    with subprocess.Popen([*command, "slow"], env=os.environ | {"PYTHONPATH": "."}, stdout=subprocess.PIPE) as child:
        deadline = time.monotonic() + 60
        while len(list(out.glob("part-*"))) < 5:
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    left = {file: file.stat().st_mtime_ns for file in out.glob("part-*")}
    assert not (out / "_SUCCESS").exists()
    (out / ".writing-left-over").write_bytes(b"half a part")

    summary = score(source, out)
    assert summary.kept == len(left) > 0
    assert summary.rows == 4_000
    assert {file: file.stat().st_mtime_ns for file in left} == left, "what was finished is not made again"
    score(source, tmp_path / "at-once")
    assert read_answers(out).equals(read_answers(tmp_path / "at-once"))
    assert sorted(file.name for file in out.iterdir()) == sorted(file.name for file in (tmp_path / "at-once").iterdir())


@pytest.mark.filterwarnings("ignore:.*inferred as AnyType:UserWarning", "ignore::FutureWarning")
def test_the_command_scores_with_the_champion_and_with_the_last_known_good_one_if_the_registry_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from churn.config.params import load_params
    from churn.config.settings import load_settings
    from churn.modeling.training import train
    from churn.modeling.training_set import assemble
    from churn.registry.registry import Registry
    from churn.simulation.simulate import simulate
    from pipelines.cli import main

    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CHURN_TRACKING_URI", raising=False)
    write_folder(tmp_path / "in", parts=2, rows=50)
    invoke = CliRunner().invoke
    missing = invoke(main.app, ["score", str(tmp_path / "in"), str(tmp_path / "out")])
    assert isinstance(missing.exception, ChurnError)
    assert "no champion" in str(missing.exception)

    params = load_params(Path("params.yaml"))
    tuning = params.tuning.model_copy(update={"search": "grid", "grid": [{"logreg__C": [1.0]}], "folds": 2})
    plain = params.model.model_copy(update={"form": "plain"})
    params = params.model_copy(update={"tuning": tuning, "model": plain})
    trained = train(
        assemble(simulate(CONTRACT, 600, seed=1), None, CONTRACT, params), CONTRACT, params, name="churn", trigger="t"
    )
    registry = Registry(load_settings())
    registry.promote(registry.register(trained, {}, {}).info.version)

    found = invoke(main.app, ["score", str(tmp_path / "in"), str(tmp_path / "out"), "--json"])
    assert found.exit_code == 0, found.output
    document = orjson.loads(found.stdout)
    assert (document["scored"], document["model_version"], document["parts"]) == (100, "1", 2)
    monkeypatch.setenv("CHURN_TRACKING_URI", "http://127.0.0.1:1")
    away = invoke(main.app, ["score", str(tmp_path / "in"), str(tmp_path / "again")])
    assert away.exit_code == 0, away.output
    assert "last known good model, version 1" in away.stderr
    assert read_answers(tmp_path / "again").equals(read_answers(tmp_path / "out"))
    other = invoke(main.app, ["score", str(tmp_path / "in"), str(tmp_path / "third"), "--model", "2"])
    assert isinstance(other.exception, ChurnError)
    unread = invoke(main.app, ["score", str(tmp_path / "nothing"), str(tmp_path / "third")])
    assert isinstance(unread.exception, InputError)
