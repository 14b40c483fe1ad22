"""The reference to the model in service, and to the previous one, which stays loaded."""

from __future__ import annotations

import os

from churn.errors import MACHINE_REFUSALS, ChurnError, ModelRefused, NoModel, RegistryError
from service.scoring.served_model import ServedModel


class ActiveModel:
    """Holds the model in service. A change is one assignment: running requests finish with the model that they began with."""

    def __init__(self) -> None:
        self._served: ServedModel | None = None
        self._previous: ServedModel | None = None
        # How often the model in service was set: who waits between deciding and activating compares.
        self.changes = 0
        # Why there is none, for those who ask while there is none.
        self.why_none = "the champion is still looked for and made ready"

    def current(self) -> ServedModel:
        """Return the model in service, or raise NoModel. A request asks once and keeps the answer."""
        if self._served is None:
            raise NoModel(f"no model is in service yet: {self.why_none}")
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


def why_none(error: ChurnError) -> str:
    """Return why a failure leaves the service without a model: anyone may read it, so addresses and paths stay in the log.

    Parameters
    ----------
    error : ChurnError
        What came of looking for the champion, or of making it ready.

    Returns
    -------
    str

    Examples
    --------
    >>> why_none(RegistryError("the registry at http://mlflow:5000 did not answer: timed out"))
    "the registry did not answer or lacks its artifact, and no last known good one is at hand; see the service's log"
    >>> why_none(ChurnError("a model cannot be made ready: /srv/churn/models: No space left on device"))
    "the machine refused what it takes to make the champion ready (No space left on device); see the service's log"
    """
    if isinstance(error, NoModel):
        return str(error)
    if isinstance(error, ModelRefused):
        return "the champion was refused; see the service's log"
    refused = (os.strerror(number) for number in MACHINE_REFUSALS)
    if told := next((text for text in refused if text in str(error)), None):
        return f"the machine refused what it takes to make the champion ready ({told}); see the service's log"
    if isinstance(error, RegistryError):
        return "the registry did not answer or lacks its artifact, and no last known good one is at hand; see the service's log"
    return "the champion could not be made ready; see the service's log"


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
