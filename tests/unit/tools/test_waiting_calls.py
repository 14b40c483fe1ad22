"""Every connection and every waiting call has a time limit, or a reason here (issue 18)."""

from __future__ import annotations

import pytest

from tests.checkout import CHECKOUT
from tools.waiting_calls import waiting_calls, waiting_calls_in

PACKAGES = ("churn", "service", "monitoring", "pipelines")
COMPUTES = "waits for threads of this process that compute, and ask nobody"
CANCELLED = "the task was cancelled one line before: it ends at its next await, and leaves the thread that it waits for"
ASKS_WITH_LIMITS = "each of these threads asks with a limit of its own"
IS_DONE = "the task is done, which is checked first: this is asyncio's `result`, which never waits"
NO_CONNECTION = "connects to nothing: it finds out whether a port is free"
UNTIL_STOPPED = "runs until the process is stopped: that is its work"
REASONS = {
    "churn/batch/ordered.py::in_order: ….result": COMPUTES,
    "churn/batch/run.py::on_threads.run: concurrent.futures.as_completed": COMPUTES,
    "churn/batch/run.py::on_threads.run: ….result": COMPUTES,
    "churn/registry/client.py::Client.mlflow: mlflow.MlflowClient": "MLflow reads its limits from the environment: `HTTP_LIMITS`",
    "churn/store/predictions/window_reader.py::WindowReader.iter_parts: ….result": "the engine limits each wait for its answer",
    "monitoring/exporter/exporter.py::serve_exporter: ….wait": UNTIL_STOPPED,
    "pipelines/data_sources/package_index.py::_run: ….wait": "the process was killed one line before",
    "pipelines/flows/deployments.py::serve_once: prefect.serve": UNTIL_STOPPED,
    "pipelines/flows/prefect_api.py::prefect_client: prefect.client.orchestration.get_client": "its settings hold the timeout",
    "pipelines/local/ports.py::is_free: socket.socket": NO_CONNECTION,
    "pipelines/local/status.py::find_status: ….result": ASKS_WITH_LIMITS,
    "pipelines/local/supervisor.py::Supervisor._answer: xmlrpc.client.ServerProxy": "its transport has the timeout",
    "pipelines/local/supervisor.py::_Connection.connect: socket.socket": "the next line sets the timeout",
    "service/prediction_log/group_writer.py::GroupWriter._run: ….wait": "waits for work; whoever closes the writer wakes it",
    "service/rollout/champion_follower.py::ChampionFollower.stop: asyncio.wait": CANCELLED,
    "service/rollout/champion_follower.py::ChampionFollower.roll_back: ….result": IS_DONE,
    "service/rollout/champion_follower.py::ChampionFollower._survive: asyncio.wait": "a poll: registry and loader have limits",
    "service/rollout/probation.py::Probation.stop: asyncio.wait": CANCELLED,
    "service/rollout/rollback.py::Rollback.stop: asyncio.wait": CANCELLED,
    "service/rollout/rollback.py::RollbackSync._try: asyncio.wait": "a rollback that is recorded: registry and store have limits",
    "service/rollout/shadow.py::Shadow.stop: asyncio.wait": CANCELLED,
    "service/threads.py::WorkerThreads.run: ….put": "its queue has no bound of its own, so that `put` never waits",
    "service/threads.py::WorkerThreads._serve: ….get": "a thread that waits for work, and ends with the process",
}


def test_every_waiting_call_has_a_limit_or_a_reason() -> None:
    found = waiting_calls_in(CHECKOUT, PACKAGES)
    unexplained = [f"{call.path}:{call.line}: {call.call} has no time limit" for call in found if call.key not in REASONS]
    assert unexplained == [], "give it a timeout, or a reason in REASONS"
    assert sorted(REASONS.keys() - {call.key for call in found}) == [], "these have a limit by now"


@pytest.mark.parametrize(
    "line",
    [
        "subprocess.run(['git'])",
        "run(['git'], check=True)",
        "check_output(['git'], timeout=None)",
        "sqlite3.connect('f')",
        "sa.create_engine(url)",
        "psycopg.connect(url)",
        "httpx2.Client(base_url=url)",
        "httpx2.get(url)",
        "requests.post(url)",
        "urllib.request.urlopen(url)",
        "socket.create_connection(address)",
        "socket.socket()",
        "get_client(sync_client=True)",
        "MlflowClient(url)",
        "boto3.client('s3')",
        "distributed.Client(address)",
        "ServerProxy(url)",
        "HTTPConnection('localhost')",
        "process.wait()",
        "process.communicate()",
        "process.communicate(text)",
        "thread.join()",
        "event.wait(timeout=None)",
        "queue.get()",
        "self.queue.get(timeout=1 if busy else None)",
        "jobs_queue.put(job)",
        "lock.acquire()",
        "future.result()",
        "pool.submit(work).result(None)",
        "fcntl.flock(file, fcntl.LOCK_EX)",
        "await asyncio.open_connection(host, port)",
        "await asyncio.wait({task})",
        "await asyncio.wait_for(event.wait(), None)",
        "concurrent.futures.wait(futures)",
        "signal.pause()",
        "connection.recv(4096)",
        "server.accept()",
    ],
)
def test_a_call_that_may_wait_for_ever_is_found(line: str) -> None:
    assert len(list(waiting_calls(_module(line), "m.py"))) >= 1


@pytest.mark.parametrize(
    "line",
    [
        "subprocess.run(['git'], timeout=10)",
        "run(['git'], **limits)",
        "sqlite3.connect('f', timeout=5)",
        "sa.create_engine(url, connect_args=limits)",
        "httpx2.get(url, timeout=3)",
        "process.wait(timeout=3)",
        "process.communicate(text, 3)",
        "thread.join(3)",
        "', '.join(words)",
        "mapping.get('key')",
        "queue.get(timeout=3)",
        "queue.get_nowait()",
        "jobs_queue.put(job, block=False)",
        "lock.acquire(timeout=3)",
        "lock.acquire(blocking=False)",
        "future.result(3)",
        "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "await asyncio.wait({task}, timeout=3)",
        "await asyncio.wait_for(asyncio.open_connection(host, port), 3)",
        "await asyncio.wait_for(event.wait(), timeout=3)",
        "concurrent.futures.wait(futures, 3)",
        "os.path.join(folder)",
    ],
)
def test_a_call_with_a_limit_is_not(line: str) -> None:
    assert [call.key for call in waiting_calls(_module(line), "m.py")] == []


def test_what_is_awaited_under_a_timeout_has_a_limit_and_what_comes_after_has_none() -> None:
    source = _module("async with asyncio.timeout(3):\n        await asyncio.wait({task})\n    await asyncio.wait({task})")
    assert [(call.function, call.call) for call in waiting_calls(source, "m.py")] == [("work", "asyncio.wait")]


def _module(line: str) -> str:
    return f"""
import asyncio, boto3, concurrent.futures, distributed, fcntl, httpx2, os, psycopg, requests, signal, socket, sqlite3
import subprocess, urllib.request
import sqlalchemy as sa
from http.client import HTTPConnection
from mlflow import MlflowClient
from prefect.client.orchestration import get_client
from subprocess import check_output, run
from xmlrpc.client import ServerProxy

async def work():
    {line}
"""
