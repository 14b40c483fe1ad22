"""How a command ends that Ctrl-C stops."""

from __future__ import annotations

INTERRUPTED = 130
STOPPED = "stopped before it was finished"
