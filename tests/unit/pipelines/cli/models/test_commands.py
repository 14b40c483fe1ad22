"""`churn model …` on a registry in memory and a real store."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console
from sklearn.pipeline import Pipeline

from churn.contract import Contract
from churn.errors import ModelRefused, NoModel, NoVersion, RegistryError
from churn.lifecycle.actor import current_user
from churn.modeling.model import Model, ModelInfo, build_pipeline
from churn.simulation.simulate import simulate
from churn.store.records import Decision, DecisionAction, DecisionKind, Outcome, Prediction
from churn.store.shadow import ShadowRow
from churn.store.store import Store
from pipelines.cli import main
from pipelines.cli.models import commands as model

CARD = "# Model card: churn, version 2\n\n| a | b |\n| --- | --- |\n| [x] | y |\n"
Churn = Callable[..., str]


class Registry:
    """Versions 1 to 3; 2 has a card."""

    def __init__(self, contract: Contract) -> None:
        self.champion, self.previous = "1", "3"
        self.contract = contract
        self.tags: dict[str, Mapping[str, str]] = {}
        self.away = False
        self.spoiled = ""
        self.challenger: str | None = None

    def aliases(self) -> dict[str, str]:
        return {"champion": self.champion, **({"challenger": self.challenger} if self.challenger else {})}

    def challenge(self, version: str, /) -> str:
        self.challenger = version
        return version

    def end_challenge(self) -> str | None:
        ended, self.challenger = self.challenger, None
        return ended

    def champion_version(self) -> str:
        return self.champion

    def previous_version(self) -> str:
        if not self.previous:
            raise NoModel("there is no previous champion")
        return self.previous

    def tags_of(self, version: str, /) -> Mapping[str, str]:
        return self.tags.get(version, {})

    def version(self, version: str) -> str:
        return self.champion if version == "champion" else version

    def load(self, version: str) -> Model:
        number = self.version(version)
        if number == self.spoiled:
            raise ModelRefused(f"the artifact of version {number} is not the one that was registered: its hash differs")
        if number not in {"1", "2", "3"}:
            raise NoVersion(f"there is no version {version!r}")
        info = ModelInfo(
            name="churn",
            version=number,
            trained_at=datetime(2026, 1, 2, tzinfo=UTC),
            data_digest=f"{number}abcdef012345678",
            data_source="s",
            rows=10,
            contract=self.contract.name,
            contract_digest=self.contract.digest,
            reference_digest=f"{number}fedcba987654321",
            features=["customer_service_calls"],
            threshold=0.1642,
        )
        return Model(Pipeline([("none", "passthrough")]), info, CARD if number == "2" else "")

    def rolled_back_version(self) -> str | None:
        return None

    def promote(self, version: str, /, *, tags: Mapping[str, str], rolling_back: bool) -> str | None:
        if self.away:
            raise RegistryError("the registry did not answer")
        self.tags[version] = tags
        self.previous, self.champion = self.champion, version
        return self.previous


@pytest.fixture
def registry(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry(contract)
    monkeypatch.setattr(model, "open_registry", lambda: made)
    return made


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def churn(
    registry: Registry, store_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The command; gives what it printed, after checking its exit code."""
    monkeypatch.setenv("CHURN_STORE_URL", store_url)
    monkeypatch.delenv("CHURN_CONTRACT", raising=False)

    def run(*arguments: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["churn", "model", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main.main()
        said = capsys.readouterr()
        assert (exit_.value.code or 0) == code, said.err
        return said.out + said.err

    return run


def test_a_model_that_is_no_sum_of_terms_is_not_written_as_sql(churn: Churn) -> None:
    assert "version 2 cannot be written as SQL: it is no sum of terms" in churn("sql", "2", code=2)


def test_a_model_as_sql(churn: Churn, registry: Registry, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = build_pipeline(3, form="plain", contract=contract)
    drawn = simulate(contract, 200, seed=3)
    fitted.fit(drawn.features[contract.numeric_features], drawn.outcome)
    load = registry.load

    def loaded(version: str) -> Model:
        known = load(version)
        return Model(fitted, known.info.model_copy(update={"features": contract.numeric_features}), known.card)

    monkeypatch.setattr(registry, "load", loaded)
    said = churn("sql", "3", "--dialect", "duckdb", "--table", "people", "--key", "who", "--key", "at")
    with duckdb.connect() as warehouse:
        frame = drawn.features.assign(who="w", at=7)
        warehouse.register("people", frame)
        found = warehouse.execute(said).fetchdf()
    assert list(found.columns) == ["who", "at", "churn_probability", "churn", "threshold", "model_version"]
    assert set(found.model_version) == {"3"}
    own = fitted.predict_proba(drawn.features[contract.numeric_features])[:, 1]
    assert sorted(found.churn_probability) == pytest.approx(sorted(own), abs=1e-9)
    assert "--dialect klingon is not known" in churn("sql", "3", "--dialect", "klingon", code=2)


def history(churn: Churn, *arguments: object) -> list[dict[str, Any]]:
    return json.loads(churn("history", "--json", *arguments))  # type: ignore[no-any-return]


def test_a_promotion_by_hand_tells_who_when_which_and_why(churn: Churn) -> None:
    assert "version 2 is champion; it was 1" in churn("promote", "2", "--reason", "the gate was wrong")
    (done,) = history(churn)
    assert (done["kind"], done["action"], done["model_version"], done["reason"]) == (
        *("promotion", "promoted", "2", "the gate was wrong"),
    )
    assert done["actor"] == current_user()
    assert (datetime.now(UTC) - datetime.fromisoformat(done["decided_at"])).total_seconds() < 60
    evidence = done["evidence"]
    assert (evidence["replaced"], evidence["data_digest"]) == ("1", "2abcdef012345678")
    assert (evidence["reference_digest"], evidence["threshold"]) == ("2fedcba987654321", 0.1642)


def test_rolling_back_twice_undoes_the_first(churn: Churn, registry: Registry) -> None:
    churn("promote", "2", "--reason", "new")
    assert "version 1 is champion again; it was 2" in churn("rollback", "--reason", "complaints")
    assert "version 2 is champion again; it was 1" in churn("rollback", "--reason", "no, it was the weather")
    assert (registry.champion, registry.previous) == ("2", "1")
    assert [(d["kind"], d["model_version"], d["evidence"]["replaced"]) for d in history(churn)] == [
        ("rollback", "2", "1"),
        ("rollback", "1", "2"),
        ("promotion", "2", "1"),
    ]


def test_promoting_the_champion_says_so_and_leaves_no_record(churn: Churn) -> None:
    assert "champion already" in churn("promote", "1", "--reason", "x")
    assert history(churn) == []


def test_a_reason_is_asked_for(churn: Churn, registry: Registry) -> None:
    assert "--reason" in churn("promote", "2", code=2)
    assert "--reason" in churn("rollback", code=2)
    assert registry.champion == "1"


def test_what_is_not_there_is_not_promoted(churn: Churn, registry: Registry) -> None:
    assert "there is no version '9'" in churn("promote", "9", "--reason", "x", code=2)
    registry.previous = ""
    assert "no previous champion" in churn("rollback", "--reason", "x", code=1)
    assert history(churn) == []


def test_a_promotion_that_failed_is_in_the_history_too(churn: Churn, registry: Registry) -> None:
    registry.away = True
    churn("promote", "2", "--reason", "x", code=1)
    (failed,) = history(churn)
    assert (failed["action"], failed["evidence"]["error"]) == ("failed", "the registry did not answer")


def test_without_a_store_nobody_is_promoted(
    churn: Churn, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHURN_STORE_URL", f"sqlite:///{tmp_path / 'file'}/store.db")
    churn("promote", "2", "--reason", "x", code=1)
    assert registry.champion == "1"


def test_history_is_a_table_of_gate_and_people_newest_first(
    churn: Churn, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nothing was decided yet" in churn("history")
    store = Store.open(store_url)
    store.write_decision(
        Decision(DecisionKind.GATE, DecisionAction.REJECTED, "gate", "not [better] beyond chance", "3", {"data_digest": "d3"})
    )
    store.write_decision(Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "calm", "1"))
    churn("promote", "2", "--reason", "the gate was wrong")
    store.write_decision(Decision(DecisionKind.INTENT, DecisionAction.ROLLBACK, "ada@desk", "died", "3", {"replaced": "1"}))
    store.close()
    wide = Console(width=250, highlight=False, file=io.StringIO())
    monkeypatch.setattr(model, "console", wide)
    churn("history")
    shown = wide.file.getvalue()  # type: ignore[attr-defined]
    told = re.split(r"^ *\d{4}-\d\d-\d\d ", shown, flags=re.MULTILINE)[1:]
    made = ["promotion: promoted", "version 2", "instead of version 1", "2abcdef0", "0.1642", "2fedcba9", "the gate was wrong"]
    expected = (
        ["rollback: UNFINISHED", "ada@desk", "died"],
        [*made, current_user()],
        ["gate: rejected", "not [better] beyond chance"],
    )
    for one, words in zip(told, expected, strict=True):
        for word in words:
            assert word in one
    assert [d["kind"] for d in history(churn, "--limit", 2)] == ["intent", "promotion"]
    assert "--limit" in churn("history", "--limit", 0, code=2)


def test_show_tells_what_was_decided_about_the_version(churn: Churn) -> None:
    churn("promote", "2", "--reason", "the gate was wrong")
    churn("rollback", "--reason", "complaints")
    document = json.loads(churn("show", "2", "--json"))
    assert (document["version"], document["reference_digest"]) == ("2", "2fedcba987654321")
    assert [d["reason"] for d in document["decisions"]] == ["the gate was wrong"]
    shown = churn("show", "2")
    assert "0.1642" in shown
    assert "promotion" in shown
    assert json.loads(churn("show", "3", "--json"))["decisions"] == []


def test_a_challenger_is_named_and_ended(churn: Churn, registry: Registry) -> None:
    assert "there was no challenger" in churn("challenge", "--stop")
    assert "version 2 is the challenger" in churn("challenge", "2")
    assert registry.challenger == "2"
    assert "version 2 is no challenger any more" in churn("challenge", "--stop")
    assert registry.challenger is None


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        ((), "needs a version, or --stop", 2),
        (("2", "--stop"), "needs a version, or --stop", 2),
        (("1",), "cannot challenge itself", 2),
        (("9",), "there is no version '9'", 2),
    ],
)
def test_what_can_be_no_challenger_is_told(
    arguments: tuple[str, ...], words: str, code: int, churn: Churn, registry: Registry
) -> None:
    assert words in churn("challenge", *arguments, code=code)
    assert registry.challenger is None


def test_show_compares_a_challenger_with_who_answered(churn: Churn, store_url: str) -> None:
    assert json.loads(churn("show", "2", "--json"))["shadow"] is None
    store = Store.open(store_url)
    store.write_predictions([Prediction(f"p{n}", None, datetime.now(UTC), "1", 0.4, 0.5, False, {}) for n in range(4)])
    store.write_shadow([ShadowRow(f"p{n}", "2", 0.6, True, datetime.now(UTC)) for n in range(4)])
    assert "+0.2000" in churn("show", "2")
    store.write_outcomes([Outcome(True, datetime.now(UTC), "p1")])
    assert json.loads(churn("show", "2", "--json"))["shadow"]["labelled"] == 0
    assert "all 1 known outcomes are of customers who left" in churn("show", "2")
    store.write_outcomes([Outcome(False, datetime.now(UTC), "p2")])
    store.close()
    document = json.loads(churn("show", "2", "--json"))["shadow"]
    assert (document["n"], document["labelled"], document["disagreement_rate"]) == (4, 2, 1.0)
    assert (document["brier"], document["brier_champion"]) == (pytest.approx(0.26), pytest.approx(0.26))
    shown = churn("show", "2")
    assert "4 customers whom both answered" in shown
    for figure in ("100.00%", "0.2600"):
        assert figure in shown


def test_the_card_is_raw_in_a_pipe_and_on_demand_and_drawn_on_a_terminal(churn: Churn, monkeypatch: pytest.MonkeyPatch) -> None:
    assert churn("card", "2") == CARD
    terminal = Console(width=80, force_terminal=True, file=io.StringIO())
    monkeypatch.setattr(model, "console", terminal)
    assert churn("card", "2", "--raw") == CARD
    assert churn("card", "2") == ""
    drawn = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "Model card: churn, version 2" in drawn
    assert "| ---" not in drawn
    assert "[x]" in drawn


def test_a_version_without_a_card_gets_one_of_what_is_known(churn: Churn) -> None:
    said = churn("card")
    assert said.startswith("# Model card: churn, version 1\n")
    assert "Calls to customer service." in said
    assert "Not recorded." in said


def test_a_version_whose_artifact_is_refused_is_shown_all_the_same(churn: Churn, registry: Registry) -> None:
    churn("promote", "2", "--reason", "a whim")
    registry.spoiled = "2"
    shown = json.loads(churn("show", "champion", "--json"))
    assert (shown["version"], shown["promotion_reason"]) == ("2", "a whim")
    assert "its hash differs" in shown["refused"]
    assert [one["action"] for one in shown["decisions"]] == ["promoted"]
    assert "promotion_reason: a whim" in churn("show", "2")
