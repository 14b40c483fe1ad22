"""Covariate drift: does a window look like what the model was trained on?

One window is asked many questions, in six families:

- *location* of numbers (and of the predicted probability), as means of ranks and of values;
- *shape* of numbers: spread, skewness and tails, as means of rank scores;
- *levels*: shares of flags and categories, unseen levels included; exact tests on counts;
- *faults*: shares of missing values, of values outside the reference's range, and of rows that break a relation of the contract;
  exact tests on counts, too;
- *dependence*: what hangs together, as correlations of the rank scores of two columns;
- *slices*, where the profile has any: numbers and predictions within groups of customers, and the shares of segments.

Each family has its share of alpha. Within location, shape, dependence and slices the threshold is calibrated by bootstrap of the
reference at the window's size (`monitoring.drift.null_distribution`); levels and faults, whose tests are exact, share theirs
evenly (Bonferroni), without the tests that cannot come out either way (Tarone 1990, Biometrics 46:515). P-values are adjusted for
all of that: a window without drift has one at or below alpha with probability alpha, at any size; the run's own p-value is the
smallest.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from churn.contract import Contract
from monitoring.drift.comparisons import compare_all
from monitoring.drift.profile import ReferenceProfile
from monitoring.drift.results import DriftReport


def detect_drift(
    reference: pd.DataFrame | ReferenceProfile, window: pd.DataFrame | Iterable[pd.DataFrame], contract: Contract, alpha: float
) -> DriftReport:
    """Compare a window of predictions with the model's reference, feature by feature and pair by pair.

    Parameters
    ----------
    reference : pandas.DataFrame or ReferenceProfile
        Columns churn_probability and the contract's features, as in `churn.customers.frame`; or its summary, made once for many
        windows.
    window : pandas.DataFrame or iterable of DataFrame
        The same columns; a large one may come in parts. A column that is absent on either side is not compared. Either side may
        have no rows: then nothing is compared and nothing drifts.
    contract : Contract
        The description of a customer.
    alpha : float
        In (0, 1): the chance of any alarm on a window without drift.

    Returns
    -------
    DriftReport
        The same for the same input: what is random inside is seeded.

    Examples
    --------
    >>> from churn.contract import load_contract
    >>> plan = pd.DataFrame({"international_plan": [0.0] * 300})
    >>> launched = pd.DataFrame({"international_plan": [0.0] * 140 + [1.0] * 60})
    >>> result = detect_drift(plan, launched, load_contract(), alpha=0.01).drifted[0]
    >>> result.feature, result.measure, result.current
    ('international_plan', 'share of Yes', 0.3)
    """
    profile = reference if isinstance(reference, ReferenceProfile) else ReferenceProfile.of(reference, contract)
    sums = profile.summarise([window] if isinstance(window, pd.DataFrame) else window)
    return compare_all(profile, sums, alpha)
