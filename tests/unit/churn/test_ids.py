from __future__ import annotations

import subprocess
import sys
import uuid

from churn.ids import MADE_AHEAD, new_id, new_ids, next_id, numbered_ids


def test_an_id_is_a_uuid_of_its_moment() -> None:
    moment = 1_767_323_045_123_456_789
    made = uuid.UUID(new_id(moment))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == moment // 1_000_000
    assert str(made) == new_id(moment)[:19] + str(made)[19:]
    later = [new_id(moment + 250 * step) for step in range(1_000)]
    assert later == sorted(later)
    assert len(set(later)) == 1_000


def test_ids_made_ahead_are_distinct_uuids_in_order() -> None:
    made = [next_id() for _ in range(3 * MADE_AHEAD)]
    assert made == sorted(set(made))
    assert {(uuid.UUID(one).version, len(one)) for one in made} == {(7, 36)}


def test_a_forked_process_gives_ids_of_its_own() -> None:
    # In a process of its own: this one has threads, and may not be forked.
    code = """
import os
from churn.ids import new_id, next_id
next_id()  # some are left
child = os.fork()
if child: os.waitpid(child, 0)  # one prints after the other
print(*(next_id() for _ in range(300)), new_id(), flush=True)
if not child: os._exit(0)
"""
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert len(set(made)) == len(made) == 602


def test_a_batch_may_be_empty() -> None:
    assert new_ids(0) == []
    assert len(new_ids(1)) == 1


def test_numbered_ids_are_the_same_uuids_again_sorted_by_number_and_of_their_run_alone() -> None:
    moment, run = 1_767_323_045_123, bytes(range(200, 216))
    made = numbered_ids(moment, run, [0, 1, 255, 65_536, 2**32 - 1])
    assert made == sorted(set(made)) == numbered_ids(moment, run, [0, 1, 255, 65_536, 2**32 - 1])
    assert {(uuid.UUID(one).version, uuid.UUID(one).variant) for one in made} == {(7, uuid.RFC_4122)}
    assert {uuid.UUID(one).int >> 80 for one in made} == {moment}
    assert [int(one[-8:], 16) for one in made] == [0, 1, 255, 65_536, 2**32 - 1]
    prefixes = set()
    for bit in range(42):
        other = (int.from_bytes(run) ^ 1 << (127 - bit)).to_bytes(16)
        prefixes.add(numbered_ids(moment, other, [0])[0])
    assert len(prefixes | {made[0]}) == 43, "each of 42 bits has its place"
    assert numbered_ids(moment, run, []) == []
