"""Lists of outcomes and of contacts, in JSON and in CSV, that are wide, deep, repeated, wrong, or of nobody."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies.documents import values, wide_objects
from benchmarks.attacks.bodies.routes import CONTACTS, CSV, OUTCOMES, post

MOMENT = "2026-01-02T03:04:05Z"
MANY = 99_999
# Path, the list's name, what else an item needs, and the field with the moment.
LISTS = ((OUTCOMES, "outcomes", '"churned":true', "observed_at"), (CONTACTS, "contacts", '"campaign":"may"', "contacted_at"))


def attacks() -> Iterator[Attack]:
    """Yield the attacks."""
    for path, name, rest, moment in LISTS:
        for value_name, value in values().items():
            for field in ("prediction_id", "customer_id", moment, "campaign", "offer"):
                named = "" if field.endswith("_id") else '"prediction_id":"p",'
                # A name that stands there twice would be looked at once.
                others = named if f'"{field}"' in rest else f"{named}{rest},"
                yield _json(f"{value_name} as {field}", path, name, f'{{{others}"{field}":{value}}}')
        for wide, fields in wide_objects():
            yield _json(wide, path, name, f"{{{fields}}}")
            yield post(f"{wide}, around a list, {path}", path, f'{{"{name}":[],{fields}}}'.encode())
        for item, what in _items(rest, moment):
            yield _json(f"99,999 times {item}", path, name, ",".join([what] * MANY))
        unlike = ",".join(f'{{"prediction_id":"p{n}",{rest}}}' for n in range(MANY))
        yield _json("99,999 unknown predictions", path, name, unlike)
        unlike = ",".join(f'{{"customer_id":"c{n}",{rest}}}' for n in range(MANY))
        yield _json("99,999 unknown customers", path, name, unlike)
        for text_name, text in _texts("churned" if path == OUTCOMES else "campaign"):
            yield post(f"{text_name}, csv to {path}", path, text.encode(), CSV)


def _json(what: str, path: str, name: str, items: str) -> Attack:
    return post(f"{what}, {path}", path, f'{{"{name}":[{items}]}}'.encode())


def _items(rest: str, moment: str) -> Iterator[tuple[str, str]]:
    for plain in ("{}", "[]", "null", "1", '""', '{"a":1}', '{"state":"OH"}'):
        yield plain, plain
    yield "one prediction", f'{{"prediction_id":"p",{rest}}}'
    yield "one customer", f'{{"customer_id":"c",{rest}}}'
    yield "one customer, and when", f'{{"customer_id":"c",{rest},"{moment}":"{MOMENT}"}}'
    yield "a wrong flag", f'{{"prediction_id":"p","churned":1,"opt_out":1,"{moment}":"{MOMENT}"}}'
    yield "a correction", f'{{"prediction_id":"p",{rest},"{moment}":"{MOMENT}","corrects":true}}'
    yield "an opt-out", f'{{"customer_id":"c","opt_out":true,"{moment}":"{MOMENT}"}}'


def _texts(field: str) -> Iterator[tuple[str, str]]:
    yield "a header of a million names", ",".join(f"n{n}" for n in range(1_000_000))
    yield "a header of a million commas", "," * 1_000_000
    yield "a header of one long name", "n" * 4_000_000
    yield "rows of nobody", f"prediction_id,{field}\n" + "p,true\n" * MANY
    yield "rows of nobody by customer", f"customer_id,{field}\n" + "".join(f"c{n},true\n" for n in range(MANY))
    yield "wrong rows", f"customer_id,{field}\n" + ",\n" * MANY
    yield "wrong moments", "customer_id,observed_at\n" + "c,x\n" * MANY
    yield "a million rows", f"customer_id,{field}\n" + "c,true\n" * 1_000_000
    yield "a million empty lines", f"customer_id,{field}\n" + "\n" * 4_000_000
    yield "a row of a million fields", f"customer_id,{field}\n" + "1," * 1_000_000
    yield "a field of 1 MB", f"customer_id,{field}\nc," + "x" * 1_000_000
    yield "a quote that is never closed", f'customer_id,{field}\n"' + "x\n" * 1_000_000
    yield "a record of a million quoted lines", f"customer_id,{field}\n" + '"x\n",' * 600_000
    yield "NULs", "\0" * 4_000_000
    yield "beyond ASCII", f"customer_id,{field}\n" + "\U0001f600,true\n" * MANY
