"""What each outcome of a stream adds to what is known: less than one where its customer was heard of before."""

from __future__ import annotations

import numpy as np
import pandas as pd

from monitoring.performance.correlation import intraclass_correlation
from monitoring.performance.metrics import customers_of, outcomes_and_answers
from monitoring.performance.recalibration import Floats

# Outcomes that are looked back on for customers who come again.
LOOK_BACK = 200_000


def stream_weights(earlier: pd.DataFrame, outcomes: pd.DataFrame) -> Floats | None:
    """Weigh outcomes by what they add, given the outcomes of the same customers so far.

    With the correlation r among a customer's residuals, k outcomes of his tell as much as k / (1 + (k - 1) r) of others (the
    design effect; Kish, Survey Sampling, 1965, sec. 5.4). The outcomes of a run weigh together what this grows by. Where all
    outcomes of a customer say the same, those after the first weigh nothing; where they are independent, each weighs one.

    Within a run all customers weigh alike, whoever was heard of before: they are those of one time, as the reference's are. By
    what each adds, newcomers would weigh most. They follow on customers who left, and leave more often than others whom the model
    answers the same, so the stream would be one of them alone.

    Parameters
    ----------
    earlier, outcomes : pandas.DataFrame
        Columns churn_probability, churned and customer_id: of the stream so far, or its newest part, and of this run. A row
        without an id stands for itself.

    Returns
    -------
    ndarray, shape (n_outcomes,), or None
        Each in [0, 1]. None if no customer comes again: each weighs one.

    Examples
    --------
    >>> same = pd.DataFrame({"churn_probability": 0.2, "churned": 0.0, "customer_id": ["a", "a", "b"]})
    >>> stream_weights(same.iloc[:0], same).round(2).tolist()
    [0.51, 0.51, 1.0]
    """
    rows = pd.concat([earlier, outcomes], ignore_index=True) if len(earlier) else outcomes
    customer = customers_of(rows)
    if customer is None:
        return None
    y, p = outcomes_and_answers(rows)
    correlation = intraclass_correlation(y - p, np.sqrt(p * (1 - p)), customer)
    here = customer[len(earlier) :]
    size = int(customer.max()) + 1
    before, now = (np.bincount(part, minlength=size).astype(np.float64) for part in (customer[: len(earlier)], here))

    def worth(count: Floats) -> Floats:
        return np.asarray(count / (1 + np.maximum(count - 1, 0) * correlation))

    added = float((worth(before + now) - worth(before)).sum())
    alike = worth(now)
    return np.asarray((alike / np.maximum(now, 1))[here] * (added / float(alike.sum())))
