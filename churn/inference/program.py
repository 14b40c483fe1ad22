"""The terms of a compiled model as one customer's values meet them."""

from __future__ import annotations

from typing import Any, NamedTuple

from churn.inference.terms import Ramp


class Program(NamedTuple):
    """The positions of inputs in a customer's values, and the terms over these inputs.

    A gap is (position, position of the related number, factor, typical value, input if it is a number). Sets of rules are
    integers, a bit each. Steps are (position of a number, or index of a sum; cuts; the rules that each stretch between the cuts
    lets hold), or (position of a category, the rules that a level lets hold, those that all other levels let hold). `by_byte`
    is empty where there are few rules.
    """

    numbers: tuple[int, ...]
    sums: tuple[tuple[int, ...], ...]
    levels: tuple[tuple[int, str], ...]
    gaps: tuple[tuple[int, int | None, float, Any, int | None], ...]
    ramps: tuple[Ramp, ...]
    every_rule: int
    weights: dict[int, float]
    by_byte: tuple[list[float], ...]
    number_steps: tuple[tuple[int, list[float], list[int]], ...]
    sum_steps: tuple[tuple[int, list[float], list[int]], ...]
    level_steps: tuple[tuple[int, dict[Any, int], int], ...]

    def add_weights(self, logit: float, holding: int) -> float:
        """Add the weights of the rules that hold: of many rules eight at a time.

        Parameters
        ----------
        logit : float
        holding : int
            A bit for each rule that holds.

        Returns
        -------
        float
        """
        if self.by_byte:
            for sums, byte in zip(self.by_byte, holding.to_bytes(len(self.by_byte), "little"), strict=True):
                logit += sums[byte]
            return logit
        weights = self.weights
        while holding:
            rule = holding & -holding
            logit += weights[rule]
            holding ^= rule
        return logit
