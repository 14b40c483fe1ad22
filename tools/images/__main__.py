"""Make the base, build both images, look into them, and run them: `make images`, `make images BASE=NAME`.

Exit code 0 if everything that was seen is as it should be, 1 at the first that is not, 3 if this machine has no podman.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from churn.errors import ChurnError
from tools.containers.engine import Engine
from tools.images.base import BASE, ensure_base
from tools.images.build import TARGETS, build_images, image_name
from tools.images.contents import check_contents, size_of
from tools.images.system import check_system
from tools.postgres import NotHere

# Megabytes (10^6 bytes) above the base, from docs/images.md: what was measured, and a little more.
MAX_MEGABYTES = {"service": 450, "pipelines": 850}


def main() -> int:
    """Do all of it, and say what was seen and when."""
    parser = argparse.ArgumentParser(prog="make images", description=__doc__)
    parser.add_argument("--base", default=BASE, help="the base image; Debian's packages in one that is made, if none is given")
    parser.add_argument("--build-only", action="store_true", help="build, and do not run")
    options = parser.parse_args()
    # Whoever stops it with SIGTERM leaves no containers behind either.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {text}\n")
        sys.stdout.flush()

    try:
        with Engine() as engine:
            _make(engine, options.base or BASE, options.build_only, say)
    except NotHere as missing:
        sys.stderr.write(f"images: {missing}\n")
        return 3
    except (ChurnError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"images: {error}\n")
        return 1
    return 0


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
