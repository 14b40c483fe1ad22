"""Who has which alias, asked every few seconds by every worker: without MLflow's library, whose import costs seconds and 100 MB.

Over HTTP by MLflow's documented REST API (https://mlflow.org/docs/latest/api_reference/rest-api.html); in a local SQLite registry
by reading MLflow's own tables. Any other registry (and any way to log in but password and token) is asked by `churn.registry.registry`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from churn.errors import NoModel, RegistryError
from churn.one_line import one_line

if TYPE_CHECKING:
    import httpx2

Read = TypeVar("Read")
CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
# Of a version, from registration: see `churn.registry.artifact.digest_folder`.
DIGEST_TAG = "artifact_digest"
TIMEOUT_SECONDS = 5.0


class Registered(NamedTuple):
    """A version, the run it came from, and the digest of its artifact (empty if it was registered before there were digests)."""

    version: str
    run_id: str
    artifact_digest: str


class AliasReader(Protocol):
    """How a registry is asked. Every method raises RegistryError when the registry is away."""

    def aliases(self) -> dict[str, str]:
        """Give alias to version; empty if nothing was ever registered."""

    def registered(self, version: str, /) -> Registered:
        """Tell of a version; NoModel if there is none."""


class HttpAliases:
    """Asks an MLflow server."""

    def __init__(self, uri: str, model_name: str, transport: httpx2.BaseTransport | None = None) -> None:
        import httpx2

        self._name = model_name
        address = httpx2.URL(uri)
        self._shown = str(address.copy_with(username=None, password=None))
        self._errors = (httpx2.HTTPError, ValueError, KeyError, TypeError, AttributeError)
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
        user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD"))
        insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("1", "true")
        authority = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
        verify: Any = not insecure
        if authority and not insecure:
            import ssl

            verify = ssl.create_default_context(cafile=authority)
        self._client = httpx2.Client(
            base_url=address,
            # As MLflow's client does it: a token is the second choice.
            auth=(user, password) if user and password else None,
            headers={"Authorization": f"Bearer {token}"} if token and not (user and password) else None,
            timeout=TIMEOUT_SECONDS,
            verify=verify,
            transport=transport,
        )

    def aliases(self) -> dict[str, str]:
        """See `AliasReader`."""

        def read(answer: Any) -> dict[str, str]:
            return {str(one["alias"]): str(one["version"]) for one in answer["registered_model"].get("aliases", [])}

        return self._ask("registered-models/get", {"name": self._name}, read) or {}

    def registered(self, version: str, /) -> Registered:
        """See `AliasReader`."""

        def read(answer: Any) -> Registered:
            found = answer["model_version"]
            tags = {one["key"]: one["value"] for one in found.get("tags", [])}
            return Registered(str(found["version"]), str(found.get("run_id", "")), str(tags.get(DIGEST_TAG, "")))

        known = self._ask("model-versions/get", {"name": self._name, "version": version}, read)
        if known is None:
            raise NoModel(f"there is no version {version!r} of model {self._name!r}")
        return known

    def _ask(self, what: str, params: dict[str, str], read: Callable[[Any], Read]) -> Read | None:
        try:
            answer = self._client.get(f"api/2.0/mlflow/{what}", params=params)
            if answer.status_code == 404 and answer.json().get("error_code") == "RESOURCE_DOES_NOT_EXIST":
                return None
            answer.raise_for_status()
            return read(answer.json())
        except self._errors as error:
            raise RegistryError(f"the registry at {self._shown} did not answer: {one_line(error)}") from error


class SqliteAliases:
    """Reads the tables of a local registry. A file that is not there yet, or has no tables yet, holds no model yet."""

    def __init__(self, file: Path, model_name: str) -> None:
        self._file = file
        self._name = model_name

    def aliases(self) -> dict[str, str]:
        """See `AliasReader`."""
        return {str(alias): str(version) for alias, version in self._read("alias, version", "registered_model_aliases")}

    def registered(self, version: str, /) -> Registered:
        """See `AliasReader`."""
        runs = self._read("run_id", "model_versions", version=version)
        if not runs:
            raise NoModel(f"there is no version {version!r} of model {self._name!r}")
        digest = self._read("value", "model_version_tags", version=version, key=DIGEST_TAG)
        return Registered(version, str(runs[0][0] or ""), str(digest[0][0]) if digest else "")

    def _read(self, columns: str, table: str, **where: str) -> list[tuple[Any, ...]]:
        if not self._file.exists():
            return []
        where["name"] = self._name
        chosen = " AND ".join(f"{column} = ?" for column in where)
        try:
            with closing(
                sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_SECONDS)
            ) as database:
                # Names of our own; what comes from outside is a parameter.
                return database.execute(f"SELECT {columns} FROM {table} WHERE {chosen}", list(where.values())).fetchall()  # noqa: S608 -- ours
        except sqlite3.Error as error:
            if str(error).startswith("no such table"):
                return []
            raise RegistryError(f"the registry in {self._file} did not answer: {error}") from error


# Of an MLflow run and of a version: the training that made it.
TRAINING_TAG = "training"
