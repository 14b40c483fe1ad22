"""Requests of the Open Inference Protocol V2 whose shapes and sizes lie, and whose answers would weigh much."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies.routes import BINARY, INFER, post

NAME = "total_day_minutes"


def attacks() -> Iterator[Attack]:
    """Yield the attacks."""
    one = {"name": NAME, "shape": [1], "datatype": "FP64", "data": [1.0]}
    for name, output in (("in JSON", {}), ("in binary", {"parameters": {"binary_data": True}})):
        asked = [{"name": "prediction_id", **output}] * 100
        yield _infer(f"an output 100 times, {name}", {"inputs": [_zeros(50_000)[0]], "outputs": asked}, _zeros(50_000)[1])
    for shape in (
        [-1],
        [0],
        [2**31 - 1],
        [2**31],
        [2**63],
        [1, 2**31 - 1],
        [2**31 - 1, 2**31 - 1],
        [1] * 10_000,
        [1.5],
        [True],
        [],
    ):
        yield _infer(f"the shape {str(shape)[:30]}", {"inputs": [{**one, "shape": shape}]})
        sized = {**one, "shape": shape, "parameters": {"binary_data_size": 8}}
        sized.pop("data")
        yield _infer(f"the shape {str(shape)[:30]}, in binary", {"inputs": [sized]}, bytes(8))
    for size in (-1, 0, 7, 2**31, 2**63, 1e3, "8", True, None):
        head = {"name": NAME, "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": size}}
        yield _infer(f"the size {size}", {"inputs": [head]}, bytes(8))
    for name, data in (
        ("a length of 4 GB", b"\xff\xff\xff\xff"),
        ("a length that is cut off", b"\x01\x00"),
        ("lengths of nothing", bytes(4_000_000)),
        ("texts of one letter", (b"\x01\x00\x00\x00x") * 90_000),
        ("a text of 4 MB", (4_000_000).to_bytes(4, "little") + b"x" * 4_000_000),
    ):
        rows = {"lengths of nothing": 1_000_000, "texts of one letter": 90_000}.get(name, 1)
        text = {"name": "customer_id", "shape": [rows], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
        yield _infer(f"BYTES: {name}", {"inputs": [text]}, data)
    bits = {"name": "international_plan", "shape": [90_000], "datatype": "BOOL", "parameters": {"binary_data_size": 90_000}}
    yield _infer("flags that are none", {"inputs": [bits]}, b"\x02" * 90_000)
    small = {"name": NAME, "shape": [99_000], "datatype": "INT8", "parameters": {"binary_data_size": 99_000}}
    yield _infer("99,000 numbers of a byte", {"inputs": [small]}, b"\x01" * 99_000)
    tiny = {"name": "customer_id", "shape": [99_000], "datatype": "INT8", "parameters": {"binary_data_size": 99_000}}
    yield _infer("99,000 ids of a byte", {"inputs": [small, tiny]}, b"\x01" * 198_000)
    yield _infer("10,000 inputs", {"inputs": [{**one, "name": f"n{n}"} for n in range(10_000)]})
    yield _infer("100,000 inputs", {"inputs": [{**one, "name": f"n{n}"} for n in range(100_000)]})
    yield _infer("an input 10,000 times", {"inputs": [one] * 10_000})
    many = {f"k{n}": n for n in range(100_000)}
    yield _infer("100,000 parameters", {"inputs": [{**one, "parameters": many}], "parameters": many})
    yield _infer("10,000 outputs", {"inputs": [one], "outputs": [{"name": "churn", "parameters": {"x": 1}}] * 10_000})
    yield _infer("an id of 1 MB", {"id": "i" * 1_000_000, "inputs": [one]})
    nested = {**one, "shape": [50_000, 1], "data": [[1.0]] * 50_000}
    yield _infer("50,000 rows of one", {"inputs": [nested]})
    for length in ("-1", "0", "99999999999999999999", "1e3", "5"):
        yield post(f"a JSON part of {length}", INFER, b"{}", BINARY, inference_header_content_length=length)


def _zeros(rows: int) -> tuple[dict[str, Any], bytes]:
    head = {"name": NAME, "shape": [rows], "datatype": "INT8", "parameters": {"binary_data_size": rows}}
    return head, np.zeros(rows, np.int8).tobytes()


def _infer(name: str, document: dict[str, Any], tensors: bytes = b"") -> Attack:
    text = json.dumps(document).encode()
    if not tensors:
        return post(f"{name}, V2", INFER, text)
    return post(f"{name}, V2", INFER, text + tensors, BINARY, inference_header_content_length=str(len(text)))
