"""Approximate reasons in words, for a network: `churn.explain.sampled` says how much each column moved the log-odds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from churn.contract import Contract
from churn.explain.sampled import SampledAttributor
from churn.inference.network import CompiledNetwork
from service.scoring.explanations import LOWERS, NO_EFFECT, RAISES, strongest_first
from service.scoring.value_sentences import ValueSentence


class SampledReasons:
    """Explains the predictions of one network, some milliseconds each."""

    approximate = True

    def __init__(self, network: CompiledNetwork, contract: Contract) -> None:
        self._attributor = SampledAttributor(network)
        self._columns = network.columns
        self._sentences = [ValueSentence(contract[name], network.typical[name]) for name in network.columns]

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
        contributions = self._attributor.contributions(values)
        order = strongest_first(contributions)
        order += [at for at, contribution in enumerate(contributions) if not contribution]
        return self._attributor.base, [
            {
                "feature": self._columns[at],
                "value": values[at],
                "contribution": contributions[at],
                "text": self._sentences[at].text(values[at], _effect(contributions[at])),
            }
            for at in order[:strongest]
        ]

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
        base, reasons = self.reasons_for(values, strongest)
        return base, orjson.dumps(reasons)


def _effect(contribution: float) -> str:
    return RAISES if contribution > 0 else LOWERS if contribution < 0 else NO_EFFECT
