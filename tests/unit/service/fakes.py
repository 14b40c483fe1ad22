"""Fakes for the registry, the store and the last known good model, and small models. Imported by integration tests too."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import httpx2
import numpy as np
import pandas as pd
from pydantic import SecretStr
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from churn.config.settings import Settings
from churn.contract import load_contract
from churn.errors import RegistryError, StoreError
from churn.lifecycle.rollback_request import RollbackRequest
from churn.modeling.model import Model, ModelInfo
from churn.segments.segments import Segments
from churn.store.contacts.not_to_contact import Why
from churn.store.contacts.opt_outs import OptOutChanges, OptOutState
from churn.store.contacts.opted_out import opt_out_digest, prefixes
from churn.store.contacts.records import Contact, ContactReceipt
from churn.store.records import Outcome, OutcomeReceipt, PredictionRow
from service.app import ServiceApp
from service.model_loading.bundle import ModelBundle, serve
from service.model_loading.parity_check import verify
from service.rollout.model_source import LastKnownGood
from service.scoring.served_model import ServedModel

FEATURES = ["total_day_minutes", "customer_service_calls", "international_plan"]
CUSTOMER = {"total_day_minutes": 265.1, "customer_service_calls": 4, "international_plan": "Yes", "state": "OH"}
# By the model's identity; the model is kept with it, so that no other gets its number.
_READY: dict[int, tuple[Model, ModelBundle]] = {}
_SEGMENTED: dict[int, tuple[Model, Model]] = {}
KEY_TEXT = {scope: f"key for {scope}" for scope in ("predict", "outcomes", "admin")}
KEYS = ",".join(f"{scope}:{scope}:{hashlib.sha256(text.encode()).hexdigest()}" for scope, text in KEY_TEXT.items())


def make_model(version: str = "1", *, slope: float = 1.0, features: Sequence[str] = FEATURES) -> Model:
    """A small fitted pipeline; each `slope` gives other probabilities. Asked for the same again, it is the same."""
    return _fitted(version, slope, tuple(features))


@cache
def _fitted(version: str, slope: float, features: tuple[str, ...]) -> Model:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({name: rng.normal(100, 40, 200) for name in features})
    frame.iloc[::10, 0] = np.nan
    logit = slope * (frame.fillna(100).iloc[:, 0] - 100) / 40 - 1
    churned = (rng.random(200) < 1 / (1 + np.exp(-logit))).astype(int)
    pipeline = Pipeline([("imputer", SimpleImputer()), ("scaler", StandardScaler()), ("logreg", LogisticRegression())])
    return Model(pipeline.fit(frame, churned), make_info(version, features))


def with_segments(model: Model) -> Model:
    """The same model, whose version knows two segments. Of the same one it is the same again, so that it is tested once."""
    if id(model) not in _SEGMENTED:
        _SEGMENTED[id(model)] = model, _segmented(model)
    return _SEGMENTED[id(model)][1]


def _segmented(model: Model) -> Model:
    columns = model.info.features
    high, usual = [1.0, *[0.0] * (len(columns) - 1)], [0.0] * len(columns)
    segments = Segments(columns=columns, names=[f"high {columns[0]}", "typical"], centres=[high, usual], shares=[0.2, 0.8])
    return Model(model.pipeline, model.info.model_copy(update={"segments": segments}))


def served_model(model: Model, loaded_from: Literal["registry", "disk"]) -> ServedModel:
    """A model made ready to serve, put to the test once."""
    if id(model) not in _READY:
        _READY[id(model)] = model, verify(model, load_contract())
    return serve(_READY[id(model)][1], load_contract(), loaded_from, model.pipeline)


def make_info(version: str, features: Sequence[str] = FEATURES) -> ModelInfo:
    contract = load_contract()
    return ModelInfo(
        name="churn",
        version=version,
        run_id=f"run-{version}",
        trained_at=datetime(2026, 1, 2, tzinfo=UTC),
        data_digest=f"digest-{version}",
        data_source="invented",
        simulated=True,
        rows=200,
        contract=contract.name,
        contract_digest=contract.digest,
        features=list(features),
        threshold=0.5,
        metrics={"roc_auc": 0.8},
    )


class FakeRegistry:
    """A registry in memory: set `champion` or `others` (alias to version), add to `models`, or take it `away`."""

    def __init__(self, *models: Model) -> None:
        self.models: dict[str, Model | Exception] = {model.info.version: model for model in models}
        self.champion: str | None = models[-1].info.version if models else None
        self.away = False
        self.others: dict[str, str] = {}
        self.loads: list[str] = []
        self.rollbacks: list[tuple[str, str, str, str]] = []
        self.closed = False

    def aliases(self) -> dict[str, str]:
        self._check()
        return {**({} if self.champion is None else {"champion": self.champion}), **self.others}

    def load(self, version: str, /) -> ServedModel:
        self._check()
        self.loads.append(version)
        found = self.models[version]
        if isinstance(found, Exception):
            raise found
        return served_model(found, "registry")

    def load_again(self, version: str, run_id: str, /) -> ServedModel | None:
        found = self.models.get(version)
        return served_model(found, "disk") if isinstance(found, Model) and found.info.run_id == run_id else None

    def run_id(self, version: str, /) -> str:
        self._check()
        found = self.models[version]
        return found.info.run_id if isinstance(found, Model) else f"run-{version}"

    def roll_back(self, request: RollbackRequest, /) -> None:
        self._check()
        self.rollbacks.append((request.leaving, request.version, request.actor, request.reason))
        if self.champion == request.leaving:
            self.others |= {"previous": request.leaving, "rolled-back": request.leaving}
            self.champion = request.version

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.away:
            raise RegistryError("postgresql://user:secret@registry did not answer")


class FakeStore:
    """A store in memory. `away` makes it fail; `gate` (an event) holds writes back until it is set."""

    def __init__(self) -> None:
        self.rows: list[PredictionRow] = []
        self.groups: list[int] = []
        self.outcomes: list[Outcome] = []
        self.receipt = OutcomeReceipt()
        self.contacts: list[Contact] = []
        self.contact_receipt = ContactReceipt()
        self.left_alone: dict[str, Why] = {}
        self.opted_out: dict[str, bool] = {}
        self.away = False
        self.closed = False
        self.error: Exception = StoreError("postgresql://user:secret@store is away")
        self.gate = threading.Event()
        self.gate.set()
        self.writing = threading.Event()

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        self.writing.set()
        assert self.gate.wait(120), "the test forgot to open the gate"
        self._check()
        self.groups.append(len(rows))
        self.rows += rows

    def write_rows_at_once(self, _rows: Sequence[PredictionRow], /) -> bool:
        return False

    def write_outcomes(self, batch: Sequence[Outcome], /) -> OutcomeReceipt:
        self._check()
        self.outcomes += batch
        return self.receipt

    def write_contacts(self, batch: Sequence[Contact], /) -> ContactReceipt:
        self._check()
        self.contacts += batch
        return self.contact_receipt

    def not_to_contact(self, customer_ids: Sequence[str], _since: datetime, /) -> dict[str, Why]:
        self._check()
        return {name: self.left_alone[name] for name in customer_ids if name in self.left_alone}

    def opt_out_changes(self, seen: OptOutState | None, /) -> OptOutChanges | None:
        self._check()
        state = OptOutState(datetime(2026, 1, 2, tzinfo=UTC), len(self.opted_out))
        if state == seen or (seen is None and not self.opted_out):
            return None
        wanting = prefixes(opt_out_digest(name) for name, out in self.opted_out.items() if out)
        return OptOutChanges(wanting, prefixes(opt_out_digest(name) for name, out in self.opted_out.items() if not out), state)

    def ping(self) -> None:
        self._check()

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.away:
            raise self.error


class FakeRollbackRequests:
    """The pending request of one process, in memory."""

    def __init__(self) -> None:
        self._request: RollbackRequest | None = None

    def read(self) -> RollbackRequest | None:
        return self._request

    def write(self, request: RollbackRequest, /) -> None:
        self._request = request

    def clear(self) -> None:
        self._request = None


class FakeLastKnownGood:
    """A last known good model in memory."""

    def __init__(self, model: Model | None = None) -> None:
        self.model = model
        self.kept: ServedModel | None = None

    def save(self, served: ServedModel) -> None:
        self.kept = served

    def load(self, _wait: bool, /) -> ServedModel | None:
        return None if self.model is None else served_model(self.model, "disk")

    def last_known_good(self) -> LastKnownGood:
        return LastKnownGood(self.save, self.load)


def make_settings(home: Path, **changes: Any) -> Settings:
    """Settings that no environment variable changes; the registry is polled so rarely that a test decides when it is polled."""
    if isinstance(changes.get("api_keys"), str):
        changes["api_keys"] = SecretStr(changes["api_keys"])
    fixed = {"contract": "telecom", "api_keys": SecretStr(""), "host": "127.0.0.1", "registry_poll_seconds": 3600.0}
    return Settings(**{"home": home, "store_url": f"sqlite:///{home / 'store.db'}", **fixed, **changes})


@asynccontextmanager
async def running(app: ServiceApp) -> AsyncIterator[httpx2.AsyncClient]:
    """The app between start and shutdown, and a client that sees what a client sees: also answers to unexpected errors."""
    async with app.lifespan():
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client
