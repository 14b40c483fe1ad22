"""Where a JSON document may be cut, found without parsing it: at the commas between the parts of its outer lists and objects.

A parser keeps Python's lock for as long as it works, and nobody else is answered meanwhile. So a large document is parsed in
pieces (see `pieces`). Which commas stand between parts is known once texts and brackets are counted through;
numpy does that block by block. Of each block the first and the last comma of each depth are kept: then what lies between two that
follow each other is smaller than a block, or one part alone.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 64 * 1024
# The deepest document that is read is one of the V2 protocol: five brackets are open in a row of a tensor.
MAX_DEPTH = 6
_QUOTE, _BACKSLASH, _COMMA = b'"\\,'
# A bracket with this bit is a brace: both open and close alike.
_BIT, _OPEN, _CLOSE = 0x20, 0x7B, 0x7D


class Cuts:
    """The cuts of one document. Of what is no JSON they mean something up to the first error.

    Parameters
    ----------
    body : bytes
    """

    def __init__(self, body: bytes) -> None:
        self._at: list[list[int]] = [[] for _ in range(MAX_DEPTH + 1)]
        # What the last block ended in: open brackets, whether in a text, and how many backslashes.
        self._depth, self._in_text, self._backslashes = 0, 0, 0
        for start in range(0, len(body), BLOCK_BYTES):
            self._scan(np.frombuffer(body, np.uint8, min(BLOCK_BYTES, len(body) - start), start), start)

    def between(self, depth: int, start: int, end: int) -> list[int]:
        """Return the places of commas.

        Parameters
        ----------
        depth : int
            How many brackets are open there, from 1 to `MAX_DEPTH`.
        start, end : int
            Between them.

        Returns
        -------
        list of int
            In ascending order.
        """
        at = self._at[depth]
        return at[bisect_left(at, start) : bisect_left(at, end)]

    def _scan(self, block: NDArray[np.uint8], start: int) -> None:
        quotes = block == _QUOTE
        self._take_escaped(quotes, block)
        folded = block | _BIT
        places = np.flatnonzero(quotes | (folded == _OPEN) | (folded == _CLOSE) | (block == _COMMA))
        if not places.size:
            return
        # Only of these is counted how many quotes come before: they are a fifth of the bytes.
        kinds = folded[places]
        inside = (self._in_text + np.cumsum(kinds == _QUOTE)) & 1
        self._in_text = int(inside[-1])
        outside = (inside == 0) & (kinds != _QUOTE)
        places, kinds = places[outside], kinds[outside]
        if not places.size:
            return
        depths = self._depth + np.cumsum((kinds == _OPEN).astype(np.int64) - (kinds == _CLOSE))
        self._depth = int(depths[-1])
        commas = kinds == _COMMA
        places, depths = places[commas], depths[commas]
        for depth in range(1, MAX_DEPTH + 1):
            if (found := places[depths == depth]).size:
                self._at[depth] += sorted({start + int(found[0]), start + int(found[-1])})

    def _take_escaped(self, quotes: NDArray[np.bool_], block: NDArray[np.uint8]) -> None:
        """Take out the quotes before which an odd number of backslashes stands."""
        backslashes = block == _BACKSLASH
        if not self._backslashes and not backslashes.any():
            return
        # Where the last byte before, or at, each place is that is no backslash.
        last: Any = np.maximum.accumulate(np.where(backslashes, -1, np.arange(len(block))))
        before = np.concatenate([[-1], last[:-1]])
        run = np.arange(len(block)) - 1 - before + np.where(before == -1, self._backslashes, 0)
        quotes &= run % 2 == 0
        self._backslashes = len(block) - 1 - int(last[-1]) + (self._backslashes if last[-1] == -1 else 0)
