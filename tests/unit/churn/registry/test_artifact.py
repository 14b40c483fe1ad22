"""What is loaded from a model's folder and what is refused; no registry is asked here (tests/integration does)."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from churn.clock import now
from churn.config.settings import Settings
from churn.errors import ModelRefused
from churn.modeling.model import Model, ModelInfo, build_pipeline
from churn.registry.artifact import (
    CARD_FILE,
    EVALUATED_FILE,
    INFO_FILE,
    PIPELINE_FILE,
    SEAL_FILE,
    artifact_folder,
    digest_folder,
    load_folder,
    seal,
)
from churn.registry.last_known_good import load_last_known_good, save_last_known_good
from churn.registry.serialization import dump_pipeline
from tests.skops_io import skops_io

X = np.random.default_rng(0).normal(size=(60, 2))
Y = (X[:, 0] > 0).astype(int)
PIPELINE = build_pipeline(1).fit(X, Y)
INFO = ModelInfo(
    name="churn",
    version="7",
    run_id="r7",
    trained_at=now(),
    data_digest="d",
    data_source="s",
    rows=60,
    contract="telecom",
    contract_digest="c",
    features=["a", "b"],
    threshold=0.5,
)
WITNESS: list[str] = []


def witnessed(values: Any) -> Any:
    WITNESS.append("the artifact's code ran")
    return values


class Explodes:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return WITNESS.append, ("unpickled",)


def folder_of(folder: Path, content: bytes, info: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INFO_FILE).write_text(INFO.model_dump_json() if info is None else info)
    (folder / PIPELINE_FILE).write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def nothing_is_executed() -> Any:
    WITNESS.clear()
    yield
    assert WITNESS == []


def test_a_model_answers_bit_for_bit_as_before(tmp_path: Path) -> None:
    model = load_folder(folder_of(tmp_path, dump_pipeline(PIPELINE)), "8")
    assert np.array_equal(model.pipeline.predict_proba(X), PIPELINE.predict_proba(X))
    assert model.info == INFO.model_copy(update={"version": "8"})


def test_the_files_may_lie_deeper_as_mlflow_lays_them(tmp_path: Path) -> None:
    folder_of(tmp_path / "deep" / "extra_files", dump_pipeline(PIPELINE))
    assert load_folder(tmp_path, "8").info.run_id == "r7"


def test_it_is_loaded_as_it_was_evaluated_too_where_it_is_asked_for(tmp_path: Path) -> None:
    before = dump_pipeline(build_pipeline(1).fit(X[:30], Y[:30]))
    info = INFO.model_copy(update={"refitted_on": 60, "evaluated_digest": hashlib.sha256(before).hexdigest()})
    folder = folder_of(tmp_path, dump_pipeline(PIPELINE), info.model_dump_json())
    served = digest_folder(folder)
    assert load_folder(folder, "8").evaluated is None
    with pytest.raises(ModelRefused, match=f"version 8 cannot be loaded: .*{EVALUATED_FILE} is missing"):
        load_folder(folder, "8", judged=True)
    (folder / EVALUATED_FILE).write_bytes(before)
    model = load_folder(folder, "8", judged=True)
    assert dump_pipeline(model.judged.pipeline) == before != dump_pipeline(model.pipeline)
    # A release that does not know this file makes the same digest.
    assert digest_folder(folder) == served
    (folder / EVALUATED_FILE).write_bytes(dump_pipeline(PIPELINE))
    with pytest.raises(ModelRefused, match="version 8 as it was evaluated is not what was registered"):
        load_folder(folder, "8", judged=True)
    assert load_folder(folder, "8").evaluated is None


def test_one_that_was_not_fitted_anew_is_judged_as_it_is(tmp_path: Path) -> None:
    model = load_folder(folder_of(tmp_path, dump_pipeline(PIPELINE)), "8", judged=True)
    assert model.evaluated is None
    assert model.judged is model


def test_a_function_of_another_module_is_refused_and_not_run(tmp_path: Path) -> None:
    foreign = Pipeline([("own", FunctionTransformer(witnessed)), ("logreg", LogisticRegression())]).fit(X, Y)
    WITNESS.clear()
    folder = folder_of(tmp_path, skops_io.dumps(foreign))
    with pytest.raises(ModelRefused, match=r"not trusted: .*witnessed"):
        load_folder(folder, "8")


def test_an_object_of_another_module_is_refused(tmp_path: Path) -> None:
    foreign = Pipeline([("own", FunctionTransformer(kw_args={"p": Path("/")})), ("logreg", LogisticRegression())])
    with pytest.raises(ModelRefused, match="not trusted"):
        load_folder(folder_of(tmp_path, skops_io.dumps(foreign)), "8")


def test_what_the_artifact_says_of_its_own_trust_is_not_asked(tmp_path: Path) -> None:
    schema = json.loads(zipfile.ZipFile(io.BytesIO(dump_pipeline(PIPELINE))).read("schema.json"))
    schema["content"]["content"]["steps"]["content"][0]["content"][1] |= {"__module__": "subprocess", "__class__": "Popen"}
    with pytest.raises(ModelRefused, match="Popen"):
        load_folder(folder_of(tmp_path, repacked(json.dumps(schema))), "8")


def repacked(schema: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(dump_pipeline(PIPELINE))) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            new.writestr(name, schema if name == "schema.json" else old.read(name))
    return content.getvalue()


def test_a_pickle_is_refused_and_not_unpickled(tmp_path: Path) -> None:
    for n, content in enumerate((pickle.dumps(Explodes()), pickle.dumps(PIPELINE))):
        with pytest.raises(ModelRefused, match="version 8"):
            load_folder(folder_of(tmp_path / str(n), content), "8")


def test_a_pickle_inside_the_archive_is_not_unpickled(tmp_path: Path) -> None:
    poisoned = io.BytesIO()
    np.save(poisoned, np.array([Explodes()], dtype=object), allow_pickle=True)
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(dump_pipeline(PIPELINE))) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            new.writestr(name, poisoned.getvalue() if name.endswith(".npy") else old.read(name))
    with pytest.raises(ModelRefused, match="allow_pickle"):
        load_folder(folder_of(tmp_path, content.getvalue()), "8")


def test_what_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no pipeline but a LogisticRegression"):
        load_folder(folder_of(tmp_path, skops_io.dumps(LogisticRegression())), "8")


@pytest.mark.parametrize("missing", [INFO_FILE, PIPELINE_FILE])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    folder = folder_of(tmp_path, dump_pipeline(PIPELINE))
    (folder / missing).unlink()
    with pytest.raises(ModelRefused, match=missing):
        load_folder(folder, "8")


@pytest.mark.parametrize("info", ["", "[]", '{"name": "churn"}', "\ud83d".encode("utf-16", "surrogatepass").decode("latin-1")])
def test_what_is_known_must_be_readable(tmp_path: Path, info: str) -> None:
    with pytest.raises(ModelRefused) as caught:
        load_folder(folder_of(tmp_path, dump_pipeline(PIPELINE), info), "8")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_archive_is_refused_or_whole_and_nothing_else(tmp_path: Path, compression: int) -> None:
    content = skops_io.dumps(PIPELINE, compression=compression)
    chance = np.random.default_rng(1)
    refusals = []
    for _ in range(300):
        damaged = bytearray(content)
        if chance.random() < 0.3:
            del damaged[int(chance.integers(len(damaged))) :]
        else:
            damaged[int(chance.integers(len(damaged)))] ^= int(chance.integers(1, 256))
        try:
            load_folder(folder_of(tmp_path, bytes(damaged)), "8")
        except ModelRefused as error:
            refusals.append(str(error))
    assert len(refusals) > 200
    assert not any("\n" in refusal for refusal in refusals)


def test_a_schema_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="recursion"):
        load_folder(folder_of(tmp_path, repacked("[" * 100_000)), "8")


# The last known good one


def settings(home: Path) -> Settings:
    return Settings(home=home)


def test_before_anything_served_there_is_nothing(tmp_path: Path) -> None:
    assert load_last_known_good(settings(tmp_path)) is None


def test_the_last_that_served_is_loaded_from_disk_alone(tmp_path: Path) -> None:
    for number in ("7", "8"):
        folder_of(tmp_path / "models" / "churn" / f"{number}-r{number}", dump_pipeline(PIPELINE))
        info = INFO.model_copy(update={"version": number, "run_id": f"r{number}"})
        save_last_known_good(settings(tmp_path), Model(PIPELINE, info))
    back = load_last_known_good(settings(tmp_path))
    assert back is not None
    assert back.info.version == "8"
    assert np.array_equal(back.pipeline.predict_proba(X), PIPELINE.predict_proba(X))
    save_last_known_good(settings(tmp_path), Model(PIPELINE, INFO))
    again = load_last_known_good(settings(tmp_path))
    assert again is not None
    assert again.info.version == "7"


def test_remembering_leaves_nothing_half_written(tmp_path: Path) -> None:
    save_last_known_good(settings(tmp_path), Model(PIPELINE, INFO))
    save_last_known_good(settings(tmp_path), Model(PIPELINE, INFO))
    assert [path.name for path in (tmp_path / "models" / "churn").iterdir()] == ["last-known-good.json"]


@pytest.mark.parametrize("said", ["", "null", "{}", '{"version": "7"}', "[1]"])
def test_a_pointer_that_says_nothing_is_nothing(tmp_path: Path, said: str) -> None:
    save_last_known_good(settings(tmp_path), Model(PIPELINE, INFO))
    (tmp_path / "models" / "churn" / "last-known-good.json").write_text(said)
    assert load_last_known_good(settings(tmp_path)) is None


def test_a_last_known_good_that_is_gone_is_refused(tmp_path: Path) -> None:
    save_last_known_good(settings(tmp_path), Model(PIPELINE, INFO))
    with pytest.raises(ModelRefused):
        load_last_known_good(settings(tmp_path))


def test_the_card_comes_with_the_model_and_gets_its_number(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, dump_pipeline(PIPELINE))
    assert load_folder(folder, "8").card == ""
    (folder / CARD_FILE).write_text("# Model card: churn\n\nWhat it is for: Überblick.\n", "utf-8")
    assert load_folder(folder, "8").card == "# Model card: churn, version 8\n\nWhat it is for: Überblick.\n"
    (folder / CARD_FILE).write_bytes(b"\xff")
    with pytest.raises(ModelRefused, match="version 8"):
        load_folder(folder, "8")


def test_a_folder_is_sealed_with_the_digest_that_was_registered_and_with_no_other(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, dump_pipeline(PIPELINE))
    promised = digest_folder(folder)
    with pytest.raises(ModelRefused, match="version 8 is not the one that was registered: its hash differs"):
        seal(folder, "8", "0" * len(promised))
    assert not (folder / SEAL_FILE).exists()
    seal(folder, "8", promised)
    assert (folder / SEAL_FILE).read_text() == promised
    # The seal is no part of what it seals, and is written once.
    (folder / SEAL_FILE).chmod(0o400)
    seal(folder, "8", promised)
    (folder / INFO_FILE).write_text("other")
    with pytest.raises(ModelRefused):
        seal(folder, "8", promised)


@pytest.mark.parametrize(("version", "run"), [("7", "r7"), ("/../..", "../x")])
def test_an_artifact_lies_among_the_models_whatever_a_registry_calls_it(tmp_path: Path, version: str, run: str) -> None:
    assert artifact_folder(settings(tmp_path), version, run).parent == tmp_path / "models" / "churn"
    assert "/" not in artifact_folder(settings(tmp_path), version, run).name
