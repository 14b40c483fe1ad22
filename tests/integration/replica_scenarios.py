"""What happens to replicas in an order that chance hardly ever draws; the rules of `replica_machine` go on from there."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from churn.lifecycle import promotion
from churn.registry.aliases import CHAMPION
from tests.integration.replica_machine import NUMBERS, Replicas
from tests.integration.replicas import info_of


class ReplicasWithScenarios(Replicas):
    @rule(number=NUMBERS)
    def a_new_champion_fails_its_probation(self, number: int) -> None:
        self.a_calm_hour()
        self.gate_decides()
        self.baselines = self.baselines[-1:]
        self.gate_promotes()
        self.a_calm_hour()
        self.a_probation_test_ends_badly_at_once(number)

    @rule(number=NUMBERS)
    def a_replica_is_told_late_and_has_rolled_back_meanwhile(self, number: int) -> None:
        self.a_calm_hour()
        self.replicas[number].poll()
        while self.scheduler.calls and self.scheduler.calls[0][2] != "aliases":
            self.scheduler.pick(0)
        if self.scheduler.calls:
            self.scheduler.pick(0, late=True)
        self.a_probation_test_ends_badly_at_once(number)
        self.scheduler.finish()

    @rule(number=NUMBERS, calls=st.integers(1, 4))
    def a_replica_dies_while_it_rolls_back_and_the_registry_is_away(self, number: int, calls: int) -> None:
        self.a_calm_hour()
        self.registry.away = True
        self.a_probation_test_ends_badly_at_once(number)
        for _ in range(calls):
            if self.scheduler.calls:
                self.scheduler.pick(0)
        self.kill_and_start_again(number)
        self.scheduler.finish()

    @rule(number=NUMBERS)
    def a_rollback_cannot_be_recorded_for_a_while(self, number: int) -> None:
        self.a_calm_hour()
        self.store.away = True
        self.a_probation_test_ends_badly_at_once(number)
        self.scheduler.finish()
        self.replicas[number].poll()
        self.scheduler.finish()
        # Nor does the next verdict lead to what this one left, of which the registry knows nothing yet.
        self.a_probation_test_ends_badly_at_once(number)
        self.scheduler.finish()

    @rule(number=NUMBERS)
    def a_replica_misses_a_champion_and_a_person_rolls_back(self, number: int) -> None:
        self.a_calm_hour()
        replica = self.replicas[number]
        before, replica.source.away = replica.version, True
        for _ in range(2):
            self.baselines.clear()
            self.gate_decides()
            self.gate_promotes()
        replica.source.away = False
        replica.poll()
        # Before it has loaded the one that it missed.
        while replica.version == before and self.scheduler.calls:
            self.scheduler.pick(0)
        self.a_person_rolls_back(number)

    @rule(number=NUMBERS)
    def a_person_takes_back_what_a_verdict_left(self, number: int) -> None:
        self.a_calm_hour()
        left = self.replicas[number].version
        self.a_probation_test_ends_badly_at_once(number)
        self.scheduler.finish()
        in_force = self.registry.named[CHAMPION] != left
        with self.whatever():
            promotion.promote(self.registry, self.store, info_of(str(left)), actor="person", reason="I know better")
        taken_back = in_force and self.registry.named[CHAMPION] == left
        self.a_calm_hour()
        self.a_calm_hour()
        assert not taken_back or self.replicas[number].version == left, "the verdict came before the person's decision"

    @rule(number=NUMBERS)
    def a_person_rolls_back_and_thinks_better_of_it(self, number: int) -> None:
        self.a_calm_hour()
        before = self.replicas[number].version
        if self.replicas[number].active_model.previous is None:
            return
        for _ in range(2):
            self.a_person_rolls_back(number)
        while self.scheduler.calls:
            self.scheduler.pick(len(self.scheduler.calls) - 1)
        self.a_calm_hour()
        assert self.replicas[number].version == before, "the second of two decisions holds"
