"""Reasons in words: how each column of a customer moved the log-odds of leaving (`churn.explain.attribution` says by how much).

What does not depend on the customer (names, units, typical values, the rules' conditions) is put into words once per model.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import floor, inf, isfinite
from typing import Any, NamedTuple, Self

from churn.contract import Contract
from churn.customers.cell_rule import MISSING_LEVEL
from churn.explain.attribution import Attributor
from churn.explain.patterns import Pattern, Patterns
from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition
from service.scoring.value_sentences import ValueSentence, Writer, spaced

RAISES, LOWERS, NO_EFFECT = "raises the risk", "lowers the risk", "makes no difference"
# Contributions beyond this are cut off: JSON has no infinity.
MAX_CONTRIBUTION = 1.7976931348623157e308
# Contributions are compared by so many parts of one.
ALIKE = 1e9
# What is said of so many patterns of a model is kept: some kilobytes each.
MAX_PATTERNS = 1024


class Said(NamedTuple):
    """What is said of a column, whatever its value: its position, its contribution, and what it does in words."""

    at: int
    contribution: float
    effect: str


class PatternReasons:
    """What is said of all customers of one pattern: of each column, strongest first, and how the first of them are written."""

    def __init__(self, said: Sequence[Said], sentences: Sequence[ValueSentence]) -> None:
        self.said = said
        self._sentences = sentences
        self._writers: list[tuple[int, Writer]] = []

    def writers(self, strongest: int) -> list[tuple[int, Writer]]:
        """Return the positions of the strongest columns, and what writes the reason of each."""
        for at, contribution, effect in self.said[len(self._writers) : strongest]:
            self._writers.append((at, self._sentences[at].writer(contribution, effect)))
        return self._writers[:strongest]


class Explainer:
    """Explains the predictions of one model that is a sum of terms."""

    approximate = False

    def __init__(self, attributor: Attributor, contract: Contract) -> None:
        plan = attributor.plan
        model = plan.model
        self._attributor = attributor
        self._base = plan.base
        self._patterns = Patterns(plan)
        # Rules make few patterns of all customers: what they have in common is put into words once.
        self._kept: dict[Pattern, PatternReasons] = {}
        self._weights = [*(ramp.weight for ramp in model.ramps), *(rule.weight for rule in model.rules)]
        self._term_columns = plan.term_columns
        self._columns = model.columns
        told = model.columns_told_missing
        self._sentences = [
            ValueSentence(contract[name], model.typical[name], tells_missing=name in told) for name in model.columns
        ]
        # A missing charge follows from its minutes: for each column, the columns that may follow from it.
        self._followers = [tuple(at for at, origin, _ in plan.follows if origin == place) for place in range(len(model.columns))]
        inputs = list(zip(model.input_names, model.input_columns, strict=True))
        places = {name: frozenset({place}) for place, name in enumerate(model.columns)}
        self._conditions: list[list[tuple[frozenset[int], str]]] = [[] for _ in model.ramps]
        for rule in model.rules:
            texts = []
            for condition in rule.conditions:
                name, read = inputs[condition.input]
                texts.append((frozenset().union(*(places[one] for one in read)), describe_condition(name, condition, contract)))
            self._conditions.append(texts)
        # For each term and each of its columns: what is said where the rule holds, and where it does not.
        self._said = [
            {at: self._others(term, frozenset({at})) for at in columns} for term, columns in enumerate(plan.term_columns)
        ]

    @classmethod
    def of(cls, compiled: CompiledModel, contract: Contract) -> Self:
        """Return the explainer of a compiled model.

        Parameters
        ----------
        compiled : CompiledModel
        contract : Contract

        Returns
        -------
        Explainer
        """
        return cls(Attributor(compiled), contract)

    def reasons_for(self, values: Sequence[Any], strongest: int) -> tuple[float, list[dict[str, Any]]]:
        """Return the base value and the strongest contributions, in words.

        Parameters
        ----------
        values : sequence
            As in `CompiledModel.logit`, flags as booleans.
        strongest : int
            How many columns at most, strongest first; equally strong ones in the contract's order.

        Returns
        -------
        float
            The log-odds of the typical customer. With the contributions of all columns it adds up to the logit.
        list of dict
            feature, value (as given), contribution (log-odds) and text: ready to be encoded as JSON.
        """
        columns, sentences = self._columns, self._sentences
        return self._base, [
            {
                "feature": columns[at],
                "value": values[at],
                "contribution": contribution,
                "text": sentences[at].text(values[at], effect),
            }
            for at, contribution, effect in self._reasons_of(values).said[:strongest]
        ]

    def write_reasons(self, values: Sequence[Any], strongest: int) -> tuple[float, bytes]:
        """Return what `reasons_for` does, the reasons as JSON: only the values are put in, where others had the same pattern.

        Parameters
        ----------
        values : sequence
        strongest : int

        Returns
        -------
        tuple of (float, bytes)
        """
        writers = self._reasons_of(values).writers(strongest)
        return self._base, b"[%b]" % b",".join([write(values[at]) for at, write in writers])

    def _reasons_of(self, values: Sequence[Any]) -> PatternReasons:
        pattern = self._patterns.of(values)
        found = self._kept.get(pattern) if pattern else None
        if found is None:
            found = PatternReasons(self._say(values), self._sentences)
            if pattern:
                if len(self._kept) >= MAX_PATTERNS:
                    self._kept.clear()
                self._kept[pattern] = found
        return found

    def _say(self, values: Sequence[Any]) -> list[Said]:
        """Return what is said of each column: those that count, strongest first, then the others in their order."""
        _, contributions, gains, has_gaps = self._attributor.attribute(values)
        said: list[Said] = []
        for at in strongest_first(contributions):
            contribution = contributions[at]
            raises = contribution > 0
            speaks_for: Collection[int] = (at,)
            if has_gaps:
                speaks_for = {at, *(place for place in self._followers[at] if values[place] is None)}
            effect = (RAISES if raises else LOWERS) + self._together_with(at, speaks_for, raises, gains)
            if not isfinite(contribution):
                contribution = MAX_CONTRIBUTION if raises else -MAX_CONTRIBUTION
            said.append(Said(at, contribution, effect))
        unmoved = [at for at, contribution in enumerate(contributions) if not contribution]
        return said + [Said(at, contributions[at], NO_EFFECT) for at in unmoved]

    def _together_with(self, at: int, speaks_for: Collection[int], raises: bool, gains: dict[int, float]) -> str:
        """Return the other conditions of the rule through which the column counted most; empty if there are none."""
        alone, said = len(speaks_for) == 1, self._said
        most, strongest = 0.0, -1
        for term, gain in gains.items():
            gained = gain if raises else -gain
            if gained > most and (at in said[term] if alone else not self._term_columns[term].isdisjoint(speaks_for)):
                most, strongest = gained, term
        if strongest < 0:
            return ""
        # Weight and gain have the same sign where the rule holds; otherwise it holds for others and not for this customer.
        holds, fails = said[strongest][at] if alone else self._others(strongest, frozenset(speaks_for))
        return holds if gains[strongest] * self._weights[strongest] > 0 else fails

    def _others(self, term: int, speaks_for: frozenset[int]) -> tuple[str, str]:
        """Return the conditions of a rule on other columns as they are said where the rule holds, and where it does not."""
        # A condition on these columns alone is left out, as their values are in the text already.
        others = " and ".join([text for read, text in self._conditions[term] if not read <= speaks_for])
        return (f" (with {others})", f" (not among those with {others})") if others else ("", "")


def strongest_first(contributions: Sequence[float]) -> list[int]:
    """Return the columns that count, strongest first; equally strong ones in their order."""
    counting = [at for at, contribution in enumerate(contributions) if contribution]
    if len(counting) > 1:
        # Equal shares differ in their last digits; the order of the columns decides between them.
        try:
            # (`round` to so many digits takes three times as long.)
            counting = [at for _, at in sorted([(-int(abs(contributions[at]) * ALIKE + 0.5), at) for at in counting])]
        except OverflowError:
            counting = [at for _, at in sorted([(-abs(contributions[at]), at) for at in counting])]
    return counting


def describe_condition(name: str, condition: Condition, contract: Contract) -> str:
    """Return a rule's condition in words.

    Parameters
    ----------
    name : str
        The input, as in `CompiledModel.input_names`.
    condition : Condition
    contract : Contract

    Returns
    -------
    str
    """
    _, low, high = condition
    category, is_level, level = name.partition(" = ")
    if is_level and level == MISSING_LEVEL:
        return f"{spaced(category)} {'known' if low == -inf else 'not known'}"
    if is_level:
        return f"{spaced(category)} {'other than ' if low == -inf else ''}{level}"
    if name in contract.sums:
        return f"{spaced(name)} {_bounds(low, high, contract.sums[name].unit)}"
    column = contract[name]
    if column.kind == "flag":
        return f"{spaced(name)} {column.false_level if low == -inf else column.true_level}"
    whole = column.kind == "integer"
    if whole:  # bounds lie between two whole numbers
        low, high = (low if low == -inf else floor(low) + 1), (high if high == inf else floor(high))
        if low == high:
            return f"{spaced(name)} of {low:g}"
    unit = None if name.endswith(column.unit or "") else column.unit
    return f"{spaced(name)} {_bounds(low, high, unit, whole=whole)}"


def _bounds(low: float, high: float, unit: str | None, *, whole: bool = False) -> str:
    of_unit = f" {unit}" if unit else ""
    if low == -inf:
        return f"of at most {high:.4g}{of_unit}"
    if high == inf:
        return f"{'of at least' if whole else 'above'} {low:.4g}{of_unit}"
    return f"between {low:.4g} and {high:.4g}{of_unit}"
