from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from churn.contract import Contract
from churn.errors import ModelRefused
from churn.registry.artifact import INFO_FILE, PIPELINE_FILE, digest_folder
from service.model_loading import bundle as module
from service.model_loading.bundle import ModelBundle, bundle_file, read_bundle, serve, write_bundle
from service.model_loading.parity_check import verify
from tests.skops_io import skops_io
from tests.unit.service.fakes import make_model, make_settings


@pytest.fixture(scope="module")
def bundle(contract: Contract) -> ModelBundle:
    return verify(make_model("7"), contract, folder="/there", artifact_digest="abc")


def test_what_is_written_is_read(bundle: ModelBundle, contract: Contract, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "one.json"
    assert read_bundle(file) is None
    write_bundle(bundle, file)
    read = read_bundle(file)
    assert read is not None
    assert (read.info, read.card, read.folder, read.artifact_digest) == (bundle.info, bundle.card, "/there", "abc")
    served = serve(read, contract, "disk")
    for values, probability in bundle.probes:
        assert served.scorer.one(values) == pytest.approx(probability, abs=1e-12)
    assert [path.name for path in file.parent.iterdir()] == ["one.json"]


@pytest.mark.parametrize("harm", ["torn", "changed", "empty", "other", "no hash"])
def test_a_file_that_is_not_as_it_was_written_is_refused(harm: str, bundle: ModelBundle, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    write_bundle(bundle, file)
    whole = file.read_bytes()
    file.write_bytes(
        {
            "torn": whole[:-1],
            "changed": whole.replace(b'"version":"7"', b'"version":"8"', 1),
            "empty": b"",
            "other": b"{}",
            "no hash": whole.partition(b"\n")[2],
        }[harm]
    )
    assert file.read_bytes() != whole
    with pytest.raises(ModelRefused, match=r"one\.json"):
        read_bundle(file)


def test_one_that_answers_otherwise_here_is_refused(bundle: ModelBundle, contract: Contract) -> None:
    assert bundle.compiled is not None
    values, probability = bundle.probes[3]
    for wrong in (
        replace(bundle, compiled={**bundle.compiled, "intercept": bundle.compiled["intercept"] + 1e-6}),
        replace(bundle, probes=[(values, probability + 2e-9)]),
    ):
        with pytest.raises(ModelRefused, match="off its own pipeline"):
            serve(wrong, contract, "disk")
    for broken in ({}, {**bundle.compiled, "ramps": [[99, 0, 1, 1, 0]]}, {**bundle.compiled, "columns": ["shoe_size"]}):
        with pytest.raises(ModelRefused, match="version 7 cannot answer"):
            serve(replace(bundle, compiled=broken), contract, "disk")


def test_a_pipeline_that_cannot_be_compiled_is_loaded_from_the_folder_that_was_checked(
    bundle: ModelBundle, contract: Contract, tmp_path: Path
) -> None:
    model = make_model("7")
    skops_io.dump(model.pipeline, tmp_path / PIPELINE_FILE)
    (tmp_path / INFO_FILE).write_text(model.info.model_dump_json())
    plain = replace(bundle, compiled=None, folder=str(tmp_path), artifact_digest=digest_folder(tmp_path))
    served = serve(plain, contract, "disk")
    assert served.path == "pipeline"
    assert served.scorer.one(plain.probes[0][0]) == pytest.approx(plain.probes[0][1], abs=1e-12)
    (tmp_path / INFO_FILE).write_text(model.info.model_dump_json() + " ")
    with pytest.raises(ModelRefused, match="not the one that was checked"):
        serve(plain, contract, "disk")


def test_each_version_run_code_and_contract_has_a_file_of_its_own(
    contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(tmp_path)
    files = {bundle_file(settings, contract, version, run) for version in ("1", "2") for run in ("a", "b")}
    files.add(bundle_file(settings, contract.model_copy(update={"digest": "other"}), "1", "a"))
    monkeypatch.setattr(module, "code_digest", lambda: "another upgrade")
    files.add(bundle_file(settings, contract, "1", "a"))
    assert len(files) == 6
    strange = bundle_file(settings, contract, "../../1", "/etc/passwd")
    assert strange.parent == tmp_path / "models" / "churn" / "bundles"


def test_the_code_s_digest_knows_every_library(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = module.code_digest()
    monkeypatch.setattr(module, "version", lambda library: "0.0")
    assert module.code_digest.__wrapped__() != usual
    assert len(usual) == 64


READ = """
import sys
from pathlib import Path
import service.app
from churn.contract import load_contract
from service.model_loading.bundle import read_bundle, serve
served = serve(read_bundle(Path(sys.argv[1])), load_contract(), "disk")
print(served.version, sorted({"sklearn", "pandas", "mlflow", "skops", "pandera", "scipy", "pyarrow"} & set(sys.modules)))
"""


def test_a_worker_has_all_routes_and_serves_without_sklearn_pandas_or_mlflow(bundle: ModelBundle, tmp_path: Path) -> None:
    write_bundle(bundle, tmp_path / "one.json")
    told = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / "one.json")], capture_output=True, text=True, check=False, timeout=60
    )
    assert told.stdout == "7 []\n", told.stderr
