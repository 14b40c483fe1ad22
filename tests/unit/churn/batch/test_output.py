from __future__ import annotations

from pathlib import Path

import pytest

from churn.batch.output import MARK, SUCCESS, own_folder
from churn.batch.plan import Part, Plan
from churn.errors import ChurnError, InputError


def plan(*names: str) -> Plan:
    parts = [Part(f"/in/{name}", name, name, (0, 1), 0, 1, {}, 1, 1, f"print of {name}") for name in names]
    return Plan(Path("/in"), len(parts), parts)


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="not of churn score"), own_folder(tmp_path, plan("a.parquet"), overwrite=overwrite):
            pass
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(InputError, match="is no folder"), own_folder(tmp_path / "thesis.txt", plan("a.parquet"), overwrite=True):
        pass


def test_what_others_put_into_a_folder_of_ours_is_not_taken_away(tmp_path: Path) -> None:
    (tmp_path / MARK).write_text("{}")
    (tmp_path / "other.parquet").write_text("not ours")
    with pytest.raises(InputError, match=r"other\.parquet: churn score did not write this"):  # noqa: SIM117
        with own_folder(tmp_path, plan("a.parquet"), overwrite=True):
            pass
    assert (tmp_path / "other.parquet").exists()


def test_two_runs_do_not_write_to_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with own_folder(out, plan("a.parquet"), overwrite=False):
        with pytest.raises(ChurnError, match="another run is writing"), own_folder(out, plan("a.parquet"), overwrite=False):
            pass
        assert (out / MARK).exists()


def test_torn_and_half_written_files_are_taken_away_and_a_run_without_parts_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "inner").mkdir(parents=True)
    for name in (MARK, "a.parquet", "inner/.writing-x"):
        (out / name).write_text("torn")
    with own_folder(out, plan("a.parquet"), overwrite=False) as output:
        assert output.kept == {}
        assert [file.name for file in out.iterdir()] == [MARK]
    assert not out.exists()


def test_the_manifest_ends_a_run(tmp_path: Path) -> None:
    with own_folder(tmp_path / "out", plan("a.parquet"), overwrite=False) as output:
        output.finish({"key": "k"})
    assert [file.name for file in (tmp_path / "out").iterdir()] == [SUCCESS]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "5", '"key model input"', "{}", '{"key": 1, "model": {}}', '["key", "model", "input"]', "\xff"],
)
def test_a_note_of_success_that_says_nothing_of_a_run_finishes_none(tmp_path: Path, text: str) -> None:
    """Torn, of another program, or edited: the folder is taken as one that is not finished, or as somebody else's."""
    out = tmp_path / "out"
    out.mkdir()
    (out / SUCCESS).write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match="not of churn score"), own_folder(out, plan("a.parquet"), overwrite=True):
        pass
    (out / MARK).write_text("{}")
    with own_folder(out, plan("a.parquet"), overwrite=False) as taken:
        assert taken.finished is None
        assert not (out / SUCCESS).exists(), "whoever reads from here on is not told that all is there"
