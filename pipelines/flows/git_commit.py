"""The commit of the checkout, which a model notes."""

from __future__ import annotations

import subprocess

# A repository on a network drive may stand still, and no training waits for a note.
GIT_SECONDS = 10


def git_commit() -> str:
    """Return the checkout's commit; empty where there is no git or no checkout."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=GIT_SECONDS)  # noqa: S607 -- git, wherever it is; the commit is a note
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
