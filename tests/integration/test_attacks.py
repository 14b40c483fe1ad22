"""The service under attack, in short: python -m benchmarks.attacks. Only counts and memory are judged here, no time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.attacks import bodies
from benchmarks.attacks.attack import Attack
from benchmarks.attacks.siege import MEMORY_BYTES, Plan, Row, Siege, besiege
from benchmarks.attacks.wire import Wire, wire_attacks

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read as Linux tells it")
# Of those that tests/security/test_expensive_bodies.py sends, too.
GENERATED, MORE_GENERATED = 15, 40
# One in so many of those made by hand; all of them are sent by the long form, and in parts by tests/security.
EVERY, EVERY_ODD, EVERY_COMPRESSED = 40, 100, 10
# To make the other compressed ones takes longer than to send all that are chosen.
COMPRESSED = 30
# Lists over which the store was busy for more than forty seconds; the other ones are sent by the long form.
STORED = "99,999 unknown predictions, /outcomes"
STORED_LONG = {f"99,999 {what}, /outcomes" for what in ("unknown customers", "times one customer, and when")}
# Those that wait for a timeout of the service are sent by the long form.
LONG = {"a body for a route without one", "empty lines", "a chunk size of zeros", "a chunk of sixteen exabytes"}


def some_bodies(most_compressed: int | None) -> Iterator[Attack]:
    compressed = islice(bodies.compressed.attacks(), 0, most_compressed, EVERY_COMPRESSED)
    plain = (attack for kind in bodies.KINDS if kind is not bodies.compressed for attack in kind.attacks())
    for n, attack in enumerate(plain):
        every = EVERY_ODD if attack.name.startswith("odd ") else EVERY
        if attack.name == STORED or n % every == 0 or (most_compressed is None and attack.name in STORED_LONG):
            yield attack
    yield from compressed


def quick_wires() -> Iterator[Wire]:
    for wire in wire_attacks():
        if not wire.pause and wire.name not in LONG:
            yield wire


@pytest.mark.parametrize(
    ("most_compressed", "numbers"),
    [(COMPRESSED, range(GENERATED)), pytest.param(None, range(GENERATED, MORE_GENERATED), marks=pytest.mark.long)],
)
def test_no_attack_costs_more_than_is_promised_or_a_server_error(
    most_compressed: int | None, numbers: range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether others wait is not judged here; that they are answered is.
    monkeypatch.setattr("benchmarks.attacks.siege.OTHERS_RATE", 20.0)
    plan = Plan(quick_wires, partial(some_bodies, most_compressed), numbers=numbers)
    siege = besiege(tmp_path, plan, lambda _kind: None)
    assert siege.broken() == []
    assert siege.handmade >= 30
    assert siege.wire >= 20
    assert sum(row.number for row in siege.rows) == siege.wire + siege.handmade + siege.generated


def test_what_is_not_kept_is_told() -> None:
    fine, large, failed = Row("fine"), Row("large", over=1, worst="w"), Row("failed")
    fine.answers.update(["200", "503", "503"])
    failed.answers.update(["500"])
    siege = Siege(rows=[fine, large, failed], restarts=1, failed_others=["503 Too much to do"])
    assert [text.partition(":")[0] for text in siege.broken()] == [
        "the service ended 1 times",
        "large",
        "failed",
        "another client was told",
    ]
    assert Siege(rows=[fine]).broken() == []
    away = Siege(rows=[Row("away", not_ready=2)])
    assert away.broken() == ["away: /readyz said 2 times that the service is not ready"]
    assert len(Siege(rows=away.rows, restarts=1).broken()) == 1
    assert fine.over == -MEMORY_BYTES


def test_every_attack_on_the_protocol_has_a_name_of_its_own_and_an_end() -> None:
    attacks = list(islice(wire_attacks(), 100))
    assert len({attack.name for attack in attacks}) == len(attacks) >= 30
    assert all(attack.times * len(attack.piece) * attack.connections <= 150 * 2**20 for attack in attacks)
