"""Where the program `churn` begins: with nothing but what Ctrl-C needs, as the commands take half a second to be read."""

from __future__ import annotations

import sys

from pipelines.cli.interrupted import INTERRUPTED, STOPPED


def main() -> None:
    """Run the command; Ctrl-C, however early, is one line and no traceback."""
    try:
        from pipelines.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write(f"churn: {STOPPED}\n")
        sys.exit(INTERRUPTED)
