"""What Arrow messages claim to unpack to, added up before anything is unpacked."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from service.formats.size_checks.arrow import Malformed, Weights, _field, unpacked_bytes

ROWS = 1_000
ZEROS = pa.table({"a": [0.0] * ROWS, "b": [0.0] * ROWS})
I64, U32 = struct.Struct("<q"), struct.Struct("<I")


def messages(table: pa.Table, *, codec: str | None = "zstd", **options: Any) -> list[tuple[bytes, bytes]]:
    """The flatbuffer and the buffers of each message of a stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec, **options)) as writer:
        for batch in table.to_batches():
            writer.write_batch(batch)
    read = pa.ipc.MessageReader.open_stream(sink.getvalue())
    return [(one.metadata.to_pybytes(), one.body.to_pybytes() if one.body else b"") for one in read]


def test_a_compressed_batch_weighs_what_it_unpacks_to_and_a_schema_or_a_plain_batch_nothing() -> None:
    schema, batch = messages(ZEROS)
    assert unpacked_bytes(*schema) == 0
    # Two columns of so many floats; their validity is not sent.
    assert unpacked_bytes(*batch) == 2 * ROWS * 8
    assert len(batch[1]) < 500
    assert [unpacked_bytes(*one) for one in messages(ZEROS, codec=None)] == [0, 0]


def test_batches_add_up_to_what_there_is_room_for_and_no_byte_further() -> None:
    _, batch = messages(ZEROS)
    for room, fits in ((4 * ROWS * 8, [True, True]), (4 * ROWS * 8 - 1, [True, False])):
        weights = Weights(room)
        assert [weights.add(*batch) for _ in range(2)] == fits


def words() -> pa.Table:
    levels = [f"level {n:06}" for n in range(ROWS)]
    return pa.table({"a": pa.array(levels).dictionary_encode()})


def test_a_dictionary_weighs_what_it_unpacks_to() -> None:
    _, dictionary, batch = messages(words())
    texts = ROWS * len("level 000000")
    # Offsets of 4 bytes, one more than there are levels.
    assert unpacked_bytes(*dictionary) == texts + 4 * (ROWS + 1)
    assert unpacked_bytes(*batch) == 4 * ROWS


def deltas(codec: str | None) -> list[tuple[bytes, bytes]]:
    """Two batches whose second adds as many levels to the dictionary of the first."""
    whole = pa.array([f"level {n:06}" for n in range(2 * ROWS)])
    index = pa.array(range(ROWS), pa.int32())
    batches = [pa.record_batch([pa.DictionaryArray.from_arrays(index, levels)], names=["a"]) for levels in (whole[:ROWS], whole)]
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=codec, emit_dictionary_deltas=True)
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    read = pa.ipc.MessageReader.open_stream(sink.getvalue())
    return [(one.metadata.to_pybytes(), one.body.to_pybytes() if one.body else b"") for one in read]


@pytest.mark.parametrize("codec", ["zstd", None])
def test_what_adds_to_a_dictionary_makes_a_new_one_as_large_as_both(codec: str | None) -> None:
    sent = deltas(codec)
    assert len(sent) == 5
    unpacked = [unpacked_bytes(*one) for one in sent]
    first, added = (max(unpacked[at], len(sent[at][1])) for at in (1, 3))
    # The first is where it was sent, or unpacked; the second once more in all.
    whole = sum(unpacked) + first + added
    for room, fits in ((whole, True), (whole - 1, False)):
        weights = Weights(room)
        assert [weights.add(*one) for one in sent][-1] is fits


def test_a_dictionary_that_replaces_another_is_as_large_as_itself() -> None:
    _, dictionary, _ = messages(words(), codec=None)
    weights = Weights(0)
    assert all(weights.add(*dictionary) for _ in range(3))


def spoil(find: Callable[[bytes], int], number: int) -> tuple[bytes, bytes]:
    _, (metadata, body) = messages(ZEROS)
    at = find(metadata)
    return metadata[:at] + I64.pack(number) + metadata[at + 8 :], body


def buffer_at(metadata: bytes) -> int:
    """Where the second buffer, which is the first that is not empty, says where it lies: its length follows."""
    _, (_, body) = messages(ZEROS)
    size = next(n for n in range(8, len(body)) if metadata.find(struct.pack("<qq", 0, n)) > 0)
    return metadata.index(struct.pack("<qq", 0, size))


@pytest.mark.parametrize(("offset", "number"), [(0, -1), (8, -1)])
def test_a_negative_place_or_length_is_refused(offset: int, number: int) -> None:
    with pytest.raises(Malformed, match="negative place or length"):
        unpacked_bytes(*spoil(lambda metadata: buffer_at(metadata) + offset, number))


def test_a_place_outside_of_the_body_is_refused() -> None:
    with pytest.raises(Malformed, match="leads out"):
        unpacked_bytes(*spoil(buffer_at, 1 << 40))


@pytest.mark.parametrize(
    ("claim", "weight"), [(-2, None), (-1, ROWS * 8), (0, ROWS * 8), (1, ROWS * 8 + 1), (1 << 50, (1 << 50) + ROWS * 8)]
)
def test_what_a_buffer_claims_counts_and_minus_one_means_not_compressed(claim: int, weight: int | None) -> None:
    _, (metadata, body) = messages(ZEROS)
    lying = I64.pack(claim) + body[8:]
    if weight is None:
        with pytest.raises(Malformed, match="claims a negative size"):
            unpacked_bytes(metadata, lying)
    else:
        assert unpacked_bytes(metadata, lying) == weight
        assert Weights(1 << 40).add(metadata, lying) is (weight < 1 << 40)


@pytest.mark.parametrize("cut", [0, 3, 4, 8, 20])
def test_metadata_that_are_cut_off_are_refused(cut: int) -> None:
    _, (metadata, body) = messages(ZEROS)
    for ask in (unpacked_bytes, Weights(1 << 40).add):
        with pytest.raises(Malformed):
            ask(metadata[:cut], body)


@pytest.mark.parametrize("start", [1 << 31, (1 << 32) - 1])
def test_an_offset_that_leads_nowhere_is_refused(start: int) -> None:
    _, (metadata, body) = messages(ZEROS)
    with pytest.raises(Malformed):
        unpacked_bytes(U32.pack(start) + metadata[4:], body)


def test_a_table_that_begins_before_the_message_is_refused() -> None:
    _, (metadata, body) = messages(ZEROS)
    root = U32.unpack_from(metadata)[0]
    before = metadata[:root] + struct.pack("<i", root + 8) + metadata[root + 4 :]
    with pytest.raises(Malformed, match="a table lies outside"):
        unpacked_bytes(before, body)


@pytest.mark.parametrize("field", [0, 2])
def test_a_dictionary_whose_number_lies_outside_of_the_message_is_refused(field: int) -> None:
    metadata, body = deltas("zstd")[3]
    message = U32.unpack_from(metadata)[0]
    header = _field(metadata, message, 2)
    table = header + U32.unpack_from(metadata, header)[0]
    entry = table - struct.unpack_from("<i", metadata, table)[0] + 4 + 2 * field
    far = metadata[:entry] + struct.pack("<H", 0x7FFF) + metadata[entry + 2 :]
    assert unpacked_bytes(far, body) == unpacked_bytes(metadata, body), "its buffers are as they were"
    with pytest.raises(Malformed, match="leads out"):
        Weights(1 << 40).add(far, body)


def test_no_byte_of_the_metadata_can_make_it_raise_anything_else() -> None:
    for sent in (messages(ZEROS)[1], deltas("zstd")[3]):
        metadata, body = sent
        for at in range(len(metadata)):
            for value in (0, 0x7F, 0x80, 0xFF):
                spoiled = metadata[:at] + bytes([value]) + metadata[at + 1 :]
                try:
                    Weights(1 << 62).add(spoiled, body)
                except Malformed:
                    continue
