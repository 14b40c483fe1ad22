"""Approximate contributions of columns to a network's log-odds: Shapley values by sampled orders of the columns.

The game is that of `churn.explain.attribution`: columns change one after another from the typical customer's value to this one's,
and a column's contribution is its mean effect over all orders. A network has no closed form for that, so it is the mean over some
orders, drawn at random, each with its reverse (Mitchell, Cooper, Frank and Holmes, "Sampling Permutations for Shapley Value
Estimation", JMLR 23, 2022). Whatever the orders, base and contributions add up to the logit; only the shares are approximate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from churn.inference.network import CompiledNetwork

Floats = NDArray[np.float64]
# Orders that are drawn; each is taken backwards too.
PAIRS = 32
# Less is the rounding of sums, and no effect.
NOTHING = 1e-12


class SampledAttributor:
    """Attributes the predictions of one network.

    Attributes
    ----------
    model : CompiledNetwork
    base : float
        The log-odds of the typical customer.
    """

    def __init__(self, model: CompiledNetwork) -> None:
        self.model = model
        self._place = {name: at for at, name in enumerate(model.columns)}
        self._typical: list[Any] = [model.typical[name] for name in model.columns]
        self._digest = hashlib.sha256(orjson.dumps(model.to_document())).digest()
        self.base = model.logit(self._typical)

    def contributions(self, values: Sequence[Any]) -> list[float]:
        """Return what each column contributes to one customer's log-odds. The same model and customer give the same.

        Parameters
        ----------
        values : sequence
            As in `CompiledModel.logit`.

        Returns
        -------
        list of float
            One a column. A value that is computed from a related column changes with that one, to which its effect belongs.
        """
        found = [0.0] * len(values)
        moves_with = [self._origin(at, values) for at in range(len(values))]
        players = sorted({moves_with[at] for at, value in enumerate(values) if value != self._typical[at]})
        if not players:
            return found
        ranks = self._draw_ranks(len(players), values)
        # Who has changed after so many steps of an order; the first and the last step are the same in all.
        changed = ranks[:, np.newaxis, :] < np.arange(1, len(players))[:, np.newaxis]
        logits = np.empty((len(ranks), len(players) + 1))
        logits[:, 0], logits[:, -1] = self.base, self.model.logit(values)
        logits[:, 1:-1] = self._mixed(values, moves_with, players, changed.reshape(-1, len(players))).reshape(len(ranks), -1)
        gains = np.take_along_axis(np.diff(logits, axis=1), ranks, axis=1).mean(axis=0)
        for player, gain in zip(players, gains.tolist(), strict=True):
            found[player] = gain if abs(gain) > NOTHING else 0.0
        return found

    def _origin(self, at: int, values: Sequence[Any]) -> int:
        """Return the column that a column changes with: itself, or the one that a missing value is computed from."""
        related = self.model.relations.get(self.model.columns[at])
        if related is None or values[at] is not None or values[self._place[related[0]]] is None:
            return at
        return self._place[related[0]]

    def _draw_ranks(self, players: int, values: Sequence[Any]) -> NDArray[np.intp]:
        """Return the place of each player in each order, shape (orders, players)."""
        seed = hashlib.sha256(self._digest + repr([self._plain(value) for value in values]).encode()).digest()
        rng = np.random.default_rng(int.from_bytes(seed))
        drawn = rng.permuted(np.tile(np.arange(players), (PAIRS, 1)), axis=1)
        return np.concatenate([drawn, players - 1 - drawn])

    @staticmethod
    def _plain(value: Any) -> Any:
        # A flag comes as True or as 1.0, and is the same customer.
        return value if value is None or isinstance(value, str) else float(value)

    def _mixed(
        self, values: Sequence[Any], moves_with: Sequence[int], players: Sequence[int], changed: NDArray[np.bool_]
    ) -> Floats:
        """Return the log-odds of customers between the typical one and this one, of whom `changed` says who has changed."""
        player_of = {player: number for number, player in enumerate(players)}
        columns: dict[str, NDArray[Any]] = {}
        for at, name in enumerate(self.model.columns):
            own, usual = (self.model.encode(name, value) for value in (values[at], self._typical[at]))
            number = player_of.get(moves_with[at])
            columns[name] = np.full(len(changed), usual) if number is None else np.where(changed[:, number], own, usual)
        return self.model.logits(columns)
