"""Callers that keep a service busy, and count the requests that failed."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

import httpx2

from churn.errors import ChurnError

CUSTOMER = {"total_day_minutes": 265.1, "international_plan": "Yes", "customer_service_calls": 4}
TIMEOUT_SECONDS = 120


class Callers:
    """Threads that send one prediction request after the other, for the time of a `with` block.

    Parameters
    ----------
    url, key : str
        Where to, and the API key.
    threads : int
    pause : float
        Seconds that each waits after an answer, so that what is watched gets a processor.

    Attributes
    ----------
    answered : list of str
        Prediction ids of the answers.
    failed : list of str
        What was wrong with each of the others.
    """

    def __init__(self, url: str, key: str, threads: int = 8, pause: float = 0.0) -> None:
        self.answered: list[str] = []
        self.failed: list[str] = []
        self._url, self._headers, self._pause = url, {"X-API-Key": key}, pause
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(threads)]

    def _ask(self, number: int) -> None:
        with httpx2.Client(headers=self._headers, timeout=60, trust_env=False) as client:
            count = 0
            while not self._stop.wait(self._pause):
                count += 1
                try:
                    answer = client.post(self._url, json=CUSTOMER | {"customer_id": f"load-{number}-{count}"})
                except httpx2.HTTPError as error:
                    self.failed.append(repr(error))
                    continue
                if answer.status_code == 200:
                    self.answered.append(answer.json()["prediction_id"])
                else:
                    self.failed.append(f"{answer.status_code} {answer.text}")

    def wait_for(self, more: int) -> None:
        """Wait until `more` further requests were answered, or one has failed."""
        wanted, deadline = len(self.answered) + more, time.monotonic() + TIMEOUT_SECONDS
        while len(self.answered) < wanted and not self.failed:
            if time.monotonic() > deadline:
                raise ChurnError("the callers get no answers")
            time.sleep(0.02)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def count_predictions(metrics: str) -> int:
    """Return how many predictions a replica has made since its start.

    A replica that says that it is ready gets requests only once the proxy has seen that twice. Whoever takes the other one away
    before leaves the callers without any.

    Parameters
    ----------
    metrics : str
        What the replica answers at /metrics.

    Returns
    -------
    int
    """
    return sum(int(float(line.split()[-1])) for line in metrics.splitlines() if line.startswith("churn_predictions_total{"))
