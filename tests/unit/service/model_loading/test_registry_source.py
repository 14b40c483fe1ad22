"""The worker's end of loading, against a loader that is a script of few lines. The real one is in tests/integration."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from churn.config.settings import Settings
from churn.contract import Contract
from churn.errors import ChurnError, ModelRefused, NoModel, NoVersion, RegistryError, RegistryMismatch, StoreError
from churn.lifecycle.rollback_request import RollbackRequest
from churn.registry.aliases import Registered
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from service.model_loading import registry_source
from service.model_loading.bundle import ModelBundle, bundle_file, read_bundle, write_bundle
from service.model_loading.loader_messages import ERRORS
from service.model_loading.parity_check import verify
from service.model_loading.registry_source import RegistrySource
from tests.unit.service.fakes import make_model, make_settings


class FakeReader:
    """Aliases in memory, of one version whose artifact has this digest."""

    def __init__(self, digest: str = "abc") -> None:
        self.digest = digest

    def aliases(self) -> dict[str, str]:
        return {"champion": "7"}

    def registered(self, version: str, /) -> Registered:
        return Registered(version, f"run-{version}", self.digest)


@pytest.fixture(scope="module")
def bundle(contract: Contract) -> ModelBundle:
    return verify(make_model("7"), contract, artifact_digest="abc")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path, store_url="postgresql://user:secret@store/churn")


@pytest.fixture
def source(settings: Settings, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> RegistrySource:
    made = RegistrySource(settings, contract)
    monkeypatch.setitem(made.__dict__, "_reader", FakeReader())
    return made


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a script in the loader's place. Its requests are kept in requests.jsonl."""

    def put(script: str) -> None:
        note = f"open({str(tmp_path / 'requests.jsonl')!r}, 'a').write(sys.stdin.read() + chr(10))"
        (tmp_path / "loader.py").write_text(f"import sys, os, time, json\n{note}\n{script}\n")
        monkeypatch.setattr(registry_source, "COMMAND", (sys.executable, str(tmp_path / "loader.py")))

    return put


def requests(tmp_path: Path) -> list[dict[str, Any]]:
    file = tmp_path / "requests.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def done_with(bundle: ModelBundle, settings: Settings, contract: Contract, tmp_path: Path) -> str:
    """A loader that puts the bundle there, as the real one does."""
    file = bundle_file(settings, contract, "7", "run-7")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(bundle, tmp_path / "prepared.json")
    return f'import shutil\nshutil.copy({str(tmp_path / "prepared.json")!r}, {str(file)!r})\nprint(\'{{"result": "done"}}\')'


def test_a_version_is_made_ready_once_and_then_read_from_disk(
    source: RegistrySource, loader: Any, bundle: ModelBundle, settings: Settings, contract: Contract, tmp_path: Path
) -> None:
    loader(done_with(bundle, settings, contract, tmp_path))
    for _ in range(2):
        served = source.load("7")
        assert (served.version, served.loaded_from, served.path) == ("7", "registry", "compiled")
    source.roll_back(RollbackRequest("2", "run-2", "1", "run-1", "ada", "complaints"))
    asked = requests(tmp_path)
    assert [(one["do"], one["urgent"]) for one in asked] == [("prepare", True), ("roll_back", False)]


def test_a_version_whose_number_is_another_ones_in_the_store_is_refused_and_a_store_that_is_away_refuses_none(
    source: RegistrySource, loader: Any, bundle: ModelBundle, settings: Settings, contract: Contract, tmp_path: Path
) -> None:
    loader(done_with(bundle, settings, contract, tmp_path))
    file = tmp_path / "store.db"
    source._settings = settings.model_copy(update={"store_url": f"sqlite:///{file}"})
    assert source.load("7").version == "7"
    assert not file.exists(), "the question made a store"
    with closing(Store.open(f"sqlite:///{file}")) as store:
        known = Decision(DecisionKind.GATE, DecisionAction.PASSED, "gate", "", "7", {"run_id": "run-7"})
        store.write_decision(known)
        assert source.load("7").version == "7"
        store.write_decision(replace(known, decision_id="d2", model_version="8", evidence={"run_id": "another"}))
    with pytest.raises(RegistryMismatch, match="version 8 is run run-8 in the registry and run another in the store"):
        source.load("8")
    source._settings = settings.model_copy(update={"store_url": "postgresql://127.0.0.1:1/nothing"})
    assert source.load("7").version == "7"


def test_the_loader_gets_what_it_needs_of_the_settings_and_not_by_its_arguments(
    source: RegistrySource, loader: Any, settings: Settings, tmp_path: Path
) -> None:
    loader("print(json.dumps({'result': 'refused', 'reason': ' '.join(sys.argv[1:])}))")
    with pytest.raises(ModelRefused, match=r"^$"):
        source.load("7")
    told = requests(tmp_path)[0]["settings"]
    assert told == {
        "home": str(settings.home),
        "contract": "telecom",
        "model_name": "churn",
        "store_url": "postgresql://user:secret@store/churn",
        "tracking_uri": settings.tracking_uri,
    }


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ("refused", ModelRefused),
        ("no version", NoVersion),
        ("no model", NoModel),
        ("away", RegistryError),
        ("store away", StoreError),
        ("failed", ChurnError),
        ("something new", ChurnError),
    ],
)
def test_what_the_loader_says_is_raised_here(source: RegistrySource, loader: Any, result: str, error: type[ChurnError]) -> None:
    loader(f"print(json.dumps({{'result': {result!r}, 'reason': 'for a reason'}}))")
    with pytest.raises(ChurnError, match="for a reason") as caught:
        source.roll_back(RollbackRequest("2", "run-2", "1", "run-1", "ada", "complaints"))
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("raise SystemExit('out of memory')", "ended with 1: out of memory"),
        ("os.kill(os.getpid(), 9)", "ended with -9: no error message"),
        ("print('not json')", "ended with 0: no error message"),
        ("print('[]')", "ended with 0"),
        ("print('{}')", "ended with 0"),
    ],
)
def test_a_loader_that_breaks_down_is_an_error_that_tells(source: RegistrySource, loader: Any, script: str, words: str) -> None:
    loader(script)
    with pytest.raises(ChurnError, match=words) as caught:
        source.load("7")
    assert not isinstance(caught.value, ModelRefused | RegistryError)


def test_a_loader_that_says_done_and_leaves_nothing_is_an_error(source: RegistrySource, loader: Any) -> None:
    loader('print(\'{"result": "done"}\')')
    with pytest.raises(ChurnError, match="wrote no bundle of version 7"):
        source.load("7")


def test_a_loader_that_hangs_is_ended(source: RegistrySource, loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_source, "LOADER_SECONDS", 0.2)
    loader("time.sleep(600)")
    begun = time.monotonic()
    with pytest.raises(ChurnError, match="took longer than"):
        source.load("7")
    assert time.monotonic() - begun < 240


def test_closing_ends_a_loader_and_those_who_wait_for_it(source: RegistrySource, loader: Any, tmp_path: Path) -> None:
    loader("time.sleep(600)")
    errors: list[ChurnError] = []

    def load() -> None:
        try:
            source.load("7")
        except ChurnError as error:
            errors.append(error)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 120
    while not requests(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    source.close()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert len(errors) == 2
    assert len(requests(tmp_path)) == 1, "one loader at a time"


@pytest.mark.parametrize("harm", ["torn", "another artifact"])
def test_a_bundle_that_is_not_right_is_made_anew(
    harm: str,
    source: RegistrySource,
    loader: Any,
    bundle: ModelBundle,
    settings: Settings,
    contract: Contract,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = bundle_file(settings, contract, "7", "run-7")
    write_bundle(bundle, file)
    if harm == "torn":
        file.write_bytes(file.read_bytes()[:-10])
    else:
        monkeypatch.setitem(source.__dict__, "_reader", FakeReader("def"))
        bundle = ModelBundle(**{**vars(bundle), "artifact_digest": "def"})
    loader(done_with(bundle, settings, contract, tmp_path))
    assert source.load("7").version == "7"
    assert len(requests(tmp_path)) == 1
    assert read_bundle(file) is not None


def test_a_version_from_before_there_were_digests_is_served(
    source: RegistrySource, bundle: ModelBundle, settings: Settings, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(source.__dict__, "_reader", FakeReader(""))
    write_bundle(bundle, bundle_file(settings, contract, "7", "run-7"))
    assert source.load("7").version == "7"


def test_the_last_known_good_model_is_taken_if_it_is_ready_or_there_is_time(
    source: RegistrySource, loader: Any, bundle: ModelBundle, settings: Settings, contract: Contract, tmp_path: Path
) -> None:
    assert source.load_last_known_good(True) is None
    write_bundle(bundle, bundle_file(settings, contract, "7", "run-7"))
    source.save_last_known_good(source.load("7"))
    served = source.load_last_known_good(False)
    assert served is not None
    assert (served.version, served.loaded_from) == ("7", "disk")
    assert requests(tmp_path) == []
    bundle_file(settings, contract, "7", "run-7").unlink()
    assert source.load_last_known_good(False) is None
    loader(done_with(bundle, settings, contract, tmp_path))
    assert source.load_last_known_good(True) is not None
    assert [one["do"] for one in requests(tmp_path)] == ["prepare_last"]


def test_a_version_is_loaded_again_without_the_registry_if_it_is_still_there(
    source: RegistrySource, bundle: ModelBundle, settings: Settings, contract: Contract
) -> None:
    assert source.load_again("7", "run-7") is None
    write_bundle(bundle, bundle_file(settings, contract, "7", "run-7"))
    assert source.load_again("7", "run-8") is None
    served = source.load_again("7", "run-7")
    assert served is not None
    assert served.loaded_from == "disk"


def test_a_rollback_reaches_the_loader_process(source: RegistrySource, loader: Any, tmp_path: Path) -> None:
    loader('print(\'{"result": "done"}\')')
    source.roll_back(RollbackRequest("2", "run-2", "1", "run-1", "ada", "complaints"))
    told = requests(tmp_path)[0]
    assert told["do"] == "roll_back"
    assert RollbackRequest(**told["request"]) == RollbackRequest("2", "run-2", "1", "run-1", "ada", "complaints")


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ModelRefused("x"), "refused"),
        (NoVersion("x"), "no version"),
        (NoModel("x"), "no model"),
        (RegistryError("x"), "away"),
        (StoreError("x"), "store away"),
        (ChurnError("x"), "failed"),
    ],
)
def test_the_loader_names_each_error_so_that_it_is_the_same_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: ChurnError, result: str
) -> None:
    from service.model_loading import loader_process

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(loader_process, "prepare", fail)
    request = {"do": "prepare", "version": "1", "settings": {"home": str(tmp_path)}}
    assert loader_process.respond(request) == {"result": result, "reason": "x"}
    assert ERRORS[result] is type(error)
