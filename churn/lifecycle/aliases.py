"""The registry's aliases, as promotions and rollbacks move them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Aliases(Protocol):
    """What promotions need of `churn.registry.registry.Registry`."""

    def champion_version(self) -> str:
        """Return the version that is champion. Raise NoModel if none is."""

    def previous_version(self) -> str:
        """Return the version that was champion before. Raise NoModel if none was."""

    def tags_of(self, version: str, /) -> Mapping[str, str]:
        """Return the tags of a version."""

    def rolled_back_version(self) -> str | None:
        """Return the version that the last rollback left; None if the champion has changed in another way since."""

    def promote(self, version: str, /, *, tags: Mapping[str, str], rolling_back: bool) -> str | None:
        """Move the aliases.

        Parameters
        ----------
        version : str
            Becomes the champion.
        tags : mapping
            Tags that it gets first.
        rolling_back : bool
            Whether the old champion is left for good.

        Returns
        -------
        str or None
            The old champion.
        """

    def restore(self, previous: str | None, rolled_back: str | None) -> None:
        """Restore the aliases after a promotion that broke off.

        Parameters
        ----------
        previous, rolled_back : str or None
            The versions that had the aliases of these names; None: no version had it.
        """
