"""`churn backup` and `churn restore`: the whole system in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import console, print_json, warn

if TYPE_CHECKING:
    from pipelines.backup.archive import Manifest
    from pipelines.backup.backup import Places

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
RegistryUrl = Annotated[
    str | None,
    typer.Option(help="MLflow's own database, where CHURN_TRACKING_URI is a server; default CHURN_REGISTRY_DATABASE_URL."),
]
Artifacts = Annotated[
    str | None, typer.Option(help="Where MLflow's artifacts are: a folder (default CHURN_HOME/artifacts), or s3://…, not copied.")
]
WithoutRegistry = Annotated[bool, typer.Option("--without-registry", help="Leave the registry out.")]


def backup(
    target: Annotated[Path, typer.Argument(help="A folder to make one in; or a new file, which ends in .tar.gz.")],
    registry_url: RegistryUrl = None,
    artifacts: Artifacts = None,
    without_registry: WithoutRegistry = False,
    as_json: Json = False,
) -> None:
    """Back up everything into one file, while it is in use.

    In it are the store, the registry with its models, Prefect's database, and the predictions that wait on disk. The file holds
    customers: only its owner may read it. It is there whole, or not at all.

    Example: churn backup /srv/backups
    """
    from churn.clock import now
    from pipelines.backup.backup import make_backup

    places = _places(registry_url, artifacts, without_registry)
    file = target if target.name.endswith(".tar.gz") else _file_in(target, f"churn-{now():%Y%m%dT%H%M%SZ}.tar.gz")
    with console.status("backing up"):
        manifest = make_backup(places, file)
    if as_json:
        print_json({"file": str(file), "bytes": file.stat().st_size} | _summary(manifest))
        return
    console.print(f"{file}: {file.stat().st_size:,} bytes")
    _show(manifest)


def _file_in(folder: Path, name: str) -> Path:
    from churn.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: no folder for backups ({error.strerror})") from error
    return folder / name


def restore(
    source: Annotated[Path, typer.Argument(help="A backup.")],
    registry_url: RegistryUrl = None,
    artifacts: Artifacts = None,
    without_registry: WithoutRegistry = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: Json = False,
) -> None:
    """Restore a backup into this system. Stop everything first.

    It goes under CHURN_HOME, and into the databases that are set up. All of the backup is checked before anything is changed.
    Paths may differ from those of the system that was backed up.

    Example: CHURN_HOME=/srv/churn churn restore /srv/backups/churn-20261126T031500Z.tar.gz
    """
    from pipelines.backup.restore import restore_backup

    places = _places(registry_url, artifacts, without_registry)
    with console.status("restoring"):
        manifest = restore_backup(places, source, overwrite=overwrite)
    if as_json:
        print_json({"home": str(places.home)} | _summary(manifest))
        return
    console.print(f"restored into {places.home}, as it was at {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
    _show(manifest)


def _places(registry_url: str | None, artifacts: str | None, without_registry: bool) -> Places:
    from churn.config.settings import load_settings
    from pipelines.backup.backup import find_places

    return find_places(load_settings(), registry_url, artifacts, without_registry=without_registry)


def _summary(manifest: Manifest) -> dict[str, object]:
    from pipelines.backup.archive import describe

    return describe(manifest)


def _show(manifest: Manifest) -> None:
    from pipelines.backup.databases import IN_USE

    for name, database in manifest.databases.items():
        rows = ", ".join(f"{database.rows[table]:,} {table}" for table in IN_USE[name] if database.rows.get(table))
        console.print(f"[bold]{name}[/bold] ({database.kind}): {rows or 'no rows'}")
    for kind in ("artifacts", "models", "spool"):
        if files := [part for name, part in manifest.parts.items() if name.startswith(f"{kind}/")]:
            console.print(f"[bold]{kind}[/bold]: {len(files):,} files, {sum(part.bytes for part in files):,} bytes")
    if manifest.artifacts_elsewhere:
        warn(f"the models themselves lie in {manifest.artifacts_elsewhere}, and are not in this file")
    if "registry" not in manifest.databases:
        warn("the registry is not in this file")
