"""Unpickle a frame into records: what is asked for and with which arguments, while nothing of it is called.

A pickle is a program: it calls constructors with whatever it likes. NumPy's and pandas' own are not safe even if they are the
only ones: the state of a dtype can declare that bytes are pointers, and a shape of two numbers asks for a terabyte. So the names
that a frame needs stand for records here, which keep what they are given and do nothing. Only the standard library is imported.
"""

from __future__ import annotations

import io
import pickle
from typing import Any


class UnreadableFrame(Exception):
    """The bytes are no plain frame of texts and numbers."""


class Record:
    """Stands for a constructor: keeps arguments and state, and does nothing with them."""

    __slots__ = ("arguments", "state")
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> Record:
        """Keep the arguments; pickles make an object in this way or by a call, which is the same here."""
        record = super().__new__(cls)
        record.arguments, record.state = arguments, None
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state


class Frame(Record):
    """A DataFrame; its state names a Manager."""

    __slots__ = ()


class Manager(Record):
    """What holds a frame's blocks and its two axes."""

    __slots__ = ()


class Block(Record):
    """The values of columns of one kind, and the columns' places."""

    __slots__ = ()


class Buffer(Record):
    """An array of numbers: bytes, Dtype, shape, order."""

    __slots__ = ()


class Objects(Record):
    """An array of objects; its state holds them in a list."""

    __slots__ = ()


class Dtype(Record):
    """What an array is made of."""

    __slots__ = ()


class Labels(Record):
    """An index: its class, and its parts in a dict."""

    __slots__ = ()


class NamedClass(Record):
    """A class that is an argument of another constructor."""

    __slots__ = ()


class Places(Record):
    """A slice of columns."""

    __slots__ = ()


CONSTRUCTORS: dict[tuple[str, str], type[Record]] = {
    ("pandas.core.frame", "DataFrame"): Frame,
    ("pandas.core.internals.managers", "BlockManager"): Manager,
    ("pandas._libs.internals", "_unpickle_block"): Block,
    ("pandas.core.indexes.base", "_new_Index"): Labels,
    ("pandas.core.indexes.base", "Index"): NamedClass,
    ("pandas.core.indexes.range", "RangeIndex"): NamedClass,
    ("numpy", "ndarray"): NamedClass,
    ("numpy", "dtype"): Dtype,
    ("builtins", "slice"): Places,
    # NumPy 1 and 2 spell these differently.
    **{(f"numpy.{core}.numeric", "_frombuffer"): Buffer for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): Objects for core in ("core", "_core")},
}


class RecordUnpickler(pickle.Unpickler):
    """An unpickler to which a name is a record of CONSTRUCTORS, or an error."""

    def find_class(self, module: str, name: str) -> type[Record]:
        """Return the record that stands for a constructor.

        Parameters
        ----------
        module, name : str
            As the pickle spells them. Nothing is imported.

        Returns
        -------
        type of Record

        Raises
        ------
        UnreadableFrame
            If a frame needs no such constructor.
        """
        try:
            return CONSTRUCTORS[module, name]
        except KeyError:
            raise UnreadableFrame(f"the pickle asks for {module}.{name}") from None


def unpickle_records(pickled: bytes) -> object:
    """Return what a pickle consists of: records, and Python's own texts, numbers and collections.

    Raises
    ------
    UnreadableFrame
        If it asks for any other constructor, or is no pickle.
    """
    try:
        return RecordUnpickler(io.BytesIO(pickled)).load()
    # What the unpickler itself raises on bytes that are none, and records on arguments that they do not take.
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        raise UnreadableFrame(f"no pickled frame ({type(error).__name__})") from error
