"""Read versions and aliases from an MLflow server by its REST API, without MLflow: importing that costs seconds and 100 MB.

The API: https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from churn.errors import NoVersion, RegistryError
from churn.one_line import one_line
from churn.registry.aliases import DIGEST_TAG, TIMEOUT_SECONDS, Registered, Version, list_versions

if TYPE_CHECKING:
    import httpx2

Read = TypeVar("Read")


class HttpReader:
    """Reader of an MLflow server."""

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
            # As in MLflow's client, a token is the second choice.
            auth=(user, password) if user and password else None,
            headers={"Authorization": f"Bearer {token}"} if token and not (user and password) else None,
            timeout=TIMEOUT_SECONDS,
            verify=verify,
            transport=transport,
        )

    def aliases(self) -> dict[str, str]:
        """See `RegistryReader`."""

        def read(answer: Any) -> dict[str, str]:
            return {str(one["alias"]): str(one["version"]) for one in answer["registered_model"].get("aliases", [])}

        return self._ask("registered-models/get", {"name": self._name}, read) or {}

    def registered(self, version: str, /) -> Registered:
        """See `RegistryReader`."""

        def read(answer: Any) -> Registered:
            found = answer["model_version"]
            tags = {one["key"]: one["value"] for one in found.get("tags", [])}
            return Registered(str(found["version"]), str(found.get("run_id", "")), str(tags.get(DIGEST_TAG, "")))

        known = self._ask("model-versions/get", {"name": self._name, "version": version}, read)
        if known is None:
            raise NoVersion(f"there is no version {version!r} of model {self._name!r}")
        return known

    def versions(self) -> list[Version]:
        """See `RegistryReader`."""
        tags: dict[str, dict[str, str]] = {}
        page: str | None = ""

        def read(answer: Any) -> str:
            for one in answer.get("model_versions", []):
                tags[str(int(one["version"]))] = {str(tag["key"]): str(tag["value"]) for tag in one.get("tags", [])}
            return str(answer.get("next_page_token", ""))

        while page is not None:
            wanted = {"filter": f"name='{self._name}'", **({"page_token": page} if page else {})}
            page = self._ask("model-versions/search", wanted, read) or None
        return list_versions(tags, self.aliases() if tags else {})

    def _ask(self, what: str, params: dict[str, str], read: Callable[[Any], Read]) -> Read | None:
        try:
            answer = self._client.get(f"api/2.0/mlflow/{what}", params=params)
            if answer.status_code == 404 and answer.json().get("error_code") == "RESOURCE_DOES_NOT_EXIST":
                return None
            answer.raise_for_status()
            return read(answer.json())
        except self._errors as error:
            raise RegistryError(f"the registry at {self._shown} did not answer: {one_line(error)}") from error
