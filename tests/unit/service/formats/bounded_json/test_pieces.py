"""A large document, parsed in pieces, is what one parser makes of it; whatever its pieces are, none of them is large."""

from __future__ import annotations

import json
import random
from typing import Any

import orjson
import pytest

from service.formats.bounded_json import cuts as cutting
from service.formats.bounded_json import pieces
from service.formats.bounded_json.cuts import MAX_DEPTH, Cuts
from service.formats.bounded_json.pieces import load_in_pieces
from service.formats.json_text import load_json
from service.http.errors import Unprocessable

TEXTS = ("", "a", "é", '"', "\\", '\\"', "a,b", "[{", "}]", ",", "\n", "\\\\", "\U0001f600", '","')
BLANKS = ("", "", " ", "\n", " \t\r\n ")


def document(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.random()
    if depth > 4 or kind < 0.5:
        return chance.choice((None, True, 1, -2.5e-7, "".join(chance.choices(TEXTS, k=chance.randrange(4)))))
    many = chance.choice((0, 1, 2, 6)) if depth < 2 else chance.randrange(3)
    if kind < 0.75:
        return [document(chance, depth + 1) for _ in range(many)]
    return {f"{chance.choice(TEXTS)}{n}": document(chance, depth + 1) for n in range(many)}


def spelled(value: Any, chance: random.Random) -> str:
    """Write a document with blanks anywhere, and texts with or without escapes."""
    blank = chance.choice(BLANKS)
    if isinstance(value, list):
        return f"{blank}[{','.join(spelled(one, chance) for one in value) or blank}]{blank}"
    if isinstance(value, dict):
        parts = (f"{blank}{json.dumps(name)}{blank}:{spelled(one, chance)}" for name, one in value.items())
        return f"{blank}{{{','.join(parts) or blank}}}{blank}"
    return blank + json.dumps(value, ensure_ascii=chance.random() < 0.5) + blank


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "BLOCK_BYTES", 16)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 32)


def parse(piece: bytes, _start: int) -> Any:
    try:
        return orjson.loads(piece)
    except orjson.JSONDecodeError:
        raise Unprocessable("no JSON") from None


def same(body: bytes) -> None:
    """Assert that both readers say the same; of one that is nested too deeply nothing is said."""
    try:
        expected = orjson.loads(body)
    except orjson.JSONDecodeError:
        with pytest.raises(Unprocessable):
            load_in_pieces(body, parse)
        return
    try:
        assert load_in_pieces(body, parse) == expected, body
    except Unprocessable as refused:
        text = refused.errors[0].problem
        assert "too deeply" in text or "a name longer" in text, body


@pytest.mark.usefixtures("small_pieces")
def test_documents_in_pieces_are_what_one_parser_makes_of_them() -> None:
    for seed in range(100):
        chance = random.Random(seed)  # noqa: S311 -- the same documents each time
        body = spelled({"customers": [document(chance) for _ in range(chance.randrange(6))]}, chance).encode()
        same(body)
        # What is damaged anywhere is read by both, or by neither.
        for _ in range(4):
            broken = bytearray(body)
            place = chance.randrange(len(broken))
            broken[place : place + chance.randrange(3)] = chance.choice((b"", b",", b'"', b"]", b"[", b"}", b"\\", b":", b"1"))
            if not _repeats(bytes(broken)):
                same(bytes(broken))


def _repeats(body: bytes) -> bool:
    """Tell whether a name is there twice: parsers keep the last, and pieces refuse it."""
    found = False

    def pairs(given: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len(dict(given)) < len(given)

    try:
        json.loads(body, object_pairs_hook=pairs)
    except ValueError:
        return False
    return found


@pytest.mark.parametrize("body", ['{"a":[%s],"a":1}', '{"a":1,"b":[%s],"a":1}', '{"b":{"c":[%s],"c":2}}'])
def test_a_name_twice_in_an_object_of_several_pieces_is_refused(body: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        load_json((body % ",".join(["1"] * 200_000)).encode())
    assert caught.value.errors[0].problem == "The key is there twice"


def test_what_is_wrong_in_a_late_piece_is_told_by_line_and_column() -> None:
    body = b'{"customers":[\n' + '{"name":"é"},\n'.encode() * 20_000 + '{"é":x}]}'.encode()
    with pytest.raises(Unprocessable) as caught:
        load_json(body)
    assert caught.value.errors[0].problem == "Invalid JSON at line 20002 column 6"


def test_no_piece_of_a_large_document_is_large() -> None:
    sizes: list[int] = []

    def noted(piece: bytes, start: int) -> Any:
        sizes.append(len(piece))
        return parse(piece, start)

    row = [1.5] * 50
    for whole in (
        {"customers": [{"a": 1, "b": [1]}] * 50_000},
        {"dataframe_split": {"columns": ["a"], "data": [row] * 3_000}},
        {"inputs": [{"name": "a", "data": [1.5] * 300_000}, {"name": "b", "data": [row * 2_000] * 4}]},
    ):
        body = orjson.dumps(whole)
        assert load_in_pieces(body, noted) == whole
    assert max(sizes) <= pieces.PIECE_BYTES + 2
    deep = b"[" * (MAX_DEPTH + 1) + b"1," * 200_000 + b"1" + b"]" * (MAX_DEPTH + 1)
    with pytest.raises(Unprocessable):
        load_in_pieces(deep, noted)
    assert max(sizes) <= pieces.PIECE_BYTES + 2


def test_few_cuts_are_kept() -> None:
    cuts = Cuts(b"[" + b"1," * 500_000 + b"1]")
    assert len(cuts.between(1, 0, 2_000_000)) <= 2 * (1_000_000 // cutting.BLOCK_BYTES + 1)
