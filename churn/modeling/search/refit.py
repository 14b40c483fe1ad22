"""Fit a pipeline anew on all customers once it was evaluated: those who judge it teach it as well.

A quarter of the customers is reserved, so that model and champion are judged on customers whom neither has seen. When that is
done, what they know is used: docs/adr/0036-what-is-served-has-learned-from-everybody.md.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from churn.config.params import Form
from churn.data.labelled import Labelled
from churn.data.many_rows import MAX_FITTED, predict_in_blocks, rows_within
from churn.evaluation.statistics import log_losses
from churn.modeling.search.mean_of_models import as_one
from churn.modeling.search.tuned import Tuned, known_customers


def refit(tuned: Tuned, known: Labelled, reserved: Labelled, features: list[str], form: Form) -> tuple[Pipeline, int]:
    """Fit the pipeline that was found, with its parameters as they are, on the reserved customers too.

    Parameters
    ----------
    tuned : Tuned
        Fitted on `known`.
    known : Labelled
        Training customers.
    reserved : Labelled
        Customers of whom `known` has no row, of the same time.
    features : list of str
        The columns the model reads, in order.
    form : {"terms", "plain", "deep"}

    Returns
    -------
    sklearn.pipeline.Pipeline
        What to serve. It is that of `tuned` if it is a network, whose fit draws customers of its own to stop by; if so many are
        known that samples are fitted anyway; or if the new fit knows those it learned from no better than the old one does.
    int
        How many rows it learned from; 0 if it is that of `tuned`.
    """
    rows = len(known) + len(reserved)
    if form == "deep" or not len(reserved) or rows > rows_within(MAX_FITTED, len(features)):
        return tuned.served, 0
    everybody = joined(known, reserved)
    x, y = everybody.features[features], everybody.outcome
    fitted = as_one(clone(tuned.pipeline).fit(x, y, **known_customers(tuned.pipeline, everybody)))
    asked, outcome = reserved.features[features], reserved.outcome.to_numpy()
    before, after = (log_losses(outcome, predict_in_blocks(one, asked)).mean() for one in (tuned.served, fitted))
    return (fitted, rows) if after <= before else (tuned.served, 0)


def joined(known: Labelled, reserved: Labelled) -> Labelled:
    """Return the rows of both, those of `known` first. No customer is in both.

    Parameters
    ----------
    known, reserved : Labelled

    Returns
    -------
    Labelled
        Features, outcome, and which rows are about the same customer, where that is known of either.
    """
    customer = None
    if known.customer is not None or reserved.customer is not None:
        first, second = (np.arange(len(one)) if one.customer is None else one.customer for one in (known, reserved))
        customer = np.concatenate([first, second + (first.max() + 1 if len(first) else 0)])
    return Labelled(
        pd.concat([known.features, reserved.features], ignore_index=True),
        pd.concat([known.outcome, reserved.outcome], ignore_index=True),
        customer=customer,
    )


def reserved_since(reserved: Labelled, learned: Labelled) -> Labelled:
    """Return the reserved customers of the time that a model learned from.

    Parameters
    ----------
    reserved : Labelled
    learned : Labelled
        Those learned from: all, or the newest where older ones teach what is no longer true.

    Returns
    -------
    Labelled
        All, where it is not known of each learned row when it was asked about.
    """
    if learned.asked_at is None or learned.asked_at.isna().any():
        return reserved
    if reserved.asked_at is None:
        return reserved.take(np.arange(0))
    return reserved.take(np.flatnonzero(reserved.asked_at >= learned.asked_at.min()))
