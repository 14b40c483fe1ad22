"""Make the base, build both images, look into them, and run them: `make images`, `make images BASE=NAME`.

Exit code 0 if everything that was seen is as it should be, 1 at the first that is not, 3 if this machine has no podman.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from churn.errors import ChurnError
from tools.containers.command import run_command
from tools.containers.debian_images import build_debian_images
from tools.containers.engine import Engine
from tools.images.base import BASE, ensure_base
from tools.images.build import TARGETS, build_images, image_name
from tools.images.contents import check_contents, size_of
from tools.images.system import check_system

# Megabytes (10^6 bytes) above the base, from docs/images.md: what was measured, and a little more.
MAX_MEGABYTES = {"service": 450, "pipelines": 870}


def main() -> int:
    """Do all of it, and say what was seen and when."""
    parser = argparse.ArgumentParser(prog="make images", description=__doc__)
    parser.add_argument("--base", default=BASE, help="the base image; Debian's packages in one that is made, if none is given")
    parser.add_argument("--build-only", action="store_true", help="build, and do not run")
    prepare = "make Debian's base, and the images of others that `make stack` needs, and nothing of ours: it waits for a network"
    parser.add_argument("--prepare", action="store_true", help=prepare)
    options = parser.parse_args()
    if options.prepare:
        return run_command("images of Debian", _prepare)
    return run_command("images", lambda engine, say: _make(engine, options.base or BASE, options.build_only, say))


def _prepare(engine: Engine, say: Callable[[str], None]) -> None:
    base = ensure_base(engine)
    say(f"base {base}: {size_of(engine, base) / 1e6:.0f} MB")
    build_debian_images(engine, base)
    say("images of Debian's packages are there")


def _make(engine: Engine, base: str, build_only: bool, say: Callable[[str], None]) -> None:
    base = ensure_base(engine, base)
    say(f"base {base}: {size_of(engine, base) / 1e6:.0f} MB")
    build_images(engine, base)
    for target in TARGETS:
        image = image_name(target)
        above = (size_of(engine, image) - size_of(engine, base)) / 1e6
        say(f"{image}: {above:.0f} MB above the base (bound: {MAX_MEGABYTES[target]})")
        if above > MAX_MEGABYTES[target]:
            raise ChurnError(f"{image} is too large: {above:.0f} MB above its base, not {MAX_MEGABYTES[target]}")
    if build_only:
        return
    for target in TARGETS:
        found = check_contents(engine, image_name(target), target, base)
        say(f"{target}: Python {found.python}, {found.packages} packages of the lock, each on its bill of materials")
    check_system(engine, say)


if __name__ == "__main__":
    sys.exit(main())
