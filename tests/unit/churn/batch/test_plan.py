from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.batch import plan as module
from churn.batch.plan import Part, Terms, make_plan
from churn.errors import InputError

TERMS = Terms()


def write(path: Path, rows: int = 10, group: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"x": list(range(rows))}), path, row_group_size=group or max(rows, 1))
    return path


def test_row_groups_become_parts_of_about_one_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_ROWS", 25)
    parts = make_plan(write(tmp_path / "a.parquet", rows=95, group=10), "m", TERMS).parts
    assert [(part.groups, part.first_row, part.rows) for part in parts] == [
        ((0, 3), 0, 30),
        ((3, 6), 30, 30),
        ((6, 9), 60, 30),
        ((9, 10), 90, 5),
    ]
    assert [part.output for part in parts] == [f"a-{number:05d}.parquet" for number in range(4)]
    assert [Part.from_json(part.to_json()) for part in parts] == parts


def test_a_file_without_rows_is_a_part_too(tmp_path: Path) -> None:
    plan = make_plan(write(tmp_path / "a.parquet", rows=0), "m", TERMS)
    assert [part.rows for part in plan.parts] == [0]
    assert plan.rows == 0


def test_folders_are_read_in_order_and_their_names_are_columns(tmp_path: Path) -> None:
    for name in (
        "state=KS/b.parquet",
        "state=KS/a.parquet",
        "state=__HIVE_DEFAULT_PARTITION__/a.parquet",
        "a%20b=c%2Fd/x.parquet",
    ):
        write(tmp_path / name)
    write(tmp_path / "_old" / "x.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".crc").touch()
    plan = make_plan(tmp_path, "m", TERMS)
    assert [(part.name, part.keys) for part in plan.parts] == [
        ("a%20b=c%2Fd/x.parquet", {"a b": "c/d"}),
        ("state=KS/a.parquet", {"state": "KS"}),
        ("state=KS/b.parquet", {"state": "KS"}),
        ("state=__HIVE_DEFAULT_PARTITION__/a.parquet", {"state": None}),
    ]
    assert (plan.files, plan.rows) == (4, 40)


def test_what_cannot_be_scored_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        make_plan(tmp_path / "nothing", "m", TERMS)
    with pytest.raises(InputError, match="holds no Parquet file"):
        make_plan(tmp_path, "m", TERMS)
    write(tmp_path / "a.parquet")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"notes\.txt: is no Parquet file"):
        make_plan(tmp_path, "m", TERMS)
    (tmp_path / "notes.txt").rename(tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"b\.parquet: not readable as Parquet"):
        make_plan(tmp_path, "m", TERMS)
    (tmp_path / "b.parquet").write_bytes(b"")
    with pytest.raises(InputError, match=r"b\.parquet: not readable as Parquet"):
        make_plan(tmp_path, "m", TERMS)


def test_a_linked_folder_is_read_but_not_in_circles(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "a.parquet")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "linked").symlink_to(tmp_path / "elsewhere")
    assert [part.name for part in make_plan(tmp_path / "source", "m", TERMS).parts] == ["linked/a.parquet"]
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path / "source")
    with pytest.raises(InputError, match="leads back"):
        make_plan(tmp_path / "source", "m", TERMS)


def test_the_fingerprint_is_of_rows_model_and_terms(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet")
    first = make_plan(file, "m", TERMS)
    assert make_plan(file, "m", TERMS).key == first.key
    assert make_plan(file, "other", TERMS).key != first.key
    assert make_plan(file, "m", Terms(invalid="skip")).key != first.key
    os.utime(file, ns=(0, 0))
    assert make_plan(file, "m", TERMS).key != first.key
