"""Invented customers in the original form of the well-known IBM telecom sample: another company's export, quirks and all.

Column names, spellings and marginal shares follow the public description of that sample ("Telco Customer Churn", IBM Cognos
samples, 7,043 customers); no row of it is here. The published copy (`churn data pull --sample ibm-telco`) was tidied: it has no
customer id and no text among its numbers. Who leaves follows log-odds that are linear in tenure, contract, internet service,
charges and the rest, of the sizes that a logistic regression finds in the original, so that a plain one does best.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CUSTOMERS = 7_043
MAX_SECONDS = 72  # months
LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
# Share of the customers with internet who have it, and its price in USD a month.
ADD_ONS = {
    "OnlineSecurity": (0.366, 5),
    "OnlineBackup": (0.440, 5),
    "DeviceProtection": (0.439, 5),
    "TechSupport": (0.370, 5),
    "StreamingTV": (0.491, 10),
    "StreamingMovies": (0.495, 10),
}
# What a level adds to the log-odds of leaving; `(column, level): log-odds`.
EFFECTS = {
    ("SeniorCitizen", 1): 0.22,
    ("Dependents", "Yes"): -0.15,
    ("MultipleLines", "Yes"): 0.25,
    ("InternetService", "Fiber optic"): 1.10,
    ("InternetService", "No"): -1.00,
    ("OnlineSecurity", "Yes"): -0.48,
    ("OnlineBackup", "Yes"): -0.15,
    ("TechSupport", "Yes"): -0.45,
    ("StreamingTV", "Yes"): 0.22,
    ("StreamingMovies", "Yes"): 0.22,
    ("Contract", "One year"): -0.82,
    ("Contract", "Two year"): -1.62,
    ("PaperlessBilling", "Yes"): 0.40,
    ("PaymentMethod", "Electronic check"): 0.40,
}
INTERCEPT, PER_MONTH, PER_TOTAL_DOLLAR = -0.56, -0.053, 0.00026


def ibm_like(customers: int = CUSTOMERS, seed: int = 1) -> pd.DataFrame:
    """Invent customers; the same seed gives the same.

    Parameters
    ----------
    customers : int
        At least 1.
    seed : int
        Not negative.

    Returns
    -------
    pandas.DataFrame, shape (customers, 21)
        Columns and spellings as in the original: `SeniorCitizen` is 0 or 1, `tenure` in months, `MonthlyCharges` in USD, and
        `TotalCharges` is text, one blank for who has just come. About 26.5 % have `Churn` "Yes".

    Examples
    --------
    >>> ibm_like(3)["Contract"].isin(["Month-to-month", "One year", "Two year"]).all()
    np.True_
    """
    rng = np.random.default_rng([seed, 7043])
    n = customers

    def drawn(levels: list[str], *shares: float | NDArray[np.float64]) -> NDArray[np.object_]:
        """Draw one level each, with the given shares; the last level takes the rest."""
        edges = np.cumsum(np.broadcast_arrays(*shares, np.zeros(n))[:-1], axis=0)
        return np.asarray(np.array(levels, dtype=object)[(rng.random(n) >= edges).sum(axis=0)])

    partner = drawn(["Yes", "No"], 0.483)
    # Many have just come and many have always been there; a partner keeps one longer.
    months = MAX_SECONDS * rng.beta(np.where(partner == "Yes", 0.86, 0.48), np.where(partner == "Yes", 0.66, 0.98))
    tenure = np.where(rng.random(n) < 11 / CUSTOMERS, 0, np.clip(np.ceil(months), 1, MAX_SECONDS)).astype(np.int64)
    stayed = tenure / MAX_SECONDS
    internet = drawn(["Fiber optic", "DSL", "No"], 0.44, 0.344)
    online = internet != "No"
    contract = drawn(
        ["Month-to-month", "One year", "Two year"], np.clip(0.97 - 0.84 * stayed - 0.12 * ~online, 0, 1), 0.08 + 0.26 * stayed
    )
    phone = np.where((internet == "DSL") & (rng.random(n) < 0.281), "No", "Yes").astype(object)
    several = np.where(phone == "No", "No phone service", drawn(["Yes", "No"], 0.22 + 0.5 * stayed)).astype(object)
    add_ons = {
        name: np.where(online, drawn(["Yes", "No"], np.clip(share - 0.26 + 0.56 * stayed, 0, 1)), "No internet service")
        for name, (share, _) in ADD_ONS.items()
    }
    price = np.select([internet == "Fiber optic", (internet == "DSL") & (phone == "No"), internet == "DSL"], [70, 25, 45], 20)
    price = price + 5 * (several == "Yes") + sum(cost * (add_ons[name] == "Yes") for name, (_, cost) in ADD_ONS.items())
    monthly = np.round(price + rng.normal(0, 0.7, n), 2)
    total = np.round(monthly * tenure * np.where(tenure > 1, rng.normal(1, 0.03, n), 1), 2)

    frame = pd.DataFrame(
        {
            "customerID": _ids(rng, n),
            "gender": drawn(["Male", "Female"], 0.505),
            "SeniorCitizen": (rng.random(n) < 0.162).astype(np.int64),
            "Partner": partner,
            "Dependents": drawn(["Yes", "No"], np.where(partner == "Yes", 0.52, 0.09)),
            "tenure": tenure,
            "PhoneService": phone,
            "MultipleLines": several,
            "InternetService": internet,
            **add_ons,
            "Contract": contract,
            "PaperlessBilling": drawn(["Yes", "No"], np.where(online, 0.675, 0.29)),
            "PaymentMethod": drawn(
                ["Electronic check", "Mailed check", "Bank transfer (automatic)", "Credit card (automatic)"],
                np.where(online, 0.40, 0.08),
                np.where(online, 0.165, 0.49),
                0.218,
            ),
            "MonthlyCharges": monthly,
            "TotalCharges": np.where(tenure == 0, " ", [f"{value:g}" if value % 1 == 0 else f"{value:.2f}" for value in total]),
        }
    )
    log_odds = INTERCEPT + PER_MONTH * tenure + PER_TOTAL_DOLLAR * total
    for (column, level), effect in EFFECTS.items():
        log_odds = log_odds + effect * (frame[column] == level).to_numpy()
    frame["Churn"] = np.where(rng.random(n) < 1 / (1 + np.exp(-log_odds)), "Yes", "No")
    return frame


def _ids(rng: np.random.Generator, customers: int) -> list[str]:
    """Make different ids of the form 7590-VHVEG."""
    numbers = rng.choice(10_000 if customers <= 10_000 else customers, customers, replace=False)
    letters = LETTERS[rng.integers(0, len(LETTERS), (customers, 5))]
    return [f"{number:04d}-{''.join(word)}" for number, word in zip(numbers, letters, strict=True)]
