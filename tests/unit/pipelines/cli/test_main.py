"""The command as a person or a script meets it: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import click
import pytest
import typer

from churn.contract import Contract
from churn.errors import ChurnError
from churn.simulation.shift import Shift
from churn.simulation.simulate import SCENARIOS, simulate, write_csv
from pipelines import data_sources
from pipelines.cli import main


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Churn = Callable[..., Said]


@pytest.fixture
def churn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Churn]:
    """The command, run in an empty folder with an empty CHURN_HOME and no network."""

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["churn", *map(str, arguments)])
        code = 0
        try:
            main.main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 0 if exit_.code is None else 1
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ):
        for name in list(os.environ):
            if name.startswith(("CHURN_", "MLFLOW_", "PREFECT_")):
                del os.environ[name]
        os.environ |= {"CHURN_HOME": "home", "CHURN_DATA_URL": "", "CHURN_DVC_REMOTE": "", "COLUMNS": "200"}
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
        yield run


@pytest.fixture
def customers(contract: Contract, tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    write_csv(simulate(contract, 300, 1), contract, path)
    return path


def assert_one_line(said: Said, code: int, *words: str) -> None:
    assert said.code == code
    assert said.err.startswith("churn: ")
    assert said.err.count("\n") == 1, said.err
    for word in words:
        assert word in said.err


# Help


def commands() -> list[tuple[str, ...]]:
    def below(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if isinstance(command, click.Group) or hasattr(command, "commands"):
            for name, inner in command.commands.items():
                yield from below(inner, (*path, name))
        elif not command.hidden:
            yield path

    return list(below(typer.main.get_command(main.app), ()))


def test_the_commands_are_those_of_the_design() -> None:
    assert {" ".join(path) for path in commands()} >= {
        *("data pull", "data simulate", "data validate", "data describe", "train", "serve", "monitor"),
        *(
            "model list",
            "model show",
            "model card",
            "model history",
            "model promote",
            "model rollback",
            "model challenge",
            "drift",
            "evaluate",
            "traffic",
            "up",
            "demo",
        ),
    }


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_explains_itself_with_an_example(churn: Churn, command: tuple[str, ...]) -> None:
    said = churn(*command, "--help")
    assert said.code == 0
    example = next((line for line in said.out.splitlines() if "Example: " in line), "")
    assert f"churn {' '.join(command)}" in example


def test_no_command_at_all_shows_what_there_is(churn: Churn) -> None:
    said = churn()
    assert "validate" not in said.out
    for word in ("data", "train", "serve", "monitor", "model", "drift", "up", "demo"):
        assert word in said.out + said.err


@pytest.mark.parametrize(
    "arguments", [("fly",), ("data", "validate"), ("data", "validate", "x.csv", "--loud"), ("serve", "--workers", "0")]
)
def test_a_command_that_is_misspelled_exits_2(churn: Churn, arguments: tuple[str, ...]) -> None:
    said = churn(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert "Traceback" not in said.err


def test_it_runs_as_a_program_of_its_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli.main", "data", "validate", tmp_path / "nothing.csv"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("churn: ")
    assert "nothing.csv" in done.stderr
    assert "Traceback" not in done.stderr


# Settings


@pytest.mark.parametrize(
    ("name", "value"), [("CHURN_PORT", "many"), ("CHURN_FALSE_ALARM_RATE", "2"), ("CHURN_CONTRACT", "no-such-contract")]
)
def test_a_wrong_setting_is_one_line_that_names_it(churn: Churn, customers: Path, name: str, value: str) -> None:
    os.environ[name] = value
    assert_one_line(churn("data", "validate", customers), 2, value)


# Data


def test_a_valid_file_is_valid(churn: Churn, customers: Path, contract: Contract) -> None:
    said = churn("data", "validate", customers)
    assert (said.code, said.err) == (0, "")
    assert "300 customers" in said.out
    assert said.out.strip().endswith("valid")
    document = churn("data", "validate", customers, "--json").json
    assert (document["valid"], document["rows"]) == (True, 300)
    assert document["churn_rate"] == simulate(contract, 300, 1).labelled.mean()
    assert document["digest"] == simulate(contract, 300, 1).digest


def lines_of(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text().splitlines()]


def rewritten(path: Path, rows: list[list[str]]) -> Path:
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return path


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

    monkeypatch.setattr(main, "use_local_prefect", stop)
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
    assert document["target"] == {"column": "churn", "source": "Churn", "true_level": "True", "false_level": "False"}
    columns = {column["name"]: column for column in document["columns"]}
    assert columns["total_day_calls"]["role"] == "feature"
    assert (columns["version"]["role"], columns["version"]["why"]) == ("ignored", "ignored: it is the same for everybody")


def test_a_draft_is_not_written_over_a_file_unless_told_to(churn: Churn, customers: Path, tmp_path: Path) -> None:
    out = tmp_path / "drafted.yaml"
    out.write_text("mended by hand\n")
    assert_one_line(churn("data", "describe", customers, "--draft", out), 2, "drafted.yaml", "--force")
    assert out.read_text() == "mended by hand\n"
    assert churn("data", "describe", customers, "--draft", out, "--force").code == 0
    assert "columns:" in out.read_text()


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


def test_pull_without_any_source_invents_customers_and_says_so(churn: Churn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_sources, "SIMULATED_ROWS", 50)
    said = churn("data", "pull", "--json")
    assert said.code == 0
    assert said.json["simulated"] is True
    assert "NO REAL DATA" in said.err
    assert Path(said.json["path"]).exists()


def test_pull_refuses_a_wrong_file(churn: Churn, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "telecom_churn.csv").write_text("no customers\n")
    assert_one_line(churn("data", "pull"), 2, "md5", "delete it")


# Drift


def drifted(contract: Contract, path: Path, rows: int = 2000, **shift: Any) -> Path:
    write_csv(simulate(contract, rows, 2, shift=Shift(**shift)), contract, path)
    return path


def test_drift_gives_one_verdict_a_file(churn: Churn, contract: Contract, tmp_path: Path) -> None:
    before = tmp_path / "before.csv"
    write_csv(simulate(contract, 2000, 1), contract, before)
    calm = drifted(contract, tmp_path / "calm.csv")
    launched = drifted(contract, tmp_path / "launched.csv", share={"international_plan": 0.5})
    said = churn("drift", before, calm, launched)
    first, second, *columns = said.out.splitlines()
    assert said.code == 0
    assert "calm.csv: no drift (p = " in first
    assert "launched.csv: drift (p = " in second
    assert "international_plan (values): share of Yes" in columns[0]
    assert "log-odds" in columns[0]
    verdicts = churn("drift", before, calm, launched, "--json").json
    assert [(Path(v["file"]).name, v["alarm"]) for v in verdicts] == [("calm.csv", False), ("launched.csv", True)]
    assert churn("drift", before, calm, "--fail-on-drift").code == 0
    assert churn("drift", before, launched, "--fail-on-drift", "--json").json[0]["alarm"] is True


def test_drift_needs_no_outcomes_and_minds_no_broken_relations(churn: Churn, contract: Contract, tmp_path: Path) -> None:
    before = drifted(contract, tmp_path / "before.csv")
    after = drifted(contract, tmp_path / "after.csv", permute=("total_day_charge",))
    rows = lines_of(after)
    outcome = rows[0].index("Churn")
    rewritten(after, [row[:outcome] + row[outcome + 1 :] for row in rows])
    assert churn("drift", before, after).code == 0


def test_drift_says_which_file_it_cannot_read_and_judges_the_others(churn: Churn, customers: Path, tmp_path: Path) -> None:
    assert_one_line(churn("drift", customers, tmp_path / "nothing.csv"), 2, "nothing.csv")
    said = churn("drift", customers, tmp_path / "nothing.csv", customers, "--json")
    assert said.code == 2
    unread, judged = said.json
    assert "no such file" in unread["error"]
    assert judged["alarm"] is False
    assert_one_line(churn("drift", tmp_path / "nothing.csv", customers), 2, "nothing.csv")


def test_drift_compares_what_breaks_the_contract_instead_of_refusing_it(churn: Churn, customers: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_bytes(customers.read_bytes())
    rows = lines_of(broken)
    place = {name: rows[0].index(name) for name in ("State", "Account length", "Total day minutes")}
    for row in rows[1:]:
        row[place["State"]], row[place["Account length"]] = "Atlantis", "long"
    rewritten(broken, [[cell for n, cell in enumerate(row) if n != place["Total day minutes"]] for row in rows])
    verdict = churn("drift", customers, broken, "--json").json[0]
    found = {(r["feature"], r["aspect"]) for r in verdict["results"] if r["drifted"]}
    assert found == {("state", "values"), ("account_length", "missing"), ("total_day_minutes", "missing")}
    assert verdict["unreadable"] == {"account_length": 300}
    assert verdict["absent"] == ["total_day_minutes"]


def test_drift_of_a_file_without_rows_is_no_verdict_on_anything(churn: Churn, customers: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text(customers.read_text().splitlines()[0] + "\n")
    assert "no drift (it has no rows)" in churn("drift", customers, empty).out
    assert_one_line(churn("drift", empty, customers), 2, "empty.csv", "no rows")


# Failures are exit 1


def test_a_registry_that_is_away_is_one_line_and_exit_1(churn: Churn, customers: Path) -> None:
    os.environ["CHURN_TRACKING_URI"] = "http://127.0.0.1:1"
    for command in (
        *(("model", "list"), ("model", "show"), ("model", "card"), ("evaluate", customers)),
        *(("model", "rollback", "--reason", "x"), ("model", "promote", "2", "--reason", "x")),
    ):
        assert_one_line(churn(*command), 1, "127.0.0.1:1", "did not answer")


def test_traffic_without_a_service_is_one_line_and_exit_1(churn: Churn) -> None:
    said = churn("traffic", "--customers", 2, "--url", "http://127.0.0.1:1")
    assert_one_line(said, 1, "churn up")


def test_traffic_lists_its_scenarios(churn: Churn) -> None:
    said = churn("traffic", "--list")
    assert [line.split()[0] for line in said.out.splitlines()] == list(SCENARIOS)


def test_training_without_data_is_one_line_and_exit_2(churn: Churn) -> None:
    assert_one_line(churn("train"), 2, "churn data pull")
    assert_one_line(churn("train", "--data", "nothing.csv"), 2, "nothing.csv")


def test_a_first_model_is_trained_only_once(churn: Churn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.local.system.find_champion", lambda _settings: "3")
    said = churn("train", "--if-none", "--json")
    assert said.json == {"version": "3", "promoted": False, "reason": "there is a champion already"}
    assert "version 3 is champion" in churn("train", "--if-none").out
    monkeypatch.setattr("pipelines.local.system.find_champion", lambda _settings: None)
    assert_one_line(churn("train", "--if-none"), 2, "churn data pull")
