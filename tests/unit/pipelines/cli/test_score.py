"""`churn score`: which model answers, what is told, and how it ends. (Scoring itself: tests/unit/churn/batch.)"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from churn.batch.answer_file import Done
from churn.batch.log import Logged
from churn.batch.plan import Terms
from churn.batch.run import Summary
from churn.config.settings import Settings
from churn.contract import Contract
from churn.errors import NoModel, RegistryError
from pipelines import scoring as scoring_module
from pipelines.scoring import find_scorer
from service.model_loading.registry_source import RegistrySource
from tests.integration.files_to_score import write_folder
from tests.unit.pipelines.cli.command import Churn, assert_one_line
from tests.unit.service.fakes import make_model, served_model

SUMMARY = Summary("out", "3", "run-1", "k", files=1, parts=4, kept=0, rows=1_200, rejected=0, churn=100)


class Registry:
    """Stands for the registry: its aliases and models, or away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.named, self.away, self.saved = {"champion": "3"}, False, list[str]()
        self.last: Any = None
        self.asked: list[Any] = []
        for name in ("aliases", "load", "save_last_known_good", "load_last_known_good"):
            monkeypatch.setattr(RegistrySource, name, self._method(name))

    def _method(self, name: str) -> Any:
        def method(_source: RegistrySource, *given: Any) -> Any:
            if self.away and name in ("aliases", "load"):
                raise RegistryError("the registry is away")
            self.asked.append((name, *given))
            if name == "load":
                return served_model(make_model(given[0]), "registry")
            if name == "save_last_known_good":
                return self.saved.append(given[0].version)
            return {"aliases": self.named, "load_last_known_good": self.last}[name]

        return method


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    return Registry(monkeypatch)


def find(tmp_path: Path, contract: Contract, version: str = "champion") -> Any:
    return find_scorer(Settings(home=tmp_path, model_name="named"), contract, version)


def test_the_champion_is_loaded_and_kept_as_last_known_good(registry: Registry, tmp_path: Path, contract: Contract) -> None:
    scorer = find(tmp_path, contract)
    model = make_model("3")
    assert registry.saved == ["3"]
    assert (scorer.model.name, scorer.model.version, scorer.model.run_id) == ("named", "3", model.info.run_id)
    assert (scorer.model.threshold, scorer.model.contract) == (model.info.threshold, contract)
    assert scorer.model.compiled is not None


@pytest.mark.parametrize("asked", ["2", "challenger"])
def test_another_version_or_alias_is_loaded_and_not_kept(
    registry: Registry, tmp_path: Path, contract: Contract, asked: str
) -> None:
    registry.named["challenger"] = "2"
    assert find(tmp_path, contract, asked).model.version == "2"
    assert registry.saved == []


def test_without_a_champion_that_is_said_whatever_is_on_disk(registry: Registry, tmp_path: Path, contract: Contract) -> None:
    registry.named, registry.last = {}, served_model(make_model("1"), "disk")
    with pytest.raises(NoModel, match="there is no champion: train one with churn train, or promote"):
        find(tmp_path, contract)


@pytest.mark.parametrize("asked", ["champion", "3"])
def test_the_last_known_good_model_answers_loudly_while_the_registry_is_away(
    registry: Registry, tmp_path: Path, contract: Contract, capsys: pytest.CaptureFixture[str], asked: str
) -> None:
    registry.away, registry.last = True, served_model(make_model("3"), "disk")
    assert find(tmp_path, contract, asked).model.version == "3"
    assert registry.asked == [("load_last_known_good", True)]
    said = " ".join(capsys.readouterr().err.split())
    assert said == "the registry is away scoring with the last known good model, version 3, which may not lead any more"


@pytest.mark.parametrize(("asked", "last"), [("2", "3"), ("champion", None)])
def test_no_other_model_answers_for_one_that_was_asked_for(
    registry: Registry, tmp_path: Path, contract: Contract, asked: str, last: str | None
) -> None:
    registry.away, registry.last = True, last and served_model(make_model(last), "disk")
    with pytest.raises(RegistryError, match="the registry is away"):
        find(tmp_path, contract, asked)


@pytest.fixture
def scoring(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands for the scoring: notes what it is asked for, and gives a summary or fails."""
    state = SimpleNamespace(asked=[], models=[], summary=SUMMARY, interrupted=False, threads=[])

    def into(kind: str) -> Any:
        def score(*given: Any, overwrite: bool, on_plan: Any, on_part: Any, log: Any) -> Summary:
            state.asked.append((kind, *given, overwrite))
            state.log = log
            on_plan(SimpleNamespace(rows=10, parts=[1]), [])
            on_part(Done("f", 10, 0, 1))
            if state.interrupted:
                raise KeyboardInterrupt
            found: Summary = state.summary
            return found

        return score

    def find(_settings: Any, _contract: Any, version: str, *, segment: bool) -> str:
        state.models.append(version)
        state.segment = segment
        return "scorer"

    monkeypatch.setattr("churn.batch.run.score_folder", into("folder"))
    monkeypatch.setattr("churn.batch.single_file.score_file", into("file"))
    monkeypatch.setattr("churn.batch.run.on_threads", lambda threads: state.threads.append(threads) or "here")
    monkeypatch.setattr(scoring_module, "find_scorer", find)
    return state


def test_a_folder_is_scored_here_by_the_champion_unless_told_otherwise(churn: Churn, scoring: SimpleNamespace) -> None:
    said = churn("score", "in", "out")
    assert (said.code, said.err) == (0, "")
    assert said.out == "1,200 customers scored by version 3, 100 predicted to churn: out\n"
    assert scoring.asked == [("folder", "scorer", Path("in"), Path("out"), Terms("stop", False), "here", False)]
    assert (scoring.models, scoring.threads, scoring.segment) == (["champion"], [None], False)


def test_segments_are_named_where_they_are_asked_for(churn: Churn, scoring: SimpleNamespace) -> None:
    assert churn("score", "in", "out", "--segment").code == 0
    assert scoring.segment is True


def test_every_option_arrives(churn: Churn, scoring: SimpleNamespace) -> None:
    said = churn(
        "score", "in", "x.csv", "--model", "2", "--invalid", "skip", "--allow-absent", "--overwrite", "--threads", 3, "--json"
    )
    assert scoring.asked == [("file", "scorer", Path("in"), Path("x.csv"), Terms("skip", True), "here", True)]
    assert (scoring.models, scoring.threads) == (["2"], [3])
    assert said.json == {**vars(SUMMARY), "scored": 1_200}


MOMENT = datetime(2026, 2, 28, 23, tzinfo=UTC)


def test_what_is_logged_goes_to_the_store_of_the_settings_under_pseudonyms(
    churn: Churn, scoring: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHURN_STORE_URL", f"sqlite:///{tmp_path / 'named.db'}")
    monkeypatch.setenv("CHURN_PSEUDONYM_KEY", "k" * 16)
    churn("score", "in", "out", "--log", "--as-of", "2026-03-01T00:00+01:00")
    assert scoring.log.as_of == MOMENT
    assert scoring.log.store.engine.url.database == str(tmp_path / "named.db")
    assert scoring.log.pseudonym("c-1").startswith("p:")
    monkeypatch.delenv("CHURN_PSEUDONYM_KEY")
    churn("score", "in", "out", "--log", "--as-of", "2026-02-28T23:00")
    assert (scoring.log.as_of, scoring.log.pseudonym) == (MOMENT, None)
    churn("score", "in", "out")
    assert scoring.log is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--log", "--as-of", "yesterday"), "--as-of 'yesterday' is no date, such as 2026-03-31"),
        (("--as-of", "2026-02-28"), "--as-of is for --log"),
        (("--log", "--as-of", "9000-01-01"), "--as-of 9000-01-01 is in the future"),
    ],
)
def test_a_moment_that_is_none_is_refused(churn: Churn, scoring: SimpleNamespace, words: tuple[str, ...], said: str) -> None:
    assert_one_line(churn("score", "in", "out", *words), 2, said)
    assert scoring.asked == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (1_200, "1,200 predictions logged as of 2026-02-28 23:00:00 UTC"),
        (200, "1,200 predictions logged as of 2026-02-28 23:00:00 UTC: 200 now, the others by a run that was stopped"),
        (0, "1,200 predictions were logged before, as of 2026-02-28 23:00:00 UTC; nothing was added"),
    ],
)
def test_what_was_logged_is_said(churn: Churn, scoring: SimpleNamespace, written: int, said: str) -> None:
    scoring.summary = replace(SUMMARY, logged=Logged(1_200, written, MOMENT))
    assert churn("score", "in", "out", "--log").out.splitlines()[1:] == [said]
    found = churn("score", "in", "out", "--log", "--json").json["logged"]
    assert found == {"rows": 1_200, "written": written, "requested_at": "2026-02-28T23:00:00+00:00"}


def test_what_was_set_apart_or_there_already_is_said(churn: Churn, scoring: SimpleNamespace) -> None:
    scoring.summary = Summary("out [x]", "3", "r", "k", files=1, parts=4, kept=3, rows=1_200, rejected=1_000, churn=1)
    assert churn("score", "in", "out").out == (
        "200 customers scored by version 3, 1 predicted to churn, 1,000 set apart: out [x] (3 of 4 parts were there)\n"
    )


def test_an_interruption_says_that_it_goes_on_from_there(churn: Churn, scoring: SimpleNamespace) -> None:
    scoring.interrupted = True
    assert_one_line(churn("score", "in", "out"), 130, "what is finished stays, and the same command goes on from there")


def test_a_scheduler_is_connected_to_for_the_time_of_the_run(
    churn: Churn, scoring: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def connected(address: str) -> Iterator[str]:
        yield f"client of {address}"

    monkeypatch.setattr("pipelines.flows.dask_cluster.connected", connected)
    monkeypatch.setattr("pipelines.flows.dask_cluster.on_cluster", lambda client: f"run by {client}")
    churn("score", "in", "out", "--scheduler", "tcp://x")
    assert scoring.asked[0][5] == "run by client of tcp://x"


def test_real_files_are_scored_by_a_real_model(churn: Churn, registry: Registry, tmp_path: Path) -> None:
    write_folder(tmp_path / "in", parts=2, rows=40)
    told = churn("score", "in", "out", "--json").json
    assert (told["scored"], told["parts"], told["model_version"]) == (80, 2, "3")
    assert (tmp_path / "out" / "_SUCCESS").exists()
