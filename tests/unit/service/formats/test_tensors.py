"""Tensors in JSON and in binary mean the same, and what does not agree with itself is refused by its place."""

from __future__ import annotations

import base64
import struct
from typing import Any

import numpy as np
import pytest

from service.formats.tensors import NUMBERS, Tensor, encode_binary, read_tensors
from service.http.errors import Unprocessable
from service.schemas.protocols import InferInput


def tensor(datatype: str, data: Any = None, shape: list[int] | None = None, name: str = "x", **parameters: Any) -> InferInput:
    return InferInput.model_validate(
        {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data, "parameters": parameters}
    )


def read(one: InferInput, binary: bytes = b"", ids: tuple[str, ...] = ()) -> Tensor:
    (found,) = read_tensors([one], memoryview(binary), ids)
    return found


def listed(found: Tensor) -> list[Any]:
    values = found.values.tolist() if isinstance(found.values, np.ndarray) else found.values
    return [None if isinstance(value, float) and np.isnan(value) else value for value in values]


def refused(one: InferInput, binary: bytes = b"") -> tuple[str, str]:
    with pytest.raises(Unprocessable) as caught:
        read(one, binary)
    (problem,) = caught.value.errors
    return problem.field, problem.problem


def texts(*values: str | bytes) -> bytes:
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return b"".join(struct.pack("<I", len(value)) + value for value in encoded)


@pytest.mark.parametrize("datatype", sorted(NUMBERS))
def test_numbers_are_read_from_json_and_from_binary(datatype: str) -> None:
    data = np.array([1, 0, 100], dtype=NUMBERS[datatype])
    assert listed(read(tensor(datatype, data.tolist()))) == [1, 0, 100]
    binary = read(tensor(datatype, shape=[3], binary_data_size=data.nbytes), data.tobytes())
    assert listed(binary) == [1, 0, 100]
    assert isinstance(binary.values, np.ndarray)
    assert binary.values.dtype == np.float64
    if data.itemsize > 1:
        size = data.nbytes - 1
        assert refused(tensor(datatype, shape=[3], binary_data_size=size), data.tobytes()[:-1])[1].startswith(
            f"must be {datatype}"
        )


def test_missing_is_null_nan_or_an_empty_text() -> None:
    assert listed(read(tensor("FP64", [1.5, None]))) == [1.5, None]
    assert listed(read(tensor("BYTES", ["a", "", None]))) == ["a", None, None]
    assert listed(read(tensor("BOOL", [True, None]))) == [True, None]
    assert listed(read(tensor("BYTES", shape=[2], binary_data_size=9), texts("a", ""))) == ["a", None]
    assert listed(read(tensor("FP32", shape=[1], binary_data_size=4), struct.pack("<f", float("nan")))) == [None]


def test_booleans_are_bytes_of_0_and_1_and_others_are_left_to_the_rules() -> None:
    assert listed(read(tensor("BOOL", shape=[3], binary_data_size=3), b"\x00\x01\x02")) == [False, True, 2]


def test_ids_stay_exact() -> None:
    large = 2**53 + 1
    for one, binary in (
        (tensor("INT64", [large]), b""),
        (tensor("INT64", shape=[1], binary_data_size=8), struct.pack("<q", large)),
    ):
        assert read(one, binary, ("x",)).values == [large]
        assert int(read(one, binary).values[0]) == large - 1
    assert read(tensor("FP64", shape=[1], binary_data_size=8), struct.pack("<d", float("nan")), ("x",)).values == [None]


def test_a_matrix_may_be_nested_or_flat() -> None:
    for data in ([[1, 2], [3, 4]], [1, 2, 3, 4]):
        found = read(tensor("INT64", data, [2, 2]))
        assert (found.shape, listed(found)) == ((2, 2), [1, 2, 3, 4])
    assert refused(tensor("INT64", [[1, 2], 3], [2, 2]))[0] == "inputs.0.data"
    assert refused(tensor("INT64", [[1], [2]], [2]))[0] == "inputs.0.data"


def test_tensors_follow_each_other_in_the_body() -> None:
    first, second = (
        tensor("INT8", shape=[2], binary_data_size=2, name="a"),
        tensor("BYTES", shape=[1], binary_data_size=5, name="b"),
    )
    found = read_tensors([first, tensor("FP64", [1.5], name="c"), second], memoryview(b"\x01\x02" + texts("x")))
    assert [(one.name, listed(one)) for one in found] == [("a", [1, 2]), ("c", [1.5]), ("b", ["x"])]
    with pytest.raises(Unprocessable) as caught:
        read_tensors([first], memoryview(b"\x01\x02\x03"))
    assert (caught.value.errors[0].field, caught.value.errors[0].problem) == ("body", "goes on after the last tensor")


@pytest.mark.parametrize("size", [-1, 3, "2", 2.0, True])
def test_a_size_is_that_of_the_bytes_that_are_there(size: Any) -> None:
    field, problem = refused(tensor("INT8", shape=[2], binary_data_size=size), b"\x01\x02")
    assert (field, problem) == ("inputs.0.parameters.binary_data_size", "must be the bytes of the tensor, in the body")


@pytest.mark.parametrize(
    ("one", "field", "problem"),
    [
        (tensor("FP64", [1.0], shared_memory_region="r"), "inputs.0.parameters", "shared memory is not supported"),
        (tensor("COMPLEX", [1.0]), "inputs.0.datatype", "must be BOOL, BYTES, or a number's (FP64, INT64 …)"),
        (tensor("FP64", None, [1]), "inputs.0.data", "must be a list"),
        (tensor("FP64", ["1"]), "inputs.0.data", "must be FP64, as its datatype says"),
        (tensor("FP64", [True]), "inputs.0.data", "must be FP64, as its datatype says"),
        (tensor("INT8", [1.5]), "inputs.0.data", "must be INT8, as its datatype says"),
        (tensor("BOOL", [1]), "inputs.0.data", "must be BOOL, as its datatype says"),
        (tensor("BYTES", [1]), "inputs.0.data", "must be BYTES, as its datatype says"),
        (tensor("FP64", [1.0], [2]), "inputs.0.shape", "must be the shape of the data"),
        (
            tensor("BYTES", ["a"], content_type="x"),
            "inputs.0.parameters.content_type",
            "must be one of str, np, pd, base64, or absent",
        ),
        (
            tensor("BYTES", ["?"], content_type="base64"),
            "inputs.0",
            "must be texts in UTF-8, in base64, as its content_type says",
        ),
    ],
)
def test_what_does_not_agree_is_refused_by_its_place(one: InferInput, field: str, problem: str) -> None:
    assert refused(one) == (field, problem)


@pytest.mark.parametrize("body", [texts(b"\xff"), texts("abc")[:-1], b"\x01\x00\x00", struct.pack("<I", 2**31) + b"a"])
def test_texts_that_are_cut_off_or_not_in_utf_8_are_refused(body: bytes) -> None:
    assert refused(tensor("BYTES", shape=[1], binary_data_size=len(body)), body) == (
        "inputs.0",
        "BYTES must be texts in UTF-8, each after its length",
    )


def test_texts_in_base64_are_decoded_and_others_are_not() -> None:
    coded = base64.b64encode("é".encode()).decode()
    assert listed(read(tensor("BYTES", [coded, None], content_type="base64"))) == ["é", None]
    for content_type in ("str", "np", "pd"):
        assert listed(read(tensor("BYTES", [coded], content_type=content_type))) == [coded]
    assert refused(tensor("BYTES", [base64.b64encode(b"\xff").decode()], content_type="base64"))[0] == "inputs.0"


def test_an_answer_in_binary_is_read_back() -> None:
    assert encode_binary("BYTES", ["a", "é"]) == texts("a", "é")
    assert encode_binary("BOOL", np.array([True, False])) == b"\x01\x00"
    assert encode_binary("FP64", [0.5]) == struct.pack("<d", 0.5)
    assert encode_binary("INT64", [7]) == struct.pack("<q", 7)
