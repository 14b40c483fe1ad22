"""A whole run: the service's numbers, every row once, and what is left after an interruption."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.batch import part as part_module
from churn.batch.answer_file import Done
from churn.batch.plan import Terms
from churn.batch.run import score_folder
from churn.errors import ChurnError, InputError
from tests.integration.files_to_score import CONTRACT, customers, make_scorer, read_answers, write_folder
from tests.unit.churn.batch.scoring import changed, score, served

pytestmark = pytest.mark.usefixtures("small_pieces")


def test_a_file_is_scored_as_the_service_scores_it_in_its_order(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(customers(1_000), source, row_group_size=150)
    summary = score(source, tmp_path / "out")
    answers = read_answers(tmp_path / "out")
    probabilities = answers.column("churn_probability").to_numpy()
    np.testing.assert_array_equal(probabilities, served(source.read_bytes()))
    np.testing.assert_array_equal(answers.column("churn").to_numpy(), probabilities >= 0.5)
    assert answers.column("customer_id").to_pylist() == [f"c-1-{row}" for row in range(1_000)]
    assert set(answers.column("model_version").to_pylist()) == {"1"}
    assert (summary.rows, summary.parts, summary.churn) == (1_000, 4, int((probabilities >= 0.5).sum()))
    manifest = json.loads((tmp_path / "out" / "_SUCCESS").read_bytes())
    assert (manifest["model"]["run_id"], manifest["scored"], manifest["key"]) == ("run-1", 1_000, summary.key)
    assert sum(part["rows"] for part in manifest["parts"]) == 1_000


def test_other_spellings_types_and_columns_make_no_difference(tmp_path: Path) -> None:
    plain = customers(300)
    pq.write_table(plain, tmp_path / "plain.parquet")
    sources = {column.name: column.source for column in CONTRACT.columns}
    other = plain.rename_columns([sources.get(name, name) for name in plain.column_names])
    place = other.column_names.index("Area code")
    other = other.set_column(place, "Area code", other.column(place).cast(pa.int64()))
    other = other.set_column(other.column_names.index("State"), "State", other.column("State").dictionary_encode())
    other = other.append_column("Churn", pa.nulls(300)).append_column("notes", pa.array([["a list"]] * 300))
    pq.write_table(other, tmp_path / "other.parquet")
    score(tmp_path / "plain.parquet", tmp_path / "a")
    score(tmp_path / "other.parquet", tmp_path / "b")
    assert read_answers(tmp_path / "a").equals(read_answers(tmp_path / "b"))


def test_names_of_folders_are_columns(tmp_path: Path) -> None:
    for place, (state, name) in enumerate((("KS", "KS"), (None, "__HIVE_DEFAULT_PARTITION__"))):
        table = changed(customers(50), "state", dict.fromkeys(range(50), state), pa.string())
        (tmp_path / "whole").mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / "whole" / f"{place}.parquet")
        (tmp_path / "hive" / f"state={name}").mkdir(parents=True)
        pq.write_table(table.drop_columns(["state"]), tmp_path / "hive" / f"state={name}" / "x.parquet")
    scorer = make_scorer()
    score(tmp_path / "whole", tmp_path / "a", scorer=scorer)
    score(tmp_path / "hive", tmp_path / "b", scorer=scorer)
    assert read_answers(tmp_path / "a").equals(read_answers(tmp_path / "b"))
    assert (tmp_path / "b" / "state=KS" / "x-00000.parquet").exists()
    (tmp_path / "hive" / "state=XX").mkdir()
    pq.write_table(customers(5).drop_columns(["state"]), tmp_path / "hive" / "state=XX" / "x.parquet")
    with pytest.raises(ChurnError, match="row 1, column 'state'"):
        score(tmp_path / "hive", tmp_path / "c", scorer=scorer)


def test_a_finished_run_is_not_made_again_and_another_run_does_not_replace_it(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "in", parts=3, rows=50)
    score(source, tmp_path / "out")
    made = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").iterdir()}
    assert score(source, tmp_path / "out").kept == 3
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").iterdir()} == made
    pq.write_table(customers(60, seed=9), source / "part-001.parquet")
    for options in ({}, {"scorer": make_scorer("2", slope=2.0)}):
        with pytest.raises(InputError, match=r"finished scores by version 1 .* or give --overwrite"):
            score(source, tmp_path / "out", **options)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").iterdir()} == made

    summary = score(source, tmp_path / "out", overwrite=True)
    assert (summary.kept, summary.rows) == (2, 160)
    (source / "part-002.parquet").unlink()
    summary = score(source, tmp_path / "out", overwrite=True, scorer=make_scorer("2", slope=2.0))
    assert (summary.kept, summary.rows) == (0, 110)
    assert set(read_answers(tmp_path / "out").column("model_version").to_pylist()) == {"2"}


def test_who_still_writes_ends_before_the_folder_is_cleared_up(tmp_path: Path) -> None:
    source, out = write_folder(tmp_path / "in", parts=2, rows=50), tmp_path / "out"

    def run(scorer: Any, parts: Any, terms: Terms, folder: Path, /) -> Any:
        try:
            yield {"error": "the first part failed", "exit_code": 1}
        finally:
            # The other part was in work, and makes its folder as a thread would.
            folder.mkdir(parents=True, exist_ok=True)

    with pytest.raises(ChurnError, match="the first part failed"):
        score_folder(make_scorer(), source, out, Terms(), run)
    assert not out.exists()


def test_a_worker_that_begins_a_part_after_the_run_has_failed_does_not_bring_its_folder_back(tmp_path: Path) -> None:
    source, out = write_folder(tmp_path / "in" / "a" / "b", parts=2, rows=50).parents[1], tmp_path / "out"
    late: list[Any] = []

    def run(scorer: Any, parts: Any, terms: Terms, folder: Path, /) -> Any:
        late.append((scorer, parts[0], terms, folder))
        yield {"error": "the first part failed", "exit_code": 1}

    with pytest.raises(ChurnError, match="the first part failed"):
        score_folder(make_scorer(), source, out, Terms(), run)
    assert not out.exists()
    found = part_module.attempt(*late[0])
    assert "cannot be written" in found["error"]
    assert not out.exists()
    out.mkdir()
    assert part_module.attempt(*late[0])["rows"] == 50
    assert [file.relative_to(out).as_posix() for file in out.rglob("*.parquet")] == ["a/b/part-000-00000.parquet"]


def test_interrupted_from_the_keyboard_it_leaves_whole_parts_only(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "in", parts=6, rows=50)

    def interrupt(done: Done) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(source, tmp_path / "out", on_part=interrupt)
    assert not list((tmp_path / "out").rglob(".writing-*"))
    assert score(source, tmp_path / "out").kept >= 1


def test_input_and_output_must_lie_apart(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "in", parts=1, rows=5)
    for out in (source, source / "scored", tmp_path):
        with pytest.raises(InputError, match="must lie apart"):
            score(source, out)
