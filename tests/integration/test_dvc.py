"""DVC reproduces: clean checkouts give the same model, a second run does nothing, a corrupt remote is not believed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from churn.modeling.model import Model, ModelInfo
from churn.registry.trusted_types import TRUSTED_TYPES, prepare_skops
from pipelines.data_sources.source import TELECOM_MD5
from service.app import create_app
from tests.checkout import CHECKOUT
from tests.readme_example import example
from tests.unit.service.fakes import FakeRegistry, FakeStore, make_settings, running

# What makes two checkouts on one machine differ in nothing but their folder.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("CHURN_", "DVC_", "GIT_"))} | {
    "DVC_NO_ANALYTICS": "true",
    "DO_NOT_TRACK": "true",
    "CHURN_DATA_URL": "",
    "CHURN_DATA_FROM_INDEX": "false",
}
pytestmark = pytest.mark.timeout(900)
# What dvc.yaml runs, in one process.
STAGES = ("-c", "from pipelines.dvc_stages import evaluate, split, train; split(); train(); evaluate()")

# Several commands of DVC in one process: to import it takes longer than to ask it.
BETWEEN = "=== next ===\n"
ONE_PROCESS = f"""
import json, sys
from dvc.cli import main
for command in json.loads(sys.argv[1]):
    print({BETWEEN!r}, end="", flush=True)
    if code := main(command):
        sys.exit(code)
"""


@pytest.fixture(scope="module")
def pinned_data(real_data: Path) -> Path:
    if hashlib.md5(real_data.read_bytes(), usedforsecurity=False).hexdigest() != TELECOM_MD5:
        pytest.skip(f"needs the customers that data.dvc pins, and {real_data} is not that file: run `.venv/bin/churn data pull`")
    return real_data


def check_out(folder: Path) -> Path:
    """Lay down what git tracks, as it is in the working tree, and nothing else."""
    if shutil.which("git") is None or not (CHECKOUT / ".git").exists():
        pytest.skip("needs git, to tell what belongs to a clean checkout: apt-get install -y git, and a clone of the repository")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source = CHECKOUT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


# With a quick search and few bootstraps, or with the repository's own params. What DVC is asked afterwards, it is asked once.
PARAMS = ("quick", pytest.param("own params", marks=pytest.mark.long))
WITH_EACH = pytest.mark.parametrize("reproduced", PARAMS, indirect=True, scope="module")
QUICKLY, AS_PINNED = (pytest.mark.parametrize("reproduced", [which], indirect=True, scope="module") for which in PARAMS)


@pytest.fixture(scope="module")
def reproduced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pinned_data: Path
) -> list[tuple[Path, str]]:
    """Two clean checkouts, and what was said in each: by `dvc repro`, and by the stages alone, in one process."""
    made = []
    for name in ("first", "second"):
        folder = check_out(tmp_path_factory.mktemp(name))
        if request.param == "quick":
            (folder / "params.yaml").write_text(quick((folder / "params.yaml").read_text()))
        (folder / "data").mkdir()
        shutil.copy(pinned_data, folder / "data" / "telecom_churn.csv")
        command = STAGES if name == "second" else ("-m", "dvc", "repro")
        made.append((folder, run(folder, *command).stdout))
    return made


def quick(params: str) -> str:
    fewer = {
        "folds: 5": "folds: 2",
        "form: terms\n": "form: plain\n",
        "grid: null ": "grid: {logreg__C: [1.0]} ",
        "resamples: 500\n": "resamples: 100\n",
    }
    for slow, fast in fewer.items():
        assert slow in params
        params = params.replace(slow, fast)
    return params


@WITH_EACH
def test_two_clean_checkouts_make_the_same_model_and_the_same_numbers(reproduced: list[tuple[Path, str]]) -> None:
    (first, said), (second, _) = reproduced
    assert all(f"Running stage '{stage}'" in said for stage in ("split", "train", "evaluate"))
    made = sorted(
        path.relative_to(first) for path in (first / "build").rglob("*") if path.is_file() and path.name != ".gitignore"
    )
    assert {"metrics.json", "pipeline.skops", "model.json", "train.parquet", "holdout.parquet"} <= {path.name for path in made}
    for path in made:
        assert (first / path).read_bytes() == (second / path).read_bytes(), path


@WITH_EACH
def test_the_numbers_are_those_of_a_model_that_works(reproduced: list[tuple[Path, str]]) -> None:
    metrics = json.loads((reproduced[0][0] / "build" / "metrics.json").read_text())
    assert metrics["rows"] == 840
    scorecard = json.loads((reproduced[0][0] / "build" / "scorecard.json").read_text())["metrics"]
    assert scorecard["churn_rate"]["value"] == pytest.approx(0.1417, abs=0.001)
    assert scorecard["roc_auc"]["low"] < metrics["roc_auc"] == scorecard["roc_auc"]["value"] < scorecard["roc_auc"]["high"]
    assert 0.75 < metrics["roc_auc"] < 0.95
    assert metrics["brier"] < 0.12


@AS_PINNED
def test_the_readme_shows_what_this_model_answers(reproduced: list[tuple[Path, str]], tmp_path: Path) -> None:
    """The first model of `make up` is fitted like this one, to the same customers: so it answers what the README says."""
    prepare_skops()
    import skops.io

    made = reproduced[0][0] / "build" / "model"
    info = ModelInfo.model_validate(json.loads((made / "model.json").read_text()) | {"trained_at": 0, "version": "1"})
    registry = FakeRegistry(Model(skops.io.load(made / "pipeline.skops", trusted=TRUSTED_TYPES), info))
    app = create_app(make_settings(tmp_path), registry=registry, store=FakeStore())
    path, body, shown = example()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(running(app)) as client:
        told = portal.call(partial(client.post, path, json=body)).json()
    assert told.keys() == shown.keys()
    assert [reason["text"] for reason in told["reasons"]] == [reason["text"] for reason in shown["reasons"]]
    for name in ("customer_id", "churn", "model_version", "churn_probability", "threshold", "base_value"):
        # To what a platform may round.
        assert told[name] == (pytest.approx(shown[name], rel=1e-6) if isinstance(shown[name], float) else shown[name]), name


@pytest.fixture(scope="module")
def asked(reproduced: list[tuple[Path, str]], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What DVC says in a checkout that was reproduced: to a second run, of its state, of the numbers, and where its page is."""
    pictures = tmp_path_factory.mktemp("asked") / "plots"
    metrics, plots = ["metrics", "show"], ["plots", "show", "--out", str(pictures)]
    commands = (["repro"], ["status", "--json"], [*metrics, "--json"], metrics, plots)
    said = run(reproduced[0][0], "-c", ONE_PROCESS, json.dumps(commands)).stdout
    return said.split(BETWEEN)[1:]


@QUICKLY
def test_a_second_run_does_nothing(asked: list[str]) -> None:
    said, state, *_ = asked
    assert all(f"Stage '{stage}' didn't change, skipping" in said for stage in ("split", "train", "evaluate"))
    assert "Running" not in said
    assert json.loads(state) == {}


@QUICKLY
def test_metrics_and_plots_can_be_shown(asked: list[str]) -> None:
    shown, printed, page = asked[2:]
    assert "roc_auc" in json.dumps(json.loads(shown))
    table = printed.splitlines()
    assert "roc_auc" in table[0]
    assert max(map(len, table)) <= 100, "it fits a screen"
    assert page.strip().endswith("index.html")
    html = Path(page.strip().removeprefix("file://")).read_text()
    assert all(
        title in html for title in ("ROC on the holdout", "Precision and recall on the holdout", "Calibration on the holdout")
    )


def remote_with(folder: Path, content: bytes, name: str = TELECOM_MD5) -> Path:
    """Make a DVC remote by hand: the file, and the listing of data/ whose md5 data.dvc pins."""
    listing = json.dumps([{"md5": name, "relpath": "telecom_churn.csv"}]).encode()
    digest = hashlib.md5(listing, usedforsecurity=False).hexdigest()
    assert f"{digest}.dir" in (CHECKOUT / "data.dvc").read_text()
    for object_name, value in ((f"{digest}.dir", listing), (name, content)):
        path = folder / "files" / "md5" / object_name[:2] / object_name[2:]
        path.parent.mkdir(parents=True)
        path.write_bytes(value)
    return folder


@pytest.mark.parametrize("corrupt", [False, True], ids=["whole", "corrupt"])
def test_the_data_come_from_a_local_remote_unless_it_is_corrupt(tmp_path: Path, pinned_data: Path, corrupt: bool) -> None:
    content = pinned_data.read_bytes()
    remote = remote_with(tmp_path / "remote", content[:-1] + b"!" if corrupt else content)
    folder = check_out(tmp_path / "checkout")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENVIRONMENT, "CHURN_DVC_REMOTE", str(remote))
        said = json.loads(run(folder, "-m", "pipelines.cli.main", "data", "pull", "--json").stdout)
    pulled = folder / "data" / "telecom_churn.csv"
    assert said["simulated"] is corrupt
    if corrupt:
        assert not pulled.exists()
    else:
        assert pulled.read_bytes() == content
        assert "DVC" in said["how"]
