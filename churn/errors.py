"""The family of errors. Entry points turn them into exit codes and HTTP answers, each in one table."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TypeVar

E = TypeVar("E", bound=BaseException)
# What a machine may refuse to any program: no fault of the code, and a traceback tells an operator nothing.
MACHINE_REFUSALS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE}
)
_FULL_OR_FAILING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE})


class ChurnError(Exception):
    """An error that the caller can understand; the message says what to do. Exit code 1 on the command line.

    Attributes
    ----------
    details : str
        Lines to show below the message, such as the end of a log: the message itself is shown as one line.
    """

    exit_code = 1
    details = ""


class InputError(ChurnError):
    """A wrong file, option or setting. Exit code 2 on the command line."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One violation of the contract.

    Attributes
    ----------
    rule : str
        What is required, in words.
    column : str or None
        Its name in the contract; None if the whole file is meant.
    row : int or None
        1-based line of the file (a CSV header is line 1); None if the whole column is meant.
    value : str or None
        The offending value as it was read.
    """

    rule: str
    column: str | None = None
    row: int | None = None
    value: str | None = None

    def __str__(self) -> str:
        where = ", ".join(
            part
            for part in (
                f"row {self.row}" if self.row is not None else "",
                f"column {self.column!r}" if self.column is not None else "",
            )
            if part
        )
        found = f" (found {self.value!r})" if self.value is not None else ""
        return f"{where}: {self.rule}{found}" if where else f"{self.rule}{found}"


class ContractError(InputError):
    """Data that breaks the contract.

    Parameters
    ----------
    source : str
        The file or table that was read.
    problems : list of Problem
        What is wrong, at least one.
    total : int, optional
        How many problems there are, if not all are listed.
    """

    def __init__(self, source: str, problems: list[Problem], total: int | None = None) -> None:
        self.source = source
        self.problems = problems
        self.total = total if total is not None else len(problems)
        more = f" (and {self.total - 1} more)" if self.total > 1 else ""
        super().__init__(f"{source}: {problems[0]}{more}")


class RegistryError(ChurnError):
    """The model registry is away, or does not have what was asked for."""


class NoModel(RegistryError):
    """There is no such model version, or no champion yet."""


class NoVersion(NoModel):
    """There is no model version of this name: whoever named it gave wrong input."""

    exit_code = InputError.exit_code


class NoPreviousModel(ChurnError):
    """There is no model to roll back to."""


class NoReasons(ChurnError):
    """The model in service cannot give reasons for its predictions."""


class NoSegments(ChurnError):
    """The model in service knows no segments: it was registered before there were any, or is not compiled."""


class ModelRefused(ChurnError):
    """A model's artifact is not what it claims to be. The model that serves stays."""


class RegistryMismatch(ModelRefused):
    """The store means another model than the registry by a version's number; nothing is mixed. The model that serves stays."""


class StoreError(ChurnError):
    """The prediction store cannot be read or written."""


class StoreAway(StoreError):
    """The store cannot be reached; it may be back in a moment."""


class RowsRefused(StoreError):
    """The store is there, but some of the rows break its rules: writing them again would fail again."""


class Busy(ChurnError):
    """Another process holds a lock.

    Parameters
    ----------
    what : str
        What is done by one process at a time.
    holder : str
        Who does it, and since when; empty if it has just ended.
    """

    def __init__(self, what: str, holder: str) -> None:
        self.what = what
        self.holder = holder or "another process"
        super().__init__(f"{what} is under way: {self.holder}; try again when it has ended")


class ChampionChanged(ChurnError):
    """Another version is champion than the one that was to be replaced; nothing was changed."""


def describe_refusal(error: OSError) -> str:
    """Return in one line what the machine refused.

    Examples
    --------
    >>> describe_refusal(OSError(28, "No space left on device", "store.db"))
    'store.db: No space left on device'
    """
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)


def unwritable(path: object, error: OSError) -> ChurnError:
    """Return the error of a file that cannot be written: of a full or failing machine no other name would help.

    Parameters
    ----------
    path : path or str
        As it was given.
    error : OSError

    Returns
    -------
    ChurnError
        An InputError unless the machine is full or fails.

    Examples
    --------
    >>> unwritable("list.csv", OSError(28, "No space left on device")).exit_code
    1
    >>> unwritable("/nowhere/list.csv", OSError(2, "No such file or directory"))
    InputError('/nowhere/list.csv: cannot be written (No such file or directory)')
    """
    kind = ChurnError if error.errno in _FULL_OR_FAILING else InputError
    return kind(f"{path}: cannot be written ({error.strerror or error})")


def without_frames(error: E) -> E:
    """Return an expected error without the frames that it went through, and without the errors behind it.

    Call it where an error becomes a value: a list's item, a future's result, a variable. The frames know what was read, which
    may be megabytes. If one of them, or one that called them, knows the error too, only the garbage collector can end the circle,
    and it does not come for a few objects, however large they are.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    BaseException
        The same.
    """
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)
