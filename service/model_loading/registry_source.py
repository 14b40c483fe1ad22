"""Models from the registry, for a worker without MLflow or scikit-learn: it reads the aliases over HTTP and bundles from disk.

A missing bundle is made by a process of its own (`service.model_loading.loader_process`) for one of the workers, while the others
wait. Everything here blocks, and is called in threads.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import orjson
from sqlalchemy import make_url

from churn.config.settings import Settings
from churn.contract import Contract
from churn.errors import MACHINE_REFUSALS, ChurnError, ModelRefused, StoreError, describe_refusal
from churn.file_lock import try_lock
from churn.lifecycle.rollback_request import RollbackRequest
from churn.lifecycle.same_registry import check_version
from churn.registry.aliases import RegistryReader
from churn.registry.artifact import models_folder
from churn.registry.connect import registry_reader
from churn.registry.last_known_good import last_known_version, save_last_known_good
from churn.store.store import Store
from service.model_loading.bundle import ModelBundle, bundle_file, read_bundle, serve
from service.model_loading.loader_messages import LOADER_SETTINGS, raise_error
from service.scoring.served_model import ServedModel

COMMAND = (sys.executable, "-m", "service.model_loading.loader_process")
# Fetching and checking take some seconds, longer for a large artifact over a slow line.
LOADER_SECONDS = 240.0
LOCK_POLL_SECONDS = 0.1
# How long the store may take to say which run a version is: a model is not held up by it.
STORE_SECONDS = 3.0
# What the locks are for.
NAMES = {"loading": "making a model ready", "rollback": "recording a rollback"}
# Keys that the loader process has no use for.
WITHHELD = {"CHURN_API_KEYS", "CHURN_API_KEY", "CHURN_PSEUDONYM_KEY"}
logger = logging.getLogger(__name__)


class RegistrySource:
    """The models of the settings' registry, and the last known good one on disk."""

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self._settings = settings
        self._contract = contract
        self._children: set[subprocess.Popen[bytes]] = set()
        self._closed = threading.Event()
        # While no model serves, nothing is more urgent than making one ready.
        self._urgent = True

    @cached_property
    def _reader(self) -> RegistryReader:
        return registry_reader(self._settings)

    def aliases(self) -> Mapping[str, str]:
        """Return alias to version. RegistryError if the registry is away."""
        return self._reader.aliases()

    def run_id(self, version: str, /) -> str:
        """Return the run of a version. NoModel if there is none, RegistryError if the registry is away."""
        return self._reader.registered(version).run_id

    def load(self, version: str, /) -> ServedModel:
        """Load a registered version. NoModel if there is none, ModelRefused if it fails its checks."""
        known = self._reader.registered(version)
        self._check_store(known.version, known.run_id)
        bundle = self._read_valid(known.version, known.run_id, known.artifact_digest)
        if bundle is None:
            with self._lock():
                # Another worker may have made it meanwhile.
                bundle = self._read_valid(known.version, known.run_id, known.artifact_digest)
                if bundle is None:
                    self._run_loader({"do": "prepare", "version": version})
                    bundle = _require(self._read_valid(known.version, known.run_id, known.artifact_digest), version)
        served = serve(bundle, self._contract, "registry")
        self._urgent = False
        return served

    def load_last_known_good(self, wait: bool, /) -> ServedModel | None:
        """Load the last known good model from disk; None if there is none, or if its bundle is not ready and `wait` is false."""
        known = last_known_version(self._settings)
        if known is None:
            return None
        bundle = self._read_valid(*known)
        if bundle is None and wait:
            with self._lock():
                bundle = self._read_valid(*known)
                if bundle is None:
                    self._run_loader({"do": "prepare_last"})
                    bundle = _require(self._read_valid(*known), known[0])
        if bundle is None:
            return None
        served = serve(bundle, self._contract, "disk")
        self._urgent = False
        return served

    def save_last_known_good(self, served: ServedModel) -> None:
        """Save a model as the last known good one."""
        save_last_known_good(self._settings, served)

    def load_again(self, version: str, run_id: str, /) -> ServedModel | None:
        """Load a version that was loaded here before, without the registry.

        Parameters
        ----------
        version, run_id : str

        Returns
        -------
        ServedModel or None
            None if its bundle is not on disk any more.
        """
        bundle = self._read_valid(version, run_id)
        return None if bundle is None else serve(bundle, self._contract, "disk")

    def roll_back(self, request: RollbackRequest, /) -> None:
        """Do what a request asks for in the registry, with a record; nothing if another version is champion by now.

        Raises
        ------
        RegistryError, StoreError
            If that cannot be done now.
        """
        # A lock of its own: a rollback does not wait for a model that is being made ready.
        with self._lock("rollback"):
            self._run_loader({"do": "roll_back", "request": asdict(request)})

    def close(self) -> None:
        """Stop loading: end the loader process."""
        self._closed.set()
        for child in list(self._children):
            child.kill()

    def _check_store(self, version: str, run_id: str) -> None:
        """Refuse a model whose number is another one's in the store. A store that is away, or not there yet, refuses none."""
        url = make_url(self._settings.store_url)
        # A question must not make a store.
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
            return
        try:
            with closing(Store.open(self._settings.store_url, STORE_SECONDS)) as store:
                check_version(store, version, run_id)
        except StoreError as error:
            logger.warning("whether version %s is the store's, too, could not be checked: %s", version, error)

    def _read_valid(self, version: str, run_id: str, digest: str = "") -> ModelBundle | None:
        """Read a bundle if it is intact, of the version that its name says, and of the registered artifact."""
        try:
            bundle = read_bundle(bundle_file(self._settings, self._contract, version, run_id))
        except ModelRefused as error:
            logger.warning("a model bundle is made anew: %s", error)
            return None
        if bundle is not None and (bundle.info.version, bundle.info.run_id) != (version, run_id):
            logger.warning("the bundle of version %s is made anew: it is of version %s", version, bundle.info.version)
            return None
        if bundle is not None and digest not in ("", bundle.artifact_digest):
            logger.warning("the bundle of version %s is made anew: the registry has another artifact", version)
            return None
        return bundle

    def _run_loader(self, request: dict[str, Any]) -> None:
        settings = self._settings.model_dump(mode="json", include=LOADER_SETTINGS)
        asked = orjson.dumps({**request, "settings": settings, "urgent": self._urgent})
        pipe = subprocess.PIPE
        environment = {name: value for name, value in os.environ.items() if name not in WITHHELD}
        with subprocess.Popen(COMMAND, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as child:  # noqa: S603 -- our own interpreter
            self._children.add(child)
            try:
                if self._closed.is_set():
                    child.kill()
                answer_text, stderr = child.communicate(asked, LOADER_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                raise ChurnError(f"making a model ready took longer than {LOADER_SECONDS:g} seconds") from None
            finally:
                self._children.discard(child)
        try:
            answer = orjson.loads(answer_text)
            result, reason = str(answer["result"]), str(answer.get("reason", ""))
        except (ValueError, LookupError, TypeError, AttributeError):
            last = (stderr.decode("utf-8", "replace").strip().splitlines() or ["no error message"])[-1]
            if stderr:
                logger.error("the loader process failed:\n%s", stderr.decode("utf-8", "replace")[-4_000:])
            raise ChurnError(f"the loader process ended with {child.returncode}: {last}") from None
        raise_error(result, reason)

    @contextmanager
    def _lock(self, what: str = "loading") -> Iterator[None]:
        """Let one worker of this home at a time do something. The lock ends with the process, however that ends."""
        deadline = time.monotonic() + LOADER_SECONDS
        with self._lock_file(what) as lock:
            while not try_lock(lock):
                if time.monotonic() > deadline:
                    raise ChurnError(f"another worker has been {NAMES[what]} for too long")
                if self._closed.wait(LOCK_POLL_SECONDS):
                    raise ChurnError("the service is stopping")
            yield

    def _lock_file(self, what: str) -> IO[bytes]:
        folder = models_folder(self._settings)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return (folder / f"{what}.lock").open("wb")
        except OSError as error:
            if error.errno not in MACHINE_REFUSALS:
                raise
            raise ChurnError(f"{NAMES[what]} needs a file: {describe_refusal(error)}") from error


def _require(bundle: ModelBundle | None, version: str) -> ModelBundle:
    if bundle is None:
        raise ChurnError(f"the loader process wrote no bundle of version {version}")
    return bundle
