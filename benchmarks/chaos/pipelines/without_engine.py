"""The flows without Prefect's engine, and without pictures: the tasks' own functions, one after the other, in this process."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Any

# What draws the pictures of a training.
PICTURES = ("draw_quality", "draw_business", "draw_slices", "draw_segments")


def flow_without_engine(
    name: str, *, pictures: bool = False, put: Callable[[Any, str, Any], None] = setattr
) -> Callable[..., Any]:
    """Take Prefect's engine out of a flow.

    Parameters
    ----------
    name : str
        "train" or "monitor".
    pictures : bool
        Let Evidently draw. Its pictures take seconds, as those of a training do, and decide nothing.
    put : callable
        Sets an attribute of the flow's module; pytest's `monkeypatch.setattr` undoes that in the end.

    Returns
    -------
    callable
        The flow's own function.
    """
    from prefect import Task

    module = importlib.import_module(f"pipelines.flows.{name}")
    # All of them: one that is left starts a server of its own, which outlives a run that is killed.
    tasks = {task: value.fn for task, value in vars(module).items() if isinstance(value, Task)}
    if name == "train":
        record = importlib.import_module("pipelines.flows.training_record")
        for draw in PICTURES:
            put(record, draw, empty_figure)
    else:
        tasks |= {"summarise": _shown(tasks["summarise"]), "report": _shown(tasks["report"] if pictures else _nothing)}
    for task, function in tasks.items():
        put(module, task, function)
    put(module, "get_run_logger", lambda: logging.getLogger(name))
    flow: Callable[..., Any] = getattr(module, f"{name}_flow").fn
    return flow


def empty_figure(*_given: object) -> Any:
    """Return a picture of nothing, whatever is to be drawn."""
    from matplotlib.figure import Figure

    return Figure(figsize=(1, 1), dpi=20)


def _nothing(*_given: object) -> None:
    pass


def _shown(function: Callable[..., object]) -> Callable[..., _State]:
    """Give a state back, as a task does that is asked for it."""
    return lambda *given, return_state: _State(function, given)


class _State:
    """What is asked of a task's state."""

    def __init__(self, function: Callable[..., object], given: tuple[Any, ...]) -> None:
        function(*given)
        self.message = ""

    def is_failed(self) -> bool:
        return False
