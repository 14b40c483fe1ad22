"""One hostile request."""

from __future__ import annotations

from dataclasses import dataclass


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
    body : bytes
    """

    name: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
