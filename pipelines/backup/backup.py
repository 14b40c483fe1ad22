"""A backup of the whole system: the store, the registry with its artifacts, Prefect's database, and what waits on disk."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path

from churn import DISTRIBUTION
from churn.clock import now
from churn.config.settings import Settings
from churn.errors import ChurnError, InputError
from pipelines.backup.archive import Database, Manifest, written_archive
from pipelines.backup.databases import SQLITE, dump, kind_of, sqlite_file
from pipelines.backup.work_folder import remove_abandoned_folders, work_folder

# Locks, and what is about to be written.
PASSING = (".lock", ".tmp", ".new")
WORK = ".churn-backup-"


@dataclass(frozen=True)
class Places:
    """Where the parts of a system are.

    Attributes
    ----------
    registry : str or None
        URL of MLflow's own database; None if it is not ours to copy.
    artifacts : str
        A folder, or an address such as s3://… that a backup does not hold.
    prefect : str or None
        URL of Prefect's database; None if it is not a local one.
    """

    home: Path
    store: str
    registry: str | None
    artifacts: str
    prefect: str | None

    @property
    def artifact_folder(self) -> Path | None:
        """The folder of the artifacts; None if they are elsewhere."""
        return None if "://" in self.artifacts else Path(self.artifacts).absolute()

    @property
    def artifact_root(self) -> str:
        """The address of the artifacts as MLflow's tables have it."""
        return self.artifacts.rstrip("/") if self.artifact_folder is None else self.artifact_folder.as_uri()


def find_places(settings: Settings, registry_url: str | None, artifacts: str | None, *, without_registry: bool) -> Places:
    """Find where the parts of the system are.

    Parameters
    ----------
    settings : Settings
    registry_url : str, optional
        MLflow's own database; None is that of the settings.
    artifacts : str, optional
        Where MLflow's artifacts are; None is CHURN_HOME/artifacts.
    without_registry : bool
        Leave the registry out.

    Returns
    -------
    Places

    Raises
    ------
    InputError
        If the registry is a server, and nothing says where its database is.
    """
    registry = registry_url or settings.registry_database_url or None
    if registry is None and not settings.tracking_uri.startswith(("http://", "https://")):
        registry = settings.tracking_uri
    if registry is None and not without_registry:
        raise InputError(
            "the registry is a server's: name its database by CHURN_REGISTRY_DATABASE_URL and its artifacts by --artifacts "
            "(a folder, or s3://…), or leave both out with --without-registry"
        )
    prefect = Path(os.environ.get("PREFECT_HOME", settings.home / "prefect")) / "prefect.db"
    elsewhere = "PREFECT_API_DATABASE_CONNECTION_URL" in os.environ or "PREFECT_SERVER_DATABASE_CONNECTION_URL" in os.environ
    return Places(
        home=settings.home,
        store=settings.store_url,
        registry=None if without_registry else registry,
        artifacts=artifacts or str(settings.home / "artifacts"),
        prefect=None if elsewhere else f"sqlite:///{prefect.absolute()}",
    )


def suffix(kind: str) -> str:
    """Return the ending of a database's file in a backup."""
    return "sqlite" if kind == SQLITE else "pgdump"


def make_backup(places: Places, target: Path) -> Manifest:
    """Write a backup while the system is in use.

    The parts are read in an order that makes them fit together: the spool before the store that it goes to (a row in both is one
    row after a restore), the store before the registry (no prediction of a model that the backup lacks), the registry before its
    artifacts.

    Parameters
    ----------
    places : Places
    target : Path
        The file; it must not exist yet.

    Returns
    -------
    Manifest

    Raises
    ------
    InputError
        If the target exists, its folder does not, or there is nothing to back up.
    ChurnError
        If a part cannot be read. Then there is no backup, rather than half of one.
    """
    try:
        if target.exists():
            raise InputError(f"{target} is there already")
        if not target.parent.is_dir():
            raise InputError(f"there is no folder {target.parent}")
        return _write_backup(places, target)
    except OSError as error:
        raise ChurnError(f"the backup cannot be written: {error}") from error


def _write_backup(places: Places, target: Path) -> Manifest:
    databases: dict[str, Database] = {}
    remove_abandoned_folders(target.parent, WORK)
    with work_folder(target.parent, WORK) as work, written_archive(target, work) as archive:
        archive.add_tree("spool", places.home / "spool", _stays)
        for name, url in (("store", places.store), ("registry", places.registry), ("prefect", places.prefect)):
            if url is None or (kind_of(url) == SQLITE and not sqlite_file(url).exists()):
                continue
            copy = work / name
            databases[name] = dump(url, copy)
            archive.add(f"{name}.{suffix(databases[name].kind)}", copy)
            copy.unlink()
        if places.registry is not None and places.artifact_folder is not None:
            archive.add_tree("artifacts", places.artifact_folder)
        archive.add_tree("models", places.home / "models", _stays)
        if not archive.parts:
            raise InputError(f"there is nothing to back up in {places.home}: is CHURN_HOME right?")
        manifest = Manifest(
            made_at=now(),
            versions={
                "churn": installed(DISTRIBUTION),
                "mlflow": installed("mlflow-skinny"),
                "python": platform.python_version(),
            },
            artifact_root=places.artifact_root,
            artifacts_elsewhere="" if places.artifact_folder is not None else places.artifacts,
            databases=databases,
            parts=archive.parts,
        )
        archive.finish(manifest)
        if target.exists():
            raise InputError(f"{target} is there already: another backup was made meanwhile")
    return manifest


def _stays(path: Path) -> bool:
    return path.suffix not in PASSING and not any(part.startswith(".") for part in path.parts)
