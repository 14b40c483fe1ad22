"""What models are compared on, and what is kept of a comparison that was stopped."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.model import __main__ as command
from benchmarks.model import baselines as baselines_module
from benchmarks.model.baselines import OURS, baselines, choose
from benchmarks.model.cross_validation import METRICS, cross_validate
from benchmarks.model.kept import KeptScores, code_digest
from benchmarks.model.tables import TABLES, TARGETS, find_table
from churn.config.params import Params
from churn.config.settings import Settings, load_settings
from churn.contract import load_contract
from churn.data.labelled import Labelled
from churn.errors import ContractError, InputError
from pipelines.data_sources import sample as sample_module


def write_shop(path: Path, rows: int = 60) -> Path:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"Visits": rng.integers(0, 40, rows), "Spent": rng.normal(50, 9, rows).round(2)})
    frame["Left"] = np.where(frame["Visits"] + rng.normal(0, 9, rows) < 15, "Yes", "No")
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CHURN_DATA", str(write_shop(tmp_path / "brought.csv")))
    return load_settings()


def test_a_file_of_another_company_gets_a_drafted_contract_and_that_is_said(settings: Settings, tmp_path: Path) -> None:
    found = find_table(write_shop(tmp_path / "shop.csv"), None, None, None, settings, tmp_path)
    assert found.contract.feature_names == ["visits", "spent"]
    assert found.name == "shop"
    assert found.how.startswith("contract drafted: ")
    assert len(found.dataset) == 60
    assert find_table(None, None, None, None, settings, tmp_path).name == "brought"


def test_a_named_contract_is_held_to(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ContractError):
        find_table(write_shop(tmp_path / "shop.csv"), "telecom", None, None, settings, tmp_path)


def test_a_file_that_keeps_the_default_contract_is_read_by_it(settings: Settings, tmp_path: Path) -> None:
    contract = tmp_path / "shop.yaml"
    contract.write_text(
        "name: shop\ntarget: {column: churn, source: Left, true_level: 'Yes', false_level: 'No'}\n"
        "columns:\n  - {name: visits, source: Visits, kind: integer}\n  - {name: spent, source: Spent, kind: number}\n"
    )
    named = find_table(None, str(contract), None, None, settings, tmp_path)
    assert (named.how, named.contract.digest) == ("contract shop", load_contract(contract).digest)
    found = find_table(None, None, None, None, settings.model_copy(update={"contract": str(contract)}), tmp_path)
    assert found.how == "contract shop"


def test_a_target_is_of_a_draft(settings: Settings, tmp_path: Path) -> None:
    path = write_shop(tmp_path / "shop.csv")
    path.write_text(path.read_text().replace("Left", "Result"))
    found = find_table(path, None, None, "Result", settings, tmp_path)
    assert (found.contract.target.source, found.how) == ("Result", "contract drafted")


@pytest.mark.parametrize(("sample", "words"), [("nobody", "there is ibm-telco, attrition"), ("hmda", "one of them")])
def test_a_table_is_named_once_and_right(sample: str, words: str, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        find_table(tmp_path / "x.csv" if sample == "hmda" else None, None, sample, None, settings, tmp_path)


def test_a_published_table_is_fetched_once_and_drafted_with_its_target(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = write_shop(tmp_path / "shop.csv").read_bytes().replace(b"Left", b"deny")
    pinned = TABLES["hmda"].__class__("m", "", 60, {}, hashlib.md5(content, usedforsecurity=False).hexdigest())
    asked = []
    monkeypatch.setitem(TABLES, "hmda", pinned)
    monkeypatch.setattr(sample_module, "fetch_frame", lambda frame, _: asked.append(frame) or content)
    for _ in range(2):
        found = find_table(None, None, "hmda", None, settings, tmp_path / "kept")
        assert (found.name, found.contract.target.source) == ("hmda", "deny")
    assert asked == [pinned]


def test_each_pinned_table_has_its_outcome_among_its_columns() -> None:
    assert set(TARGETS) <= set(TABLES)
    for name, frame in TABLES.items():
        assert TARGETS.get(name, "churn").lower() in {heading.lower() for heading in frame.headings.values()} | {"churn"}
        assert len(frame.sha256) == 64
        assert len(frame.csv_md5) == 32


# What is kept


def scored(kept: KeptScores | None, first: int | None = None) -> tuple[pd.DataFrame, int]:
    known = Labelled(pd.DataFrame({"a": np.arange(60.0)}), pd.Series(np.arange(60) % 3 == 0).astype(np.int64))
    fits = []

    def baseline(learned: Labelled, asked: pd.DataFrame) -> np.ndarray:
        fits.append(len(learned))
        return np.asarray(asked["a"] / 100)

    found = cross_validate("b", baseline, known, folds=3, repeats=2, seed=1, done=lambda: None, first=first, kept=kept)
    return found, len(fits)


def test_a_comparison_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    path, about = tmp_path / "deep" / "folds.jsonl", {"rows": 60}
    begun, fits = scored(KeptScores(path, about), first=2)
    assert (len(begun), fits) == (2, 2)
    with path.open("a") as file:
        file.write('{"about": "torn')
    finished, fits = scored(KeptScores(path, about))
    assert (len(finished), fits) == (6, 4)
    again, fits = scored(KeptScores(path, about))
    assert fits == 0
    whole, _ = scored(None)
    for found in (finished, again):
        pd.testing.assert_frame_equal(found[whole.columns], whole)


def test_scores_of_other_customers_or_code_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "folds.jsonl"
    scored(KeptScores(path, {"code": "a"}))
    assert len(KeptScores(path, {"code": "b"})) == 0
    _, fits = scored(KeptScores(path, {"code": "b"}))
    assert fits == 6
    assert len(KeptScores(path, {"code": "a"})) == 6, "they stay, for who goes back to it"


def test_the_code_that_makes_scores_has_a_digest(tmp_path: Path) -> None:
    (tmp_path / "churn" / "modeling").mkdir(parents=True)
    source = tmp_path / "churn" / "modeling" / "features.py"
    source.write_text("a = 1\n")
    before = code_digest(tmp_path)
    source.write_text("a = 2\n")
    assert code_digest(tmp_path) != before
    assert code_digest() == code_digest() != before


# Who takes part


def test_every_baseline_gets_the_declared_sums() -> None:
    names = list(baselines(load_contract(), Params()))
    for kind in ("plain logreg with sums", "gradient boosting with sums", "histogram boosting with sums, tuned", OURS):
        assert kind in names


def test_only_some_take_part_and_a_name_that_is_none_is_an_error() -> None:
    entered = baselines(load_contract(), Params())
    assert list(choose(entered, ["(ours)", "histogram"])) == [name for name in entered if "histogram" in name or name == OURS]
    assert choose(entered, []) == entered
    with pytest.raises(InputError, match="--only catboost: in no baseline's name; there is dummy"):
        choose(entered, ["catboost"])


def test_explainable_boosting_takes_part_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Module:
        ExplainableBoostingClassifier = staticmethod(lambda **_: baselines_module.DummyClassifier())

    monkeypatch.setattr(baselines_module, "find_spec", lambda _: None)
    assert "explainable boosting (EBM)" not in baselines(load_contract(), Params())
    monkeypatch.setattr(baselines_module, "find_spec", lambda _: object())
    monkeypatch.setattr(baselines_module, "import_module", lambda _: Module)
    assert "explainable boosting (EBM)" in baselines(load_contract(), Params())


# The command


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks.model", *options])
    command.main()


def test_the_command_compares_on_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out" / "shop.json"
    options = [
        "--data",
        str(write_shop(tmp_path / "shop.csv")),
        "--folds",
        "3",
        "--repeats",
        "2",
        "--first",
        "4",
        "--out",
        str(out),
    ]
    run(monkeypatch, *options, "--only", "dummy", "--only", "plain")
    document = json.loads(out.read_text())
    assert {row["baseline"] for row in document["results"]} == {"dummy", "plain logreg"}
    assert len(document["scores"]) == 2 * document["scored_folds"] == 8
    assert set(METRICS) <= set(document["scores"][0])
    assert document["lead"] == []
    assert "Nadeau and Bengio" in document["intervals"]
    monkeypatch.setattr(command, "cross_validate", lambda *_, kept, **__: pd.DataFrame(kept._found.values()))
    run(monkeypatch, *options, "--only", "dummy")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--folds", "1"], "--folds 1: at least 2"),
        (["--repeats", "0"], "--repeats 0: at least 1"),
        (["--first", "1"], "--first 1: at least 2"),
        (["--folds", "59"], "--folds 59: one class has only"),
        (["--only", "catboost"], "--only catboost"),
    ],
)
def test_an_option_that_cannot_be_is_one_line(
    options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match=words):
        run(monkeypatch, "--data", str(write_shop(tmp_path / "s.csv")), *options, "--out", str(tmp_path / "o.json"))
