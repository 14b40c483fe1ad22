"""Simulated customers: a seeded population after a contract, with knobs for covariate shift and concept drift."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.atomic_write import atomic_write
from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.errors import InputError, unwritable
from churn.simulation.customers import draw_customers
from churn.simulation.draws import Seeded
from churn.simulation.mechanism import Condition, Rule
from churn.simulation.population import mechanism_misfit, read_population
from churn.simulation.shift import Drift, Extra, Mix, Shift

__all__ = ["NO_DRIFT", "NO_SHIFT", "SCENARIOS", "Drift", "Extra", "Mix", "Scenario", "Shift", "simulate", "write_csv"]

NO_SHIFT = Shift()
NO_DRIFT = Drift()


def simulate(contract: Contract, rows: int, seed: int, *, shift: Shift = NO_SHIFT, drift: Drift = NO_DRIFT) -> Dataset:
    """Simulate customers.

    Every column, and every knob, has a random stream of its own: two calls with one seed differ exactly in what the knobs
    change, so that a shifted population is the same people under other circumstances.

    Parameters
    ----------
    contract : Contract
        What a customer looks like. Its `population` says how values spread and who leaves; without one, generic spreads are
        made from bounds and levels (`churn.simulation.population.generic_marginal`).
    rows : int
        How many, at least 1.
    seed : int
        Not negative. The same contract, rows, seed and knobs give the same customers, bit for bit.
    shift, drift : Shift, Drift
        What is different from the declared population.

    Returns
    -------
    Dataset
        With `simulated=True` and an outcome for everybody. It keeps the contract's rules; its relations too, except for the
        columns that `shift` scales, moves, raises or permutes by themselves.

    Raises
    ------
    InputError
        If the population or a knob does not fit the contract.

    Examples
    --------
    >>> from churn.contract import load_contract
    >>> customers = simulate(load_contract(), 10_000, seed=7)
    >>> round(float(customers.labelled.mean()), 2)
    0.14
    """
    return simulate_with_risk(contract, rows, seed, shift=shift, drift=drift)[0]


def simulate_with_risk(
    contract: Contract, rows: int, seed: int, *, shift: Shift = NO_SHIFT, drift: Drift = NO_DRIFT
) -> tuple[Dataset, NDArray[np.float64]]:
    """Simulate customers as `simulate` does, and say how probable it was that each would leave.

    Parameters
    ----------
    contract, rows, seed, shift, drift
        See `simulate`.

    Returns
    -------
    Dataset
    numpy.ndarray of float, shape (rows,)
        In [0, 1].

    Raises
    ------
    InputError
        If the population or a knob does not fit the contract.
    """
    if rows < 1 or seed < 0:
        raise InputError(f"simulation: needs at least 1 row and a seed of at least 0 (found {rows} and {seed})")
    population = read_population(contract)
    mechanism = drift.applied(population.churn)
    if broken := mechanism_misfit(mechanism, contract):
        raise InputError(f"drift: {': '.join(broken)} of contract {contract.name!r}")
    source = Seeded(seed)
    true, recorded = draw_customers(contract, population, rows, source, shift)
    risk = mechanism.probability(true)
    churned = source.of("<churn>").random(rows) < risk
    id_column = contract.id_column
    simulated = Dataset(
        pd.DataFrame(recorded, columns=contract.feature_names),
        pd.Series(churned.astype(np.int64)),
        customer_id=pd.Series([f"S{seed}-{number:08d}" for number in range(1, rows + 1)], dtype=object) if id_column else None,
        source=f"simulated {contract.name}: {rows} rows, seed {seed}",
        simulated=True,
    )
    return simulated, risk


def write_csv(dataset: Dataset, contract: Contract, path: Path) -> None:
    """Write customers in the source's format, so that `read_dataset` returns exactly the same ones.

    Numbers have as few decimals as tell them apart (10.0, 2.7) and the contract's decimal mark, flags and outcomes are the
    contract's levels, what is missing is empty. A reader never sees half a file: it is written beside `path`, then renamed.

    Parameters
    ----------
    dataset : Dataset
    contract : Contract
    path : Path

    Raises
    ------
    InputError
        If the folder is not there or cannot be written.
    ChurnError
        If the disk is full or fails.
    """
    columns: dict[str, pd.Series] = {}
    if contract.id_column is not None and dataset.customer_id is not None:
        columns[contract.id_column.source] = dataset.customer_id
    for column in contract.features:
        values = dataset.features[column.name]
        match column.kind:
            case "flag":
                columns[column.source] = values.map({1.0: column.true_level, 0.0: column.false_level})
            case "integer":
                columns[column.source] = values.astype("Int64")
            case "number" if column.number_format is not None and column.number_format.decimal == ",":
                columns[column.source] = values.map(lambda number: repr(number).replace(".", ","), na_action="ignore")
            case _:
                columns[column.source] = values
    if dataset.outcome is not None:
        target = contract.target
        columns[target.source] = dataset.outcome.map({1: target.true_level, 0: target.false_level})
    frame = pd.DataFrame({source: values.reset_index(drop=True) for source, values in columns.items()})
    try:
        with atomic_write(path) as staging:
            frame.to_csv(staging, index=False, lineterminator="\n")
    except OSError as error:
        raise unwritable(path, error) from error


@dataclass(frozen=True)
class Scenario:
    """A story for traffic: what is different, and why. The columns are those of the telecom contract."""

    description: str
    shift: Shift = NO_SHIFT
    drift: Drift = NO_DRIFT


ABROAD = "international_plan"

SCENARIOS: dict[str, Scenario] = {
    "calm": Scenario("Nothing has changed."),
    "before-launch": Scenario("The international plan does not exist yet.", Shift(share={ABROAD: 0.0})),
    "plan-launch": Scenario("The international plan is pushed: two of five customers have it.", Shift(share={ABROAD: 0.4})),
    "price-rise": Scenario(
        "A competitor is cheaper now: bills are the same, but customers leave at smaller ones, and more of the contented leave.",
        drift=Drift(
            base_rate=0.05,
            rules={
                "big-bill": Rule(
                    probability=0.9,
                    when={"total_charge": Condition(above=66), "voice_mail_plan": Condition(flag=False)},
                )
            },
        ),
    ),
    "minutes-up": Scenario("Everybody calls 10 % more by day.", Shift(scale={"total_day_minutes": 1.1})),
    "service-crisis": Scenario(
        "20 % of customers call service twice more.", Shift(extra={"customer_service_calls": Extra(share=0.2, by=2)})
    ),
    "missing-values": Scenario(
        "An upstream job loses 30 % of the day's minutes and of the service calls.",
        Shift(missing={"total_day_minutes": 0.3, "customer_service_calls": 0.3}),
    ),
    "broken-charges": Scenario(
        "Charges are joined to the wrong customers: each column looks as ever, only the relations are broken.",
        Shift(permute=("total_day_charge", "total_eve_charge", "total_night_charge")),
    ),
}
