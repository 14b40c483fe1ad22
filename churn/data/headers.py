"""Which column of a file is which of the contract's: a file may spell each as its source does, or as the contract does."""

from __future__ import annotations

from collections.abc import Collection

from churn.contract import Contract
from churn.errors import ContractError, Problem


def find_columns(source: str, names: Collection[str], contract: Contract, needed: Collection[str]) -> dict[str, str]:
    """Give the file's own spelling of each of the contract's columns that is there.

    Parameters
    ----------
    source : str
        The file, for errors.
    names : collection of str
        Its columns.
    contract : Contract
    needed : collection of str
        Columns without which it is of no use.

    Raises
    ------
    ContractError
        If a needed column is missing, or any is there twice.
    """
    problems: list[Problem] = []
    found: dict[str, str] = {}
    target = contract.target
    spellings = {column.name: column.source for column in contract.columns} | {target.column: target.source}
    if contract.id_column is None:
        spellings["customer_id"] = "Customer ID"
    for name, spelled in spellings.items():
        present = [spelling for spelling in dict.fromkeys((spelled, name)) if spelling in names]
        if present:
            found[name] = present[0]
        elif name in needed:
            problems.append(Problem(f"column is missing (in the source: {spelled!r})", column=name))
        if len(present) > 1:
            problems.append(Problem(f"column is there twice, as {present[0]!r} and as {present[1]!r}", column=name))
    if problems:
        raise ContractError(source, problems)
    return found


def id_name_of(contract: Contract) -> str:
    """Name the column of the customers' ids in a file."""
    return contract.id_column.name if contract.id_column else "customer_id"
