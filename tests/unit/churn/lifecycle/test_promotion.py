from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from churn.errors import ChampionChanged, NoModel, RegistryError, StoreError
from churn.lifecycle import promotion
from churn.lifecycle.actor import current_user
from churn.lifecycle.decision_log import drop_closed_intents, open_intents
from churn.modeling.model import ModelInfo
from churn.store.records import Decision, DecisionAction, DecisionKind


def info(version: str) -> ModelInfo:
    return ModelInfo(
        name="churn",
        version=version,
        run_id=f"run-{version}",
        trained_at=datetime(2026, 1, 2, tzinfo=UTC),
        data_digest=f"data-{version}",
        data_source="s",
        rows=10,
        contract="telecom",
        contract_digest="c",
        reference_digest=f"reference-{version}",
        features=["a"],
        threshold=0.25,
    )


class Aliases:
    """Aliases as in the registry. `breaks` says where a move fails; `away` that it cannot be asked afterwards."""

    def __init__(self, champion: str | None = None, previous: str | None = None) -> None:
        self.champion, self.previous = champion, previous
        self.rolled_back: str | None = None
        self.tags: dict[str, dict[str, str]] = {}
        self.breaks = ""
        self.away = False

    def champion_version(self) -> str:
        if self.away:
            raise RegistryError("the registry is away")
        if self.champion is None:
            raise NoModel("there is none")
        return self.champion

    def previous_version(self) -> str:
        if self.previous is None:
            raise NoModel("there is none")
        return self.previous

    def tags_of(self, version: str, /) -> Mapping[str, str]:
        return self.tags.get(version, {})

    def rolled_back_version(self) -> str | None:
        return self.rolled_back

    def restore(self, previous: str | None, rolled_back: str | None) -> None:
        self.previous, self.rolled_back = previous, rolled_back

    def promote(self, version: str, /, *, tags: Mapping[str, str], rolling_back: bool) -> str | None:
        if self.breaks == "before":
            raise RegistryError("the registry did not answer")
        self.tags[version] = dict(tags)
        self.rolled_back = self.champion if rolling_back else None
        if self.breaks == "between":
            self.previous = self.champion
            raise RegistryError("the registry did not answer")
        self.previous, self.champion = self.champion, version
        if self.breaks == "after":
            raise RegistryError("the answer was lost")
        return self.previous


class Log:
    def __init__(self) -> None:
        self.written: list[Decision] = []
        self.writes_left = 100
        self.locked = False

    @contextmanager
    def lock(self, name: str, holder: str, /, *, timeout_seconds: float) -> Iterator[None]:
        assert (name, timeout_seconds > 0) == ("promotion", True)
        assert not self.locked, "it waits for its own lock"
        self.locked = True
        try:
            yield
        finally:
            self.locked = False

    def write_decision(self, decision: Decision, /) -> None:
        if self.writes_left == 0:
            raise StoreError("the store is away")
        self.writes_left -= 1
        self.written.insert(0, decision)

    def decisions(self, *, kind: tuple[str, ...], limit: int) -> list[Decision]:
        return [d for d in self.written if d.kind in kind][:limit]

    def entries(self) -> list[tuple[str, str, str | None]]:
        return [(d.kind, d.action, d.model_version) for d in reversed(self.written)]


def promote(aliases: Aliases, log: Log, version: str, **more: Any) -> str | None:
    return promotion.promote(aliases, log, info(version), actor="ada@desk", reason="a whim", **more)


def rollback(aliases: Aliases, log: Log, **more: Any) -> str | None:
    leaving, target = aliases.champion_version(), promotion.rollback_version(aliases, log)
    return promotion.rollback(aliases, log, info(target), **{"leaving": leaving, "actor": "ada@desk", "reason": "regret", **more})


def test_a_promotion_tells_who_when_which_instead_of_which_and_why() -> None:
    aliases, log = Aliases("1"), Log()
    assert promote(aliases, log, "2", evidence={"checks": {"better": True}}) == "1"
    done = log.written[0]
    assert (done.kind, done.action, done.actor, done.reason, done.model_version) == (
        *("promotion", "promoted", "ada@desk", "a whim", "2"),
    )
    assert done.decided_at.tzinfo is not None
    expected = {
        "replaced": "1",
        "run_id": "run-2",
        "data_digest": "data-2",
        "reference_digest": "reference-2",
        "threshold": 0.25,
        "checks": {"better": True},
    }
    assert {name: done.evidence[name] for name in expected} == expected
    assert log.entries() == [("intent", "promotion", "2"), ("promotion", "promoted", "2")]
    assert done.evidence["intent"] == log.written[1].decision_id


def test_the_version_carries_tags_that_lead_to_the_record() -> None:
    aliases, log = Aliases(), Log()
    assert promote(aliases, log, "1") is None
    assert log.written[0].evidence["replaced"] is None
    tags = aliases.tags["1"]
    assert (tags["promoted_by"], tags["promotion_reason"]) == ("ada@desk", "a whim")
    assert tags["promotion_intent"] == log.written[0].evidence["intent"]
    assert datetime.fromisoformat(tags["promoted_at"]) <= datetime.now(UTC)


def test_rolling_back_twice_undoes_the_first() -> None:
    aliases, log = Aliases(), Log()
    for version in ("A", "B"):
        promote(aliases, log, version)
    assert rollback(aliases, log) == "B"
    assert (aliases.champion, aliases.previous) == ("A", "B")
    assert rollback(aliases, log) == "A"
    assert (aliases.champion, aliases.previous) == ("B", "A")
    assert [entry for entry in log.entries() if entry[0] == "rollback"] == [
        ("rollback", "rolled back", "A"),
        ("rollback", "rolled back", "B"),
    ]
    assert open_intents(log) == []


def test_promoting_the_champion_changes_nothing_and_leaves_no_record() -> None:
    aliases, log = Aliases("1", "0"), Log()
    assert promote(aliases, log, "1") == "1"
    assert (aliases.champion, aliases.previous, log.written) == ("1", "0", [])


def test_without_the_store_nobody_moves() -> None:
    aliases, log = Aliases("1"), Log()
    log.writes_left = 0
    with pytest.raises(StoreError):
        promote(aliases, log, "2")
    assert aliases.champion == "1"


def test_a_move_that_fails_is_written_down_as_failed() -> None:
    aliases, log = Aliases("1"), Log()
    aliases.breaks = "before"
    with pytest.raises(RegistryError, match="did not answer"):
        promote(aliases, log, "2")
    assert log.entries() == [("intent", "promotion", "2"), ("intent", "failed", "2")]
    assert "did not answer" in log.written[0].evidence["error"]
    assert open_intents(log) == []


def test_a_move_whose_answer_was_lost_is_written_down_as_done() -> None:
    aliases, log = Aliases("1"), Log()
    aliases.breaks = "after"
    assert promote(aliases, log, "2") == "1"
    assert log.entries()[-1] == ("promotion", "promoted", "2")


def test_where_the_registry_cannot_tell_the_intent_stays_open() -> None:
    aliases, log = Aliases("1"), Log()

    class Dies(Aliases):
        def promote(self, version: str, /, *, tags: Mapping[str, str], rolling_back: bool) -> str | None:
            self.away = True
            raise RegistryError("the registry did not answer")

    with pytest.raises(RegistryError):
        promote(Dies("1"), log, "2")
    assert log.entries() == [("intent", "promotion", "2")]
    assert [d.model_version for d in open_intents(log)] == ["2"]
    assert aliases.champion == "1"


def test_a_death_between_alias_and_record_is_seen_and_healed_by_trying_again() -> None:
    aliases, log = Aliases("1"), Log()
    log.writes_left = 1
    with pytest.raises(StoreError):
        promote(aliases, log, "2")
    assert aliases.champion == "2"
    (intent,) = open_intents(log)
    log.writes_left = 100
    assert promote(aliases, log, "2") == "1"
    assert log.entries() == [("intent", "promotion", "2"), ("promotion", "promoted", "2")]
    assert log.written[0].evidence["intent"] == intent.decision_id
    assert open_intents(log) == []
    assert promote(aliases, log, "2") == "2"


def test_a_rollback_that_died_before_its_record_is_completed_and_not_undone() -> None:
    aliases, log = Aliases("B", "A"), Log()
    log.writes_left = 1
    with pytest.raises(StoreError):
        rollback(aliases, log)
    log.writes_left = 100
    assert rollback(aliases, log) == "B"
    assert (aliases.champion, aliases.previous) == ("A", "B")
    assert log.entries() == [("intent", "rollback", "A"), ("rollback", "rolled back", "A")]


def test_the_next_promotion_records_the_last_one() -> None:
    aliases, log = Aliases("1"), Log()
    log.writes_left = 1
    with pytest.raises(StoreError):
        promote(aliases, log, "2")
    log.writes_left = 100
    assert promote(aliases, log, "3") == "2"
    assert log.entries()[1:] == [("promotion", "promoted", "2"), ("intent", "promotion", "3"), ("promotion", "promoted", "3")]


def test_an_intent_that_never_moved_anything_is_never_called_done() -> None:
    aliases, log = Aliases("1"), Log()
    log.write_decision(Decision(DecisionKind.INTENT, DecisionAction.PROMOTION, "gate", "died at once", "2", {"replaced": "1"}))
    promote(aliases, log, "2")
    promote(aliases, log, "3")
    assert [d.actor for d in log.written if d.kind == DecisionKind.PROMOTION] == ["ada@desk", "ada@desk"]
    assert [(d.actor, d.evidence["error"]) for d in log.written if d.action == DecisionAction.FAILED] == [
        ("gate", "its process ended before the champion changed")
    ]
    assert open_intents(log) == []


def test_an_intent_of_a_dead_process_is_reconciled_without_another_promotion() -> None:
    aliases, log = Aliases("1"), Log()
    assert promotion.reconcile(aliases, log, actor="train") == []
    log.writes_left = 1
    with pytest.raises(StoreError):
        promote(aliases, log, "2")
    log.writes_left = 100
    (done,) = promotion.reconcile(aliases, log, actor="train")
    assert (done.kind, done.action, done.actor, done.model_version) == (
        DecisionKind.PROMOTION,
        DecisionAction.PROMOTED,
        "ada@desk",
        "2",
    )
    assert promotion.reconcile(aliases, log, actor="train") == []


@pytest.mark.parametrize("before", ["0", None])
def test_a_move_that_broke_off_in_the_middle_leaves_the_way_back_as_it_was(before: str | None) -> None:
    aliases, log = Aliases("1", before), Log()
    aliases.breaks = "between"
    with pytest.raises(RegistryError):
        promote(aliases, log, "2")
    assert (aliases.champion, aliases.previous) == ("1", before)

    log.writes_left, aliases.away = 1, False

    class Died(Exception):
        pass

    class Dies(Aliases):
        def promote(self, version: str, /, *, tags: Mapping[str, str], rolling_back: bool) -> str | None:
            self.previous = self.champion
            raise Died

    died = Dies("1", before)
    with pytest.raises(Died):
        promote(died, log, "2")
    log.writes_left = 100
    assert [one.action for one in promotion.reconcile(died, log, actor="train")] == ["failed"]
    assert (died.champion, died.previous) == ("1", before)


def test_a_rollback_is_judged_by_what_is_left_of_a_promotion_that_died() -> None:
    class Dies(Aliases):
        def promote(self, version: str, /, *, tags: Mapping[str, str], rolling_back: bool) -> str | None:
            self.rolled_back = None
            raise SystemError

    # Version 2 was left for version 1; a promotion of version 3 died when it had taken that mark away.
    aliases, log = Dies("1", "2"), Log()
    aliases.rolled_back = "2"
    with pytest.raises(SystemError):
        promote(aliases, log, "3")
    with pytest.raises(ChampionChanged, match="only a person takes it again"):
        promotion.rollback(aliases, log, info("2"), leaving="1", actor="probation", reason="errors", automatic=True)
    assert (aliases.champion, aliases.previous, aliases.rolled_back) == ("1", "2", "2")
    assert open_intents(log) == []


def test_only_the_version_that_was_compared_is_replaced() -> None:
    aliases, log = Aliases("2"), Log()
    with pytest.raises(ChampionChanged, match="version 2 is champion by now, and no longer 1; version 3 was not promoted"):
        promote(aliases, log, "3", replacing="1")
    with pytest.raises(ChampionChanged):
        promote(aliases, log, "3", replacing=None)
    assert (aliases.champion, log.written) == ("2", [])
    assert promote(aliases, log, "3", replacing="2") == "2"
    assert promote(aliases, log, "3", replacing="2") == "3", "it is champion already"


def test_without_a_previous_champion_there_is_no_way_back() -> None:
    for aliases in (Aliases(), Aliases("1")):
        with pytest.raises(NoModel):
            rollback(aliases, Log())


def test_history_shows_one_record_for_one_promotion() -> None:
    aliases, log = Aliases(), Log()
    promote(aliases, log, "1")
    promote(aliases, log, "2")
    assert [d.kind for d in drop_closed_intents(log.written)] == ["promotion", "promotion"]


def test_an_actor_fits_its_column() -> None:
    aliases, log = Aliases(), Log()
    promotion.promote(aliases, log, info("1"), actor="a" * 300, reason="r")
    assert len(log.written[0].actor) == 128


def test_a_person_is_user_and_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    assert current_user() == f"ada@{socket.gethostname()}"

    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert current_user().startswith("uid ")


def test_a_rollback_acts_on_the_version_it_was_decided_for_or_not_at_all() -> None:
    aliases, log = Aliases("2", previous="1"), Log()
    with pytest.raises(ChampionChanged, match="version 2 is champion by now"):
        rollback(aliases, log, leaving="3")
    aliases.champion, aliases.previous = "2", "0"
    with pytest.raises(ChampionChanged, match="version 1 is not the champion before version 2"):
        promotion.rollback(aliases, log, info("1"), leaving="2", actor="probation", reason="slow")
    assert (aliases.champion, aliases.previous, log.written) == ("2", "0", [])


def test_only_a_person_takes_a_version_again_that_was_left() -> None:
    aliases, log = Aliases("2", previous="1"), Log()
    rollback(aliases, log, evidence={"errors": 20}, automatic=True)
    assert log.written[0].evidence["errors"] == 20
    with pytest.raises(ChampionChanged, match="only a person takes it again"):
        rollback(aliases, log, automatic=True)
    assert (aliases.champion, aliases.rolled_back) == ("1", "2")
    promote(aliases, log, "3")
    assert aliases.rolled_back is None
    rollback(aliases, log, automatic=True)
    assert (aliases.champion, aliases.rolled_back) == ("1", "3")
    rollback(aliases, log)
    assert (aliases.champion, aliases.rolled_back) == ("3", "1")


def test_a_request_whose_answer_was_lost_is_not_carried_out_again_after_a_person_decided_otherwise() -> None:
    aliases, log = Aliases("2", previous="1"), Log()
    rollback(aliases, log, automatic=True, request_id="r-1")
    promote(aliases, log, "2")
    with pytest.raises(ChampionChanged, match="was done before, and version 2 was promoted since"):
        rollback(aliases, log, automatic=True, request_id="r-1")
    assert aliases.champion == "2"
    rollback(aliases, log, automatic=True, request_id="r-2")
    assert aliases.champion == "1", "another verdict is another request"
