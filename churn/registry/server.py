"""MLflow's server in one process: `python -m churn.registry.server`, with the options of `mlflow server`.

MLflow's own command imports all of MLflow, and then starts a second process that does so again and serves, while the first one
waits for it: seconds of a processor at each start, and 240 MB for as long as it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from churn.gc_tuning import collect_seldom


def main(arguments: Sequence[str]) -> None:
    """Check the options, prepare the database as `mlflow server` does, and serve until a signal.

    Parameters
    ----------
    arguments : sequence of str
        Options of `mlflow server`.
    """
    collect_seldom()
    # First: MLflow guards its pages against foreign hosts and origins only where a server was imported before it.
    import uvicorn  # noqa: F401, I001
    import mlflow.server
    from mlflow.cli import cli

    # A private name, which MLflow may give up: then it starts its second process again, and tests/e2e/up.py notices.
    server: Any = mlflow.server
    server._exec_cmd = serve_here
    cli(["server", *arguments], prog_name="mlflow")


def serve_here(command: Sequence[str], *, extra_env: Mapping[str, str], **_more: object) -> NoReturn:
    """Do in this process what MLflow would start one for.

    Parameters
    ----------
    command : sequence of str
        An interpreter, `-m`, `uvicorn`, and its options.
    extra_env : mapping of str to str
        What the server reads from its environment.
    **_more : object
        How a process would be started.
    """
    from uvicorn.main import main as run_uvicorn

    _python, _m, module, *options = command
    if module != "uvicorn":
        raise ValueError(f"MLflow's command would start {module}: only uvicorn is served in this process; leave its option out")
    os.environ.update(extra_env)
    run_uvicorn(options)
    raise SystemExit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
