"""The compiled model as one SELECT: what the service would answer for the customers of a table, in a warehouse's own words.

The statement is put together in DuckDB's dialect, whose numbers are those of Python, and sqlglot says it in any other. It reads
typed columns that bear the contract's names: numbers as numbers, flags as booleans, texts or 0 and 1, categories as texts.
A customer whom the service would refuse (a number out of bounds, an unknown level) gets no answer: NULL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import inf, isfinite

from churn.composed import decomposed
from churn.contract import Column, Contract
from churn.customers.cell_rule import MAX_NUMBER, MISSING_TEXTS
from churn.errors import InputError
from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition, Ramp, WeighedRule

# Beyond these log-odds a probability is 0 or 1 to 300 digits, and some databases refuse to work out its exponential.
SURE = 700.0
GROUP = 64
_WRITTEN_IN = "duckdb"
# They put each step in the place of its name, wherever that stands: a minute became an hour.
_INLINING = {"postgres"}
_PLAIN_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def model_sql(
    model: CompiledModel,
    contract: Contract,
    *,
    threshold: float,
    version: str,
    table: str = "customers",
    keys: Iterable[str] = ("customer_id",),
    dialect: str = "postgres",
) -> str:
    """Return the SELECT that scores a table.

    Parameters
    ----------
    model : CompiledModel
    contract : Contract
        Its bounds and levels decide who is answered.
    threshold : float
        A probability at or above it is answered as churn.
    version : str
        Stands in each row.
    table : str
        Whose columns bear the contract's names; with a schema as `schema.table`.
    keys : iterable of str
        Columns of the table that the result has too.
    dialect : str
        As sqlglot names it: postgres, duckdb, bigquery, snowflake, …

    Returns
    -------
    str
        Columns: the keys, `churn_probability` (in [0, 1]), `churn`, `threshold`, `model_version`.

    Raises
    ------
    InputError
        If sqlglot does not know the dialect.

    Examples
    --------
    >>> from churn.inference.terms import Ramp
    >>> contract = Contract.model_validate({
    ...     "name": "shop", "columns": [{"name": "visits", "source": "Visits", "kind": "number", "minimum": 0}]
    ... })
    >>> model = CompiledModel(("visits",), ("visits",), {}, {}, {}, {"visits": 2.0}, {}, (Ramp(0, 0, 9, -0.5, 2.0),), (), 1.0)
    >>> print(model_sql(model, contract, threshold=0.5, version="3"))  # doctest: +ELLIPSIS
    WITH cells AS MATERIALIZED (
    ...
    """
    from sqlglot import parse_one
    from sqlglot.dialects.dialect import Dialect
    from sqlglot.errors import SqlglotError
    from sqlglot.expressions import CTE, Identifier

    try:
        Dialect.get_or_raise(dialect)
    except (ValueError, SqlglotError) as error:
        raise InputError(f"--dialect {dialect} is not known; for example: postgres, duckdb, bigquery, snowflake") from error
    if not all(part.strip() for part in (*table.split("."), *keys)):
        raise InputError("--table and --key need a name, which may be that of a schema.table")
    statement = parse_one(_statement(model, contract, threshold, version, table, tuple(keys)), read=_WRITTEN_IN)
    for name in statement.find_all(Identifier):
        # A quoted name is another where unquoted ones become capitals (Snowflake).
        name.set("quoted", not _PLAIN_NAME.fullmatch(name.this))
    if dialect in _INLINING:
        for step in statement.find_all(CTE):
            step.set("materialized", True)
    return statement.sql(dialect=dialect, pretty=True) + "\n"


def _statement(
    model: CompiledModel, contract: Contract, threshold: float, version: str, table: str, keys: tuple[str, ...]
) -> str:
    """Put it together: read the cells; find whom the rules refuse; fill gaps; add up; weigh."""
    # Within it keys have names of their own: PostgreSQL takes `user` for who asks, and a key may be called as a step's column is.
    kept = [f"key_{at}" for at in range(len(keys))]
    # Like the service: all features are looked at, those too that this model does not read.
    read = list(contract.features)
    given = [f"given.{_name(key)} AS {alias}" for key, alias in zip(keys, kept, strict=True)]
    cells = [*given, *(f"{_cell(column)} AS {_name('cell', column.name)}" for column in read)]
    checked = [*kept, *(_bounded(contract[name]) for name in model.columns), f"{_refused(read)} AS is_refused"]
    numbers = [f"{_completed(model, name)} AS {_name('value', name)}" for name in model.columns]
    gaps = [f"{_gap(model, name)} AS {_name('gap', name)}" for name in model.numbers]
    sums = [f"{' + '.join(_name('value', part) for part in parts)} AS {_name('sum', name)}" for name, parts in model.sums.items()]
    scored = [*kept, "is_refused", f"{_logit(model)} AS log_odds"]
    answered = [f"{alias} AS {_name(key)}" for key, alias in zip(keys, kept, strict=True)]
    return f"""
        WITH cells AS (SELECT {", ".join(cells)} FROM {".".join(map(_name, table.split(".")))} AS given),
        checked AS (SELECT {", ".join(checked)} FROM cells),
        completed AS (SELECT {", ".join([*kept, "is_refused", *numbers, *gaps])} FROM checked),
        added AS (SELECT {", ".join(["*", *sums])} FROM completed),
        scored AS (SELECT {", ".join(scored)} FROM added),
        answered AS (SELECT {", ".join([*kept, f"{_PROBABILITY} AS churn_probability"])} FROM scored)
        SELECT {", ".join([*answered, "churn_probability", f"churn_probability >= {_number(threshold)} AS churn"])},
        CAST({_number(threshold)} AS DOUBLE) AS threshold, {_text(version)} AS model_version FROM answered
    """  # noqa: S608 -- all names are quoted, and all texts are escaped


# The two ways of `churn.inference.compiled.expit`, with sure ends.
_PROBABILITY = f"""
    CASE WHEN is_refused THEN NULL
    WHEN log_odds > {SURE} THEN CAST(1 AS DOUBLE) WHEN log_odds < -{SURE} THEN CAST(0 AS DOUBLE)
    WHEN log_odds >= 0 THEN 1e0 / (1e0 + EXP(-log_odds)) ELSE EXP(log_odds) / (1e0 + EXP(log_odds)) END
"""


def _cell(column: Column) -> str:
    """Return what a cell says: a number, 0 or 1, or a text; NULL where it is missing; of a flag or level that is none, a mark."""
    # With the table's name before it even `order` is a column.
    name = f"given.{_name(column.name)}"
    plain = f"TRIM(CAST({name} AS TEXT))"
    missing = [_text(text) for text in sorted(MISSING_TEXTS | {text.strip().lower() for text in column.missing})]
    if column.kind == "category":
        levels = [_text(level) for level in column.levels]
        codes = [_text(level) for level in column.levels if level.isdigit()]
        spelled = f" WHEN {_whole(plain)} IN ({', '.join(codes)}) THEN {_whole(plain)}" if codes else ""
        # (Few databases know that an accent may be a character of its own.)
        accents = {level: decomposed(level) for level in column.levels}
        spelled += "".join(
            f" WHEN {plain} = {_text(apart)} THEN {_text(level)}" for level, apart in accents.items() if apart != level
        )
        gap = f"WHEN {plain} IS NULL OR LOWER({plain}) IN ({', '.join(missing)}) THEN NULL"
        return f"CASE WHEN {plain} IN ({', '.join(levels)}) THEN {plain}{spelled} {gap} ELSE {_text(_unknown(column))} END"
    if column.kind == "flag":
        meant = {"true": "1", "1": "1", "false": "0", "0": "0"}
        meant |= {column.true_level.casefold(): "1", column.false_level.casefold(): "0"}
        meant |= {decomposed(text): value for text, value in meant.items()}
        yes, no = (", ".join(_text(text) for text, value in meant.items() if value == wanted) for wanted in "10")
        low = f"LOWER({plain})"
        gap = f"WHEN {low} IS NULL OR {low} IN ({', '.join(missing)}) THEN NULL"
        number = f"WHEN {_whole(low)} IN ({yes}) THEN 1e0 WHEN {_whole(low)} IN ({no}) THEN 0e0"
        return f"CASE WHEN {low} IN ({yes}) THEN 1e0 WHEN {low} IN ({no}) THEN 0e0 {number} {gap} ELSE -1e0 END"
    return f"CASE WHEN LOWER(CAST({name} AS TEXT)) = 'nan' THEN NULL ELSE CAST({name} AS DOUBLE) END"


def _whole(text: str) -> str:
    """Return a text without the zeros behind its decimal point: floats and decimals spell 415 as 415.0 and 415.00."""
    return f"CASE WHEN RTRIM({text}, '0') LIKE '%.' THEN RTRIM(RTRIM({text}, '0'), '.') END"


def _bounded(column: Column) -> str:
    """Return a cell that can be reckoned with: some databases end a statement in which a number gets too large."""
    cell = _name("cell", column.name)
    if column.kind == "category":
        return cell
    return f"CASE WHEN ABS({cell}) <= {_number(MAX_NUMBER)} THEN {cell} END AS {cell}"


def _refused(columns: list[Column]) -> str:
    """Return the condition on which the service refuses a customer. A NULL is none of its business, unless it must not be."""
    broken = []
    for column in columns:
        cell = _name("cell", column.name)
        if column.required:
            broken.append(f"{cell} IS NULL")
        if column.kind == "category":
            broken.append(f"COALESCE({cell} = {_text(_unknown(column))}, FALSE)")
            continue
        if column.kind == "flag":
            broken.append(f"COALESCE({cell} < 0e0, FALSE)")
            continue
        low = -MAX_NUMBER if column.minimum is None else max(column.minimum, -MAX_NUMBER)
        high = MAX_NUMBER if column.maximum is None else min(column.maximum, MAX_NUMBER)
        broken.append(f"COALESCE({cell} < {_number(low)} OR {cell} > {_number(high)}, FALSE)")
        if column.kind == "integer":
            broken.append(f"COALESCE({cell} <> FLOOR({cell}), FALSE)")
    return " OR ".join(broken) or "FALSE"


def _unknown(column: Column) -> str:
    """Return a text that is no level."""
    mark = "?"
    while mark in column.levels:
        mark += "?"
    return mark


def _related(model: CompiledModel, name: str) -> str:
    """Return a number, or what follows from a related one where it is missing."""
    cell = _name("cell", name)
    if name not in model.relations:
        return cell
    other, factor = model.relations[name]
    return f"COALESCE({cell}, {_name('cell', other)} * {_number(factor)})"


def _completed(model: CompiledModel, name: str) -> str:
    instead = model.instead_of(name)
    known = _related(model, name)
    if instead is None:
        return known
    return f"COALESCE({known}, {_text(instead) if isinstance(instead, str) else _number(instead)})"


def _gap(model: CompiledModel, name: str) -> str:
    return f"{_related(model, name)} IS NULL"


def _logit(model: CompiledModel) -> str:
    terms = [
        _number(model.intercept),
        *(_ramp(model, ramp) for ramp in model.ramps),
        *(_rule(model, rule) for rule in model.rules),
    ]
    # One long sum nests as deeply as it has terms, and DuckDB gives up at 1,000.
    groups = [" + ".join(terms[start : start + GROUP]) for start in range(0, len(terms), GROUP)]
    return groups[0] if len(groups) == 1 else " + ".join(f"({group})" for group in groups)


def _ramp(model: CompiledModel, ramp: Ramp) -> str:
    condition = _level(model, ramp.input)
    value = f"CASE WHEN {condition} THEN 1e0 ELSE 0e0 END" if condition else _input(model, ramp.input)
    cases = ""
    if ramp.input < len(model.numbers):
        cases += f" WHEN {_name('gap', model.numbers[ramp.input])} THEN {_number(ramp.missing)}"
    if ramp.low != -inf:
        cases += f" WHEN {value} < {_number(ramp.low)} THEN {_number(ramp.low)}"
    if ramp.high != inf:
        cases += f" WHEN {value} > {_number(ramp.high)} THEN {_number(ramp.high)}"
    clipped = f"CASE{cases} ELSE {value} END" if cases else value
    return f"{_number(ramp.weight)} * {clipped}"


def _rule(model: CompiledModel, rule: WeighedRule) -> str:
    held = " AND ".join(_holds(model, condition) for condition in rule.conditions) or "TRUE"
    return f"CASE WHEN {held} THEN {_number(rule.weight)} ELSE 0e0 END"


def _holds(model: CompiledModel, condition: Condition) -> str:
    if level := _level(model, condition.input):
        has, lacks = (condition.low < value <= condition.high for value in (1.0, 0.0))
        return {(True, True): "TRUE", (True, False): level, (False, True): f"NOT {level}", (False, False): "FALSE"}[has, lacks]
    if condition.low == inf or condition.high == -inf:
        return "FALSE"
    value = _input(model, condition.input)
    bounds = [f"{value} > {_number(condition.low)}"] if condition.low != -inf else []
    bounds += [f"{value} <= {_number(condition.high)}"] if condition.high != inf else []
    return " AND ".join(bounds) or "TRUE"


def _level(model: CompiledModel, at: int) -> str:
    """Return the condition that a customer has the level of an input; empty if the input is a number."""
    at -= len(model.numbers) + len(model.sums)
    if at < 0:
        return ""
    column, level = [(column, level) for column, known in model.levels.items() for level in known][at]
    return f"COALESCE({_name('value', column)} = {_text(level)}, FALSE)"


def _input(model: CompiledModel, at: int) -> str:
    if at < len(model.numbers):
        return _name("value", model.numbers[at])
    return _name("sum", list(model.sums)[at - len(model.numbers)])


def _number(value: float) -> str:
    """Write a number as a float of 64 bits: one without an exponent is a decimal in some databases."""
    if not isfinite(value):
        raise ValueError(f"{value} is no number of a model")
    text = repr(float(value))
    text = text if "e" in text else f"{text}e0"
    return f"({text})" if value < 0 else text


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(*parts: str) -> str:
    """Return a name, quoted: it may be a word of SQL."""
    return '"' + "_".join(parts).replace('"', '""') + '"'
