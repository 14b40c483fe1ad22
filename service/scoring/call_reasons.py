"""Why customers are on a campaign's list: what raises their risk, in the words that `?reasons=k` gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from churn.contract import Contract
from churn.customers.columns import CustomerColumns
from service.scoring.reason_givers import ReasonGiver


@dataclass(frozen=True)
class CallReasons:
    """Gives reasons for many customers of one model.

    Attributes
    ----------
    explainer : ReasonGiver or None
        None: the model cannot say, and there are none.
    pick : callable
        `Scorer.values` of the model.
    contract : Contract
    strongest : int
        How many reasons at most.
    """

    explainer: ReasonGiver | None
    pick: Callable[[Sequence[Any]], Sequence[Any]]
    contract: Contract
    strongest: int

    def of(self, customers: CustomerColumns) -> Iterator[list[str]]:
        """Yield each customer's reasons, strongest first."""
        if self.explainer is None:
            yield from ([] for _ in range(len(customers)))
            return
        columns = customers.plain_values(self.contract.feature_names, self.contract)
        for values in zip(*columns, strict=True):
            _, found = self.explainer.reasons_for(self.pick(values), len(columns))
            yield [one["text"] for one in found if one["contribution"] > 0][: self.strongest]
