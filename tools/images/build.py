"""Build both targets of the Dockerfile with buildah."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from tools.containers.engine import Engine
from tools.images.index_access import build_secrets, uv_cache
from tools.packages import CHECKOUT
from tools.stack.compose_file import read_services

TARGETS = ("service", "pipelines")
# What buildah says of each step: the image that it has made, or found.
STEP_IMAGE = re.compile(r"(?m)^--> (?:Using cache )?([0-9a-f]{11,64})$")
# The Dockerfile's UV_CACHE_DIR.
CACHE = "/tmp/uv"  # noqa: S108 -- inside the build's container


def image_name(target: str) -> str:
    """Return the name under which compose.yaml knows the image of a target, as the engine spells it."""
    (name,) = {one.image for one in read_services().values() if one.entry.get("build", {}).get("target") == target}
    return f"localhost/{name}"


def build_images(engine: Engine, base: str) -> None:
    """Build the images; layers of the build before are used again where nothing changed, older ones go.

    Parameters
    ----------
    engine : Engine
    base : str
        Name of the base image.

    Raises
    ------
    ChurnError
        If a step fails, with what it printed.
    """
    # In docker format, or there is no HEALTHCHECK. In a chroot, on the host's network: a build needs no more, and on machines
    # that are containers themselves no more is to be had.
    options = ["--format=docker", "--layers", "--isolation=chroot", "--network=host", f"--build-arg=BASE={base}"]
    options.append(f"--build-arg=REVISION={_revision()}")
    if cache := uv_cache():
        options.append(f"--volume={cache}:{CACHE}")
    with tempfile.TemporaryDirectory(prefix="churn-build-") as folder:
        options += build_secrets(Path(folder))
        said = [
            engine.run("buildah", "build", *options, f"--target={target}", f"--tag={image_name(target)}", CHECKOUT, timeout=2400)
            for target in TARGETS
        ]
    if engine.has_own_storage:
        _remove_old_steps(engine, {name for done in said for name in STEP_IMAGE.findall(done.stdout)})


def _remove_old_steps(engine: Engine, used: set[str]) -> None:
    """Remove the steps of other builds: an image without a name that nothing else is made of, and what only that was made of."""
    unnamed = engine.podman("images", "--filter=dangling=true", "--no-trunc", "--quiet").replace("sha256:", "").split()
    if old := [name for name in unnamed if not any(name.startswith(one) for one in used)]:
        # One that has gone with another by then is no failure.
        engine.run("podman", "image", "rm", "--force", *old, check=False)


def _revision() -> str:
    """Return the commit that is built, marked if files differ from it; `unknown` outside a checkout."""
    command = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 -- our words
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
