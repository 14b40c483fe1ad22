"""A client of the service: sends customers to /predict, and later their outcomes."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx2
import numpy as np
import pandas as pd

from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.errors import ChurnError, InputError

if TYPE_CHECKING:
    from churn.simulation.simulate import Scenario

# Outcomes or contacts in a request.
REPORTED_AT_ONCE = 500


def find_scenario(name: str) -> Scenario:
    """Return a named scenario; InputError, which lists those there are, if there is none of that name."""
    from churn.simulation.simulate import SCENARIOS

    if name not in SCENARIOS:
        raise InputError(f"--scenario {name!r}: there are {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def simulate_scenario(contract: Contract, scenario: str, customers: int, seed: int) -> Dataset:
    """Invent the customers of a named scenario.

    Parameters
    ----------
    contract : Contract
    scenario : str
    customers : int
        How many.
    seed : int

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        If there is no such scenario; the message lists those there are.
    """
    from churn.simulation.simulate import simulate

    chosen = find_scenario(scenario)
    return simulate(contract, customers, seed, shift=chosen.shift, drift=chosen.drift)


class Client:
    """A client of one service. Any answer but success is a ChurnError with the service's own words."""

    def __init__(self, url: str, contract: Contract, key: str | None = None) -> None:
        self.contract = contract
        self._url = url
        self._http = httpx2.Client(base_url=url, timeout=30, trust_env=False, headers={"X-API-Key": key} if key else {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str) -> dict[str, Any]:
        """GET a JSON document."""
        return self._ask("GET", path)

    def predict_one(self, customer: dict[str, Any]) -> dict[str, Any]:
        """Ask for one prediction."""
        return self._ask("POST", "/predict", customer)

    def predict(self, dataset: Dataset, prefix: str) -> list[dict[str, Any]]:
        """Ask for a prediction of each customer, one request each.

        Parameters
        ----------
        dataset : Dataset
        prefix : str
            Ids are this and the row's number, where the data has none.

        Returns
        -------
        list of dict
            The answers.
        """
        return [self.predict_one(customer) for customer in as_customers(dataset, self.contract, prefix)]

    def report_outcomes(self, answers: list[dict[str, Any]], dataset: Dataset, chunk: int = REPORTED_AT_ONCE) -> int:
        """Send the outcome of each answer.

        Parameters
        ----------
        answers : list of dict
        dataset : Dataset
            The customers who were asked about, in the same order.
        chunk : int
            Outcomes a request.

        Returns
        -------
        int
            How many were new to the service.
        """
        outcomes = [
            {"prediction_id": answer["prediction_id"], "churned": bool(churned)}
            for answer, churned in zip(answers, dataset.labelled, strict=True)
        ]
        parts = [outcomes[start : start + chunk] for start in range(0, len(outcomes), chunk)]
        return sum(int(self._ask("POST", "/outcomes", {"outcomes": part})["accepted"]) for part in parts)

    def report_contacts(self, answers: list[dict[str, Any]], campaign: str) -> int:
        """Send a contact for each answer whose action is `contact`.

        Parameters
        ----------
        answers : list of dict
        campaign : str
            Its name.

        Returns
        -------
        int
            How many were new to the service.
        """
        contacts = [
            {"prediction_id": one["prediction_id"], "campaign": campaign} for one in answers if one["action"] == "contact"
        ]
        parts = [contacts[start : start + REPORTED_AT_ONCE] for start in range(0, len(contacts), REPORTED_AT_ONCE)]
        return sum(int(self._ask("POST", "/contacts", {"contacts": part})["accepted"]) for part in parts)

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx2.HTTPError as error:
            raise ChurnError(f"no service at {self._url} ({type(error).__name__}); start it with: churn up") from error
        if answer.is_error:
            raise ChurnError(f"{method} {path} was answered {answer.status_code}: {answer.text[:500]}")
        return dict(answer.json())


def as_customers(dataset: Dataset, contract: Contract, prefix: str) -> list[dict[str, Any]]:
    """Return rows as POST /predict reads them: plain numbers, booleans, text; a missing value is left out.

    Parameters
    ----------
    dataset : Dataset
    contract : Contract
    prefix : str
        Ids are this and the row's number, where the data has none.

    Returns
    -------
    list of dict
    """
    ids = dataset.customer_id if dataset.customer_id is not None else [f"{prefix}-{row}" for row in range(len(dataset))]
    flags = {column.name for column in contract.features if column.kind == "flag"}
    customers = []
    for customer_id, row in zip(ids, dataset.features.to_dict("records"), strict=True):
        values = {str(name): bool(value) if name in flags else value for name, value in row.items() if not _missing(value)}
        customers.append({"customer_id": str(customer_id), **values})
    return customers


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and bool(np.isnan(value)))
