"""Find the contract's columns in a file, which may name each as its source does, or as the contract does."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from churn.composed import composed
from churn.contract import Contract
from churn.customers.column_names import CUSTOMER_ID, ColumnNames, first_repeated, given_twice
from churn.errors import ContractError, Problem

# Names of a file that are compared with the known ones.
SUGGESTIONS = 10


def find_columns(source: str, names: Collection[str], contract: Contract, needed: Collection[str]) -> dict[str, str]:
    """Return the file's own name of each of the contract's columns that is there.

    Parameters
    ----------
    source : str
        The file, for errors.
    names : collection of str
        Its columns.
    contract : Contract
    needed : collection of str
        Columns without which it is of no use.

    Returns
    -------
    dict of str to str
        Name in the contract to name in the file.

    Raises
    ------
    ContractError
        If a needed column is missing, any is there twice, or any is there in another spelling only.
    """
    if repeated := first_repeated(names):
        raise ContractError(source, [Problem("the file has two columns of this name", column=repeated)])
    known = ColumnNames(contract)
    # A suggestion each way: a column that is missing may be there under a name that is nearly right.
    unknown = list(islice((name for name in names if known.find(name) is None), SUGGESTIONS))
    similar = {near: name for name in unknown if (near := known.nearest(name))}
    # What differs in capitals or blanks alone is meant, needed or not: without ids nobody would be left alone who is to be.
    misspelled = {meant: name for name in names if known.find(name) is None and (meant := known.same_but_for_form(name))}
    problems: list[Problem] = []
    found: dict[str, str] = {}
    target = contract.target
    spellings: dict[str, tuple[str, ...]] = {column.name: (column.source, column.name) for column in contract.columns}
    spellings |= {target.column: (target.source, target.column)}
    id_name = id_name_of(contract)
    if CUSTOMER_ID in misspelled:
        misspelled[id_name] = misspelled[CUSTOMER_ID]
    spellings[id_name] = tuple(dict.fromkeys((*known.id_spellings, CUSTOMER_ID)))
    # One walk over the file's names: both they and the contract's may be ten thousand.
    given_as: dict[str, list[str]] = {}
    for given in names:
        given_as.setdefault(composed(given.strip()), []).append(given)
    for name, either in spellings.items():
        stripped = dict.fromkeys(spelling.strip() for spelling in either)
        present = [given for spelling in stripped for given in given_as.get(spelling, ())]
        if present:
            found[name] = present[0]
        elif name in needed or name in misspelled:
            near = misspelled.get(name, similar.get(name))
            hint = "" if near is None else f"; is it {near!r}?"
            problems.append(Problem(f"column is missing (in the source: {either[0]!r}){hint}", column=name))
        if len(present) > 1:
            problems.append(Problem(f"column {given_twice(present[0], present[1])}", column=name))
    if problems:
        raise ContractError(source, problems)
    return found


def id_name_of(contract: Contract) -> str:
    """Return the name of the column of the customers' ids in a file."""
    return contract.id_column.name if contract.id_column else CUSTOMER_ID
