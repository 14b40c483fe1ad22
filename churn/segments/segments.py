"""The segments of a model as plain numbers, and the one operation that finds a customer's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Floats = NDArray[np.float64]
# In the tables where segments are slices. No column of a contract has a space in its name.
SLICE = "customer segment"
# The name of the only segment, where customers fall into no groups.
EVERYBODY = "everybody"
# Contributions beyond this, in log-odds, say no more: and no sum of squares of such overflows.
MAX_CONTRIBUTION = 20.0


class Segments(BaseModel):
    """Groups of customers, each with the mean contributions of its members. Part of `ModelInfo`.

    A customer belongs to the segment whose centre is nearest to the customer's contributions, in Euclidean distance; of equally
    near ones, to the first.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    columns: list[str] = Field(min_length=1, description="Whose contributions are compared, in order.")
    names: list[str] = Field(min_length=1, description="One a segment, the one of the highest risk first.")
    centres: list[list[float]] = Field(description="Of each segment: the contribution of each column, in log-odds.")
    shares: list[float] = Field(description="Of each segment: the share of the customers trained on.")
    stability: float | None = Field(None, description="Mean adjusted Rand index between bootstrap samples; of one segment none.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.names)) != len(self.names):
            raise ValueError("two segments have the same name")
        if not len(self.names) == len(self.centres) == len(self.shares):
            raise ValueError("names, centres and shares are not equally many")
        if any(len(centre) != len(self.columns) for centre in self.centres):
            raise ValueError("a centre has not one number a column")
        return self


class Nearest:
    """Finds the nearest of the centres. (Apart from `Segments`: two of these are equal if their numbers are.)"""

    def __init__(self, segments: Segments) -> None:
        self._centres = np.array(segments.centres, dtype=np.float64)
        self._halves = (self._centres**2).sum(axis=1) / 2

    def of(self, contributions: Sequence[float] | Floats) -> int:
        """Return the number of the segment that a customer belongs to, for any contributions in the order of the columns."""
        # |x - c|² without |x|², which is the same for all centres.
        return int(np.argmax(self._centres @ bounded(np.asarray(contributions, dtype=np.float64)) - self._halves))


def bounded(contributions: Floats) -> Floats:
    """Bring contributions within `MAX_CONTRIBUTION`; what is no number (infinity minus infinity) counts as nothing."""
    return np.nan_to_num(np.clip(contributions, -MAX_CONTRIBUTION, MAX_CONTRIBUTION), nan=0.0)
