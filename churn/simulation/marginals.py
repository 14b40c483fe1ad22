"""Distributions of single columns, from which a population is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from churn.simulation.draws import Draws

Values = NDArray[Any]


Probability = Annotated[float, Field(ge=0, le=1)]


class StrictPart(BaseModel):
    """A part of a population's file: unknown keys, NaN and infinities are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Normal(StrictPart):
    """A number: normal with this mean and standard deviation, rounded to `decimals`.

    Customers who have a flag named in `plus` have so much more. It is clipped to `least` and to the contract's bounds. A share
    `zero_share` is 0 instead; where the column `only_with` is 0, so is this one.
    """

    mean: float
    sd: float = Field(ge=0)
    decimals: int = Field(0, ge=0, le=12)
    least: float | None = None
    zero_share: Probability = 0.0
    only_with: str | None = None
    plus: dict[str, float] = Field(default_factory=dict)

    def draw(self, rng: Draws, rows: int, lift: Values | float = 0.0) -> Values:
        """Draw float64 values: not yet rounded, and clipped from below only.

        Parameters
        ----------
        rng : Draws
        rows : int
        lift : float or array of shape (rows,)
            The sum of `plus` for each customer.

        Returns
        -------
        numpy.ndarray, shape (rows,)
        """
        values = rng.normal(self.mean, self.sd, rows) + lift
        if self.least is not None:
            np.maximum(values, self.least, out=values)
        if self.zero_share:
            values[rng.random(rows) < self.zero_share] = 0.0
        return values


class Counts(StrictPart):
    """A whole number from 0 up, as often as in `counts`: its first item counts the zeros. `only_with` is as in `Normal`."""

    counts: tuple[Annotated[float, Field(ge=0)], ...] = Field(min_length=1)
    only_with: str | None = None

    def draw(self, rng: Draws, rows: int) -> Values:
        """Draw whole numbers as float64.

        Parameters
        ----------
        rng : Draws
        rows : int

        Returns
        -------
        numpy.ndarray, shape (rows,)
        """
        return _pick(self.counts, rng, rows).astype(np.float64)


class Share(StrictPart):
    """A flag that this share of customers has."""

    share: Probability

    def draw(self, rng: Draws, rows: int) -> Values:
        """Draw 0.0 or 1.0.

        Parameters
        ----------
        rng : Draws
        rows : int

        Returns
        -------
        numpy.ndarray, shape (rows,)
        """
        return (rng.random(rows) < self.share).astype(np.float64)


class Levels(StrictPart):
    """A category: its levels, with how often each is seen (any unit)."""

    levels: dict[str, Annotated[float, Field(ge=0)]] = Field(min_length=1)

    def draw(self, rng: Draws, rows: int) -> Values:
        """Draw texts as an object array.

        Parameters
        ----------
        rng : Draws
        rows : int

        Returns
        -------
        numpy.ndarray, shape (rows,)
        """
        return np.array(list(self.levels), dtype=object)[_pick(tuple(self.levels.values()), rng, rows)]


def _pick(weights: tuple[float, ...], rng: Draws, rows: int) -> NDArray[np.intp]:
    edges = np.cumsum(weights)
    # The product may round up to the last edge itself.
    drawn = np.searchsorted(edges, rng.random(rows) * edges[-1], side="right")
    return np.asarray(np.minimum(drawn, np.flatnonzero(weights)[-1]), dtype=np.intp)


FORMS = {"mean": "normal", "counts": "counts", "share": "share", "levels": "levels"}


def _form(value: Any) -> str | None:
    keys = value if isinstance(value, Mapping) else set(type(value).model_fields) if isinstance(value, BaseModel) else ()
    return next((form for key, form in FORMS.items() if key in keys), None)


Marginal = Annotated[
    Annotated[Normal, Tag("normal")]
    | Annotated[Counts, Tag("counts")]
    | Annotated[Share, Tag("share")]
    | Annotated[Levels, Tag("levels")],
    Discriminator(_form, custom_error_type="form", custom_error_message=f"needs one of {', '.join(FORMS)}"),
]
