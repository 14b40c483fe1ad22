"""A model's reference as the monitor needs it: summed up once for each version."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from churn.config.params import SliceParams
from churn.contract import Contract
from churn.evaluation.weights import WEIGHT
from churn.explain.segmenter import Segmenter
from monitoring.drift.columns import OUTCOME, PROBABILITY, as_served
from monitoring.drift.profile import ReferenceProfile
from monitoring.slice_quality import SliceBaseline, take_baselines
from monitoring.slicing import Slicing, add_segments

# Of more rows so many are kept for pictures.
SAMPLE_ROWS = 5_000
SEED = 20_260_101


@dataclass(frozen=True)
class Reference:
    """What a version was trained on, summed up.

    Attributes
    ----------
    profile : ReferenceProfile
        Of its customers, with the answers of the model that is served. Null distributions that a run calibrates stay in it.
    outcomes : pandas.DataFrame, shape (n, 2) or (n, 3)
        Columns churn_probability (out-of-fold) and churned, of all rows whose outcome may be learned from; and weight, where some
        stand for others.
    sample : pandas.DataFrame, shape (at most 5,000, m)
        Whole rows, for pictures.
    slicing : Slicing
        The slices of its customers.
    baselines : tuple of SliceBaseline
        How good the model is in each slice.
    """

    profile: ReferenceProfile
    outcomes: pd.DataFrame
    sample: pd.DataFrame
    slicing: Slicing
    baselines: tuple[SliceBaseline, ...]

    @classmethod
    def of(
        cls, rows: pd.DataFrame, contract: Contract, params: SliceParams | None = None, segmenter: Segmenter | None = None
    ) -> Reference:
        """Sum up a reference.

        Parameters
        ----------
        rows : pandas.DataFrame
            As `Registry.reference` returns them.
        contract : Contract
            The description of a customer.
        params : SliceParams, optional
            The bands and sizes of slices; those of params.yaml by default.
        segmenter : Segmenter, optional
            Of this version, where it has segments: they are slices.

        Returns
        -------
        Reference
            The same for the same rows.
        """
        sample = rows.sample(SAMPLE_ROWS, random_state=SEED) if len(rows) > SAMPLE_ROWS else rows
        names = [PROBABILITY, OUTCOME, *([WEIGHT] if WEIGHT in rows else [])]
        outcomes = rows.loc[rows[OUTCOME].notna(), names].reset_index(drop=True)
        sliced = add_segments(rows, segmenter)
        slicing = Slicing.of(sliced, contract, params or SliceParams())
        baselines = take_baselines(sliced[rows[OUTCOME].notna()], slicing)
        profile = ReferenceProfile.of(as_served(sliced), contract, slicing)
        return cls(profile, outcomes, sample.reset_index(drop=True), slicing, baselines)
