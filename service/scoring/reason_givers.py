"""What gives reasons for a compiled model: exact ones for a sum of terms, approximate ones for a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from churn.contract import Contract
from churn.inference.compiled import CompiledModel
from service.scoring.explanations import Explainer

if TYPE_CHECKING:
    from churn.inference.kinds import Compiled


class ReasonGiver(Protocol):
    """What a model in service needs to give reasons."""

    @property
    def approximate(self) -> bool:
        """Whether contributions are estimates."""

    def reasons_for(self, values: Sequence[Any], strongest: int, /) -> tuple[float, list[dict[str, Any]]]:
        """Return the base value and the strongest contributions, in words.

        Parameters
        ----------
        values : sequence
            As in `CompiledModel.logit`, flags as booleans.
        strongest : int

        Returns
        -------
        tuple of (float, list of dict)
            See `Explainer.reasons_for`.
        """

    def write_reasons(self, values: Sequence[Any], strongest: int, /) -> tuple[float, bytes]:
        """Return what `reasons_for` does, the reasons as JSON.

        Parameters
        ----------
        values : sequence
        strongest : int

        Returns
        -------
        tuple of (float, bytes)
        """


def reason_giver(compiled: Compiled, contract: Contract) -> ReasonGiver:
    """Return what gives reasons for a compiled model.

    Parameters
    ----------
    compiled : CompiledModel or CompiledNetwork
    contract : Contract

    Returns
    -------
    ReasonGiver
    """
    if isinstance(compiled, CompiledModel):
        return Explainer.of(compiled, contract)
    from service.scoring.sampled_reasons import SampledReasons

    return SampledReasons(compiled, contract)
