"""CSV that is wide, long, repeated or half quoted."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies.routes import BATCH, CSV, on_all_routes, post

ZEROS = "0" * 1_000_000


def _bodies() -> dict[str, str]:
    """Return what is posted, by name: megabytes, made only where they are sent."""
    return {
        "a header of a million names": ",".join(f"n{n}" for n in range(1_000_000)),
        "a header of a million empty names": "," * 1_000_000 + "\n1",
        "a header of a million equal names": "state," * 1_000_000,
        "a header of names like known ones": ",".join(f"total_day_minute{n}" for n in range(100_000)),
        "a header of one long name": "n" * 4_000_000 + "\n1",
        "a field of 1 MB": "total_day_minutes,customer_id\n1," + "x" * 1_000_000,
        "a quote that is never closed": 'total_day_minutes,customer_id\n1,"' + "x\n" * 1_000_000,
        "a million quotes": "total_day_minutes,customer_id\n1," + '"' * 1_000_000,
        "a million empty lines": "total_day_minutes\n1\n" + "\n" * 2_000_000,
        "a million carriage returns": "total_day_minutes\n1\n" + "\r" * 2_000_000,
        "a million rows": "total_day_minutes\n" + "1\n" * 1_000_000,
        "a row of a million fields": "total_day_minutes\n1\n" + "1," * 1_000_000,
        "100,000 wrong rows": "total_day_minutes,state\n" + "x,y\n" * 100_000,
        "100,000 ids of one letter": "customer_id,total_day_minutes\n" + "c,1\n" * 100_000,
        "100,000 rows of every known column that are empty": "total_day_minutes,state,area_code\n" + ",,\n" * 100_000,
        "a number of a million digits": f"total_day_minutes\n1{ZEROS}",
        "a number of a million decimals": f"total_day_minutes\n1.{ZEROS}1",
        "an exponent of a million digits": f"total_day_minutes\n1e{ZEROS}1",
        "a level of a million digits": f"total_day_minutes,area_code\n1,415.{ZEROS}",
        "a flag of a million digits": f"total_day_minutes,international_plan\n1,1.{ZEROS}",
        "10,000 different numbers with signs": "total_day_minutes\n" + "".join(f"+{n}\n" for n in range(10_000)),
        "blanks around a number": "total_day_minutes\n" + " " * 1_000_000 + "1",
        "100,000 rows of short numbers": "total_day_minutes,total_eve_minutes,total_night_minutes\n" + "11,12,13\n" * 100_000,
        "a record of a million quoted lines": "total_day_minutes,state\n" + '"x\n",' * 600_000,
        "semicolons": "state;area_code;" * 100_000,
    }


def attacks() -> Iterator[Attack]:
    """Yield the attacks."""
    for name, text in _bodies().items():
        yield from on_all_routes(f"{name}, csv", CSV, text.encode())
    yield post("UTF-16, csv", BATCH, ("total_day_minutes\n" + "1\n" * 100_000).encode("utf-16"), CSV)
    yield post("NULs, csv", BATCH, bytes(4_000_000), CSV)
