"""What a search left out, as there were very many customers or columns: for the log of a training, its run and its card."""

from __future__ import annotations

from sklearn.pipeline import Pipeline

from churn.data.many_rows import MAX_FITTED, MAX_SEARCHED, rows_within
from churn.modeling.boosted.screening import count_screened
from churn.modeling.features import LinearTerms

# Folds that candidates are scored on where the customers compared times columns are too many.
FEW_FOLDS = 2
# Rows on which models with boosted trees are held against the simpler one, and most rows of which a mean of candidates is tried.
MAX_COMPARED = 20_000


def count_scored(folds: int, customers: int, columns: int) -> int:
    """Return on how many of the folds candidates are scored.

    Each fit is what it is with all of them, and so are the out-of-fold predictions of what is chosen: only the choice goes by
    fewer customers, of whom there are many.

    Parameters
    ----------
    folds : int
        Of the search.
    customers, columns : int
        Of those to learn from.

    Returns
    -------
    int

    Examples
    --------
    >>> [count_scored(5, *shape) for shape in ((2_500, 300), (1_000_000, 40), (37_500, 57), (7_500, 230))]
    [5, 5, 2, 2]
    """
    compared = min(customers, MAX_COMPARED)
    return folds if compared <= rows_within(MAX_COMPARED, columns) else min(folds, FEW_FOLDS)


def describe_reductions(pipeline: Pipeline, customers: int, columns: int, folds: int) -> tuple[str, ...]:
    """Say what was left out to train within minutes.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    customers, columns : int
        Of those to learn from.
    folds : int
        Of the search.

    Returns
    -------
    tuple of str
        A sentence each; none, if nothing was left out.
    """
    said = []
    if (searched := rows_within(MAX_SEARCHED, columns)) < customers:
        said.append(f"candidates are scored on {searched:,} of {customers:,} customers, drawn at random")
    if (fitted := rows_within(MAX_FITTED, columns)) < customers:
        said.append(f"weights are fitted on {fitted:,} of {customers:,} customers, drawn at random")
    if (scored := count_scored(folds, customers, columns)) < folds:
        said.append(f"candidates are compared on {scored} of {folds} folds")
    terms = pipeline[0]
    if not isinstance(terms, LinearTerms):
        return tuple(said)
    if customers > MAX_COMPARED:
        said.append(f"sums of boosted trees are compared on {MAX_COMPARED:,} customers")
    if customers > min(MAX_COMPARED, searched):
        said.append("no mean of several candidates is tried")
    inputs, most = len(terms.inputs.names), count_screened(min(customers, fitted, terms.max_rows))
    if inputs > most:
        said.append(f"rules read the {most} inputs of {inputs} that tell most by themselves; all else reads all")
    return tuple(said)
