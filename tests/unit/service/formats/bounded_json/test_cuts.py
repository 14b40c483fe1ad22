"""Where a document may be cut: the first and last comma of each depth of each block, as a walk byte by byte finds them."""

from __future__ import annotations

import pytest

from service.formats.bounded_json import cuts
from service.formats.bounded_json.cuts import MAX_DEPTH, Cuts

DOCUMENT = rb'{"a,[": [1, 2, {"b\"," : "x\\", "c": [3,4,5]}], "d": "\\\\\", {,", "e": [[1,2],[3,[4,5,[6,[7,8],9]]]], "f\\": 1}'


def walked(body: bytes, size: int) -> dict[int, list[int]]:
    depth, in_text, escaped = 0, False, False
    found: dict[tuple[int, int], list[int]] = {}
    for place, byte in enumerate(body):
        letter = chr(byte)
        if in_text:
            if escaped:
                escaped = False
            elif letter == "\\":
                escaped = True
            elif letter == '"':
                in_text = False
        elif letter == '"':
            in_text = True
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "," and 1 <= depth <= MAX_DEPTH:
            found.setdefault((depth, place // size), []).append(place)
    by_depth: dict[int, list[int]] = {number: [] for number in range(1, MAX_DEPTH + 1)}
    for (number, _), places in found.items():
        by_depth[number] += sorted({places[0], places[-1]})
    return by_depth


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 64, 1_000])
def test_cuts_are_the_outermost_commas_of_each_block(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "BLOCK_BYTES", size)
    found = Cuts(DOCUMENT)
    for depth, places in walked(DOCUMENT, size).items():
        assert found.between(depth, 0, len(DOCUMENT)) == places


def test_between_takes_its_start_and_not_its_end() -> None:
    found = Cuts(b"[1,2,3]")
    assert found.between(1, 0, 7) == [2, 4]
    assert found.between(1, 2, 4) == [2]
    assert found.between(1, 3, 5) == [4]
    assert found.between(2, 0, 7) == []


def test_a_block_is_so_large_and_documents_so_deep() -> None:
    assert (cuts.BLOCK_BYTES, MAX_DEPTH) == (65_536, 6)
    assert Cuts(b"").between(1, 0, 9) == []
    assert Cuts(b'"\\\\\\\\"').between(1, 0, 9) == []
