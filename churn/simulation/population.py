"""A population, as a contract's `population:` section declares it: the distribution of each column, and who leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, Self

from pydantic import ValidationError, model_validator

from churn.contract import Check, Column, Contract
from churn.errors import InputError
from churn.simulation.marginals import Counts, Levels, Marginal, Normal, Share, StrictPart
from churn.simulation.mechanism import Effect, Mechanism


class Population(StrictPart):
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
    """Return the columns that are computed from another one: name to the check that says how.

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
    """Read the contract's population, or build a generic one if it declares none.

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
        raise InputError(f"contract {contract.name!r}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
    filled = {name: declared.columns.get(name, generic_marginal(column)) for name, column in free.items()}
    _validate(contract, declared, set(follows))
    return Population(columns=filled, churn=declared.churn)


def _validate(contract: Contract, population: Population, follows: set[str]) -> None:
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
    """Return where and how a mechanism does not fit the contract.

    Parameters
    ----------
    mechanism : Mechanism
    contract : Contract

    Returns
    -------
    (str, str) or None
        The path within `population`, and the rule that it breaks; None if the mechanism fits.
    """
    features = {column.name: column for column in contract.features}
    for where, name in mechanism.names():
        if name not in features:
            return where, f"{name!r} is neither a feature nor an index"
        if not features[name].is_numeric and not where.startswith("churn.rules."):
            return where, f"{name!r} is not a number"
    for title, rule in mechanism.rules.items():
        for name, condition in rule.when.items():
            if bool(condition.one_of) != (name in features and not features[name].is_numeric):
                return f"churn.rules.{title}", f"{name!r}: a category needs one_of, and only a category has it"
    return None


def generic_marginal(column: Column) -> Normal | Share | Levels:
    """Derive a distribution from a column's bounds and levels, for a contract that declares none.

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
