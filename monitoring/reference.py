"""A model's reference as the monitor needs it: summed up once for each version."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from churn.config.params import SliceParams
from churn.contract import Contract
from churn.evaluation.weights import WEIGHT
from churn.explain.segmenter import Segmenter
from monitoring.drift.columns import OUTCOME, PROBABILITY, as_served
from monitoring.drift.profile import ReferenceProfile
from monitoring.performance.score_selection import ScoreSelection, by_window, shares_of
from monitoring.slice_quality import SliceBaseline, take_baselines
from monitoring.slicing import Members, Slicing, add_segments

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
    members : ndarray of bool, shape (n, n_slices)
        Which of the outcomes' customers are in which slice.
    """

    profile: ReferenceProfile
    outcomes: pd.DataFrame
    sample: pd.DataFrame
    slicing: Slicing
    baselines: tuple[SliceBaseline, ...]
    members: Members

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
        members = slicing.members_of(sliced[rows[OUTCOME].notna()])
        baselines = take_baselines(by_window(outcomes, None), slicing, members)
        profile = ReferenceProfile.of(as_served(sliced), contract, slicing)
        return cls(profile, outcomes, sample.reset_index(drop=True), slicing, baselines, members)

    def seen_by(self, selection: ScoreSelection | None) -> Reference:
        """Return the same reference as the outcomes of a window show it.

        Parameters
        ----------
        selection : ScoreSelection or None
            What campaigns left of the window's outcomes; None: all of them.

        Returns
        -------
        Reference
            Itself where each outcome counts once.
        """
        outcomes = by_window(self.outcomes, selection)
        if outcomes is self.outcomes:
            return self
        share, members = shares_of(outcomes), self.members[: len(outcomes)]
        # A slice of whom nothing is left is judged by nothing.
        left = np.any(members[np.ones(len(outcomes), dtype=np.bool_) if share is None else share > 0], axis=0).tolist()
        rules = tuple(rule for place, rule in enumerate(self.slicing.rules) if left[place])
        slicing, members = replace(self.slicing, rules=rules), members[:, np.array(left, dtype=np.bool_)]
        baselines = take_baselines(outcomes, slicing, members)
        return replace(self, outcomes=outcomes, slicing=slicing, members=members, baselines=baselines)
