"""The reference is summed up once for a version, and what is kept is never trusted blindly."""

from __future__ import annotations

import pytest

from monitoring import reference as module
from monitoring.drift.detect import detect_drift
from monitoring.reference import Reference, keep_reference, load_reference
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
    keep_reference(tmp_path, "run a", CONTRACT, made)
    assert load_reference(tmp_path, "run a", CONTRACT, Rows()).profile.cache.keys() == made.profile.cache.keys() != set()


def test_other_code_makes_it_anew(tmp_path, monkeypatch):
    rows = Rows()
    load_reference(tmp_path, "run a", CONTRACT, rows)
    monkeypatch.setattr(module, "PACKAGES", ("monitoring.drift", "monitoring.reports"))
    load_reference(tmp_path, "run a", CONTRACT, rows)
    assert rows.read == 2


@pytest.mark.parametrize("rubbish", [b"", b"no pickle", b"\x80\x04N."])
def test_what_cannot_be_read_is_made_anew(tmp_path, rubbish):
    load_reference(tmp_path, "run a", CONTRACT, Rows())
    (kept,) = tmp_path.glob("*.joblib")
    kept.write_bytes(rubbish)
    rows = Rows()
    assert isinstance(load_reference(tmp_path, "run a", CONTRACT, rows), Reference)
    assert rows.read == 1
    load_reference(tmp_path, "run a", CONTRACT, rows)
    assert rows.read == 1


def test_a_folder_that_cannot_be_written_costs_time_and_nothing_else(tmp_path):
    folder = tmp_path / "file"
    folder.write_text("in the way")
    rows = Rows()
    for _ in range(2):
        assert len(load_reference(folder, "run a", CONTRACT, rows).outcomes) == 300
    assert rows.read == 2
