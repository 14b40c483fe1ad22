"""Read versions and aliases from a local SQLite registry: from MLflow's own tables, without its library."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from churn.errors import NoVersion, RegistryError
from churn.registry.aliases import DIGEST_TAG, TIMEOUT_SECONDS, Registered, Version, list_versions

# The stage that MLflow gives to a version that was deleted: its row stays.
DELETED = "Deleted_Internal"


class SqliteReader:
    """Reader of a local registry. A file that is not there yet, or has no tables yet, holds no model."""

    def __init__(self, file: Path, model_name: str) -> None:
        self._file = file
        self._name = model_name

    def aliases(self) -> dict[str, str]:
        """See `RegistryReader`."""
        return {str(alias): str(version) for alias, version in self._read("alias, version", "registered_model_aliases")}

    def registered(self, version: str, /) -> Registered:
        """See `RegistryReader`."""
        runs = self._read("run_id, current_stage", "model_versions", version=version)
        if not runs or runs[0][1] == DELETED:
            raise NoVersion(f"there is no version {version!r} of model {self._name!r}")
        digest = self._read("value", "model_version_tags", version=version, key=DIGEST_TAG)
        return Registered(version, str(runs[0][0] or ""), str(digest[0][0]) if digest else "")

    def versions(self) -> list[Version]:
        """See `RegistryReader`."""
        found = self._read("version, current_stage", "model_versions")
        tags: dict[str, dict[str, str]] = {str(version): {} for version, stage in found if stage != DELETED}
        for version, key, value in self._read("version, key, value", "model_version_tags") if tags else ():
            if str(version) in tags:
                tags[str(version)][str(key)] = str(value)
        return list_versions(tags, self.aliases() if tags else {})

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
