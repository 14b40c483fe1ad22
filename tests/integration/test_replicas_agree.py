"""Promise 5 with several replicas: a state machine draws what happens, in any order, and checks what must hold whatever happens.

Two workers of one home and a replica of its own; the registry away for all or for one; calls that hang (slow loads, late
answers); kills, of replicas and in the middle of moving the aliases; verdicts of probations that began long ago; rollbacks by
people, over HTTP and by command; promotions by flows, decided for a champion of some time ago. Checked:

- a rollback leaves the version that it was decided for, or does nothing;
- a version that was left is champion again, or served again, only after somebody said so;
- in the end the registry, each replica, and each disk agree, no request or intent is left, and each change has its record.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from churn.errors import ChurnError, StoreError
from churn.lifecycle import promotion
from churn.lifecycle.decision_log import MOVES, open_intents
from churn.registry.aliases import CHAMPION
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from service.rollout import activation, champion_follower, model_loads, rollback
from service.scoring.served_model import ServedModel
from tests.integration.replicas import DiedError, Home, MemoryRegistry, Replica, Scheduler, info_of

NUMBERS = st.integers(0, 2)
BREAKS = st.sampled_from(["before", "after rolled-back", "after previous", "after champion"])


class FaultyStore:
    """A real store that can be away."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.away = False
        self.lock = store.lock

    def write_decision(self, decision: Decision, /) -> None:
        self._check()
        self.store.write_decision(decision)

    def decisions(self, **asked: Any) -> list[Decision]:
        self._check()
        return self.store.decisions(**asked)

    def _check(self) -> None:
        if self.away:
            raise StoreError("the store is away")


class Replicas(RuleBasedStateMachine):
    template: Path
    runs = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).runs += 1
        self.folder = Path(mkdtemp())
        shutil.copy(self.template, self.folder / "store.db")
        self.opened = Store.open(f"sqlite:///{self.folder / 'store.db'}")
        self.store: Any = FaultyStore(self.opened)
        self.registry, self.scheduler = MemoryRegistry(), Scheduler()
        self.patch = pytest.MonkeyPatch()
        for module in (activation, champion_follower, model_loads, rollback):
            self.patch.setattr(module, "run_in_thread", self.scheduler.to_thread)
        shared, own = Home(), Home()
        self.homes = [shared, shared, own]
        self.replicas = [self.start(number) for number in range(3)]
        self.registered = 0
        self.seen_moves = 0
        self.left: set[str] = set()
        # Per replica: a version that it left, and how many changes of champion there had been by then.
        self.left_here: list[dict[str, int]] = [{}, {}, {}]
        self.verdicts: list[ServedModel | None] = [None, None, None]
        self.decided: list[tuple[str, str]] = []
        self.baselines: list[str | None] = []

    def start(self, number: int) -> Replica:
        replica = Replica(f"replica {number}", self.registry, self.store, self.homes[number], self.scheduler)
        activate = replica.active_model.activate

        def watched(served: ServedModel) -> None:
            before = replica.version
            activate(served)
            self.activated(number, before, served.version)

        replica.active_model.activate = watched  # type: ignore[method-assign]
        return replica

    def activated(self, number: int, before: str | None, version: str) -> None:
        here = self.left_here[number]
        if version in here:
            since = self.registry.moves[here[version] :]
            assert any(move.version == version for move in since), f"{version} is served again, and nobody has said so"
            del here[version]
        request = self.homes[number].requests.read()
        if request is not None and (before, version) == (request.leaving, request.version):
            here[request.leaving] = len(self.registry.moves)

    # --- what replicas do

    @rule(number=NUMBERS)
    def poll(self, number: int) -> None:
        self.replicas[number].poll()

    @rule(number=NUMBERS)
    def reload(self, number: int) -> None:
        self.left_here[number].clear()
        self.replicas[number].poll(insist=True)

    @precondition(lambda self: self.scheduler.calls)
    @rule(number=st.integers(0, 30))
    def one_call_returns(self, number: int) -> None:
        self.scheduler.pick(number)

    @precondition(lambda self: self.scheduler.calls)
    @rule()
    def all_calls_return(self) -> None:
        self.scheduler.finish()

    @rule(number=NUMBERS)
    def a_probation_test_begins(self, number: int) -> None:
        self.verdicts[number] = self.replicas[number].active_model.peek()

    @rule(number=NUMBERS)
    def a_probation_test_ends_badly(self, number: int) -> None:
        leaving = self.verdicts[number]
        if leaving is not None:
            self.replicas[number].roll_back(leaving, "probation", automatic=True)

    @rule(number=NUMBERS)
    def a_person_rolls_back(self, number: int) -> None:
        replica = self.replicas[number]
        leaving, target = replica.active_model.peek(), replica.active_model.previous
        if leaving is not None:
            if target is not None:
                self.left_here[number].pop(target.version, None)
            replica.roll_back(leaving, "person", automatic=False)

    @rule(number=NUMBERS)
    def kill_and_start_again(self, number: int) -> None:
        self.replicas[number].kill()
        self.verdicts[number] = None
        self.left_here[number] = {}
        self.replicas[number] = self.start(number)
        self.replicas[number].poll()

    @rule(number=NUMBERS, seconds=st.sampled_from([1.0, 400.0]))
    def time_passes(self, number: int, seconds: float) -> None:
        self.replicas[number].time += seconds

    # --- what flows and people do with the registry

    @initialize()
    def first_model(self) -> None:
        self.gate_decides()
        self.gate_promotes()

    @precondition(lambda self: not self.registry.away)
    @rule()
    def gate_decides(self) -> None:
        self.baselines.append(self.registry.named.get(CHAMPION))

    @precondition(lambda self: self.baselines)
    @rule()
    def gate_promotes(self) -> None:
        baseline = self.baselines.pop(0)
        self.registered += 1
        with self.whatever():
            promotion.promote(
                self.registry, self.store, info_of(str(self.registered)), actor="gate", reason="better", replacing=baseline
            )

    @rule(number=st.integers(1, 30))
    def a_person_promotes(self, number: int) -> None:
        with self.whatever():
            version = str(1 + number % max(1, self.registered))
            promotion.promote(self.registry, self.store, info_of(version), actor="person", reason="I know better")

    @rule()
    def a_person_decides_on_a_rollback(self) -> None:
        with self.whatever():
            self.decided.append((self.registry.champion_version(), promotion.rollback_version(self.registry, self.store)))

    @precondition(lambda self: self.decided)
    @rule()
    def a_person_rolls_back_by_command(self) -> None:
        leaving, target = self.decided.pop(0)
        with self.whatever():
            promotion.rollback(self.registry, self.store, info_of(target), leaving=leaving, actor="person", reason="complaints")

    @rule(where=BREAKS, dies=st.booleans())
    def the_next_move_breaks(self, where: Any, dies: bool) -> None:
        self.registry.breaks, self.registry.dies = where, dies

    @rule(away=st.booleans())
    def registry_for_all(self, away: bool) -> None:
        self.registry.away = away

    @rule(away=st.booleans())
    def store_for_all(self, away: bool) -> None:
        self.store.away = away

    @rule(number=NUMBERS, away=st.booleans())
    def registry_for_one(self, number: int, away: bool) -> None:
        self.replicas[number].source.away = away

    @contextmanager
    def whatever(self) -> Iterator[None]:
        with suppress(ChurnError, DiedError):
            yield

    # --- what must hold

    @invariant()
    def nobody_goes_back_to_what_was_left(self) -> None:
        for move in self.registry.moves[self.seen_moves :]:
            assert move.by == "person" or move.version not in self.left, f"{move} goes back to a version that was left"
            self.left.discard(move.version)
            if move.rolling_back and move.left is not None:
                self.left.add(move.left)
        self.seen_moves = len(self.registry.moves)

    def teardown(self) -> None:
        try:
            self.in_the_end()
        finally:
            self.scheduler.close()
            self.patch.undo()
            self.opened.close()
            shutil.rmtree(self.folder)

    def in_the_end(self) -> None:
        self.registry.away = self.store.away = False
        self.registry.breaks = ""
        for replica in self.replicas:
            replica.source.away = False
        self.scheduler.finish()
        for _ in range(3):
            for replica in self.replicas:
                replica.time += 1_000
                replica.poll()
                self.scheduler.finish()
        self.nobody_goes_back_to_what_was_left()
        promotion.reconcile(self.registry, self.store, actor="the end")
        champion = self.registry.named.get(CHAMPION)
        assert [replica.version for replica in self.replicas] == [champion] * 3
        assert [home.requests.read() for home in self.homes] == [None] * 3
        if champion is not None:
            assert {home.kept.version for home in self.homes if home.kept is not None} == {champion}
        assert open_intents(self.store) == []
        recorded = self.opened.decisions(kind=MOVES, limit=1_000)[::-1]
        assert [one.model_version for one in recorded] == [move.version for move in self.registry.moves]
        assert [one.evidence["replaced"] for one in recorded] == [move.left for move in self.registry.moves]
        for one in recorded:
            if one.kind == DecisionKind.ROLLBACK:
                assert one.evidence["leaving"] == one.evidence["replaced"], "it was decided for another version"
            if one.actor == "probation":
                assert (one.action, one.evidence["errors"]) == (DecisionAction.ROLLED_BACK, 20)


def run(tmp_path: Path, examples: int, steps: int) -> None:
    Replicas.template = tmp_path / "template.db"
    Store.open(f"sqlite:///{Replicas.template}").close()
    Replicas.runs = 0
    run_state_machine_as_test(
        Replicas,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            # Not `explain`: it traces every line, and takes minutes.
            phases=(Phase.generate, Phase.shrink),
        ),
    )
    assert Replicas.runs >= examples


def test_replicas_agree_with_the_registry_and_nobody_goes_back_unasked(tmp_path: Path) -> None:
    run(tmp_path, examples=40, steps=30)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_replicas_agree_in_many_more_runs(tmp_path: Path) -> None:
    run(tmp_path, examples=1_500, steps=60)
