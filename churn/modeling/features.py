"""The feature step: terms in which the log-odds of churn are linear, so that a logistic regression is as good as boosted trees.

Candidates are made from training customers only: each number clipped to its usual range, hinges at its quantiles, an indicator of
each level of a category, sums that the contract declares (the total bill), and rules from shallow boosted trees over all of these
(`churn.modeling.rules`). A lasso selects a few of them. The pipeline's own logistic regression then fits their weights anew, with
as much shrinkage as its C says (the relaxed lasso; Meinshausen, Computational Statistics & Data Analysis 52(1), 2007,
doi:10.1016/j.csda.2006.12.019). The sum of a small boosting can be one more column (`churn.modeling.boosted`). Every prediction
stays a sum that people can read.
"""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from churn.customers.cell_rule import MIN_SPREAD
from churn.data.many_rows import draw_rows
from churn.errors import InputError
from churn.modeling.boosted.screening import screen_inputs
from churn.modeling.boosted.trees import add_up, cross_fit
from churn.modeling.inputs import Floats, Inputs
from churn.modeling.memory import Memory
from churn.modeling.rules import Ramp, Rule, Terms, describe_bounds, describe_ramp, grow_rules, tell_missing

Flags = NDArray[np.bool_]
# Numbers are clipped to these quantiles of the training customers: the model does not extrapolate.
USUAL_RANGE = (0.005, 0.995)
MAX_LISTED_VALUES = 20
# Most cells (customers times terms) of what the lasso reads, and of what the weights are fitted on where it is left out.
MAX_READ, MAX_FITTED = 12_000_000, 20_000_000
BOOSTED_NAME = "sum of boosted trees"
NOTHING = "no column tells the customers to learn from apart: each is the same for everybody, or has levels of hardly anybody"
# Where leaving it out would be too much, the lasso is this strict.
MILD = 0.3
# Of the parts of the customers that a search fits again and again, and of selections among their candidates.
GROWN: Memory[list[Rule]] = Memory(16)
SELECTED: Memory[Terms] = Memory(64)
BOOSTED: Memory[tuple[Floats, Floats]] = Memory(16)


class LinearTerms(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Transform customers into the terms that were found in the training customers.

    Parameters
    ----------
    sums : dict of str to list of str, optional
        Numbers to add up, by the name of their sum.
    relations : dict of str to (str, float), optional
        Number to another one and the factor between them, see `churn.modeling.inputs.Inputs`.
    strictness : float
        Strength of the lasso: its penalty per customer is strictness * sd(outcome) * sqrt(ln(candidates) / customers), the rate
        at which noise alone selects a candidate (Bickel, Ritov and Tsybakov, Annals of Statistics 37(4), 2009,
        doi:10.1214/08-AOS620). 0 keeps all candidates, if these are not too many to fit their weights.
    trees, depth : int
        Number and depth of the trees whose paths become rules; 0 trees: no rules.
    knots : int
        Number of quantiles at which a number may have a hinge; 3: its quartiles.
    min_rows : int
        Fewest training customers that a rule, or a level of a category, must cover.
    max_rows : int
        Most customers that terms are selected on, a random sample; the weights are fitted on all that are given.
    boosted, leaves : int
        Number of boosted trees whose sum is the last term, and most leaves of each; 0 trees: no such term. Nor is there one with
        so few customers that they cannot be predicted out of fold.
    seed : int

    Attributes
    ----------
    inputs_ : dict
        The fields of `Inputs`, as plain values: so the artifact needs no class of this project for them.
    ramps_ : array of float64, shape (n_ramps, 3)
        Input, low and high.
    conditions_ : array of float64, shape (n_conditions, 4)
        Rule, input, low and high: the rule holds where low < input <= high in each of its conditions.
    nodes_ : array of float64, shape (n_nodes, 6)
        The boosted trees, see `churn.modeling.boosted.trees.grow_trees`.
    """

    def __init__(
        self,
        sums: dict[str, list[str]] | None = None,
        relations: dict[str, tuple[str, float]] | None = None,
        strictness: float = 0.6,
        trees: int = 120,
        depth: int = 4,
        knots: int = 5,
        min_rows: int = 20,
        max_rows: int = 20_000,
        boosted: int = 0,
        leaves: int = 16,
        seed: int = 0,
    ) -> None:
        self.sums = sums
        self.relations = relations
        self.strictness = strictness
        self.trees = trees
        self.depth = depth
        self.knots = knots
        self.min_rows = min_rows
        self.max_rows = max_rows
        self.boosted = boosted
        self.leaves = leaves
        self.seed = seed

    def fit(
        self, x: pd.DataFrame, y: Any, customer: NDArray[np.int64] | None = None, sample_weight: Floats | None = None
    ) -> Self:
        """Find the terms.

        Parameters
        ----------
        x : pandas.DataFrame, shape (n, n_columns)
            Numeric columns (missing as NaN) and text columns (missing as None).
        y : array of 0 and 1, shape (n,)
        customer : array of int64, shape (n,), optional
            Which rows are about the same customer; each is about another one without it.
        sample_weight : array of float, shape (n,), optional
            For how many customers each row stands, for the boosted trees. What else is found goes by rows.

        Returns
        -------
        LinearTerms
            Itself, fitted.

        Raises
        ------
        InputError
            If there are no terms: each column is the same for everybody, or a category of small levels.
        """
        self._learn(x, y, customer, sample_weight)
        return self

    def fit_transform(
        self, x: pd.DataFrame, y: Any = None, customer: NDArray[np.int64] | None = None, sample_weight: Floats | None = None
    ) -> Floats:
        """Find the terms, and return their values for the training customers.

        What boosted trees say of a customer whom they were grown on is too good: a weight that is fitted on it would trust them
        too much. So here, and only here, it is said by trees that were grown on others.

        Parameters
        ----------
        x, y, customer, sample_weight
            As in `fit`.

        Returns
        -------
        numpy.ndarray of float64, shape (n, n_terms)
        """
        sampled, out_of_fold = self._learn(x, y, customer, sample_weight)
        values = self.transform(x)
        if len(self.nodes_):
            values[sampled, -1] = out_of_fold
        return values

    def _learn(
        self, x: pd.DataFrame, y: Any, customer: NDArray[np.int64] | None, weight: Floats | None
    ) -> tuple[NDArray[np.intp], Floats]:
        """Find the terms; return the sample that they were found in, and what trees grown on others say of it."""
        outcome = np.asarray(y, dtype=np.int64)
        inputs = Inputs.learn(x, self.sums or {}, self.min_rows, self.relations)
        sampled = draw_rows(np.arange(len(x)), self.max_rows, outcome, self.seed)
        known, outcome = inputs.complete(x.iloc[sampled]), outcome[sampled]
        matrix, missing = inputs.matrix(known), inputs.missing(known)
        looked_for = (self.trees, self.depth, self.knots, self.min_rows, self.seed)
        terms = SELECTED.recall(
            (matrix, missing, outcome, looked_for, self.strictness, len(x)),
            lambda: self._select(self._candidates(matrix, missing, outcome), matrix, missing, outcome, len(x)),
        )
        if not len(terms):
            raise InputError(NOTHING)
        self.inputs_ = dict(vars(inputs))
        self.ramps_, self.conditions_ = terms.as_arrays()
        self.feature_names_in_ = np.array(inputs.columns, dtype=object)
        self.n_features_in_ = len(inputs.columns)
        self.nodes_, out_of_fold = np.empty((0, 6)), np.empty(0)
        if self.boosted:
            settings = {"trees": self.boosted, "leaves": self.leaves, "min_rows": self.min_rows, "seed": self.seed}
            who = None if customer is None else np.asarray(customer)[sampled]
            weighed = None if weight is None else np.asarray(weight, dtype=np.float64)[sampled]
            self.nodes_, out_of_fold = BOOSTED.recall(
                (matrix, outcome, who, weighed, settings), lambda: cross_fit(matrix, outcome, who, weighed, **settings)
            )
        return sampled, out_of_fold

    def _candidates(self, matrix: Floats, missing: Flags, outcome: NDArray[np.int64]) -> Terms:
        ramps: list[Ramp] = []
        quantiles = np.arange(1, self.knots + 1) / (self.knots + 1)
        for column in range(matrix.shape[1]):
            values = matrix[:, column]
            few = len(np.unique(values)) <= MAX_LISTED_VALUES
            low, high = (values.min(), values.max()) if few else np.quantile(values, USUAL_RANGE)
            if not high - low > MIN_SPREAD * max(abs(low), abs(high)):
                continue  # a constant separates nobody, nor does what rounding makes of numbers like ids
            ramps.append(Ramp(column, float(low), float(high)))
            knots = [] if few else sorted({float(knot) for knot in np.quantile(values, quantiles)})
            ramps += [Ramp(column, knot, float(high)) for knot in knots if low < knot < high]
        ramps += tell_missing(missing, self.min_rows)
        rules: list[Rule] = []
        if self.trees and ramps:
            settings = {"trees": self.trees, "depth": self.depth, "min_rows": self.min_rows, "seed": self.seed}
            rules = GROWN.recall(
                (matrix, outcome, settings), lambda: grow_rules(matrix, outcome, screen_inputs(matrix, outcome), **settings)
            )
        return Terms(ramps, rules)

    def _select(self, candidates: Terms, matrix: Floats, missing: Flags, outcome: NDArray[np.int64], customers: int) -> Terms:
        read = min(len(matrix), MAX_READ // max(len(candidates), 1))
        if read < len(matrix):
            rows = draw_rows(np.arange(len(matrix)), read, outcome, self.seed)
            matrix, missing, outcome = matrix[rows], missing[rows], outcome[rows]
        values = candidates.evaluate(matrix, missing)
        spread = values.std(axis=0)
        varying = spread > 0
        candidates, values, spread = candidates.take(varying), values[:, varying], spread[varying]
        strictness = self.strictness
        if not strictness and customers * len(candidates) > MAX_FITTED:
            strictness = MILD
        if len(candidates) < 2 or not strictness:
            return candidates
        penalty = strictness * outcome.std() * np.sqrt(np.log(len(candidates)) / read)
        lasso = LogisticRegression(
            l1_ratio=1,
            C=1 / (read * penalty),
            solver="liblinear",
            # liblinear shrinks the intercept too; on this scale hardly.
            intercept_scaling=10,
            max_iter=1_000,
            random_state=self.seed,
        )
        with warnings.catch_warnings():
            # Which terms are kept is decided long before the last digits of their weights, which nobody uses.
            warnings.simplefilter("ignore", ConvergenceWarning)
            values -= values.mean(axis=0)  # in place: with what liblinear makes of it, this is the largest there is
            values /= spread
            lasso.fit(values, outcome)
        kept = lasso.coef_[0] != 0
        # Nothing stands out of the noise: keep the columns themselves.
        return candidates.take(kept) if kept.any() else Terms(candidates.ramps, [])

    @property
    def inputs(self) -> Inputs:
        """Return how customers become inputs."""
        check_is_fitted(self, "inputs_")
        return Inputs(**self.inputs_)

    @property
    def terms(self) -> Terms:
        """Return the selected terms, in the order of `transform`'s columns; the boosted trees' sum comes after them."""
        check_is_fitted(self, "inputs_")
        rules: dict[int, list[tuple[int, tuple[float, float]]]] = {}
        for rule, column, low, high in self.conditions_.tolist():
            rules.setdefault(int(rule), []).append((int(column), (low, high)))
        return Terms([Ramp(int(column), low, high) for column, low, high in self.ramps_.tolist()], [*map(tuple, rules.values())])

    def transform(self, x: pd.DataFrame) -> Floats:
        """Return the terms' values.

        Parameters
        ----------
        x : pandas.DataFrame, shape (n, at least n_columns)

        Returns
        -------
        numpy.ndarray of float64, shape (n, n_terms)
            NaN where a term is a missing number that no related number gives, for the imputer; 1 where all that a term tells is
            that the number is missing. Rules, sums and trees take the typical value in place of a missing one.
        """
        inputs, terms = self.inputs, self.terms
        known = inputs.complete(x)
        matrix = inputs.matrix(known)
        missing = inputs.missing(known)
        values = terms.evaluate(matrix, missing)
        if len(self.nodes_):
            values = np.column_stack([values, add_up(self.nodes_, matrix)])
        for place, ramp in enumerate(terms.ramps):
            if ramp.input < missing.shape[1] and not ramp.tells_missing:
                values[missing[:, ramp.input], place] = np.nan
        return values

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return a short description of each term, shape (n_terms,)."""
        names, terms = self.inputs.names, self.terms
        ramps = [describe_ramp(names[ramp.input], ramp.low, ramp.high) for ramp in terms.ramps]
        rules = [" and ".join(describe_bounds(names[column], *bounds) for column, bounds in rule) for rule in terms.rules]
        return np.array([*ramps, *rules, *[BOOSTED_NAME] * bool(len(self.nodes_))], dtype=object)
