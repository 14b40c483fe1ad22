"""Python reads this at its start in processes that a recorded test starts: note which lines they run."""

import atexit
import json
import os
import pathlib
import sys

traces, node = os.environ.get("CHURN_MUTANTS_TRACES"), os.environ.get("PYTEST_CURRENT_TEST")
if traces and node:
    import coverage

    root = pathlib.Path(os.environ["CHURN_MUTANTS_TREE"])
    measured = coverage.Coverage(
        data_file=None,
        config_file=False,
        include=[f"{root}/{package}/*" for package in ("churn", "service", "monitoring", "pipelines")],
    )
    measured.start()

    def _write(test: str = node) -> None:
        measured.stop()
        data = measured.get_data()
        lines = {pathlib.Path(path).relative_to(root).as_posix(): data.lines(path) for path in data.measured_files()}
        found = {"node": test.rpartition(" (")[0], "lines": lines}
        pathlib.Path(f"{traces}/{os.getpid()}-{id(sys)}.json").write_text(json.dumps(found), encoding="utf-8")

    atexit.register(_write)
