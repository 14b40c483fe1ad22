"""A column's value in a sentence, and a whole reason as JSON: what does not depend on the value is put together once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from churn.contract import Column

# Puts a column's value (None: missing) into bytes: a reason as a JSON object.
Writer = Callable[[Any], bytes]


class ValueSentence:
    """Puts a value of a column, how it compares with the typical one, and its effect in a sentence.

    Parameters
    ----------
    column : Column
    typical : object
        The value that stands for a missing one.
    tells_missing : bool
        Whether a missing value has a weight of its own, instead.
    """

    def __init__(self, column: Column, typical: Any, *, tells_missing: bool = False) -> None:
        self._feature, self._kind, self._typical = column.name, column.kind, typical
        name = spaced(column.name)
        counted = typical
        if column.kind == "flag":
            counted = column.true_level if typical else column.false_level
            self._flags = {value: f"{name} is {column.true_level if value else column.false_level}: " for value in (True, False)}
        elif column.kind == "category":
            self._start = f"{name} is "
        else:
            # Not "4 customer service calls calls".
            unit = f" {column.unit}" if column.unit and not name.endswith(column.unit) else ""
            counted, self._start = f"{typical:.4g}{unit}", f"{name} of "
            self._beside = [f"{unit} is {side} the typical {typical:.4g}: " for side in ("above", "below", "at")]
        self._unknown = f"{name} is not known: " if tells_missing else f"{name} is not known, counted as {counted}: "

    def text(self, value: Any, effect: str) -> str:
        """Return the sentence.

        Parameters
        ----------
        value : object
            None: missing.
        effect : str
            What the value does.

        Returns
        -------
        str
        """
        if value is None:
            return self._unknown + effect
        if self._kind == "flag":
            return self._flags[bool(value)] + effect
        if self._kind == "category":
            return f"{self._start}{value}: {effect}"
        above, below, at = self._beside
        beside = above if value > self._typical else below if value < self._typical else at
        return f"{self._start}{value:g}{beside}{effect}"

    def writer(self, contribution: float, effect: str) -> Writer:
        """Return a function that writes the reason with this sentence, in the bytes that orjson makes of it.

        Parameters
        ----------
        contribution : float
        effect : str

        Returns
        -------
        callable
        """
        dumps, start = orjson.dumps, b'{"feature":%b,"value":' % orjson.dumps(self._feature)
        between, end = b',"contribution":%b,"text":"' % dumps(contribution), _escaped(effect) + b'"}'
        unknown = start + b"null" + between + _escaped(self._unknown) + end
        if self._kind == "flag":
            true, false = (
                start + dumps(value) + between + _escaped(said) + end for value, said in sorted(self._flags.items(), reverse=True)
            )
            return lambda value: unknown if value is None else true if value else false
        between += _escaped(self._start)
        if self._kind == "category":
            end = b": " + end

            def write_level(value: str | None) -> bytes:
                if value is None:
                    return unknown
                quoted = dumps(value)
                return b"%b%b%b%b%b" % (start, quoted, between, quoted[1:-1], end)

            return write_level
        typical = self._typical
        above, below, at = (_escaped(beside) + end for beside in self._beside)

        def write_number(value: float | None) -> bytes:
            if value is None:
                return unknown
            beside = above if value > typical else below if value < typical else at
            return b"%b%b%b%g%b" % (start, dumps(value), between, value, beside)

        return write_number


def spaced(name: str) -> str:
    """Return a column's name in words."""
    return name.replace("_", " ")


def _escaped(text: str) -> bytes:
    return orjson.dumps(text)[1:-1]
