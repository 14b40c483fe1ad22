"""Which packages there are: those that are shipped, those that only development needs, and those of the lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from churn import DISTRIBUTION

CHECKOUT = Path(__file__).resolve().parents[1]
LOCK = CHECKOUT / "requirements.lock"
# The image of the service has the base and `postgres`, that of the pipelines has more; the rest may be installed with a wheel.
SHIPPED = ("pipelines", "postgres", "s3", "dask", "dvc", "otel")
_ENTRY = re.compile(r"(?m)^(?P<requirement>[^\s#-][^\\\n]*?)\s*(?:\\\n(?P<hashes>(?:\s+--hash=\S+(?:\s*\\)?\n?)+))?$")
_HASH = re.compile(r"--hash=(\S+)")


def shipped() -> set[str]:
    """Name what is installed with any of the extras that are shipped: canonical names, the project itself left out."""
    found: set[tuple[str, str]] = set()
    waiting = [(DISTRIBUTION, extra) for extra in ("", *SHIPPED)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        try:
            wanted = [Requirement(said) for said in requires(name) or []]
        except PackageNotFoundError:
            continue  # of another platform or Python
        for one in wanted:
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(one.name), of) for of in ("", *one.extras)]
    return {name for name, _ in found} - {DISTRIBUTION}


def locked(text: str | None = None) -> Iterator[tuple[Requirement, list[str]]]:
    """Give each entry of the lock with its hashes, such as `sha256:…`."""
    for entry in _ENTRY.finditer(LOCK.read_text() if text is None else text):
        yield Requirement(entry["requirement"]), _HASH.findall(entry["hashes"] or "")
