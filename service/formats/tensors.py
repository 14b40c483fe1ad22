"""Tensors of the Open Inference Protocol V2, in JSON or in its binary extension, as columns of customers and back.

(https://github.com/kserve/open-inference-protocol; the extension: triton-inference-server/server,
docs/protocol/extension_binary_data.md.)

The protocol has no null. Missing is NaN in a tensor of floats, an empty text in one of BYTES, null in JSON; a feature that has no
tensor is missing too.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection, Iterator, Sequence
from struct import Struct, error
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from churn.customers.cells import json_value
from service.formats.json_text import refuse
from service.schemas.protocols import InferInput

NUMBERS = {
    "FP64": "<f8",
    "FP32": "<f4",
    "FP16": "<f2",
    **{f"INT{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"UINT{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
}
# What MLServer's codecs call texts that are texts already (of a string, array or data frame), and texts of bytes. Of numbers the
# datatype says all.
CONTENT_TYPES = (None, "str", "np", "pd", "base64")
_LENGTH = Struct("<I")
_INTEGERS = frozenset({int, type(None)})
_FLOATS = frozenset({float, int, type(None)})
_BOOLEANS = frozenset({bool, type(None)})
_TEXTS = frozenset({str, type(None)})


class Tensor(NamedTuple):
    """A tensor, read: numbers as an array (NaN where missing), anything else as a list; `shape` elements, row by row."""

    name: str
    shape: tuple[int, ...]
    values: NDArray[np.float64] | list[Any]


def read_tensors(inputs: Sequence[InferInput], binary: memoryview, ids: Collection[str] = ()) -> list[Tensor]:
    """Read all inputs.

    Parameters
    ----------
    inputs : sequence of InferInput
    binary : memoryview
        What follows the JSON part of the body.
    ids : collection of str
        Names of tensors that hold ids: their numbers stay exact, as a list.

    Returns
    -------
    list of Tensor
        In the order of the inputs.

    Raises
    ------
    Unprocessable
        If data, datatype, shape and sizes do not agree.
    """
    tensors: list[Tensor] = []
    for place, one in enumerate(inputs):
        where = f"inputs.{place}"
        if "shared_memory_region" in one.parameters:
            refuse(f"{where}.parameters", "shared memory is not supported")
        if one.datatype not in NUMBERS and one.datatype not in ("BOOL", "BYTES"):
            refuse(f"{where}.datatype", "must be BOOL, BYTES, or a number's (FP64, INT64 …)")
        size = one.parameters.get("binary_data_size")
        if size is None:
            values: Any = _from_json(one, where, exact=one.name in ids)
        else:
            if type(size) is not int or not 0 <= size <= len(binary):
                refuse(f"{where}.parameters.binary_data_size", "must be the bytes of the tensor, in the body")
            values, binary = _from_binary(one.datatype, binary[:size], where, exact=one.name in ids), binary[size:]
        if one.datatype == "BYTES":
            values = _decoded(values, one.parameters.get("content_type"), where)
        if len(values) != int(np.prod(one.shape, dtype=np.int64)):
            refuse(f"{where}.shape", "must be the shape of the data")
        tensors.append(Tensor(one.name, tuple(one.shape), values))
    if len(binary):
        refuse("body", "goes on after the last tensor")
    return tensors


def _from_json(one: InferInput, where: str, *, exact: bool) -> NDArray[np.float64] | list[Any]:
    data = one.data
    if type(data) is not list:
        refuse(f"{where}.data", "must be a list")
    if len(one.shape) > 1 and data and set(map(type, data)) == {list}:
        # Nested as the shape is, or flat: both are allowed.
        data = [value for row in data for value in row]
    types = set(map(type, data))
    match one.datatype:
        case "BYTES":
            allowed = _TEXTS
        case "BOOL":
            allowed = _BOOLEANS
        case name:
            allowed = _FLOATS if name.startswith("FP") else _INTEGERS
    if not types <= allowed:
        refuse(f"{where}.data", f"must be {one.datatype}, as its datatype says")
    if one.datatype in NUMBERS:
        return data if exact else np.array(data, dtype=np.float64)
    return [None if value == "" else value for value in data] if one.datatype == "BYTES" else data


def _from_binary(datatype: str, data: memoryview, where: str, *, exact: bool) -> NDArray[np.float64] | list[Any]:
    if datatype == "BYTES":
        try:
            return [text or None for text in _texts(data)]
        except (error, UnicodeDecodeError):
            refuse(where, "BYTES must be texts in UTF-8, each after its length")
    if datatype == "BOOL":
        return [{0: False, 1: True}.get(byte, byte) for byte in data]
    dtype = np.dtype(NUMBERS[datatype])
    if len(data) % dtype.itemsize:
        refuse(where, f"must be {datatype}, as its datatype says")
    numbers = np.frombuffer(data, dtype)
    return [json_value(number) for number in numbers.tolist()] if exact else numbers.astype(np.float64)


def _texts(data: memoryview) -> Iterator[str]:
    place = 0
    while place < len(data):
        (length,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size
        if place + length > len(data):
            raise error
        yield str(data[place : place + length], "utf-8")
        place += length


def _decoded(values: list[Any], content_type: Any, where: str) -> list[Any]:
    """Decode texts by what a client says that they are: as they stand they might name no level, and nobody."""
    if content_type not in CONTENT_TYPES:
        refuse(f"{where}.parameters.content_type", f"must be one of {', '.join(filter(None, CONTENT_TYPES))}, or absent")
    if content_type != "base64":
        return values
    try:
        return [None if value is None else str(b64decode(value, validate=True), "utf-8") or None for value in values]
    except ValueError:
        refuse(where, "must be texts in UTF-8, in base64, as its content_type says")


def encode_binary(datatype: str, values: Any) -> bytes:
    """Encode a tensor of an answer in the binary extension.

    Parameters
    ----------
    datatype : str
        The protocol's name, such as "FP64".
    values : array or sequence, shape (n,)

    Returns
    -------
    bytes
    """
    if datatype == "BYTES":
        encoded = [text.encode() for text in values]
        return b"".join([part for text in encoded for part in (_LENGTH.pack(len(text)), text)])
    return np.asarray(values).astype("?" if datatype == "BOOL" else NUMBERS[datatype]).tobytes()
