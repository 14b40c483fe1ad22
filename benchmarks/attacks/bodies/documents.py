"""JSON that is wide, deep, repeated, or full of long numbers and escapes, for every route that reads JSON."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies.routes import BATCH, INFER, INVOCATIONS, PREDICT, post

DEEP = 200_000


@cache
def values() -> dict[str, str]:
    """Return what one value of a customer may be, by name: megabytes, made only where they are sent."""
    digits = "1" + "0" * 1_000_000
    mantissa = "1." + "0" * 1_000_000 + "1"
    return {
        "an integer of a million digits": digits,
        "a negative integer of a million digits": f"-{digits}",
        "a mantissa of a million digits": mantissa,
        "an exponent of a million digits": f"1e{digits}",
        "a text of a million digits": f'"{digits}"',
        "a text of a million decimals": f'"{mantissa}"',
        "a text of a million blanks": f'"{" " * 1_000_000}"',
        "a text of a million escapes": '"' + "\\n" * 500_000 + '"',
        "a text of escaped letters": '"' + "\\u0061" * 200_000 + '"',
        "a text of surrogate pairs": '"' + "\\ud83d\\ude00" * 100_000 + '"',
        "a text of half pairs": '"' + "\\ud800" * 200_000 + '"',
        "lists 200,000 deep": "[" * DEEP + "]" * DEEP,
        "objects 100,000 deep": '{"a":' * (DEEP // 2) + "1" + "}" * (DEEP // 2),
        "a list of a million": "[" + "1," * 1_000_000 + "1]",
        "an object of 100,000": "{" + ",".join(f'"k{n}":1' for n in range(100_000)) + "}",
    }


def attacks() -> Iterator[Attack]:
    """Yield the attacks."""
    for name, value in values().items():
        for field in ("total_day_minutes", "customer_id", "area_code", "international_plan"):
            customer = f'{{"total_eve_minutes":1,"{field}":{value}}}'
            yield post(f"{name} as {field}", BATCH, f'{{"customers":[{customer}]}}'.encode())
            if field in ("total_day_minutes", "customer_id"):
                yield post(f"{name} as {field}, {INVOCATIONS}", INVOCATIONS, f'{{"dataframe_records":[{customer}]}}'.encode())
                yield post(f"{name} as {field}, {PREDICT}", PREDICT, customer[:60_000].encode())
        yield post(f"{name} as a whole", BATCH, value.encode())
        tensor = f'{{"name":"total_day_minutes","shape":[1],"datatype":"FP64","data":[{value}]}}'
        yield post(f"{name} as a tensor's value", INFER, f'{{"inputs":[{tensor}]}}'.encode())
        yield post(f"{name} as parameters", INFER, f'{{"parameters":{{"a":{value}}},"inputs":[]}}'.encode())
    for name, fields in wide_objects():
        customer = f"{{{fields}}}"
        yield post(f"{name}, {PREDICT}", PREDICT, customer[:64_000].encode())
        yield post(f"{name}, {BATCH}", BATCH, f'{{"customers":[{customer}]}}'.encode())
        yield post(f"{name}, around customers", BATCH, f'{{"customers":[{{"state":"OH"}}],{fields}}}'.encode())
        yield post(f"{name}, {INVOCATIONS}", INVOCATIONS, f'{{"dataframe_records":[{customer}]}}'.encode())
        yield post(f"{name}, {INFER}", INFER, f'{{"inputs":[{customer}]}}'.encode())
        yield post(f"{name}, around inputs", INFER, f'{{"inputs":[],{fields}}}'.encode())
        yield post(f"{name}, rollback", "/admin/rollback", customer[:64_000].encode())
    yield from _lists()


def wide_objects() -> Iterator[tuple[str, str]]:
    """Yield the inside of objects with more fields than anybody needs."""
    yield "one field 100,000 times", ",".join(['"state":"OH"'] * 100_000)
    yield "100,000 fields twice", ",".join(f'"k{n}":1' for n in (*range(100_000), *range(100_000)))
    yield "200,000 unknown fields", ",".join(f'"k{n}":1' for n in range(200_000))
    yield "100,000 fields like known ones", ",".join(f'"total_day_minute{n}":1' for n in range(100_000))
    yield "a name of 1 MB", f'"{"n" * 1_000_000}":1'
    yield "10,000 names of 100 letters", ",".join(f'"{n:0100}":1' for n in range(10_000))


def _lists() -> Iterator[Attack]:
    names = ",".join(f'"n{n}"' for n in range(500_000))
    yield post("columns of 500,000 names", INVOCATIONS, f'{{"dataframe_split":{{"columns":[{names}],"data":[[1]]}}}}'.encode())
    same = ",".join(['"state"'] * 500_000)
    yield post("columns of one name", INVOCATIONS, f'{{"dataframe_split":{{"columns":[{same}],"data":[[1]]}}}}'.encode())
    numbers = ",".join(map(str, range(500_000)))
    yield post("columns of numbers", INVOCATIONS, f'{{"dataframe_split":{{"columns":[{numbers}],"data":[[1]]}}}}'.encode())
    lists = ",".join(["[1,[2]]"] * 200_000)
    yield post("columns of lists", INVOCATIONS, f'{{"dataframe_split":{{"columns":[{lists}],"data":[[1]]}}}}'.encode())
    wide = ",".join(f'"n{n}":[1]' for n in range(300_000))
    yield post("inputs of 300,000 columns", INVOCATIONS, f'{{"inputs":{{{wide}}}}}'.encode())
    row = "[" + ",".join(["1"] * 1_000_000) + "]"
    yield post("a row of a million", INVOCATIONS, f'{{"instances":[{row}]}}'.encode())
    for what in ("{}", "[]", "null", "1", '""', '{"a":1}', '{"state":"OH"}', '{"state":"XX","total_day_minutes":-1}'):
        many = ",".join([what] * 99_999)
        yield post(f"99,999 times {what}", BATCH, f'{{"customers":[{many}]}}'.encode())
        yield post(f"99,999 times {what}, records", INVOCATIONS, f'{{"dataframe_records":[{many}]}}'.encode())
        yield post(f"99,999 times {what}, inputs", INFER, f'{{"inputs":[{many}]}}'.encode())
    own = ",".join(f'{{"state":"OH","k{n}":1}}' for n in range(99_999))
    yield post("99,999 names of their own", BATCH, f'{{"customers":[{own}]}}'.encode())
    yield post("99,999 names of their own, records", INVOCATIONS, f'{{"dataframe_records":[{own}]}}'.encode())
    yield post("a million brackets that close", BATCH, b"]" * 1_000_000)
    yield post("a list that never closes", BATCH, b"[" + b"1," * 1_000_000)
    yield post("blanks", BATCH, b" " * 4_000_000)
    yield post(
        "a body of NaN", INVOCATIONS, b'{"dataframe_records":[{"total_day_minutes":NaN}' + b',{"state":NaN}' * 50_000 + b"]}"
    )
