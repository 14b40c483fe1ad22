"""`churn score` with real files: the service's numbers, nothing half written, and every row once."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from churn.batch import csv_chunks, pieces
from churn.batch import part as part_module
from churn.batch import plan as plan_module
from churn.batch.part import Done
from churn.batch.plan import Terms
from churn.batch.run import Summary, on_threads, score_folder
from churn.batch.single_file import score_file
from churn.customers.customer import request_model
from churn.errors import ChurnError, InputError
from service.formats.csv_text import read_csv
from service.formats.parquet import read_parquet
from service.formats.validation import ColumnRules
from service.http.errors import Unprocessable
from tests.integration.files_to_score import CONTRACT, customers, make_scorer, read_answers, write_folder
from tests.unit.service.fakes import make_model, served_model

RULES = ColumnRules(CONTRACT, request_model(CONTRACT))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "PART_ROWS", 200)
    monkeypatch.setattr(pieces, "PIECE_ROWS", 64)
    monkeypatch.setattr(csv_chunks, "CHUNK_BYTES", 5_000)


def score(source: Path, out: Path, terms: Terms = Terms(), **options: Any) -> Summary:  # noqa: B008 -- it is frozen
    return score_folder(options.pop("scorer", None) or make_scorer(), source, out, terms, on_threads(2), **options)


def changed(table: Any, column: str, values: dict[int, Any], kind: Any = None) -> Any:
    cells = table.column(column).to_pylist()
    for row, value in values.items():
        cells[row] = value
    return table.set_column(table.column_names.index(column), column, pa.array(cells, kind))


def served(body: bytes, *, text: bool = False) -> np.ndarray:
    read = read_csv(body, RULES, 10**6) if text else read_parquet(body, RULES, 10**6, 10**9)
    return served_model(make_model(), "disk").score_columns(read).probabilities


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


def test_csv_is_read_as_the_service_reads_it(tmp_path: Path) -> None:
    source, zipped = tmp_path / "in.csv", tmp_path / "in.csv.gz"
    table = customers(300)
    with source.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        writer.writerows(["NA" if cell is None else cell for cell in row.values()] for row in table.to_pylist())
    zipped.write_bytes(gzip.compress(source.read_bytes()))
    score(source, tmp_path / "out")
    score(zipped, tmp_path / "zipped")
    answers = read_answers(tmp_path / "out")
    np.testing.assert_array_equal(answers.column("churn_probability").to_numpy(), served(source.read_bytes(), text=True))
    assert answers.equals(read_answers(tmp_path / "zipped"))


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


BROKEN = [
    ("total_day_minutes", -0.5, None),
    ("total_day_minutes", 44_640.5, None),
    ("total_day_minutes", float("inf"), None),
    ("customer_service_calls", 1.5, None),
    ("international_plan", 2.0, None),
    ("state", "Kansas", None),
    ("customer_id", "a\nb", None),
    ("customer_id", "a\x7f", None),
    ("customer_id", "x" * 129, None),
]


@pytest.mark.parametrize(("column", "value", "kind"), BROKEN)
def test_what_the_service_refuses_is_never_scored(column: str, value: Any, kind: Any, tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(changed(customers(300), column, {250: value}, kind), source, row_group_size=100)
    with pytest.raises(Unprocessable):
        served(source.read_bytes())
    with pytest.raises(InputError, match=rf"in\.parquet: row 251, column '{column}'"):
        score(source, tmp_path / "out")
    assert not (tmp_path / "out" / "_SUCCESS").exists()

    summary = score(source, tmp_path / "out", Terms(invalid="skip"))
    assert (summary.rows, summary.rejected, summary.scored) == (300, 1, 299)
    answers = read_answers(tmp_path / "out").column("customer_id").to_pylist()
    assert answers == [f"c-1-{row}" for row in range(300) if row != 250]
    (rejected,) = [row for file in (tmp_path / "out" / "_rejected").iterdir() for row in pq.read_table(file).to_pylist()]
    assert (rejected["file"], rejected["row"]) == ("in.parquet", 251)
    assert rejected["reason"].startswith(f"{column}: ")


def test_a_customer_of_whom_nothing_is_known_is_refused(tmp_path: Path) -> None:
    table = customers(10)
    for name in CONTRACT.feature_names:
        table = changed(table, name, {4: None})
    pq.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(InputError, match=r"row 5: empty customer"):
        score(tmp_path / "in.parquet", tmp_path / "out")


def test_csv_errors_name_the_line(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text('customer_id,total_day_minutes\n"a\nb",1\n\nc,x\n')
    allowed = Terms(allow_absent=True)
    with pytest.raises(InputError, match=r"in\.csv: row 2, column 'customer_id'"):
        score(source, tmp_path / "out", allowed)
    source.write_text('customer_id,total_day_minutes\n"a,b",1\n\nc,x\n')
    with pytest.raises(InputError, match=r"in\.csv: row 4, column 'total_day_minutes'"):
        score(source, tmp_path / "out", allowed)
    source.write_text("customer_id,total_day_minutes\na,1\nb\n")
    with pytest.raises(InputError, match=r"row 3: must have 2 fields"):
        score(source, tmp_path / "out", allowed)
    source.write_text("customer_id;total_day_minutes\na;1\n")
    with pytest.raises(InputError, match="separated by semicolons"):
        score(source, tmp_path / "out", allowed)
    source.write_bytes(b"customer_id,total_day_minutes\n\xff\xfe,1\n")
    with pytest.raises(InputError, match="not readable"):
        score(source, tmp_path / "out", allowed)
    assert not (tmp_path / "out").exists()


def test_a_feature_without_a_column_is_refused_unless_that_is_allowed(tmp_path: Path) -> None:
    pq.write_table(customers(10).drop_columns(["total_day_minutes"]), tmp_path / "in.parquet")
    with pytest.raises(InputError, match=r"column 'total_day_minutes': column is missing"):
        score(tmp_path / "in.parquet", tmp_path / "out")
    score(tmp_path / "in.parquet", tmp_path / "out", Terms(allow_absent=True))
    answers = read_answers(tmp_path / "out").column("churn_probability").to_numpy()
    np.testing.assert_array_equal(answers, served((tmp_path / "in.parquet").read_bytes()))
    wrong = customers(10)
    pq.write_table(wrong.set_column(0, "customer_id", pa.array([1.5] * 10)), tmp_path / "in.parquet")
    with pytest.raises(InputError, match="must be a text or a whole number"):
        score(tmp_path / "in.parquet", tmp_path / "out", overwrite=True)
    pq.write_table(wrong.set_column(0, "customer_id", pa.array(range(10))), tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", tmp_path / "numbered")
    assert read_answers(tmp_path / "numbered").column("customer_id").to_pylist() == list(range(10))


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


def test_a_killed_run_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    source = write_folder(tmp_path / "in", parts=40, rows=1_000)
    script = (
        "import sys, time; from pathlib import Path; from churn.batch.run import on_threads, score_folder\n"
        "from churn.batch.plan import Terms; from tests.integration.files_to_score import make_scorer\n"
        "slow = (lambda done: time.sleep(0.05)) if sys.argv[3] == 'slow' else None\n"
        "made = score_folder(make_scorer(), Path(sys.argv[1]), Path(sys.argv[2]), Terms(), on_threads(1), on_part=slow)\n"
        "print(made.kept, made.rows)\n"
    )
    out = tmp_path / "out"
    command = [sys.executable, "-c", script, str(source), str(out)]
    with subprocess.Popen([*command, "slow"], env=os.environ | {"PYTHONPATH": "."}, stdout=subprocess.PIPE) as child:
        deadline = time.monotonic() + 60
        while len(list(out.glob("part-*"))) < 5:
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    left = {file: file.stat().st_mtime_ns for file in out.glob("part-*")}
    assert not (out / "_SUCCESS").exists()
    (out / ".writing-left-over").write_bytes(b"half a part")

    summary = score(source, out)
    assert summary.kept == len(left) > 0
    assert summary.rows == 40_000
    assert {file: file.stat().st_mtime_ns for file in left} == left, "what was finished is not made again"
    score(source, tmp_path / "at-once")
    assert read_answers(out).equals(read_answers(tmp_path / "at-once"))
    assert sorted(file.name for file in out.iterdir()) == sorted(file.name for file in (tmp_path / "at-once").iterdir())


def test_a_part_that_cannot_be_written_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_folder(tmp_path / "in", parts=2, rows=50)

    class Full(pq.ParquetWriter):
        def write_batch(self, *_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(part_module.pq, "ParquetWriter", Full)
    with pytest.raises(ChurnError, match="cannot be written") as error:
        score(source, tmp_path / "out")
    assert error.value.exit_code == 1
    assert not (tmp_path / "out").exists()


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


def test_a_file_that_was_changed_under_way_is_not_scored(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "in", parts=1, rows=50)

    def change(*_: Any) -> None:
        os.utime(source / "part-000.parquet", ns=(0, 0))

    with pytest.raises(InputError, match="was changed since"):
        score(source, tmp_path / "out", on_plan=change)


def test_input_and_output_must_lie_apart(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "in", parts=1, rows=5)
    for out in (source, source / "scored", tmp_path):
        with pytest.raises(InputError, match="must lie apart"):
            score(source, out)


def test_one_file_into_one_file_and_no_text_is_a_formula(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    names = {0: "=HYPERLINK(1)", 1: "+1", 2: "-42", 3: "@x", 4: "-1+1", 5: None, 6: 'a,"b"'}
    pq.write_table(changed(customers(500), "customer_id", names), source, row_group_size=100)
    for name in ("out.csv", "out.csv.gz", "out.parquet"):
        score_file(make_scorer(), source, tmp_path / name, Terms(), on_threads(2))
    whole = pq.read_table(tmp_path / "out.parquet")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["customer_id"] for row in rows[:7]] == ["'=HYPERLINK(1)", "+1", "-42", "'@x", "'-1+1", "", 'a,"b"']
    assert [float(row["churn_probability"]) for row in rows] == whole.column("churn_probability").to_pylist()
    assert [row["churn"] == "true" for row in rows] == whole.column("churn").to_pylist()
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()) == (tmp_path / "out.csv").read_bytes()
    assert whole.column("customer_id").to_pylist()[:5] == list(names.values())[:5]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.parquet", "out.csv", "out.csv.gz", "out.parquet"]
    with pytest.raises(InputError, match="is there already"):
        score_file(make_scorer(), source, tmp_path / "out.csv", Terms(), on_threads(2))
    with pytest.raises(InputError, match="is there already"):
        score_file(make_scorer(), source, source, Terms(), on_threads(2), overwrite=True)
    pq.write_table(changed(customers(500), "state", {3: "XX"}), source)
    score_file(make_scorer(), source, tmp_path / "out.csv", Terms(invalid="skip"), on_threads(2), overwrite=True)
    assert pq.read_table(tmp_path / "out.csv.rejected.parquet").column("row").to_pylist() == [4]


def test_other_code_on_a_worker_scores_nothing() -> None:
    found = part_module.score_part(b"", b"", {}, "", "other code")
    assert "another version" in found["error"]


@pytest.mark.filterwarnings("ignore:.*inferred as AnyType:UserWarning", "ignore::FutureWarning")
def test_the_command_scores_with_the_champion_and_with_the_last_known_good_one_if_the_registry_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from churn.config.params import load_params
    from churn.config.settings import load_settings
    from churn.modeling.training import assemble, train
    from churn.registry.registry import Registry
    from churn.simulation.simulate import simulate
    from pipelines.cli import main

    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CHURN_TRACKING_URI", raising=False)
    write_folder(tmp_path / "in", parts=2, rows=50)
    invoke = CliRunner().invoke
    missing = invoke(main.app, ["score", str(tmp_path / "in"), str(tmp_path / "out")])
    assert isinstance(missing.exception, ChurnError)
    assert "no champion yet" in str(missing.exception)

    params = load_params(Path("params.yaml"))
    tuning = params.tuning.model_copy(update={"search": "grid", "grid": [{"logreg__C": [1.0]}], "folds": 2})
    plain = params.model.model_copy(update={"form": "plain"})
    params = params.model_copy(update={"tuning": tuning, "model": plain})
    trained = train(
        assemble(simulate(CONTRACT, 600, seed=1), None, CONTRACT, params), CONTRACT, params, name="churn", trigger="t"
    )
    registry = Registry(load_settings())
    registry.promote(registry.register(trained, {}, {}).info.version)

    found = invoke(main.app, ["score", str(tmp_path / "in"), str(tmp_path / "out"), "--json"])
    assert found.exit_code == 0, found.output
    document = orjson.loads(found.stdout)
    assert (document["scored"], document["model_version"], document["parts"]) == (100, "1", 2)
    monkeypatch.setenv("CHURN_TRACKING_URI", "http://127.0.0.1:1")
    away = invoke(main.app, ["score", str(tmp_path / "in"), str(tmp_path / "again")])
    assert away.exit_code == 0, away.output
    assert "last known good model, version 1" in away.stderr
    assert read_answers(tmp_path / "again").equals(read_answers(tmp_path / "out"))
    other = invoke(main.app, ["score", str(tmp_path / "in"), str(tmp_path / "third"), "--model", "2"])
    assert isinstance(other.exception, ChurnError)
    unread = invoke(main.app, ["score", str(tmp_path / "nothing"), str(tmp_path / "third")])
    assert isinstance(unread.exception, InputError)
