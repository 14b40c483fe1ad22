"""What a JSON document costs once it is parsed, judged before: brackets and names cost twenty times what they take to send."""

from __future__ import annotations

import orjson

from service.http.errors import FieldProblem, TooLarge, Unprocessable

# Smaller bodies cost less than what is promised for any body, whatever they hold.
MIN_BYTES = 256 * 1024
# Objects and lists. A hundred thousand customers are as many objects, and outcomes with all their fields the same.
MAX_CONTAINERS = 500_000
# Names in one object: no contract has so many columns.
MAX_NAMES = 10_000


def check_containers(body: bytes) -> None:
    """Refuse a document of more objects and lists than any that makes sense; call it before the document is parsed.

    Raises
    ------
    TooLarge
        More than half a million.
    """
    if len(body) >= MIN_BYTES and body.count(b"{") + body.count(b"[") > MAX_CONTAINERS:
        raise TooLarge(f"The body may have at most {MAX_CONTAINERS} objects and lists; send it in smaller parts.")


def check_names(body: bytes) -> None:
    """Refuse a document with an object of more names than any contract has; one that is no JSON is left to its reader.

    Raises
    ------
    Unprocessable
        More than ten thousand.
    """
    if len(body) < MIN_BYTES:
        return
    try:
        waiting = [orjson.loads(body)]
    except orjson.JSONDecodeError:
        return
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            refuse_wide(len(value))
            waiting += [part for part in value.values() if type(part) in (dict, list)]
        elif type(value) is list:
            waiting += [part for part in value if type(part) in (dict, list)]


def refuse_wide(names: int) -> None:
    """Raise Unprocessable if an object has too many names."""
    if names > MAX_NAMES:
        problem = f"an object has {names} fields; {MAX_NAMES} are the most"
        raise Unprocessable("1 problem found.", [FieldProblem(field="body", problem=problem)])
