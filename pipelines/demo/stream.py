"""Traffic that goes on in the background while the system does something else."""

from __future__ import annotations

import threading
from itertools import cycle
from types import TracebackType
from typing import Self

from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.errors import ChurnError
from pipelines.service_client import Client, as_customers

# Seconds between two requests: steady, and leaves the processor to the training.
PAUSE = 0.05


class Stream:
    """One request after another, for the time of a `with` block.

    Attributes
    ----------
    sent : int
    failed : list of str
        What went wrong, in the words of the client.
    versions : set of str
        Model versions that answered.
    """

    def __init__(self, client: Client, customers: Dataset, contract: Contract) -> None:
        self.sent = 0
        self.failed: list[str] = []
        self.versions: set[str] = set()
        self._client = client
        self._customers = as_customers(customers, contract, "stream")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(timeout=60)

    def _send(self) -> None:
        for customer in cycle(self._customers):
            if self._stop.wait(PAUSE):
                return
            self.sent += 1
            try:
                self.versions.add(str(self._client.predict_one(customer)["model_version"]))
            except ChurnError as error:
                self.failed.append(str(error))
