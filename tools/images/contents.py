"""What is in an image: what the lock says, on the bill of materials, for its own user to read and for nobody to write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from churn import DISTRIBUTION
from churn.errors import ChurnError
from tools.containers.engine import Engine
from tools.images.container import HARDENED, HOME
from tools.packages import locked

# Modules that an image must not have.
LEFT_OUT = {
    "service": (
        "prefect",
        "evidently",
        "dvc",
        "supervisor",
        "matplotlib",
        "boto3",
        "dask",
        "flask",
        "google.auth",
        "watchfiles",
        "websockets",
        "cryptography",
        "pytest",
        "pip",
        "uv",
    ),
    "pipelines": ("dvc", "pytest", "pip", "uv"),
}
# Libraries that trimming could break, by the modules that our commands and servers load late.
LOADED = {
    "service": (
        "service.app",
        "service.model_loading.loader_process",
        "mlflow.artifacts",
        "sklearn.pipeline",
        "skops.io",
        "psycopg",
    ),
    "pipelines": (
        "evidently.cli",
        "evidently.ui.service.app",
        "monitoring.reports.evidently_report",
        "mlflow.server.handlers",
        "prefect.server.api.server",
        "dask.distributed",
        "boto3",
    ),
}
# The base's, which a build must not change: how whoever builds reaches the index stays outside.
UNCHANGED = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf", "/etc/uv/uv.toml", "/root/.config", "/root/.netrc")

# Folders that the image's user may write to, were the root not read-only.
OPEN = {HOME, "/var/tmp"}  # noqa: S108 -- what the image has, nothing is written there

DESCRIBE = """
import importlib.metadata, importlib.util, json, os, pathlib, sys, warnings
warnings.simplefilter("ignore")
asked, wanted = json.loads(sys.argv[1]), json.loads(sys.argv[2])
out, sys.stdout = sys.stdout, sys.stderr  # what a module prints is not for our reader
broken = []
for name in wanted:
    try:
        importlib.import_module(name)
    except Exception as error:
        broken.append(f"{name}: {error!r}")
def there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
roots = [pathlib.Path(one) for one in ("/opt", "/etc", "/usr", "/var")]
walked = [(folder, names) for root in roots for folder, _, names in os.walk(root)]
files = [f"{folder}/{name}".rstrip("/") for folder, names in walked for name in ["", *names]]
json.dump({
    "python": sys.version.split()[0], "base": str(pathlib.Path(sys.executable).resolve()),
    "packages": sorted((one.metadata["Name"], one.version) for one in importlib.metadata.distributions()),
    "broken": broken, "found": [name for name in asked if there(name)],
    "bill": json.loads(pathlib.Path("/opt/churn/sbom.cdx.json").read_text()),
    "writable": [file for file in files if os.access(file, os.W_OK) and not os.path.islink(file)],
    "user": [os.getuid(), os.getgid(), sorted(os.getgroups())],
}, out)
"""


@dataclass(frozen=True)
class Contents:
    """What was found in an image."""

    python: str
    packages: int


def check_contents(engine: Engine, image: str, target: str, base: str) -> Contents:
    """Look into an image as its own user does.

    Parameters
    ----------
    engine : Engine
    image, target : str
        Its name, and the stage of the Dockerfile that it was made of.
    base : str
        Name of the image that it was built on.

    Returns
    -------
    Contents

    Raises
    ------
    ChurnError
        If something is missing, left over or open.
    """
    found = _describe(engine, image, target)
    _check(not found["broken"], f"{image} cannot import {found['broken']}")
    _check(not found["found"], f"{image} holds {found['found']}, which it does not need")
    versions = {(canonicalize_name(one.name), str(one.specifier)[2:]) for one, _ in locked()}
    packages = {(canonicalize_name(name), version) for name, version in found["packages"]}
    others = {one for one in packages if one[0] != DISTRIBUTION}
    _check(len(others) > 40 and others <= versions, f"{image}: not what the lock says: {sorted(others - versions)}")
    named = {(canonicalize_name(one["name"]), one["version"]) for one in found["bill"]["components"]}
    _check(
        named | packages == packages and others <= named, f"{image}: the bill of materials differs: {sorted(named ^ packages)}"
    )
    _check(found["bill"]["metadata"]["component"]["name"] == DISTRIBUTION, f"{image}: the bill is of something else")
    _check(not found["base"].startswith("/opt/"), f"{image} does not run on its base's Python, but on {found['base']}")
    _check(found["user"] == [10001, 10001, [10001]], f"{image} runs as {found['user']}")
    _check(set(found["writable"]) <= OPEN, f"{image}: its user can write {found['writable'][:10]}")
    digests = {name: _digests(engine, name) for name in (image, base)}
    _check(digests[image] == digests[base], f"{image} holds files of the machine that built it: {digests[image]}")
    return Contents(found["python"], len(packages))


def _describe(engine: Engine, image: str, target: str) -> dict[str, Any]:
    # With a root that can be written to: the files' own modes must close them.
    hardened = [option for option in HARDENED if not option.startswith("--read-only")]
    options = ("--rm", "--network=none", *hardened, "--entrypoint=python")
    done = engine.run("podman", "run", *options, image, "-c", DESCRIBE, json.dumps(LEFT_OUT[target]), json.dumps(LOADED[target]))
    return dict(json.loads(done.stdout))


def _digests(engine: Engine, image: str) -> str:
    options = ("--rm", "--network=none", "--read-only", "--user=0:0", "--entrypoint=sh")
    return engine.run("podman", "run", *options, image, "-c", f"sha256sum {' '.join(UNCHANGED)} 2>&1; true").stdout


def size_of(engine: Engine, image: str) -> int:
    """Return the bytes of all of an image's layers.

    Parameters
    ----------
    engine : Engine
    image : str
        Its name.

    Returns
    -------
    int
    """
    return int(engine.inspect("image", image)["Size"])


def _check(kept: bool, otherwise: str) -> None:
    if not kept:
        raise ChurnError(otherwise)
