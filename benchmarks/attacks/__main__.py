"""The service under attack: `python -m benchmarks.attacks [--short] [--seed N] [--count N] [--only KIND] [--out FILE]`.

Starts the service with at most 512 MB above what it has at its start, sends bodies and bytes that are made to be expensive over
every route, prints what they cost it and others, and writes build/benchmarks/attacks.json. Exit code 1 if a promise was broken.
A part: `--only wire`, `--only handmade --from 200 --to 400` or `--match gzip`, `--only generated --first 1000 --count 1000`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies import handmade
from benchmarks.attacks.siege import Plan, Row, Siege, besiege
from benchmarks.attacks.watching import MB
from benchmarks.attacks.wire import wire_attacks

OUT = Path("build/benchmarks/attacks.json")
COUNT, SHORT_COUNT = 5_000, 150
HEADINGS = ("", "sent", "MB out", "MB back", "peak MB", "seconds", "/readyz ms", "others' p99 ms", "answers")


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"only {SHORT_COUNT} generated attacks")
    parser.add_argument("--seed", type=int, default=18, help="of the generated attacks")
    parser.add_argument("--first", type=int, default=0, help="number of the first generated attack")
    parser.add_argument("--count", type=int, help=f"how many are generated (default {COUNT})")
    parser.add_argument("--only", choices=("wire", "handmade", "generated"))
    parser.add_argument("--match", default="", help="only attacks made by hand with this in their names")
    parser.add_argument("--from", dest="start", type=int, default=0, help="number of the first attack made by hand")
    parser.add_argument("--to", type=int, help="number of the first one that is not sent any more")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    count = options.count if options.count is not None else SHORT_COUNT if options.short else COUNT

    def bodies() -> Iterator[Attack]:
        return (one for one in islice(handmade(), options.start, options.to) if options.match in one.name)

    # A pipe has no width of its own; the table needs this much.
    console = Console(width=None if sys.stdout.isatty() else 150)
    with tempfile.TemporaryDirectory(prefix="churn-attacks-") as work:
        plan = Plan(
            wires=wire_attacks if options.only in (None, "wire") else list,
            bodies=bodies if options.only in (None, "handmade") else list,
            seed=options.seed,
            numbers=range(options.first, options.first + count if options.only in (None, "generated") else options.first),
        )
        siege = besiege(Path(work), plan, lambda kind: console.print(escape(kind), style="dim", highlight=False))
    console.print(table(siege.rows))
    console.print(f"{siege.wire} on the protocol, {siege.handmade} by hand, {siege.generated:,} generated (seed {options.seed})")
    broken = siege.broken()
    for text in broken:
        console.print(f"broken: {escape(text)}", highlight=False)
    if late := siege.late():
        console.print(f"others waited longer than a quiet machine lets them: {escape(', '.join(late))}", highlight=False)
    _write(options.out, siege)
    console.print(f"written to {options.out}")
    return int(bool(broken))


def table(rows: Sequence[Row]) -> Table:
    """Show what each kind cost."""
    shown = Table(title="Attacks")
    for heading in HEADINGS:
        shown.add_column(heading, justify="left" if heading in ("", "answers") else "right", no_wrap=heading != "")
    for row in rows:
        answers = ", ".join(f"{n:,} of {status}" for status, n in row.answers.most_common(4))
        sizes = (f"{row.sent / MB:,.1f}", f"{row.received / MB:,.1f}", f"{row.memory / MB:,.0f}")
        times = (f"{row.seconds:.1f}", f"{1000 * row.ready:.0f}", f"{1000 * row.others:.0f}")
        shown.add_row(row.kind, f"{row.number:,}", *sizes, *times, answers)
    return shown


def _write(out: Path, siege: Siege) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    counts = {"handmade": siege.handmade, "generated": siege.generated, "wire": siege.wire, "restarts": siege.restarts}
    report = {**counts, "limit_mb": siege.limit_mb, "broken": siege.broken(), "kinds": [row.report() for row in siege.rows]}
    out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
