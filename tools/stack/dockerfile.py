"""Read a Dockerfile: enough of its grammar to compare it with the code, and to run its steps without an engine."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from churn.errors import InputError
from tools.packages import CHECKOUT


@dataclass
class Stage:
    """One `FROM … AS name`, and its instructions with their text, in order."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """Return the text of every instruction of this name."""
        return [text for name, text in self.steps if name == instruction]

    @property
    def environment(self) -> dict[str, str]:
        """Return what ENV sets."""
        return dict(pair.split("=", 1) for text in self.all("ENV") for pair in shlex.split(text))

    @property
    def labels(self) -> dict[str, str]:
        """Return what LABEL sets."""
        return dict(pair.split("=", 1) for text in self.all("LABEL") for pair in shlex.split(text))

    def command(self, instruction: str) -> list[str]:
        """Return the exec form of the last instruction of this name, such as ENTRYPOINT."""
        listed = re.search(r"\[.*\]$", self.all(instruction)[-1])
        if listed is None:
            raise InputError(f"Dockerfile: {instruction} must be in exec form")
        return list(json.loads(listed[0]))


def read_stages(path: Path = CHECKOUT / "Dockerfile") -> dict[str, Stage]:
    """Read the stages of a Dockerfile, by name."""
    stages: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        name, text = line.split(maxsplit=1)
        if name == "FROM":
            base, stage = text.split(" AS ")
            stages[stage] = Stage(stage, re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], base))
        elif name == "ARG" and not stages:
            key, value = text.split("=", 1)
            arguments[key] = value
        else:
            list(stages.values())[-1].steps.append((name, re.sub(r"--mount=\S+ ", "", text)))
    return stages


def lineage(stages: dict[str, Stage], target: str) -> Stage:
    """Return a stage with everything that it inherits.

    Parameters
    ----------
    stages : dict of Stage
        As `read_stages` returns them.
    target : str
        Name of the stage.

    Returns
    -------
    Stage
    """
    stage = stages[target]
    if stage.base not in stages:
        return stage
    parent = lineage(stages, stage.base)
    return Stage(target, parent.base, parent.steps + stage.steps)


def copied_paths(stage: Stage) -> list[str]:
    """Return what COPY takes from the build context."""
    words = [text.split() for text in stage.all("COPY")]
    return [source for parts in words if not parts[0].startswith("--from") for source in parts[:-1]]


def allowed_in_context() -> set[str]:
    """Return what .dockerignore lets into the build context."""
    return {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
