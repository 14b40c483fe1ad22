"""Promise 5 with several replicas: a state machine draws what happens, in any order, and checks what must hold whatever happens.

Every run begins with a second champion that all replicas serve, so that there is something to roll back. Then: two workers of one
home and a replica of its own; now and then the registry away, for all or for one; calls that hang (slow loads, late answers);
kills, of replicas and in the middle of moving the aliases; verdicts of probations that began long ago; rollbacks by people, over
HTTP and by command; promotions by flows, decided for a champion of some time ago. Checked:

- a rollback leaves the version that it was decided for, or does nothing;
- a version that was left is champion again, or served again, only after somebody said so;
- in the end the registry, each replica, and each disk agree, no request or intent is left, and each change has its record;
- over all runs, each kind of event happened often enough for this to mean anything.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from churn.errors import ChurnError
from churn.lifecycle import promotion
from churn.lifecycle.decision_log import MOVES, open_intents
from churn.registry.aliases import CHAMPION, PREVIOUS, ROLLED_BACK
from churn.store.records import DecisionAction, DecisionKind
from churn.store.store import Store
from service.rollout import activation, champion_follower, model_loads, rollback
from service.scoring.served_model import ServedModel
from tests.integration.faulty_registry import DiedError, FaultyStore, MemoryRegistry
from tests.integration.replicas import Home, Replica, Scheduler, info_of

NUMBERS = st.integers(0, 2)
BREAKS = st.sampled_from(["before", "after rolled-back", "after previous", "after champion"])
# An outage is one draw in eight of its rule; any other ends it.
Kept = TypeVar("Kept")
SELDOM = st.integers(0, 7).map(lambda drawn: drawn == 7)


class Replicas(RuleBasedStateMachine):
    template: Path
    runs = 0
    happened: ClassVar[Counter[str]] = Counter()

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
        # Per replica, which versions its home was asked to leave.
        self.asked: list[set[str]] = [(of_shared := set()), of_shared, set()]
        self.automatic = 0
        self.reloads: list[asyncio.Task[Any] | None] = [None] * 3
        self.verdicts: list[ServedModel | None] = [None, None, None]
        self.decided: list[tuple[str, str]] = []
        self.baselines: list[str | None] = []

    def start(self, number: int) -> Replica:
        replica = Replica(f"replica {number}", self.registry, self.store, self.homes[number], self.scheduler)
        activate, show = replica.activation.activate, replica.active_model.activate
        result = ""

        def noted(served: ServedModel, of_activation: str) -> None:
            nonlocal result
            result = of_activation
            activate(served, of_activation)
            result = ""

        def watched(served: ServedModel) -> None:
            before = replica.version
            show(served)
            self.activated(number, before, served.version, result)

        replica.activation.activate = noted  # type: ignore[method-assign]
        replica.active_model.activate = watched  # type: ignore[method-assign]
        return replica

    def activated(self, number: int, before: str | None, version: str, result: str) -> None:
        self.happened["follow-ups"] += before is not None and before != version
        here = self.left_here[number]
        if version in here:
            since = self.registry.moves[here[version] :]
            # Or others have decided before the registry learnt of it: then it never does.
            overtaken = since and not any(move.rolling_back and move.left == version for move in since)
            said = any(move.version == version for move in since)
            assert overtaken or said, f"{version} is served again, and nobody has said so"
            del here[version]
        if result == "rolled back":
            assert before in self.asked[number], f"nobody asked to leave {before} for {version}"
            self.leaves(number, before, version)

    def of_home(self, number: int, kept: list[Kept]) -> list[Kept]:
        """Return what is kept of each replica that shares its home with this one."""
        return [one for home, one in zip(self.homes, kept, strict=True) if home is self.homes[number]]

    def leaves(self, number: int, version: str, target: str) -> None:
        """Note that a replica does not serve a version any more, unless the registry or a person is going to refuse that."""
        if any(reload is not None and not reload.done() for reload in self.of_home(number, self.reloads)):
            return
        if open_intents(self.opened):
            return  # of a move that died: what the registry says now is going to be put back
        named = self.registry.named
        if (named.get(CHAMPION), named.get(PREVIOUS)) == (version, target) != (version, named.get(ROLLED_BACK)):
            self.left_here[number][version] = len(self.registry.moves)

    def rolls_back(self, number: int, leaving: ServedModel, actor: str) -> None:
        replica = self.replicas[number]
        before, target = replica.active_model.peek(), replica.active_model.previous
        if before is None or before.version != leaving.version or target is None:
            replica.roll_back(leaving, actor, automatic=actor != "person")
            assert replica.active_model.peek() is before, f"it was decided for {leaving.version}"
            return
        aliases = replica.follower.aliases
        if aliases.get(CHAMPION) == before.version:
            assert aliases.get(PREVIOUS) in (None, target.version), "it would go back to one that it happens to know"
        self.asked[number].add(before.version)
        self.automatic += actor != "person"
        if actor == "person":
            for here in self.left_here:
                here.pop(target.version, None)
        replica.roll_back(leaving, actor, automatic=actor != "person")

    # --- what replicas do

    @rule(number=NUMBERS)
    def poll(self, number: int) -> None:
        self.replicas[number].poll()

    @rule(number=NUMBERS)
    def reload(self, number: int) -> None:
        # A person asks for what the registry names, whatever these workers have left, or are about to leave.
        for here in self.of_home(number, self.left_here):
            here.clear()
        self.replicas[number].poll(insist=True)
        self.reloads[number] = self.replicas[number].tasks[-1]

    @precondition(lambda self: self.scheduler.calls)
    @rule(number=st.integers(0, 30), late=st.booleans())
    def one_call_returns(self, number: int, late: bool) -> None:
        self.scheduler.pick(number, late=late)

    @precondition(lambda self: self.scheduler.calls)
    @rule()
    def all_calls_return(self) -> None:
        self.scheduler.finish()

    @rule(number=NUMBERS)
    def a_probation_test_begins(self, number: int) -> None:
        self.verdicts[number] = self.replicas[number].active_model.peek()

    @rule(number=NUMBERS)
    def a_probation_test_ends_badly_at_once(self, number: int) -> None:
        self.a_probation_test_begins(number)
        self.a_probation_test_ends_badly(number)

    @rule(number=NUMBERS)
    def a_probation_test_ends_badly(self, number: int) -> None:
        leaving = self.verdicts[number]
        if leaving is not None:
            self.rolls_back(number, leaving, "probation")

    @rule(number=NUMBERS)
    def a_person_rolls_back(self, number: int) -> None:
        replica = self.replicas[number]
        leaving = replica.active_model.peek()
        if leaving is not None:
            self.rolls_back(number, leaving, "person")

    @rule(number=NUMBERS)
    def kill_and_start_again(self, number: int) -> None:
        self.replicas[number].kill()
        self.verdicts[number] = None
        self.left_here[number] = {}
        home = self.homes[number]
        pending = home.requests.read()
        if pending is not None and pending.version in home.on_disk:
            self.leaves(number, pending.leaving, pending.version)
        self.replicas[number] = self.start(number)
        self.replicas[number].poll()

    @rule(number=NUMBERS, seconds=st.sampled_from([1.0, 400.0]))
    def time_passes(self, number: int, seconds: float) -> None:
        self.replicas[number].time += seconds

    # --- what flows and people do with the registry

    @initialize()
    def two_champions_that_all_have_served(self) -> None:
        for version in ("1", "2"):
            self.gate_decides()
            self.gate_promotes()
            for replica in self.replicas:
                replica.poll()
                self.scheduler.finish()
            assert [replica.version for replica in self.replicas] == [version] * 3
        assert {served.version for one in self.replicas if (served := one.active_model.previous)} == {"1"}
        # Each is on probation: its verdict can come at any time.
        self.verdicts = [replica.active_model.peek() for replica in self.replicas]

    @rule()
    def a_calm_hour(self) -> None:
        self.outages_end()
        for replica in self.replicas:
            replica.time += 3_600
            replica.poll()
            self.scheduler.finish()

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

    @rule(away=SELDOM)
    def registry_for_all(self, away: bool) -> None:
        self.registry.away = away

    @rule(away=SELDOM)
    def store_for_all(self, away: bool) -> None:
        self.store.away = away

    @rule(number=NUMBERS, away=SELDOM)
    def registry_for_one(self, number: int, away: bool) -> None:
        self.replicas[number].source.away = away

    @contextmanager
    def whatever(self) -> Iterator[None]:
        # One that died before has left its own, which whoever comes next closes.
        before = {one.decision_id for one in open_intents(self.opened)}
        with suppress(ChurnError, DiedError):
            yield
            left = [one for one in open_intents(self.opened) if one.decision_id not in before]
            assert left == [], "a change is done, and has no record"

    # --- what must hold

    @invariant()
    def nobody_goes_back_to_what_was_left(self) -> None:
        for move in self.registry.moves[self.seen_moves :]:
            assert move.by == "person" or move.version not in self.left, f"{move} goes back to a version that was left"
            self.left.discard(move.version)
            if move.rolling_back and move.left is not None:
                self.left.add(move.left)
        self.seen_moves = len(self.registry.moves)
        assert sum(move.by == "probation" for move in self.registry.moves) <= self.automatic, "one verdict, and two rollbacks"

    def outages_end(self) -> None:
        self.registry.away = self.store.away = False
        for replica in self.replicas:
            replica.source.away = False

    def teardown(self) -> None:
        try:
            self.in_the_end()
        finally:
            self.scheduler.close()
            self.patch.undo()
            self.opened.close()
            shutil.rmtree(self.folder)

    def in_the_end(self) -> None:
        self.registry.breaks = ""
        self.outages_end()
        self.scheduler.finish()
        for _ in range(3):
            self.a_calm_hour()
        self.nobody_goes_back_to_what_was_left()
        promotion.reconcile(self.registry, self.store, actor="the end")
        champion = self.registry.named.get(CHAMPION)
        assert [replica.version for replica in self.replicas] == [champion] * 3
        assert [home.requests.read() for home in self.homes] == [None] * 3
        if champion is not None:
            assert self.registry.named.get(PREVIOUS) == self.registry.moves[-1].left
            assert {home.kept.version for home in self.homes if home.kept is not None} == {champion}
        assert open_intents(self.store) == []
        moves = self.registry.moves
        for move in moves:
            self.happened.update(
                {"rollbacks": move.rolling_back, "promotions": not move.rolling_back, "verdicts in force": move.by == "probation"}
            )
            self.happened["rollbacks by people"] += move.rolling_back and move.by == "person"
        recorded = self.opened.decisions(kind=MOVES, limit=1_000)[::-1]
        assert [one.model_version for one in recorded] == [move.version for move in self.registry.moves]
        assert [one.evidence["replaced"] for one in recorded] == [move.left for move in self.registry.moves]
        for one in recorded:
            if one.kind == DecisionKind.ROLLBACK:
                assert one.evidence["leaving"] == one.evidence["replaced"], "it was decided for another version"
            if one.actor == "probation":
                assert (one.action, one.evidence["errors"]) == (DecisionAction.ROLLED_BACK, 20)
