"""Whether a training may begin, asked before anything slow is imported or started."""

from __future__ import annotations

from churn.errors import Busy
from churn.lifecycle.training_runs import LOCK
from churn.store.store import Store


def check_no_training(store_url: str) -> None:
    """Raise Busy if a training is under way; it says whose."""
    store = Store.open(store_url)
    try:
        if holder := store.lock_holder(LOCK):
            raise Busy(LOCK, holder)
    finally:
        store.close()
