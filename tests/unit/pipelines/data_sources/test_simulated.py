"""Invented customers are marked, beside their file and in what is said, so that no model trained on them passes for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.contract import Contract
from churn.data.dataset import read_dataset
from churn.errors import ChurnError, InputError
from churn.simulation.simulate import simulate
from pipelines.data_sources import simulated
from pipelines.data_sources.source import note_of
from tests.unit.service.fakes import make_settings


def test_they_are_written_with_a_note_and_said_loudly(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated, "SIMULATED_ROWS", 300)
    source = simulated.simulate_data(make_settings(tmp_path), contract, "the disk is empty")
    assert source.simulated
    assert source.path == tmp_path / "data" / "simulated.csv"
    for part in ("NO REAL DATA", "the disk is empty", "300 INVENTED customers", str(source.path)):
        assert part in source.how, part
    assert "invented" in note_of(source.path).read_text()
    read = read_dataset(source.path, contract, simulated=True)
    assert len(read) == 300
    same = simulate(contract, 300, make_settings(tmp_path).seed)
    assert read.outcome.tolist() == same.outcome.tolist()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, contract: Contract) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ChurnError, match="file"):
        simulated.write_simulated(simulate(contract, 50, 1), contract, tmp_path / "file" / "simulated.csv")


def test_a_file_that_could_not_be_written_leaves_no_note_for_the_next_of_its_name(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise InputError("no space left on device")

    path, invented = tmp_path / "customers.csv", simulate(contract, 50, 1)
    with monkeypatch.context() as patched:
        patched.setattr("churn.simulation.simulate.write_csv", full)
        with pytest.raises(InputError):
            simulated.write_simulated(invented, contract, path)
        assert list(tmp_path.iterdir()) == []
    simulated.write_simulated(invented, contract, path)
    monkeypatch.setattr("churn.simulation.simulate.write_csv", full)
    with pytest.raises(InputError):
        simulated.write_simulated(invented, contract, path)
    assert note_of(path).exists()
