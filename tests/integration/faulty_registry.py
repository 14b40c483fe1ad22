"""A registry and a store that can be away, and a registry whose moves can break off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from churn.errors import NoModel, RegistryError, StoreError
from churn.store.records import Decision
from churn.store.store import Store

Break = Literal["", "before", "after rolled-back", "after previous", "after champion"]


class DiedError(BaseException):
    """The process that moved the aliases was killed."""


@dataclass(frozen=True)
class Move:
    """A change of champion in the registry."""

    left: str | None
    version: str
    by: str
    rolling_back: bool


class MemoryRegistry:
    """As `churn.registry.versions.Versions` moves aliases; `breaks` says where the next move ends, and `dies` how."""

    def __init__(self) -> None:
        self.named: dict[str, str] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.away = False
        self.breaks: Break = ""
        self.dies = False
        self.moves: list[Move] = []

    def check(self) -> None:
        if self.away:
            raise RegistryError("the registry is away")

    def aliases(self) -> dict[str, str]:
        self.check()
        return dict(self.named)

    def champion_version(self) -> str:
        self.check()
        if "champion" not in self.named:
            raise NoModel("there is no champion")
        return self.named["champion"]

    def previous_version(self) -> str:
        self.check()
        if "previous" not in self.named:
            raise NoModel("there is no previous champion")
        return self.named["previous"]

    def rolled_back_version(self) -> str | None:
        self.check()
        return self.named.get("rolled-back")

    def tags_of(self, version: str, /) -> Mapping[str, str]:
        self.check()
        return self.tags.get(version, {})

    def restore(self, previous: str | None, rolled_back: str | None) -> None:
        self.check()
        for alias, version in (("rolled-back", rolled_back), ("previous", previous)):
            self.named.pop(alias, None)
            if version is not None:
                self.named[alias] = version

    def promote(self, version: str, /, *, tags: Mapping[str, str], rolling_back: bool) -> str | None:
        self.check()
        self._break("before")
        self.tags[version] = {**self.tags.get(version, {}), **tags}
        old = self.named.get("champion")
        assert old != version
        assert not rolling_back or version == self.named.get("previous"), "this was not the champion before"
        if old is not None:
            self.named.pop("rolled-back", None)
            if rolling_back:
                self.named["rolled-back"] = old
            self._break("after rolled-back")
            self.named["previous"] = old
        self._break("after previous")
        self.named["champion"] = version
        self.moves.append(Move(old, version, tags["promoted_by"], rolling_back))
        self._break("after champion")
        return old

    def _break(self, where: Break) -> None:
        if self.breaks == where:
            self.breaks = ""
            raise DiedError if self.dies else RegistryError("the answer was lost")


class FaultyStore:
    """A real store that can be away."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.away = False
        self.lock = store.lock

    def write_decision(self, decision: Decision, /) -> None:
        self._check()
        self.store.write_decision(decision)

    def decisions(self, **asked: Any) -> list[Decision]:
        self._check()
        return self.store.decisions(**asked)

    def _check(self) -> None:
        if self.away:
            raise StoreError("the store is away")
