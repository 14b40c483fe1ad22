"""What a note may say: one answer of the model, its strongest reasons, and what the contract says of the columns in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from churn.contract import Contract

# Raising the risk, and lowering it.
MAX_RAISING, MAX_LOWERING = 2, 1


@dataclass(frozen=True)
class Facts:
    """The facts of a note. A customer's id is not among them.

    Attributes
    ----------
    customer, event : str
        What a customer is called in the contract, and what the model predicts: "telecom customer", "leaves".
    probability, threshold : float
        In [0, 1], as answered.
    churn : bool
        The answer.
    raising, lowering : tuple of dict
        Reasons as `?reasons=k` gives them, strongest first.
    """

    customer: str
    event: str
    probability: float
    threshold: float
    churn: bool
    raising: tuple[dict[str, Any], ...]
    lowering: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, contract: Contract, probability: float, threshold: float, reasons: Sequence[dict[str, Any]]) -> Self:
        """Choose the reasons that a note has room for.

        Parameters
        ----------
        contract : Contract
        probability, threshold : float
            In [0, 1].
        reasons : sequence of dict
            All reasons of the answer, strongest first.

        Returns
        -------
        Facts
        """
        raising = tuple(one for one in reasons if one["contribution"] > 0)[:MAX_RAISING]
        lowering = tuple(one for one in reasons if one["contribution"] < 0)[:MAX_LOWERING]
        return cls(contract.customer, contract.target.event, probability, threshold, probability >= threshold, raising, lowering)

    @property
    def reasons(self) -> tuple[dict[str, Any], ...]:
        """All of them."""
        return self.raising + self.lowering
