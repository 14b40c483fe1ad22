"""A request to roll back, as it is kept on disk and handed from process to process: which model to leave, and for which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from churn.ids import new_id


@dataclass(frozen=True)
class RollbackRequest:
    """A request to roll back from one version to another. It was decided for the one it leaves, and does nothing to others.

    Attributes
    ----------
    leaving, version : str
        The version that must not serve, and the one that takes over.
    leaving_run_id, run_id : str
        Of both: another registry may have given a version number to another run.
    actor, reason : str
        For the record.
    automatic : bool
        Whether no person asked for it.
    evidence : mapping
        The figures behind it, JSON-ready; for the record.
    request_id : str
        Goes into the record: what was done once is not done again, whatever became of the answer.
    """

    leaving: str
    leaving_run_id: str
    version: str
    run_id: str
    actor: str
    reason: str
    automatic: bool = False
    evidence: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = field(default_factory=new_id, compare=False)

    def leaves(self, version: str, run_id: str) -> bool:
        """Return whether this is the model that the request leaves.

        Parameters
        ----------
        version, run_id : str

        Returns
        -------
        bool
        """
        return (self.leaving, self.leaving_run_id) == (version, run_id)
