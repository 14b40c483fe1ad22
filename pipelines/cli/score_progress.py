"""The progress bar of `churn score`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.console import errors

if TYPE_CHECKING:
    from rich.progress import TaskID

    from churn.batch.answer_file import Done
    from churn.batch.plan import Plan


class ScoreProgress:
    """A bar that grows with the customers, or with the parts where their number is not known.

    Parameters
    ----------
    quiet : bool
        Draw nothing. Nothing is drawn either where stderr is no terminal.
    """

    def __init__(self, *, quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[unit]}"))
        silent = quiet or not errors.is_terminal
        times = TimeElapsedColumn(), TimeRemainingColumn()
        self._shown = Progress(*columns, *times, console=errors, transient=True, disable=silent)
        self._by_rows = False
        self._answered = 0
        self._logging: TaskID | None = None

    def __enter__(self) -> ScoreProgress:
        self._shown.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._shown.stop()

    def planned(self, plan: Plan, kept: Sequence[Done]) -> None:
        """Show how much there is, and what of it was done before.

        Parameters
        ----------
        plan : Plan
            The parts.
        kept : sequence of Done
            Those that an earlier run finished.
        """
        self._by_rows = plan.rows is not None
        total = plan.rows if plan.rows is not None else len(plan.parts)
        self._task = self._shown.add_task("", total=total, unit="customers" if self._by_rows else "parts")
        for done in kept:
            self.finished(done)

    def logged(self, rows: int) -> None:
        """Move the bar of what is written to the store, which appears with the first rows.

        Parameters
        ----------
        rows : int
            Written since the last call.
        """
        if self._logging is None:
            self._logging = self._shown.add_task("", total=self._answered, unit="logged")
        self._shown.advance(self._logging, rows)

    def finished(self, done: Done) -> None:
        """Move on by a part.

        Parameters
        ----------
        done : Done
            The part.
        """
        self._answered += done.scored
        self._shown.advance(self._task, done.rows if self._by_rows else 1)
