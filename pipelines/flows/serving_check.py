"""Send a challenger through the serving path before it is judged: written, loaded, verified and asked as the service does it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from churn.contract import Contract
from churn.customers.customer import request_model
from churn.errors import ModelRefused
from churn.lifecycle.gate import ServingCheck
from churn.modeling.model import Model
from churn.registry.artifact import INFO_FILE, PIPELINE_FILE, load_folder
from churn.registry.serialization import dump_pipeline
from service.model_loading.parity_check import verified
from service.model_loading.parity_customers import as_columns
from service.scoring.served_model import ServedModel

MAX_ROWS = 500
SINGLE_ROWS = 200


def check_serving(
    challenger: Model, fresh: pd.DataFrame, contract: Contract, *, clock: Callable[[], float] = time.perf_counter
) -> ServingCheck:
    """Compare what the service will answer with what the challenger says, and time single answers.

    Parameters
    ----------
    challenger : Model
        Not yet registered.
    fresh : pandas.DataFrame, shape (n, n_features)
        At most 500 of its rows are asked, evenly spread; every second one with a number left out.
    contract : Contract
    clock : callable
        Seconds.

    Returns
    -------
    ServingCheck
        A model that is refused is a result, not an error.
    """
    customers = _with_gaps(fresh.iloc[_spread(len(fresh))], contract)
    try:
        served = _load_as_service(challenger, contract)
        model_customer = request_model(contract)
        requests = [model_customer.model_validate(record) for record in _records(customers)]
    except ModelRefused as error:
        return ServingCheck(0, None, None, str(error))
    except ValidationError as error:
        first = error.errors()[0]
        return ServingCheck(0, None, None, f"{'.'.join(map(str, first['loc']))}: no request can hold it: {first['msg']}")
    if not requests:
        return ServingCheck(0, None, None, "there is no fresh customer to ask about")
    asked = [list(request.features().values()) for request in requests]
    together = served.score_columns(as_columns(asked, contract)).probabilities
    one_by_one = np.array([served.score_one(values, None).churn_probability for values in asked])
    latency = [_timed(served, asked[n % len(asked)], clock) for n in range(SINGLE_ROWS)]
    own = challenger.predict_probability(customers)
    difference = max(float(np.abs(answers - own).max()) for answers in (together, one_by_one))
    return ServingCheck(len(requests), difference, 1000 * float(np.median(latency)))


def _load_as_service(challenger: Model, contract: Contract) -> ServedModel:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / PIPELINE_FILE).write_bytes(dump_pipeline(challenger.pipeline))
        (folder / INFO_FILE).write_text(challenger.info.model_dump_json())
        return verified(load_folder(folder, "(challenger)"), contract, "disk")


def _spread(rows: int) -> np.ndarray:
    return np.unique(np.linspace(0, max(rows - 1, 0), min(rows, MAX_ROWS)).astype(np.intp))


def _with_gaps(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Leave one number out of every second row, a different one each time: a request may always lack a number."""
    frame = frame[frame.notna().any(axis=1)].reset_index(drop=True)
    numbers = [column.name for column in contract.features if column.kind in ("number", "integer")]
    spare = frame.notna().sum(axis=1) > 1  # an empty customer is no request
    for place, name in enumerate(numbers):
        frame.loc[spare & (frame.index % (2 * len(numbers)) == 2 * place), name] = np.nan
    return frame


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return customers as JSON has them: what is missing is None."""
    known = frame.notna()
    return [
        {str(name): value if known.at[row, name] else None for name, value in record.items()}
        for row, record in enumerate(frame.to_dict("records"))
    ]


def _timed(served: ServedModel, values: Sequence[Any], clock: Callable[[], float]) -> float:
    start = clock()
    served.score_one(values, None)
    return clock() - start
