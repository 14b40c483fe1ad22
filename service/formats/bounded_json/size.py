"""What a JSON document costs once it is parsed, judged before: brackets and names cost twenty times what they take to send.

A document may cost ten times its own size and 64 MB (DESIGN.md). So some objects and values are free, and the others are paid for
by the bytes that they are sent in.
"""

from __future__ import annotations

from service.http.errors import FieldProblem, TooLarge, Unprocessable

# Objects and lists, of up to 240 bytes each. A hundred thousand customers are as many objects.
FREE_CONTAINERS, CONTAINER_BYTES = 250_000, 40
# Texts and numbers, of up to 60 bytes each. A hundred thousand customers with twenty values are two million.
FREE_VALUES, VALUE_BYTES = 1_000_000, 7
# Names in one object: no contract has so many columns.
MAX_NAMES = 10_000


def check_size(body: bytes) -> None:
    """Refuse a document of more parts than one of its size may have; call it before the document is parsed.

    Raises
    ------
    TooLarge
        Too many objects and lists, or values.
    """
    allowed = FREE_CONTAINERS + len(body) // CONTAINER_BYTES
    if len(body) > FREE_CONTAINERS and body.count(b"{") + body.count(b"[") > allowed:
        raise TooLarge(f"A body of {len(body)} bytes may have at most {allowed} objects and lists; send it in smaller parts.")
    allowed = FREE_VALUES + len(body) // VALUE_BYTES
    if len(body) > FREE_VALUES and body.count(b",") > allowed:
        raise TooLarge(f"A body of {len(body)} bytes may have at most {allowed} values; send it in smaller parts.")


def refuse_wide(names: int) -> None:
    """Raise Unprocessable if an object has too many names."""
    if names > MAX_NAMES:
        problem = f"an object has more than {MAX_NAMES} fields"
        raise Unprocessable("1 problem found.", [FieldProblem(field="body", problem=problem)])
