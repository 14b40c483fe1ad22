"""The reference is summed up once for a version, and what is kept is never trusted blindly."""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from churn.config.params import SliceParams
from monitoring import reference_cache as module
from monitoring.drift.detect import detect_drift
from monitoring.reference import Reference
from monitoring.reference_cache import load_reference, save_reference
from tests.unit.monitoring.fakes import CONTRACT, customers


class Rows:
    def __init__(self) -> None:
        self.read = 0

    def __call__(self):
        self.read += 1
        return customers(300, 1)


def test_it_is_read_once_for_each_version(tmp_path):
    rows = Rows()
    first = load_reference(tmp_path, "run a", CONTRACT, rows)
    again = load_reference(tmp_path, "run a", CONTRACT, rows)
    assert rows.read == 1
    window = customers(200, 2)
    assert (
        detect_drift(again.profile, window, CONTRACT, 0.01).as_dict()
        == detect_drift(first.profile, window, CONTRACT, 0.01).as_dict()
    )
    load_reference(tmp_path, "run b", CONTRACT, rows)
    load_reference(tmp_path, "run a", CONTRACT.model_copy(update={"name": "other"}), rows)
    assert rows.read == 3
    assert len(list(tmp_path.iterdir())) == 3


def test_of_many_versions_the_newest_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_KEPT", 2)
    for run in "abc":
        load_reference(tmp_path, run, CONTRACT, Rows())
    assert len(list(tmp_path.iterdir())) == 2


def test_thresholds_are_kept_with_it(tmp_path):
    made = load_reference(tmp_path, "run a", CONTRACT, Rows())
    detect_drift(made.profile, customers(200, 2), CONTRACT, 0.01)
    save_reference(tmp_path, "run a", CONTRACT, made)
    assert load_reference(tmp_path, "run a", CONTRACT, Rows()).profile.cache.keys() == made.profile.cache.keys() != set()


def test_other_code_makes_it_anew(tmp_path, monkeypatch):
    rows = Rows()
    load_reference(tmp_path, "run a", CONTRACT, rows)
    monkeypatch.setattr(module, "PACKAGES", ("monitoring.drift",))
    load_reference(tmp_path, "run a", CONTRACT, rows)
    assert rows.read == 2


class RunsCode:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"no reference",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda _: pickle.dumps(RunsCode()),
        lambda _: with_digest(pickle.dumps(RunsCode())),
        lambda _: with_digest(pickled_array()),
    ],
)
def test_what_cannot_be_read_is_made_anew_and_nothing_of_it_is_executed(tmp_path, monkeypatch, spoil):
    monkeypatch.chdir(tmp_path)
    load_reference(tmp_path, "run a", CONTRACT, Rows())
    (kept,) = tmp_path.glob("*.reference")
    kept.write_bytes(spoil(kept.read_bytes()))
    rows = Rows()
    assert isinstance(load_reference(tmp_path, "run a", CONTRACT, rows), Reference)
    assert rows.read == 1
    load_reference(tmp_path, "run a", CONTRACT, rows)
    assert rows.read == 1
    assert not Path("executed").exists()


def with_digest(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest() + payload


def pickled_array() -> bytes:
    file = io.BytesIO()
    np.savez(file, document=np.array([RunsCode()], dtype=object))
    return file.getvalue()


def test_a_folder_that_cannot_be_written_costs_time_and_nothing_else(tmp_path):
    folder = tmp_path / "file"
    folder.write_text("in the way")
    rows = Rows()
    for _ in range(2):
        assert len(load_reference(folder, "run a", CONTRACT, rows).outcomes) == 300
    assert rows.read == 2


def test_other_slices_make_it_anew_and_are_kept(tmp_path):
    rows, wide = Rows(), SliceParams(bands={"minutes": [150.0, 200.0]})
    load_reference(tmp_path, "run a", CONTRACT, rows)
    made = load_reference(tmp_path, "run a", CONTRACT, rows, wide)
    assert rows.read == 2
    save_reference(tmp_path, "run a", CONTRACT, made)
    assert load_reference(tmp_path, "run a", CONTRACT, rows, wide).slicing == made.slicing
    assert {rule.column for rule in made.slicing.rules} == {"minutes"}
    assert rows.read == 2
