"""What is installed is what was locked, under licences that somebody looked at, and all of it is in the bill of materials."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from churn import DISTRIBUTION
from tests.security.documented import CHECKOUT
from tools import licences, sbom
from tools.licences import Package, judge
from tools.packages import LOCK, locked, shipped

RULES = tomllib.loads(licences.RULES.read_text())


@pytest.fixture(scope="module")
def packages() -> list[Package]:
    """What pip-licenses tells: asked once, as it takes two seconds."""
    return licences.installed()


@pytest.fixture(scope="module")
def document(packages: list[Package]) -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sbom, "installed", lambda: packages)
        yield sbom.describe()


def test_every_entry_of_the_lock_has_hashes_and_no_address() -> None:
    entries = list(locked())
    text = LOCK.read_text()
    assert len(entries) == len(re.findall(r"(?m)^[A-Za-z0-9]", text)) > 300
    for requirement, hashes in entries:
        assert [one.operator for one in requirement.specifier] == ["=="], requirement
        assert requirement.url is None
        assert hashes, f"{requirement} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement
    assert "://" not in text
    assert not re.search(r"(?m)^\s*(-e|-r|--index-url|--extra-index-url|--find-links|--trusted-host|git\+)", text)


def test_whatever_installs_from_the_lock_requires_its_hashes() -> None:
    makefile, dockerfile = ((CHECKOUT / name).read_text() for name in ("Makefile", "Dockerfile"))
    for line in makefile.splitlines():
        if re.search(r"uv pip sync|pip install", line):
            # Our own tree has no hash. It is built with what was locked, and takes nothing from an index.
            assert "--require-hashes" in line or "--no-deps --no-build-isolation" in line, line
    assert "uv pip sync" in makefile
    for command in dockerfile.replace("\\\n", " ").splitlines():
        if command.startswith("RUN") and "pip install" in command:
            assert re.search(r"--constraint requirements\.lock|--require-hashes|--no-deps", command), command


def test_every_package_has_a_licence_that_is_allowed_where_it_is_used(packages: list[Package]) -> None:
    lines, problems = judge(packages, shipped(), RULES)
    assert problems == []
    assert len(lines) > 250
    named = {line.split("\t")[0] for line in lines}
    assert set(RULES["looked_at"]) <= named, "a package that is gone needs no rule"


@pytest.mark.parametrize(
    ("package", "is_shipped", "problem"),
    [
        (Package("new", "1", "GPL-3.0-or-later"), True, "does not allow"),
        (Package("new", "1", "GPL-3.0-or-later"), False, ""),
        (Package("new", "1", "AGPL-3.0"), False, "does not allow"),
        (Package("new", "1", "UNKNOWN"), False, "does not allow"),
        (Package("new", "1", "MIT"), True, ""),
        (Package("skops", "9", "SSPL"), True, "look anew"),
    ],
)
def test_a_licence_that_nobody_looked_at_is_a_problem(package: Package, is_shipped: bool, problem: str) -> None:
    _, problems = judge([package], {package.name} if is_shipped else set(), RULES)
    assert (problem in problems[0]) if problem else problems == []


def test_the_bill_of_materials_holds_every_package_with_version_licence_and_hashes(document: dict[str, Any]) -> None:
    known = {(canonicalize_name(one["name"]), one["version"]): one for one in document["components"]}
    names = shipped()
    there = {(canonicalize_name(one.metadata["Name"]), one.version) for one in distributions()}
    for requirement, hashes in locked():
        name, version = canonicalize_name(requirement.name), str(requirement.specifier)[2:]
        if (name, version) not in there:
            continue  # for another platform or Python
        component = known[name, version]
        assert component["purl"].startswith("pkg:pypi/"), name
        assert component["licenses"], name
        assert {one["value"] for one in component["properties"] if one["name"] == "churn:lock:hash"} == set(hashes)
        assert component["scope"] == ("required" if name in names else "excluded")
    ours = document["metadata"]["component"]
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert project["name"] == DISTRIBUTION
    assert (ours["name"], ours["version"], ours["type"]) == (DISTRIBUTION, project["version"], "application")


def test_the_bill_of_materials_keeps_its_schema(document: dict[str, Any]) -> None:
    # All of it takes half a minute, and `make sbom` looks at all; a few of each kind tell whether what is added is right.
    few = document["components"][::40]
    kept = {one["bom-ref"] for one in few} | {document["metadata"]["component"]["bom-ref"]}
    small = {**document, "components": few}
    small["dependencies"] = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in kept]}
        for one in document["dependencies"]
        if one["ref"] in kept
    ]
    assert sbom.check(small) == ""
    assert sbom.check({**small, "components": [{**few[0], "scope": "some"}]}) != ""


def test_every_exception_from_bandits_rules_says_why() -> None:
    for package in ("churn", "service", "pipelines", "monitoring", "tools", "benchmarks"):
        for file in (CHECKOUT / package).rglob("*.py"):
            for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
                if re.search(r"# noqa: [^#]*\bS\d", line):
                    assert re.search(r"# noqa: [A-Z0-9, ]+ -- \w", line), f"{file.name}:{number} does not say why"
    configured = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in configured["select"]
    assert not [rule for rule in configured["ignore"] if re.fullmatch(r"S\d+", rule)]
    for where, rules in configured["per-file-ignores"].items():
        assert where.startswith(("tests/", "benchmarks/")) or not [rule for rule in rules if re.fullmatch(r"S\d*", rule)]


def test_no_secret_is_committed() -> None:
    secret = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bghp_[A-Za-z0-9]{36}\b|\bsk-[A-Za-z0-9]{40,}")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        file = CHECKOUT / name
        if file.is_file() and file.suffix not in (".png", ".lock") and secret.search(file.read_text("utf-8", "replace")):
            found.append(name)
    assert found == []
