"""Write build/sbom.cdx.json, the software bill of materials: `make sbom` (CycloneDX 1.6, https://cyclonedx.org).

cyclonedx-py says what is installed. What it does not know is added: the hashes of the lock, and what is shipped (the scope is
`required`) and what only development needs (`excluded`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tools.licences import installed
from tools.packages import CHECKOUT, locked, shipped

TARGET = CHECKOUT / "build/sbom.cdx.json"


def describe() -> dict[str, Any]:
    """Describe this environment, and `churn` as what it is for."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(CHECKOUT / "pyproject.toml")]
    options = ["--mc-type", "application", "--output-reproducible", "--no-validate", "--spec-version", "1.6", sys.executable]
    said = subprocess.run([*command, *options], capture_output=True, check=True)  # noqa: S603 -- our own interpreter
    document: dict[str, Any] = json.loads(said.stdout)
    hashes = {(canonicalize_name(one.name), str(one.specifier)[2:]): found for one, found in locked()}
    licences = {package.name: package.licence for package in installed()}
    names = shipped()
    for component in document["components"]:
        name = canonicalize_name(component["name"])
        component["scope"] = "required" if name in names else "excluded"
        if found := hashes.get((name, component["version"])):
            # Of every file that the lock lets an installer take: the wheels of all platforms, and the source.
            component["properties"] = [
                *component.get("properties", []),
                *({"name": "churn:lock:hash", "value": one} for one in sorted(found)),
            ]
        if not component.get("licenses") and name in licences:
            component["licenses"] = [{"license": {"name": licences[name]}}]
    return document


def check(document: dict[str, Any]) -> str:
    """Validate against CycloneDX's own schema; gives what is wrong, or nothing."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    return "" if wrong is None else str(wrong)[:2_000]


def main() -> int:
    """Write it, if it is valid (which takes half a minute to tell)."""
    document = describe()
    if wrong := check(document):
        sys.stderr.write(f"sbom: {wrong}\n")
        return 1
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=2) + "\n")
    sys.stdout.write(f"{len(document['components'])} components in {TARGET.relative_to(Path.cwd())}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
