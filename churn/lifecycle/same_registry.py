"""A store and a registry that belong together: a version's number means one model in both.

Rows of the store name a model by its number, and numbers begin anew in each registry. Decisions hold the number and the run,
which is unique: where they differ from the registry's, two models would be mixed in windows, scorecards and comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from churn.errors import NoModel, RegistryMismatch
from churn.lifecycle.decision_log import HISTORY
from churn.store.records import Decision, DecisionKind

# How many decisions are searched: a version has a handful.
MAX_DECISIONS = 200
REMEDY = (
    "store and registry do not belong together: restore both from one backup (churn restore), or begin with an empty store "
    "(CHURN_STORE_URL)"
)


class DecisionsByVersion(Protocol):
    """What is asked of `churn.store.store.Store`."""

    def decisions(
        self, *, kind: tuple[DecisionKind, ...], model_version: str | None = None, limit: int = 100
    ) -> Sequence[Decision]:
        """Return the newest decisions, newest first.

        Parameters
        ----------
        kind : tuple of DecisionKind
            Only of these kinds.
        model_version : str, optional
            Only about this version.
        limit : int
            At most so many.

        Returns
        -------
        sequence of Decision
        """


class RegisteredVersions(Protocol):
    """What is asked of `churn.registry.registry.Registry`."""

    def versions(self) -> Sequence[tuple[str, Sequence[str], Mapping[str, str]]]:
        """Return (version, aliases, tags) of each version, newest first."""

    def identity(self, version: str, /) -> str:
        """Return the run of a version. NoModel if there is no such version."""


def check_version(store: DecisionsByVersion, version: str, run_id: str) -> None:
    """Check that the store means the registry's model by a version's number.

    Parameters
    ----------
    store : DecisionsByVersion
    version : str
    run_id : str
        Of the registry.

    Raises
    ------
    RegistryMismatch
        If the store knows another run, and not this one, by that number. One that it does not know is no error.
    StoreError
    """
    known = _runs(store.decisions(kind=HISTORY, model_version=version, limit=MAX_DECISIONS))
    if known and run_id not in known:
        raise RegistryMismatch(
            f"version {version} is run {run_id[:8]} in the registry and run {known[0][:8]} in the store; {REMEDY}"
        )


def check_registry(store: DecisionsByVersion, registry: RegisteredVersions) -> None:
    """Check that the next version to be registered will have a number that the store does not know.

    Parameters
    ----------
    store : DecisionsByVersion
    registry : RegisteredVersions

    Raises
    ------
    RegistryMismatch
        If the store knows a later version than the registry, or the same one as another run.
    StoreError, RegistryError
    """
    newest = max((int(number) for number in _numbers(store)), default=0)
    registered = max((int(version) for version, _, _ in registry.versions()), default=0)
    if newest > registered:
        has = f"no version after {registered}" if registered else "no version"
        raise RegistryMismatch(f"the store knows version {newest}, and the registry has {has}; {REMEDY}")
    if newest:
        try:
            run_id = registry.identity(str(newest))
        except NoModel:
            # Somebody deleted it, and there are later ones: its number does not come again.
            return
        check_version(store, str(newest), run_id)


def _numbers(store: DecisionsByVersion) -> list[str]:
    found = store.decisions(kind=HISTORY, limit=MAX_DECISIONS)
    return [decision.model_version for decision in found if (decision.model_version or "").isdecimal()]  # type: ignore[misc]


def _runs(decisions: Sequence[Decision]) -> list[str]:
    return [str(run_id) for decision in decisions if (run_id := decision.evidence.get("run_id"))]
