"""Simulated customers: a seeded population after a contract, with knobs for covariate shift and concept drift."""

from __future__ import annotations

import math
import tempfile
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from churn.contract import Contract
from churn.data import Dataset
from churn.errors import InputError
from churn.population import (
    Condition,
    Effect,
    Levels,
    Mechanism,
    Normal,
    Population,
    Probability,
    Rule,
    Share,
    Values,
    read_population,
    relations,
)

Customers = dict[str, Values]


class _Knobs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Extra(_Knobs):
    """A share of customers has `by` more of something (calls to customer service, say)."""

    share: Probability
    by: float


class Mix(_Knobs):
    """A share of customers comes from a population shifted in another way."""

    share: Probability
    shift: Shift


class Shift(_Knobs):
    """Covariate shift: other customers than before. By default nothing changes.

    Attributes
    ----------
    scale, move : dict of float
        Numbers multiplied by, then increased by. Charges follow their minutes, and all stay within the contract's bounds;
        a charge scaled by itself breaks its relation to the minutes.
    extra : dict of Extra
        Numbers that some customers have more of.
    share : dict of float
        How many customers have a flag, in [0, 1].
    missing : dict of float
        Share of values lost, in [0, 1], independently of everything. The customers behave as if nothing were lost.
    permute : tuple of str
        Columns shuffled among the customers: the spread stays, the relations to other columns break. Who leaves follows
        from the true values: it is the record that is broken.
    mix : Mix, optional
        Another population that part of the customers comes from instead.
    """

    scale: dict[str, float] = Field(default_factory=dict)
    move: dict[str, float] = Field(default_factory=dict)
    extra: dict[str, Extra] = Field(default_factory=dict)
    share: dict[str, Probability] = Field(default_factory=dict)
    missing: dict[str, Probability] = Field(default_factory=dict)
    permute: tuple[str, ...] = ()
    mix: Mix | None = None


Mix.model_rebuild()


class Drift(_Knobs):
    """Concept drift: the same customers leave for other reasons. By default nothing changes.

    Attributes
    ----------
    base_rate : float, optional
        Replaces the population's, in (0, 1).
    rules : dict
        Replaces or adds a rule; None takes one away.
    probability : dict of float
        Replaces only the probability of rules that are there, in [0, 1].
    effects : dict
        Replaces or adds what a column does to the log-odds.
    effect_scale : float
        Multiplies all effects: 0 makes them vanish, -1 turns them round.
    """

    base_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    rules: dict[str, Rule | None] = Field(default_factory=dict)
    probability: dict[str, Probability] = Field(default_factory=dict)
    effects: dict[str, Effect] = Field(default_factory=dict)
    effect_scale: float = 1.0

    def applied(self, mechanism: Mechanism) -> Mechanism:
        """Give the mechanism after the drift.

        Raises
        ------
        InputError
            If it names a rule that is not there.
        """
        rules = dict(mechanism.rules)
        for name in [*self.probability, *(name for name, rule in self.rules.items() if rule is None)]:
            if name not in rules:
                raise InputError(f"drift: there is no rule {name!r} (there are: {', '.join(rules) or 'none'})")
        rules |= {name: rules[name].model_copy(update={"probability": value}) for name, value in self.probability.items()}
        effects = {
            name: effect.model_copy(update={"per_unit": effect.per_unit * self.effect_scale})
            for name, effect in (mechanism.effects | self.effects).items()
        }
        return Mechanism(
            base_rate=mechanism.base_rate if self.base_rate is None else self.base_rate,
            effects=effects,
            indexes=mechanism.indexes,
            rules={name: rule for name, rule in (rules | self.rules).items() if rule is not None},
        )


NO_SHIFT = Shift()
NO_DRIFT = Drift()


def simulate(contract: Contract, rows: int, seed: int, *, shift: Shift = NO_SHIFT, drift: Drift = NO_DRIFT) -> Dataset:
    """Make customers up.

    Every column, and every knob, has a random stream of its own: two calls with one seed differ exactly in what the knobs
    change, so that a shifted population is the same people under other circumstances.

    Parameters
    ----------
    contract : Contract
        What a customer looks like. Its `population` says how values spread and who leaves; without one, generic spreads are
        made from bounds and levels (`churn.population.generic_marginal`).
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
    0.15
    """
    if rows < 1 or seed < 0:
        raise InputError(f"simulation: needs at least 1 row and a seed of at least 0 (found {rows} and {seed})")
    population = read_population(contract)
    mechanism = drift.applied(population.churn)
    _check_mechanism(contract, mechanism)
    true, recorded = _customers(contract, population, rows, seed, shift)
    churned = _stream(seed, "<churn>").random(rows) < mechanism.probability(true)
    id_column = contract.id_column
    return Dataset(
        pd.DataFrame(recorded, columns=contract.feature_names),
        pd.Series(churned.astype(np.int64)),
        customer_id=pd.Series([f"S{seed}-{number:08d}" for number in range(1, rows + 1)], dtype=object) if id_column else None,
        source=f"simulated {contract.name}: {rows} rows, seed {seed}",
        simulated=True,
    )


def _stream(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def _customers(contract: Contract, population: Population, rows: int, seed: int, shift: Shift) -> tuple[Customers, Customers]:
    """Give the customers as they are and as they are recorded: they differ by what is lost or shuffled."""
    _check_shift(contract, shift)
    bounds = _bounds(contract)
    follows = relations(contract)
    true: Customers = {}

    def value(name: str) -> Values:
        if name not in true:
            true[name] = drawn(name)
        return true[name]

    def drawn(name: str) -> Values:
        marginal = population.columns.get(name)
        if marginal is None:
            check = follows[name]
            values = _round(value(check.equals) * check.times, _decimals_within(check.tolerance))
        else:
            if isinstance(marginal, Share) and name in shift.share:
                marginal = Share(share=shift.share[name])
            values = marginal.draw(_stream(seed, name), rows)
        if isinstance(marginal, Levels | Share):
            return values
        values = _moved(values, name, shift, partial(_stream, seed))
        decimals = marginal.decimals if isinstance(marginal, Normal) else 0
        if marginal is not None:
            values = np.round(values, decimals)
            if marginal.only_with is not None:
                values = np.where(value(marginal.only_with) > 0, values, 0.0)
        # -0.0 would be a second spelling of nothing.
        return np.clip(values, *bounds[name]) + 0.0

    for name in contract.feature_names:
        value(name)
    recorded = {name: _lost(values, name, shift, seed) for name, values in true.items()}
    if shift.mix is None:
        return true, recorded
    other_true, other_recorded = _customers(contract, population, rows, seed, shift.mix.shift)
    others = _stream(seed, "<mix>").random(rows) < shift.mix.share
    return _where(others, other_true, true), _where(others, other_recorded, recorded)


def _where(others: NDArray[np.bool_], there: Customers, here: Customers) -> Customers:
    return {name: np.where(others, there[name], here[name]) for name in here}


def _moved(values: Values, name: str, shift: Shift, stream: partial[np.random.Generator]) -> Values:
    if name in shift.scale:
        values = values * shift.scale[name]
    if name in shift.move:
        values = values + shift.move[name]
    if name in shift.extra:
        chosen = stream(f"{name}/extra").random(len(values)) < shift.extra[name].share
        values = values + chosen * shift.extra[name].by
    return values


def _lost(values: Values, name: str, shift: Shift, seed: int) -> Values:
    if name in shift.permute:
        values = _stream(seed, f"{name}/permute").permutation(values)
    if name in shift.missing:
        lost = _stream(seed, f"{name}/missing").random(len(values)) < shift.missing[name]
        values = np.where(lost, None if values.dtype == object else np.nan, values)
    return values


def _round(values: Values, decimals: int) -> Values:
    # Half up, as bills are (and as the real data's charges are); the hair is for decimals that binary spells just below.
    factor = 10.0**decimals
    return np.asarray(np.floor(values * factor + 0.5 + 1e-9) / factor)


def _decimals_within(tolerance: float) -> int:
    """Give the fewest decimals whose rounding stays within the tolerance: cents for 0.01."""
    return max(0, math.ceil(-math.log10(2 * tolerance)))


def _bounds(contract: Contract) -> dict[str, tuple[float, float]]:
    """Give the bounds of each number, narrowed so that the columns that follow from it keep theirs."""
    found: dict[str, tuple[float, float]] = {}
    follows = relations(contract)

    def of(name: str) -> tuple[float, float]:
        column = contract[name]
        low = -math.inf if column.minimum is None else column.minimum
        high = math.inf if column.maximum is None else column.maximum
        for check in follows.values():
            if check.equals == name and check.times:
                ends = sorted(end / check.times for end in of(check.column))
                low, high = max(low, ends[0]), min(high, ends[1])
        if column.kind == "integer":
            low, high = (math.ceil(low) if math.isfinite(low) else low), (math.floor(high) if math.isfinite(high) else high)
        if low > high:
            raise InputError(f"contract {contract.name!r}: no value of {name!r} keeps both its bounds and the checks")
        return low, high

    for column in contract.features:
        found[column.name] = (0.0, 1.0) if column.kind == "flag" else of(column.name)
    return found


def _check_shift(contract: Contract, shift: Shift) -> None:
    features = {column.name: column for column in contract.features}
    for knob, names in (
        ("scale", shift.scale),
        ("move", shift.move),
        ("extra", shift.extra),
        ("share", shift.share),
        ("missing", shift.missing),
        ("permute", shift.permute),
    ):
        for name in names:
            if name not in features:
                raise InputError(f"shift.{knob}: contract {contract.name!r} has no feature {name!r}")
            kind = features[name].kind
            if knob in ("scale", "move", "extra") and kind not in ("number", "integer"):
                raise InputError(f"shift.{knob}: {name!r} is not a number but a {kind}")
            if knob == "share" and kind != "flag":
                raise InputError(f"shift.share: {name!r} is not a flag but a {kind}")
            if knob == "missing" and not features[name].nullable:
                raise InputError(f"shift.missing: {name!r} must not be missing, says the contract")


def _check_mechanism(contract: Contract, mechanism: Mechanism) -> None:
    for where, name in mechanism.names():
        if name not in contract.feature_names:
            raise InputError(f"{where}: {name!r} is neither a feature nor an index of contract {contract.name!r}")


def write_csv(dataset: Dataset, contract: Contract, path: Path) -> None:
    """Write customers as the source spells them, so that `read_dataset` gives exactly the same ones back.

    Numbers have as few decimals as tell them apart (10.0, 2.7), flags and outcomes are the contract's levels, what is missing
    is empty. A reader never sees half a file: it is written beside `path`, then renamed.

    Raises
    ------
    InputError
        If the folder is not there or cannot be written.
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
            case _:
                columns[column.source] = values
    if dataset.outcome is not None:
        target = contract.target
        columns[target.source] = dataset.outcome.map({1: target.true_level, 0: target.false_level})
    frame = pd.DataFrame({source: values.reset_index(drop=True) for source, values in columns.items()})
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            finished = Path(folder) / path.name
            frame.to_csv(finished, index=False, lineterminator="\n")
            finished.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


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
