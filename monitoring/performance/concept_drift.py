"""Test whether outcomes still follow the served probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from monitoring.performance.residuals import Contrast, contrast, minus_logit, moments_of

if TYPE_CHECKING:
    import pandas as pd

Question = Literal["calibration in the large", "excess log loss"]


@dataclass(frozen=True, slots=True)
class ConceptTest:
    """One question to the labelled rows.

    Attributes
    ----------
    effect : float
        Window minus reference: of mean(y - p), a share; or of the mean excess log loss, in nats.
    standard_error : float
        Of the effect, if nothing changed. It holds the noise of the window and that of the model's own training rows.
    p_value, threshold : float
        At or below the threshold it violates.
    """

    question: Question
    effect: float
    standard_error: float
    z: float
    p_value: float
    threshold: float
    violated: bool


@dataclass(frozen=True, slots=True)
class ConceptResult:
    """The answers to both questions; each has half of alpha (Bonferroni)."""

    alpha: float
    rows: int
    reference_rows: int
    tests: tuple[ConceptTest, ...]

    @property
    def alarm(self) -> bool:
        """Whether the model is worse than it was."""
        return any(test.violated for test in self.tests)


def detect_concept_drift(reference: pd.DataFrame, labelled: pd.DataFrame, alpha: float) -> ConceptResult:
    """Ask whether the outcomes contradict the model more than those of its reference did.

    The reference's own mean of w (y - p) is the baseline, so that a model that was always a little off does not alarm for
    ever. Its sampling noise counts too: the model learned from those rows, and is off by about as much on any others.
    Where the reference's residuals scatter more than the model expects, the variance is scaled up by that factor. Where the
    window holds several outcomes of a customer, so is it by how much these go together. P-values come from a Pearson III
    distribution with the variance and skewness of the sums (churn is rare, so they are skewed);
    `monitoring.performance.residuals` does it.

    Parameters
    ----------
    reference : pandas.DataFrame
        Columns churn_probability (out-of-fold) and churned. Without rows nothing is asked.
    labelled : pandas.DataFrame
        The window, with the same columns, and customer_id if it is known who is who; a row without one stands for itself.
        Without rows nothing is asked.
    alpha : float
        In (0, 1): chance of an alarm if the model is as good as it was.

    Returns
    -------
    ConceptResult
        Without tests where nothing is asked.

    Examples
    --------
    >>> import pandas as pd
    >>> calm = pd.DataFrame({"churn_probability": [0.25] * 400, "churned": [1.0, 0.0, 0.0, 0.0] * 100})
    >>> worse = pd.DataFrame({"churn_probability": [0.25] * 200, "churned": [1.0, 0.0] * 100})
    >>> detect_concept_drift(calm, calm, 0.01).alarm, detect_concept_drift(calm, worse, 0.01).alarm
    (False, True)
    """
    if reference.empty or labelled.empty:
        return ConceptResult(alpha, len(labelled), len(reference), ())
    threshold = alpha / 2
    large = contrast(moments_of(reference, np.ones_like), moments_of(labelled, np.ones_like))
    loss = contrast(moments_of(reference, minus_logit), moments_of(labelled, minus_logit))
    tests = (
        _test("calibration in the large", large, large.two_sided, threshold),
        _test("excess log loss", loss, loss.upper, threshold),
    )
    return ConceptResult(alpha, len(labelled), len(reference), tests)


def _test(question: Question, difference: Contrast, p_value: float, threshold: float) -> ConceptTest:
    return ConceptTest(
        question, difference.effect, difference.standard_error, difference.z, p_value, threshold, violated=p_value <= threshold
    )
