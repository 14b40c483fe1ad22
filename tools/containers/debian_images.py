"""Images of the programs that compose.yaml takes from others, made from Debian's packages (tools/containers/debian/)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tools.containers.engine import Engine
from tools.postgres import NotHere
from tools.stack.compose_file import read_services
from tools.stack.programs import find

FOLDER = Path(__file__).with_name("debian")
TARGETS = ("postgres", "minio", "haproxy", "prometheus", "alertmanager")
PREFIX = "localhost/churn-debian-"
# As `make images` calls the base that it makes where no registry is reached.
BASE = "localhost/churn-base:bookworm"


def require_images(engine: Engine) -> None:
    """Build Debian's images, on the base that our own were built on.

    Parameters
    ----------
    engine : Engine

    Raises
    ------
    NotHere
        If our own images, or their base, are not there.
    """
    wanted = [BASE, *sorted({f"localhost/{service.image}" for service in read_services().values() if service.stage})]
    missing = [name for name in wanted if engine.run("podman", "image", "exists", name, check=False).returncode != 0]
    if missing:
        raise NotHere(f"needs {', '.join(missing)}: make images")
    build_debian_images(engine, BASE)


def build_debian_images(engine: Engine, base: str) -> None:
    """Build them all, on a base that has Debian's package manager. What was built before is taken from buildah's cache.

    Parameters
    ----------
    engine : Engine
    base : str
        Name of the base image.
    """
    with tempfile.TemporaryDirectory(prefix="churn-debian-") as folder:
        context = Path(folder) / "context"
        shutil.copytree(FOLDER, context)
        # The object store's program comes from our lock, with its hash: Debian's is too old to serve S3.
        shutil.copy2(find("rclone"), context / "rclone")
        for target in TARGETS:
            words = ["--layers", "--network", "host", "--isolation", "chroot", "--format", "docker"]
            engine.run(
                "buildah", "bud", *words, "--build-arg", f"BASE={base}", "--target", target, "-t", f"{PREFIX}{target}", context
            )
