"""One hostile request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Attack:
    """A request that is made to cost the service more than its sender.

    Attributes
    ----------
    name : str
        What it is, unlike all others'.
    method : str
    path : str
        With its query.
    headers : dict of str to str
        Without those that follow from the body, such as Content-Length.
    made : bytes, or callable that returns them
        The body. A callable is called when it is asked for: megabytes that are never sent are not made.
    """

    name: str
    method: str
    path: str
    headers: dict[str, str]
    made: bytes | Callable[[], bytes]

    @cached_property
    def body(self) -> bytes:
        """What is sent."""
        return self.made if isinstance(self.made, bytes) else self.made()
