"""A month in the prediction log: every customer scored on its first day, what comes true told night by night."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from churn.modeling.model import Model
from churn.simulation.life import Month
from churn.store.records import TIME_FORMAT, Outcome, PredictionRow
from churn.store.store import Store


def write_scores(store: Store, month: Month, model: Model, said: np.ndarray, held_out: np.ndarray, at: datetime) -> None:
    """Log what a model says of all customers of a month.

    Parameters
    ----------
    store : Store
    month : Month
    model : Model
        With its version.
    said : array of float in [0, 1], shape (n,)
    held_out : array of bool, shape (n,)
        Who is named and belongs to the control group.
    at : datetime
        When they are scored.
    """
    features = month.customers.features
    flags = [name for name, values in features.items() if set(values.dropna().unique()) <= {0.0, 1.0}]
    texts = features.astype(dict.fromkeys(flags, "boolean")).to_json(orient="records", lines=True).splitlines()
    ids = customer_ids(month)
    stamp, version, threshold = at.strftime(TIME_FORMAT), str(model.info.version), model.info.threshold
    store.write_rows(
        [
            PredictionRow(prediction_id(month, place), who, stamp, version, p, threshold, p >= threshold, text, held)
            for place, (who, p, text, held) in enumerate(zip(ids, said.tolist(), texts, held_out.tolist(), strict=True))
        ]
    )


def write_outcomes(store: Store, month: Month, day: int, at: datetime) -> None:
    """Tell the store what became known of a month's customers on one of its days.

    Parameters
    ----------
    store : Store
    month : Month
    day : int
        From 0 up.
    at : datetime
        The moment of that day.
    """
    left = month.customers.labelled.to_numpy() == 1
    known = np.flatnonzero(month.known_after == day)
    store.write_outcomes([Outcome(bool(left[place]), at, prediction_id=prediction_id(month, int(place))) for place in known])


def prediction_id(month: Month, place: int) -> str:
    """Return the id of a customer's prediction.

    Parameters
    ----------
    month : Month
    place : int
    """
    return f"{month.number:03}-{place:07}"


def customer_ids(month: Month) -> list[str]:
    """Return the customers' ids, in order."""
    if month.customers.customer_id is None:
        raise AssertionError("a base that lives has ids")
    return [str(who) for who in month.customers.customer_id]
