"""JSON, read strictly: a key that is there twice, a number without bounds or a nest without end is a problem, never a guess."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson

from service.formats.bounded_json.pieces import load_in_pieces
from service.formats.bounded_json.size import check_size, refuse_wide
from service.http.body import BYTE_ORDER_MARK
from service.http.errors import LISTED_ERRORS, NAME_LENGTH, FieldProblem, Unprocessable

_NOT_JSON, _ABSENT = "Invalid JSON", object()
# JSON knows 1e400, and no computer's number is so large.
_TOO_LARGE = "A number that is too large to be finite"
# Characters of the longest whole number of 64 bits.
MAX_DIGITS = 20


def load_json(body: bytes | memoryview, *, nan_is_null: bool = False) -> Any:
    """Decode a JSON document.

    Parameters
    ----------
    body : bytes or memoryview
        UTF-8, with or without a byte order mark.
    nan_is_null : bool
        Read the literal NaN as null. JSON has no such literal, but Python's own writer makes it of a missing number, and so do
        the clients of MLflow and Triton. Infinity stays an error.

    Returns
    -------
    object
        The document, of Python's plain types.

    Raises
    ------
    Unprocessable
        If it is not JSON, or an object has a key twice; the problem names the key.
    TooLarge
        If it has more objects, lists and values than one of its size may have.
    """
    text = bytes(body).removeprefix(BYTE_ORDER_MARK)
    check_size(text)
    return load_in_pieces(text, lambda piece, start: _load(piece, text, start, nan_is_null=nan_is_null))


def _load(piece: bytes, text: bytes, start: int, *, nan_is_null: bool) -> Any:
    try:
        document = orjson.loads(piece)
    except orjson.JSONDecodeError as error:
        if not nan_is_null or b"NaN" not in piece:
            # Of the error only the place: its message may quote the body.
            place = start + len(piece.decode("utf-8", "replace")[: error.pos].encode())
            line_start = text.rfind(b"\n", 0, place) + 1
            column = 1 + len(text[line_start:place].decode("utf-8", "replace"))
            what = _TOO_LARGE if error.msg.startswith("number is infinity") else _NOT_JSON
            raise not_json(f"{what} at line {1 + text.count(10, 0, place)} column {column}") from None
        return _load_slowly(piece)
    # Every key has one colon. Are there more, then some are in texts, or a key is there twice and only the last was kept.
    if piece.count(b":") != _keys(document):
        _load_slowly(piece)
    return document


def _keys(document: Any) -> int:
    """Count the keys of a document; in a list that does not begin with an object none are looked for."""
    count, waiting = 0, [document]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            refuse_wide(len(value))
            count += len(value)
            waiting += [part for part in value.values() if type(part) in (dict, list)]
        elif type(value) is list and value and type(value[0]) is dict:
            if _all_flat(value):
                lengths = list(map(len, value))
                refuse_wide(max(lengths))
                count += sum(lengths)
            else:
                waiting += [part for part in value if type(part) in (dict, list)]
    return count


def _all_flat(records: list[Any]) -> bool:
    """Return whether these are objects of plain values, as customers are: those need no check one by one."""
    if set(map(type, records)) != {dict}:
        return False
    # The values of the first say what the others are like; what they hold beyond that is only counted too low.
    return not any(type(value) in (dict, list) for value in records[0].values())


def _load_slowly(text: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    name = key.encode("utf-8", "replace").decode()[:NAME_LENGTH]
                    raise Unprocessable("1 problem found.", [FieldProblem(field=name, problem="The key is there twice")])
                seen.add(key)
        return found

    def constant(name: str) -> None:
        if name != "NaN":
            raise ValueError(name)

    def whole(digits: str) -> int | float:
        # As orjson does: what needs more than 64 bits is a float.
        number = int(digits) if len(digits) <= MAX_DIGITS else None
        return number if number is not None and -(2**63) <= number < 2**64 else float(digits)

    try:
        document = json.loads(text.decode(), object_pairs_hook=once, parse_constant=constant, parse_int=whole)
        # Half a surrogate pair is no text: nothing can be said of it in an answer.
        json.dumps(document, ensure_ascii=False).encode()
        return document
    except (ValueError, RecursionError):
        raise not_json(_NOT_JSON) from None


def not_json(problem: str) -> Unprocessable:
    """Return the error for a body that is not JSON, or not the JSON that is expected."""
    return Unprocessable("1 problem found.", [FieldProblem(field="body", problem=problem)])


def only_list(document: Any, name: str) -> list[Any]:
    """Return the list that is all a document holds.

    Parameters
    ----------
    document : object
        As `load_json` returns it. The list is taken out of it.
    name : str
        Of the list.

    Returns
    -------
    list

    Raises
    ------
    Unprocessable
        If there is no such list, an empty one, or something else beside it.
    """
    if type(document) is not dict:
        raise not_json("must be an object")
    given = document.pop(name, _ABSENT)
    problems = [FieldProblem(field=other[:NAME_LENGTH], problem="unknown field") for other in document]
    if given is _ABSENT:
        problems.insert(0, FieldProblem(field=name, problem="is required"))
    elif type(given) is not list:
        problems.insert(0, FieldProblem(field=name, problem="must be a list"))
    elif not given:
        problems.insert(0, FieldProblem(field=name, problem="must have at least 1 item, not 0"))
    if problems:
        found = len(problems)
        raise Unprocessable(f"{found} problem{'s' if found > 1 else ''} found.", problems[:LISTED_ERRORS])
    return given  # type: ignore[no-any-return]


def refuse(field: str, problem: str) -> NoReturn:
    """Raise Unprocessable with one problem.

    Parameters
    ----------
    field : str
        What has the problem, such as `customers.3.plan`.
    problem : str
        What is wrong; never the value itself.

    Raises
    ------
    Unprocessable
        Always.
    """
    raise Unprocessable("1 problem found.", [FieldProblem(field=field[:NAME_LENGTH], problem=problem)])
