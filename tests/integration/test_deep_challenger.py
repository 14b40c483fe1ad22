"""A network as a challenger: the same flow, registry and gate as anybody, and served by a process that knows no PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.pipelines.without_engine import PICTURES, empty_figure
from churn.config.settings import Settings, load_settings
from churn.contract import load_contract
from churn.registry.registry import Registry
from churn.simulation.simulate import simulate, write_csv
from churn.store.records import DecisionKind
from churn.store.store import Store
from tests.checkout import CHECKOUT
from tests.prefect_template import copy_to_home

pytest.importorskip("torch", reason="needs the extra `deep`: pip install --editable '.[deep]'")
pytest.importorskip("skorch", reason="needs the extra `deep`: pip install --editable '.[deep]'")
# Prefect's own client warns of its own ways.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(900)]

QUICK = """
seed: 17
model: {form: plain, pretraining_rows: 2000}
tuning: {folds: 2}
evaluation: {resamples: 100}
gate: {resamples: 200, min_fresh_rows: 100}
"""
# What the loader process does with a version, where neither PyTorch nor skorch can be imported.
PREPARE = """
import json, sys
class Refused:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "skorch"):
            raise ImportError(name)
sys.meta_path.insert(0, Refused())
from churn.config.settings import load_settings
from churn.contract import load_contract
from service.model_loading.loader_process import prepare
from churn.registry.registry import Registry
from service.model_loading.parity_check import verified
settings = load_settings()
prepare(settings, sys.argv[1])
model = Registry(settings).load(sys.argv[1])
served = verified(model, load_contract(settings.contract), "registry")
values = [None] * len(model.info.features)
values[5] = 265.1
print(json.dumps({"path": served.path, "approximate": served.explain(values, 1)["approximate"]}))
"""


@pytest.fixture
def settings(prefect_template: Path, migrated_registry: None, tmp_path: Path) -> Iterator[Settings]:
    from prefect.testing.utilities import prefect_test_harness

    home, prefect = tmp_path / "home", tmp_path / "prefect"
    home.mkdir()
    prefect.mkdir()
    copy_to_home(prefect_template, prefect, "prefect-test.db")
    write_csv(simulate(load_contract(), 1_500, 1), load_contract(), home / "customers.csv")
    (home / "params.yaml").write_text(QUICK)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"home": home, "data": home / "customers.csv", "params": home / "params.yaml"}.items():
            patch.setenv(f"CHURN_{name.upper()}", str(value))
        for name in ("STORE_URL", "TRACKING_URI", "CONTRACT"):
            patch.delenv(f"CHURN_{name}", raising=False)
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        patch.setattr("prefect.testing.utilities.mkdtemp", lambda: str(prefect))
        with prefect_test_harness(server_startup_timeout=120):
            yield load_settings()


def test_it_goes_through_the_same_gate_and_is_served_without_pytorch(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.flows import train, training_record

    for draw in PICTURES:
        monkeypatch.setattr(training_record, draw, empty_figure)
    first = train.train_once("first model")
    assert first["promoted"]
    challenger = train.train_once("a network", form="deep")
    registry, store = Registry(settings), Store.open(settings.store_url)
    try:
        judged = store.decisions(kind=DecisionKind.GATE)[0]
    finally:
        store.close()
    # Whichever of the two it prefers, the gate has compared them, and says so in plain words.
    assert judged.model_version == challenger["version"]
    assert judged.evidence["baseline"] == f"version {first['version']}"
    assert judged.reason == challenger["reason"]
    info = registry.load(challenger["version"]).info
    assert (info.form, info.pretrained_on, info.segments) == ("deep", 2_000, None)
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, challenger["version"]],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"path": "compiled", "approximate": True}
