"""The one reference to the model in service, and to the one before it, which stays warm."""

from __future__ import annotations

from churn.errors import NoModel
from service.scoring.served_model import ServedModel


class ActiveModel:
    """Holds the model in service. A change is one assignment: requests that are running finish with the model they have."""

    def __init__(self) -> None:
        self._served: ServedModel | None = None
        self._previous: ServedModel | None = None

    def current(self) -> ServedModel:
        """Give the model in service. A request asks once and keeps what it got; NoModel if there is none yet."""
        if self._served is None:
            raise NoModel("no model is in service yet; train one with: churn train")
        return self._served

    def peek(self) -> ServedModel | None:
        """Give the model in service, if any."""
        return self._served

    @property
    def previous(self) -> ServedModel | None:
        """The model that a rollback leads to, ready to answer; None if there is none."""
        return self._previous

    def activate(self, served: ServedModel) -> None:
        """Let `served` take over; the one it replaces is the previous one, unless it is the same model."""
        replaced = self._served
        self._served = served
        if replaced is not None and not is_same(replaced, served):
            self._previous = replaced

    def keep_warm(self, previous: ServedModel) -> None:
        """Take a model as the previous one, without it ever having served here."""
        self._previous = previous


def is_same(one: ServedModel, other: ServedModel) -> bool:
    """Tell whether two are one registered model: another registry may have given the number to another run."""
    return (one.info.version, one.info.run_id) == (other.info.version, other.info.run_id)
