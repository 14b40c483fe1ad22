"""Open a part of the input, whatever its format."""

from __future__ import annotations

from contextlib import AbstractContextManager

from churn.batch.pieces import Reading
from churn.batch.plan import Part, Terms
from churn.batch.readers.csv_reader import open_csv
from churn.batch.readers.parquet_reader import open_parquet
from churn.customers.validation import CustomerRules


def open_part(part: Part, rules: CustomerRules, terms: Terms) -> AbstractContextManager[Reading]:
    """Open a part for reading.

    Parameters
    ----------
    part : Part
    rules : CustomerRules
    terms : Terms

    Returns
    -------
    context manager of Reading

    Raises
    ------
    ContractError
        If a column is missing, there twice, or of a type that no customer's value has.
    pyarrow.ArrowException, csv.Error, OSError, ValueError
        If the file is not what it says it is; also while pieces are fetched and read.
    """
    return open_csv(part, rules, terms) if part.groups is None else open_parquet(part, rules, terms)
