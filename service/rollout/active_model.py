"""The reference to the model in service, and to the previous one, which stays loaded."""

from __future__ import annotations

from churn.errors import NoModel
from service.scoring.served_model import ServedModel


class ActiveModel:
    """Holds the model in service. A change is one assignment: running requests finish with the model that they began with."""

    def __init__(self) -> None:
        self._served: ServedModel | None = None
        self._previous: ServedModel | None = None
        # How often the model in service was set: who waits between deciding and activating compares.
        self.changes = 0

    def current(self) -> ServedModel:
        """Return the model in service, or raise NoModel. A request asks once and keeps the answer."""
        if self._served is None:
            raise NoModel("no model is in service yet; train one with: churn train")
        return self._served

    def peek(self) -> ServedModel | None:
        """Return the model in service, if any."""
        return self._served

    @property
    def previous(self) -> ServedModel | None:
        """The model that a rollback leads to, ready to predict; None if there is none."""
        return self._previous

    def activate(self, served: ServedModel) -> None:
        """Let a model take over. The one that it replaces becomes the previous one, unless it is the same model."""
        replaced = self._served
        self._served = served
        self.changes += 1
        if replaced is not None and not is_same(replaced, served):
            self._previous = replaced

    def keep_warm(self, previous: ServedModel | None) -> None:
        """Make a model the previous one, although it has not served in this process; None: forget the previous one."""
        self._previous = previous


def is_same(one: ServedModel, other: ServedModel) -> bool:
    """Return whether two are the same registered model: another registry may have given the version number to another run.

    Parameters
    ----------
    one, other : ServedModel

    Returns
    -------
    bool
    """
    return (one.info.version, one.info.run_id) == (other.info.version, other.info.run_id)
