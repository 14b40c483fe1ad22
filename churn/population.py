"""What a population is made of, as a contract's `population:` section declares it: how columns spread, and who leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from churn.contract import Check, Column, Contract
from churn.errors import InputError

Values = NDArray[Any]
Probability = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Normal(_Part):
    """A number: normal with this mean and standard deviation, rounded to `decimals`.

    Customers who have a flag named in `plus` have so much more. It is clipped to `least` and to the contract's bounds. A share
    `zero_share` is 0 instead; where the column `only_with` is 0, so is this one.
    """

    mean: float
    sd: float = Field(ge=0)
    decimals: int = Field(0, ge=0, le=12)
    least: float | None = None
    zero_share: Probability = 0.0
    only_with: str | None = None
    plus: dict[str, float] = Field(default_factory=dict)

    def draw(self, rng: np.random.Generator, rows: int, lift: Values | float = 0.0) -> Values:
        """Draw float64 values, shape (rows,); not yet rounded, clipped from below only. `lift` is what `plus` comes to."""
        values = rng.normal(self.mean, self.sd, rows) + lift
        if self.least is not None:
            np.maximum(values, self.least, out=values)
        if self.zero_share:
            values[rng.random(rows) < self.zero_share] = 0.0
        return values


class Counts(_Part):
    """A whole number from 0 up, as often as in `counts`: its first item counts the zeros. `only_with` is as in `Normal`."""

    counts: tuple[Annotated[float, Field(ge=0)], ...] = Field(min_length=1)
    only_with: str | None = None

    def draw(self, rng: np.random.Generator, rows: int) -> Values:
        """Draw whole numbers as float64, shape (rows,)."""
        return _pick(self.counts, rng, rows).astype(np.float64)


class Share(_Part):
    """A flag that this share of customers has."""

    share: Probability

    def draw(self, rng: np.random.Generator, rows: int) -> Values:
        """Draw 0.0 or 1.0, shape (rows,)."""
        return (rng.random(rows) < self.share).astype(np.float64)


class Levels(_Part):
    """A category: its levels, with how often each is seen (any unit)."""

    levels: dict[str, Annotated[float, Field(ge=0)]] = Field(min_length=1)

    def draw(self, rng: np.random.Generator, rows: int) -> Values:
        """Draw texts as an object array, shape (rows,)."""
        return np.array(list(self.levels), dtype=object)[_pick(tuple(self.levels.values()), rng, rows)]


def _pick(weights: tuple[float, ...], rng: np.random.Generator, rows: int) -> NDArray[np.intp]:
    edges = np.cumsum(weights)
    # The product may round up to the last edge itself.
    drawn = np.searchsorted(edges, rng.random(rows) * edges[-1], side="right")
    return np.asarray(np.minimum(drawn, np.flatnonzero(weights)[-1]), dtype=np.intp)


FORMS = {"mean": "normal", "counts": "counts", "share": "share", "levels": "levels"}


def _form(value: Any) -> str | None:
    keys = value if isinstance(value, Mapping) else set(type(value).model_fields) if isinstance(value, BaseModel) else ()
    return next((form for key, form in FORMS.items() if key in keys), None)


Marginal = Annotated[
    Annotated[Normal, Tag("normal")]
    | Annotated[Counts, Tag("counts")]
    | Annotated[Share, Tag("share")]
    | Annotated[Levels, Tag("levels")],
    Discriminator(_form, custom_error_type="form", custom_error_message=f"needs one of {', '.join(FORMS)}"),
]


class Condition(_Part):
    """What one column's value must be. Of several requirements all must hold."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    flag: bool | None = None
    one_of: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("needs at least one requirement")
        return self

    def holds(self, values: Values) -> NDArray[np.bool_]:
        """Tell for each value whether the condition holds, shape as `values`."""
        result = np.ones(len(values), dtype=np.bool_)
        if self.above is not None:
            result &= values > self.above
        if self.at_least is not None:
            result &= values >= self.at_least
        if self.below is not None:
            result &= values < self.below
        if self.at_most is not None:
            result &= values <= self.at_most
        if self.flag is not None:
            result &= values == float(self.flag)
        if self.one_of:
            result &= np.isin(values, np.array(self.one_of, dtype=object))
        return result


class Rule(_Part):
    """Customers for whom every condition of `when` holds leave with this probability, whatever else they do."""

    probability: Probability
    when: dict[str, Condition] = Field(min_length=1)


class Effect(_Part):
    """What a column adds to the log-odds of leaving: `per_unit` times its distance from `centre`."""

    per_unit: float
    centre: float = 0.0


class Mechanism(_Part):
    """Who leaves.

    Attributes
    ----------
    base_rate : float
        Probability of leaving, in (0, 1), where every effect is zero and no rule holds.
    effects : dict
        Column to what it adds to the log-odds.
    indexes : dict
        Weighted sums of columns that rules may name like a column: name to {column: weight}.
    rules : dict
        Name to rule. Each is a reason of its own to leave, so probabilities combine as a noisy or.
    """

    base_rate: float = Field(gt=0, lt=1)
    effects: dict[str, Effect] = Field(default_factory=dict)
    indexes: dict[str, dict[str, float]] = Field(default_factory=dict)
    rules: dict[str, Rule] = Field(default_factory=dict)

    def probability(self, columns: Mapping[str, Values]) -> NDArray[np.float64]:
        """Give each customer's true probability of leaving, shape (n_customers,), in [0, 1]."""
        rows = len(next(iter(columns.values())))
        log_odds = np.full(rows, np.log(self.base_rate / (1 - self.base_rate)))
        for name, effect in self.effects.items():
            log_odds += effect.per_unit * (columns[name] - effect.centre)
        stay = 1 / (1 + np.exp(np.clip(log_odds, -700, 700)))
        known = dict(columns)
        for name, weights in self.indexes.items():
            known[name] = sum((columns[column] * weight for column, weight in weights.items()), np.zeros(rows))
        for rule in self.rules.values():
            holds = np.ones(rows, dtype=np.bool_)
            for name, condition in rule.when.items():
                holds &= condition.holds(known[name])
            stay[holds] *= 1 - rule.probability
        return np.asarray(1 - stay, dtype=np.float64)

    def names(self) -> Iterator[tuple[str, str]]:
        """Give every column named, with the place that names it."""
        yield from ((f"churn.effects.{name}", name) for name in self.effects)
        for index, weights in self.indexes.items():
            yield from ((f"churn.indexes.{index}", name) for name in weights)
        for title, rule in self.rules.items():
            yield from ((f"churn.modeling.rules.{title}", name) for name in rule.when if name not in self.indexes)


class Population(_Part):
    """Where each column's values come from, and who leaves. Columns not listed follow from a check of the contract."""

    columns: dict[str, Marginal]
    churn: Mechanism

    @model_validator(mode="after")
    def _weights_not_all_zero(self) -> Self:
        for name, marginal in self.columns.items():
            weights: tuple[float, ...] = ()
            if isinstance(marginal, Counts):
                weights = marginal.counts
            elif isinstance(marginal, Levels):
                weights = tuple(marginal.levels.values())
            if weights and not sum(weights):
                raise ValueError(f"columns.{name}: at least one weight must be above 0")
        return self


FITTING = {"number": (Normal,), "integer": (Normal, Counts), "flag": (Share,), "category": (Levels,)}


def relations(contract: Contract) -> dict[str, Check]:
    """Give the columns that follow from another one: name to the check that says how.

    Raises
    ------
    InputError
        If the checks go round in a circle, or two of them give the same column.
    """
    found: dict[str, Check] = {}
    for check in contract.checks:
        if check.column in found:
            raise InputError(
                f"contract {contract.name!r}: checks: {check.column!r} follows from two columns; it can't be simulated"
            )
        found[check.column] = check
    for name in found:
        seen, at = {name}, name
        while at in found:
            at = found[at].equals
            if at in seen:
                raise InputError(f"contract {contract.name!r}: checks: {name!r} follows from itself; it can't be simulated")
            seen.add(at)
    return found


def read_population(contract: Contract) -> Population:
    """Read the contract's population, or make a generic one if it declares none.

    Columns that are neither declared nor follow from a check are filled in as in `generic_marginal`.

    Raises
    ------
    InputError
        If the section is wrong; the message names the field and the rule.

    Examples
    --------
    >>> from churn.contract import load_contract
    >>> read_population(load_contract()).churn.rules["big-bill"].probability
    1.0
    """
    follows = relations(contract)
    free = {column.name: column for column in contract.features if column.name not in follows}
    if contract.population is None:
        columns = {name: generic_marginal(column) for name, column in free.items()}
        return Population(columns=columns, churn=_generic_mechanism(columns))
    try:
        declared = Population.model_validate(contract.population)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["population", *map(str, first["loc"])])
        raise InputError(f"contract {contract.name!r}: {where}: {first['msg']}") from error
    filled = {name: declared.columns.get(name, generic_marginal(column)) for name, column in free.items()}
    _hold_against(contract, declared, set(follows))
    return Population(columns=filled, churn=declared.churn)


def _hold_against(contract: Contract, population: Population, follows: set[str]) -> None:
    def refuse(where: str, rule: str) -> NoReturn:
        raise InputError(f"contract {contract.name!r}: population.{where}: {rule}")

    features = {column.name: column for column in contract.features}
    for name, marginal in population.columns.items():
        if name not in features:
            refuse(f"columns.{name}", "the contract has no such feature")
        if name in follows:
            refuse(f"columns.{name}", "follows from a check and must not have values of its own")
        if broken := _misfit(features[name], marginal, population.columns):
            refuse(f"columns.{name}", broken)
    if wrong := mechanism_misfit(population.churn, contract):
        refuse(*wrong)


def _misfit(column: Column, marginal: Marginal, declared: Mapping[str, Marginal]) -> str:
    if not isinstance(marginal, FITTING[column.kind]):
        return f"does not suit a column of kind {column.kind!r}"
    if isinstance(marginal, Levels):
        strange = sorted(set(marginal.levels) - set(column.levels))
        return f"unknown level {strange[0]!r}" if strange else ""
    if isinstance(marginal, Normal) and not all(isinstance(declared.get(name), Share) for name in marginal.plus):
        return "plus must name declared flags"
    if isinstance(marginal, Normal | Counts) and marginal.only_with is not None:
        other = declared.get(marginal.only_with)
        # One step only: so there is no circle, and no order to work out.
        if other is None or isinstance(other, Levels) or getattr(other, "only_with", None) is not None:
            return "only_with must name a declared number or flag that has no only_with itself"
    return ""


def mechanism_misfit(mechanism: Mechanism, contract: Contract) -> tuple[str, str] | None:
    """Tell where, and how, a mechanism does not fit the contract; None if it does."""
    features = {column.name: column for column in contract.features}
    for where, name in mechanism.names():
        if name not in features:
            return where, f"{name!r} is neither a feature nor an index"
        if not features[name].is_numeric and not where.startswith("churn.modeling.rules."):
            return where, f"{name!r} is not a number"
    for title, rule in mechanism.rules.items():
        for name, condition in rule.when.items():
            if bool(condition.one_of) != (name in features and not features[name].is_numeric):
                return f"churn.modeling.rules.{title}", f"{name!r}: a category needs one_of, and only a category has it"
    return None


def generic_marginal(column: Column) -> Normal | Share | Levels:
    """Make up a spread from a column's bounds and levels, for a contract that declares none.

    Between two bounds: a normal around the middle, a sixth of the range wide. With one bound: three standard deviations of 10
    away from it. With none: standard normal. Flags are even odds, levels equally frequent.
    """
    if column.kind == "flag":
        return Share(share=0.5)
    if column.kind == "category":
        return Levels(levels=dict.fromkeys(column.levels, 1.0))
    decimals = 0 if column.kind == "integer" else 2
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        return Normal(mean=(low + high) / 2, sd=(high - low) / 6, decimals=decimals)
    if low is not None:
        return Normal(mean=low + 30, sd=10, decimals=decimals)
    if high is not None:
        return Normal(mean=high - 30, sd=10, decimals=decimals)
    return Normal(mean=0, sd=1 if decimals else 10, decimals=decimals)


def _generic_mechanism(columns: Mapping[str, Normal | Counts | Share | Levels]) -> Mechanism:
    # Four numbers at most, of alternating sign and falling weight (in log-odds per standard deviation): something to learn.
    numbers = [(name, marginal) for name, marginal in columns.items() if isinstance(marginal, Normal) and marginal.sd > 0]
    effects = {
        name: Effect(per_unit=weight / marginal.sd, centre=marginal.mean)
        for (name, marginal), weight in zip(numbers, (1.0, -0.8, 0.6, -0.4), strict=False)
    }
    return Mechanism(base_rate=0.15, effects=effects)
