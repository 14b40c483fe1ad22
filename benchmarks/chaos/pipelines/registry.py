"""The registry's server is killed in the middle of a registration: no version, or a whole one; the next training works."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.chaos.pipelines.fixture import make_fixture
from benchmarks.chaos.pipelines.forks import Forks
from benchmarks.chaos.pipelines.training import check_champion, check_story
from benchmarks.chaos.scenarios import Row, Size, scenario
from pipelines.local.ports import free_port
from service.server.healthcheck import is_alive

STEPS = ("log", "artifact", "register", "previous", "alias")
TIMEOUT_SECONDS = 120.0


@scenario("registry killed")
def registry_killed(size: Size) -> Row:
    """Kill the MLflow server at each step of a registration and of a promotion, and start it again."""
    row, port, home = Row("registry killed"), free_port(), size.work / "home"
    fixture = make_fixture(home, tracking_uri=f"http://127.0.0.1:{port}")
    environment = fixture.environment | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = (
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--default-artifact-root", (home / "artifacts").as_uri()),
        "--no-serve-artifacts",
    )
    server = _start(command, environment, port)
    try:
        with Forks(environment) as forks:
            row.expect("the first training works", forks.run("train", promote=True)["result"])
            for step in STEPS * int(size.pick(1, 3)):
                row.faults += 1
                row.made += 2
                # The whole session of the server: its processes end together.
                cut = forks.run("train", step, promote=True, victim=-server.pid)
                told = cut["result"] or ("did not answer" in cut["error"] and "is champion, is not known" in cut["error"])
                row.expect(f"a registry killed at {step!r} is told in one line: {cut}", told)
                server.kill()
                server.wait()
                server = _start(command, environment, port)
                again = forks.run("train", promote=True)
                row.failed += again["result"] is None
                row.expect(f"the training after a kill at {step!r} works: {again['error']}", again["result"])
                check_champion(fixture, row, step)
        check_story(fixture, row)
    finally:
        server.kill()
    return row


def _start(command: tuple[str, ...], environment: dict[str, str], port: int) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet, start_new_session=True)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not is_alive(f"http://127.0.0.1:{port}/health"):
        assert time.monotonic() < deadline, "MLflow's server did not start"
        time.sleep(0.3)
    return server
