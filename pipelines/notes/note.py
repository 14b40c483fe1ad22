"""A note about one customer: the template's, or a language model's if it keeps to the facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from churn.contract import Contract
from pipelines.notes.facts import Facts
from pipelines.notes.guard import find_fault, split_lines
from pipelines.notes.language_model import NoNote
from pipelines.notes.template import fill_template

Writer = Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Note:
    """Five lines, and who wrote them.

    Attributes
    ----------
    lines : list of str, length 5
    written_by : {"template", "model"}
    why_template : str or None
        Why a language model's note does not stand, if one was asked for.
    """

    lines: list[str]
    written_by: Literal["template", "model"]
    why_template: str | None = None


def write_note(facts: Facts, contract: Contract, write: Writer | None) -> Note:
    """Write the note.

    Parameters
    ----------
    facts : Facts
    contract : Contract
    write : callable or None
        A language model: the facts' lines to its text; raises `NoNote`. None: none is set.

    Returns
    -------
    Note
    """
    template = fill_template(facts, contract)
    if write is None:
        return Note(template, "template")
    try:
        lines = split_lines(write(template))
    except NoNote as error:
        return Note(template, "template", str(error))
    if fault := find_fault(lines, template, contract):
        return Note(template, "template", f"the model's note {fault}")
    return Note(lines, "model")
