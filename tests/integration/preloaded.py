"""Run modules as `python -W error -m MODULE ARGUMENTS` does, in processes that have their libraries already.

    python -W error -m tests.integration.preloaded < runs > codes

To import MLflow, scikit-learn and the rest takes longer than the short form of most benchmarks. So one process imports them, and
forks a child for each line: {"module", "arguments", "environment", "printed": [FILE, FILE]}. It answers with its exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.checkout import CHECKOUT

LIBRARIES = (
    *("churn.registry.registry", "churn.modeling.training", "churn.simulation.simulate", "churn.store.store"),
    *("mlflow.pyfunc", "mlflow.sklearn", "skops.io", "pyarrow.parquet", "joblib", "matplotlib.figure", "rich.table"),
    *("mlflow.store.model_registry.sqlalchemy_store", "mlflow.store.tracking.sqlalchemy_store"),
)


class Preloaded:
    """The process that has imported everything."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], printed: Sequence[Path]) -> int:
        """Run a module to its end; return its exit code. What it prints is in the first file, errors are in the second."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        files = [str(file) for file in printed]
        order = {"module": module, "arguments": list(arguments), "environment": dict(environment), "printed": files}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def preloaded() -> Iterator[Preloaded]:
    """Start one for a `with` block; whatever it still runs then is ended."""
    command = [sys.executable, "-W", "error", "-m", "tests.integration.preloaded"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield Preloaded(process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def main() -> None:
    """Fork a child for each line."""
    with warnings.catch_warnings():
        # What other libraries warn of when they are imported is not what is tested.
        warnings.simplefilter("ignore")
        for name in LIBRARIES:
            importlib.import_module(name)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_obey(order))
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def _obey(order: dict[str, Any]) -> int:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in enumerate(order["printed"], 1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = [order["module"], *order["arguments"]]
    code: object = 0
    try:
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code
        if isinstance(code, str):
            sys.stderr.write(code + "\n")
    except BaseException:  # noqa: BLE001 -- a child must not go on as its parent
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    main()
