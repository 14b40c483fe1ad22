"""Read columns of texts, as CSV has them, into cells that JSON might have held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from churn.customers.cells import FeatureCells

_NUMBER_CHARACTERS = b"0123456789+-.eE"


def read_texts(feature: FeatureCells, texts: Sequence[str]) -> Sequence[Any]:
    """Read the fields of one column.

    Parameters
    ----------
    feature : FeatureCells
    texts : sequence of str, length n

    Returns
    -------
    sequence, length n
        What cannot be read stays the text that it is, and is refused later.
    """
    if feature.column.kind not in ("number", "integer"):
        known = {text: _read(feature, text) for text in set(texts)}
        return [known[text] for text in texts]
    # Most columns are plain numbers and gaps: read at once, as one list, they take a fifth of the time.
    if feature.reads_plain_numbers and not "".join(texts).encode("utf-8", "surrogatepass").translate(None, _NUMBER_CHARACTERS):
        try:
            numbers: list[Any] = orjson.loads(f"[{','.join(text or 'null' for text in texts)}]")
            return numbers
        except orjson.JSONDecodeError:
            pass  # numbers that JSON writes differently: +1, 1., 007
    return [_read(feature, text) for text in texts]


def _read(feature: FeatureCells, text: str) -> Any:
    try:
        return feature.rule.parse(text)
    except ValueError:
        return text
