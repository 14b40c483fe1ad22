"""Check the licences of all packages against those that tools/licences.toml allows, and list them: `make licences`.

What is shipped may have no licence that would bind whoever builds on it (GPL, AGPL); what only development runs may be under any
free one. A package of which nothing is known, or something new, stops the build until somebody has looked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from packaging.utils import canonicalize_name

from churn import DISTRIBUTION
from tools.packages import shipped

RULES = Path(__file__).with_name("licences.toml")


class Package(NamedTuple):
    """An installed package and what it says of its licence."""

    name: str
    version: str
    licence: str


def installed() -> list[Package]:
    """Ask pip-licenses what is in this environment."""
    asked = [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json"]
    told = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)  # noqa: S603 -- our own interpreter
    found = [Package(canonicalize_name(one["Name"]), one["Version"], one["License"].partition("\n")[0]) for one in told]
    return [package for package in found if package.name != DISTRIBUTION]


def judge(packages: Iterable[Package], shipped_names: set[str], rules: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Compare packages with the rules.

    Parameters
    ----------
    packages : iterable of Package
    shipped_names : set of str
    rules : mapping
        As tools/licences.toml has them: `allowed` and `development` list licences, `looked_at` names packages.

    Returns
    -------
    lines, problems : list of str
        A line a package, and a line a problem.
    """
    lines, problems = [], []
    for package in sorted(packages):
        is_shipped = package.name in shipped_names
        known = rules["looked_at"].get(package.name, {})
        licence = known.get("licence", package.licence)
        allowed = rules["allowed"] if is_shipped else [*rules["allowed"], *rules["development"]]
        lines.append(f"{package.name}\t{package.version}\t{licence}\t{'shipped' if is_shipped else 'development'}")
        # Somebody looked at what it said then; what it says now may be something else.
        if known and known["says"] != package.licence:
            problems.append(f"{package.name} says {package.licence!r} of its licence, and no longer {known['says']!r}: look anew")
        elif licence not in allowed and not known.get("accepted"):
            where = "shipped" if is_shipped else "development"
            problems.append(f"{package.name} {package.version} ({where}) is under {licence!r}, which {RULES.name} does not allow")
    return lines, problems


def main() -> int:
    """Print the list, or with --check only what is wrong; 1 if anything is."""
    lines, problems = judge(installed(), shipped(), tomllib.loads(RULES.read_text()))
    if "--check" not in sys.argv:
        sys.stdout.write("\n".join(lines) + "\n")
    for problem in problems:
        sys.stderr.write(f"licences: {problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
