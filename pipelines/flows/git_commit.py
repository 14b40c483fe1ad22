"""The commit of the checkout, which a model notes."""

from __future__ import annotations

import subprocess


def git_commit() -> str:
    """Return the checkout's commit; empty where there is no git or no checkout."""
    try:
        return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607 -- git, wherever it is; the commit is a note
    except (OSError, subprocess.CalledProcessError):
        return ""
