"""Parse a large JSON document piece by piece: it gives what one parser would give, and nobody waits for all of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from service.formats.bounded_json.cuts import BLOCK_BYTES, MAX_DEPTH, Cuts
from service.formats.bounded_json.size import refuse_wide
from service.http.errors import NAME_LENGTH, FieldProblem, Unprocessable

# What lies between two cuts is smaller, or one part alone.
PIECE_BYTES = 2 * BLOCK_BYTES
_BLANKS = b" \t\n\r"
_KEY = re.compile(rb'[ \t\n\r]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*+:', re.DOTALL)
# Parses a piece: its text, and where in the document it begins (or would, without the bracket before it).
Parse = Callable[[bytes, int], Any]


def load_in_pieces(body: bytes, parse: Parse) -> Any:
    """Parse a document of any size.

    Parameters
    ----------
    body : bytes
        Without a byte order mark.
    parse : callable
        Parses a document of up to `PIECE_BYTES`, or one text or number of any length. It refuses what is no JSON.

    Returns
    -------
    object
        Of Python's plain types.

    Raises
    ------
    Unprocessable
        If it is no JSON, an object has too many names or one of them twice, or large parts of it lie too deep.
    """
    if len(body) <= PIECE_BYTES:
        return parse(body, 0)
    return _Loader(body, parse).load(0, len(body), 0)


class _Loader:
    def __init__(self, body: bytes, parse: Parse) -> None:
        self._body, self._parse, self._cuts = body, parse, Cuts(body)

    def load(self, start: int, end: int, depth: int) -> Any:
        """Return the value between two places, in which so many brackets are open."""
        text = self._body[start:end]
        if len(text) <= PIECE_BYTES:
            return self._parse(text, start)
        start += len(text) - len(text.lstrip(_BLANKS))
        end -= len(text) - len(text.rstrip(_BLANKS))
        del text
        pair = self._body[start : start + 1] + self._body[max(start, end - 1) : end]
        if pair not in (b"{}", b"[]"):
            if pair[:1] in (b"{", b"["):
                # Never closed, or followed by something. Mostly the parser finds out where, in the first piece.
                self._parse(self._body[start : start + PIECE_BYTES], start)
                raise _problem("Invalid JSON")
            return self._parse(self._body[start:end], start)
        if depth >= MAX_DEPTH:
            raise _problem("is nested too deeply, for one so large")
        return self._object(start, end, depth) if pair == b"{}" else self._list(start, end, depth)

    def _list(self, start: int, end: int, depth: int) -> list[Any]:
        values: list[Any] = []
        for first, last in self._pieces(start, end, depth):
            if last - first > PIECE_BYTES:
                values.append(self.load(first, last, depth + 1))
            else:
                values += self._parse(b"[%b]" % self._body[first:last], first - 1)
        return values

    def _object(self, start: int, end: int, depth: int) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for first, last in self._pieces(start, end, depth):
            if last - first > PIECE_BYTES:
                key = _KEY.match(self._body, first, first + PIECE_BYTES)
                if key is None:
                    raise _problem("Invalid JSON, or a name longer than any that is known")
                part = {self._parse(key[1], key.start(1)): self.load(key.end(), last, depth + 1)}
            else:
                part = self._parse(b"{%b}" % self._body[first:last], first - 1)
            if twice := sorted(fields.keys() & part.keys()):
                raise _problem("The key is there twice", twice[0])
            fields |= part
            refuse_wide(len(fields))
        return fields

    def _pieces(self, start: int, end: int, depth: int) -> Iterator[tuple[int, int]]:
        """Yield the places of the pieces of a list or an object: several parts, or a large one alone."""
        first = start + 1
        cuts = self._cuts.between(depth + 1, first, end)
        for at, last in enumerate([*cuts, end - 1]):
            if at < len(cuts) and (cuts[at + 1] if at + 1 < len(cuts) else end - 1) - first <= PIECE_BYTES:
                continue
            if cuts and not self._body[first:last].strip(_BLANKS):
                raise _problem("Invalid JSON: a value is missing between two commas")
            yield first, last
            first = last + 1


def _problem(problem: str, field: str = "body") -> Unprocessable:
    return Unprocessable("1 problem found.", [FieldProblem(field=field[:NAME_LENGTH], problem=problem)])
