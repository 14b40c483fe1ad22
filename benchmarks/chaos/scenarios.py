"""What a scenario is, and the list of all. A module adds its own by the decorator; `__main__` imports every module here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Size:
    """How much of it is done.

    Attributes
    ----------
    work : Path
        An empty folder for whatever it needs.
    short : bool
        Whether to do just enough to see that the promises hold; tests do.
    minutes : float
        How long the soak lasts.
    """

    work: Path
    short: bool = True
    minutes: float = 0.1

    def pick(self, short: float, long: float) -> float:
        """Give the number for this size."""
        return short if self.short else long

    @property
    def rate(self) -> float:
        """Give the requests a second of the clients: as many as are answered (0), or, where others need the machine too, some."""
        return self.pick(200, 0)


@dataclass
class Row:
    """What came of a scenario.

    Attributes
    ----------
    faults : int
        Injected.
    made : int
        Requests (or runs, or writes) tried.
    failed : int
        Answered by an error, or not in time, although the promise is an answer.
    cut : int
        Whose connection died with the process that had accepted it: the client was told nothing.
    lost : int
        Answered, but not to be found afterwards.
    duplicated : int
        Found more often than asked for.
    broken : list of str
        Promises that did not hold; empty if all is well.
    note : str
    figures : dict
        What else was measured.
    """

    name: str
    faults: int = 0
    made: int = 0
    failed: int = 0
    cut: int = 0
    lost: int = 0
    duplicated: int = 0
    broken: list[str] = field(default_factory=list)
    note: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    def expect(self, promise: str, kept: object) -> None:
        """Note a promise that was broken."""
        if not kept:
            self.broken.append(promise)

    def report(self) -> dict[str, Any]:
        """Spell it as JSON has it."""
        return asdict(self)


Scenario = Callable[[Size], Row]
SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str) -> Callable[[Scenario], Scenario]:
    """Add a scenario under a name."""

    def add(function: Scenario) -> Scenario:
        if name in SCENARIOS:
            raise ValueError(f"two scenarios are called {name!r}")
        SCENARIOS[name] = function
        return function

    return add
