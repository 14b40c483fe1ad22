"""A model's artifact is not what was registered, on the way from the registry or on this machine's disk: it never serves."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks.chaos.pipelines.fixture import Fixture, make_fixture
from benchmarks.chaos.pipelines.forks import Forks
from benchmarks.chaos.scenarios import Row, Size, scenario
from churn.errors import ChurnError, ModelRefused, NoModel
from churn.registry.aliases import DIGEST_TAG, Registered
from churn.registry.artifact import CARD_FILE, INFO_FILE, PIPELINE_FILE, artifact_folder
from churn.registry.client import Client
from churn.registry.registry import Registry
from churn.registry.trusted_types import prepare_skops
from churn.simulation.simulate import simulate
from service.model_loading.bundle import bundle_file
from service.model_loading.loader_messages import LOADER_SETTINGS, raise_error
from service.model_loading.loader_process import respond
from service.model_loading.registry_source import RegistrySource

# MLflow's own, in this process.
QUIET = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
Damage = Callable[[Path, Path], None]
BOMB_BYTES = 600 * 2**20


def _file(folder: Path, name: str = PIPELINE_FILE) -> Path:
    return next(folder.rglob(name))


def _flip(folder: Path, _other: Path) -> None:
    content = bytearray(_file(folder).read_bytes())
    content[len(content) // 2] ^= 1
    _file(folder).write_bytes(content)


def _truncate(folder: Path, _other: Path) -> None:
    _file(folder).write_bytes(_file(folder).read_bytes()[:-200])


def _empty(folder: Path, _other: Path) -> None:
    _file(folder).write_bytes(b"")


def _remove(folder: Path, _other: Path) -> None:
    _file(folder, INFO_FILE).unlink()


class _Here(RegistrySource):
    """Makes models ready in this process, not in one of its own: the same code, without the seconds that importing takes."""

    def _run_loader(self, request: dict[str, Any]) -> None:
        settings = self._settings.model_dump(mode="json", include=LOADER_SETTINGS)
        answer = respond({**request, "settings": settings, "urgent": True})
        raise_error(answer["result"], answer.get("reason", ""))


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("/tmp/churn-chaos-was-unpickled"),)  # noqa: S108 -- it is never made


def _pickle(folder: Path, _other: Path) -> None:
    _file(folder).write_bytes(pickle.dumps(_Evil()))


def _another(folder: Path, other: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(other, folder)


def _foreign(folder: Path, _other: Path) -> None:
    prepare_skops()
    import skops.io

    _file(folder).write_bytes(skops.io.dumps(Pipeline([("own", FunctionTransformer(simulate))])))


@cache
def _zeros() -> bytes:
    """Six hundred megabytes of nothing, in a file of some hundred kilobytes."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(BOMB_BYTES // 2**20):
            member.write(bytes(2**20))
    return content.getvalue()


def _bomb(folder: Path, _other: Path) -> None:
    _file(folder).write_bytes(_zeros())


def _link(folder: Path, _other: Path) -> None:
    card = _file(folder, CARD_FILE)
    card.unlink()
    card.symlink_to("/etc/passwd")


DAMAGES: dict[str, Damage] = {
    "bit flipped": _flip,
    "truncated": _truncate,
    "emptied": _empty,
    "file missing": _remove,
    "a pickle": _pickle,
    "another model's": _another,
    "foreign types": _foreign,
    "zip bomb": _bomb,
    "link to elsewhere": _link,
}
# What is safe to load is told by digest alone: without one registered, these two cannot be told from the real one.
ONLY_BY_DIGEST = {"another model's"}


@scenario("artifacts spoiled")
def artifacts_spoiled(size: Size) -> Row:
    """Spoil the newest version's artifact in each way: in the artifact store, and in this machine's folders."""
    fixture = make_fixture(size.work / "home")
    with Forks(fixture.environment) as forks:
        return spoil_artifacts(fixture, forks, _Here if size.short else RegistrySource)


def spoil_artifacts(
    fixture: Fixture, forks: Forks, source_class: type[RegistrySource] = _Here, damages: Collection[str] = tuple(DAMAGES)
) -> Row:
    """Take a champion, and a newer version that is spoiled again and again; the champion serves on. Train them if need be."""
    row = Row("artifacts spoiled")
    os.environ.update(QUIET)
    registry = fixture.registry()
    if not _has_newer_version(registry):
        for number in (1, 2):
            row.expect(f"training {number} works", forks.run("train", promote=number == 1)["result"])
    spoiled, leads = registry.registered(registry.versions()[0][0]), registry.registered(registry.champion_version())
    kept = [_kept(fixture, known.run_id) for known in (spoiled, leads)]
    whole, artifacts = fixture.settings.home / "whole", fixture.settings.home / "artifacts"
    shutil.copytree(artifacts, whole)
    source = source_class(fixture.settings, fixture.contract)
    source.save_last_known_good(source.load(leads.version))
    for name in damages:
        for with_digest in (True, False):
            if not with_digest and name in ONLY_BY_DIGEST:
                continue
            row.faults += 1
            shutil.rmtree(artifact_folder(fixture.settings, spoiled.version, spoiled.run_id), ignore_errors=True)
            DAMAGES[name](*kept)
            _refuse_from_store(fixture, row, f"{name}{'' if with_digest else ', no digest'}", spoiled, leads, with_digest)
            shutil.rmtree(artifacts)
            shutil.copytree(whole, artifacts)
    _spoil_disk(fixture, row, spoiled, leads, source_class)
    return row


def _has_newer_version(registry: Registry) -> bool:
    """Return whether there is a champion, and a version that came after it."""
    try:
        return registry.champion_version() != registry.versions()[0][0]
    except NoModel:
        return False


def _refuse_from_store(fixture: Fixture, row: Row, name: str, spoiled: Registered, leads: Registered, with_digest: bool) -> None:
    """Ask for the version whose artifact is spoiled where the registry keeps it."""
    registry = fixture.registry()
    if not with_digest:
        Client(fixture.settings).mlflow.delete_model_version_tag(fixture.settings.model_name, spoiled.version, DIGEST_TAG)
    row.made += 1
    try:
        registry.load(spoiled.version)
        row.expect(f"{name}: refused", False)
    except ModelRefused as error:
        row.expect(f"{name}: told in one line", "\n" not in str(error) and f"version {spoiled.version}" in str(error))
    except ChurnError as error:
        # What is not there, or cannot be fetched, may come back: not refused for good. MLflow follows no link out of its store.
        row.expect(f"{name}: {error}", "\n" not in str(error) and ("missing" in name or "link" in name))
    finally:
        if not with_digest:
            Client(fixture.settings).mlflow.set_model_version_tag(
                fixture.settings.model_name, spoiled.version, DIGEST_TAG, spoiled.artifact_digest
            )
    row.expect(f"{name}: the champion still loads", registry.load("champion").info.version == leads.version)
    row.expect(f"{name}: versions are listed", spoiled.version in [version for version, _, _ in registry.versions()])


def _kept(fixture: Fixture, run_id: str) -> Path:
    """Find where the registry keeps the artifact of a run."""
    for info in (fixture.settings.home / "artifacts").rglob(INFO_FILE):
        if run_id in info.read_text():
            return info.parents[1] if info.parent.name == "extra_files" else info.parent
    raise AssertionError(f"no artifact of run {run_id}")


def _spoil_disk(fixture: Fixture, row: Row, other: Registered, leads: Registered, source_class: type[RegistrySource]) -> None:
    """Spoil what this machine keeps, one after the other, while the registry is away."""
    away = fixture.settings.model_copy(update={"tracking_uri": "http://127.0.0.1:1"})
    source = source_class(away, fixture.contract)
    version, run = leads.version, leads.run_id
    bundle, folder = bundle_file(away, fixture.contract, version, run), artifact_folder(away, version, run)
    served = source_class(fixture.settings, fixture.contract)
    served.load(other.version)
    probe = next(iter(simulate(fixture.contract, 1, 9).features.astype(object).to_numpy().tolist()))
    right = served.load(version).scorer.one(probe)
    spoiled: dict[str, Callable[[], object]] = {
        "bundle truncated": lambda: bundle.write_bytes(bundle.read_bytes()[:-50]),
        "bundle emptied": lambda: bundle.write_bytes(b""),
        "bundle of another version": lambda: shutil.copyfile(
            bundle_file(away, fixture.contract, other.version, other.run_id), bundle
        ),
    }
    for name, spoil in spoiled.items():
        row.faults += 1
        row.made += 1
        spoil()
        back = source.load_last_known_good(True)
        row.expect(f"{name}: made anew", back is not None and back.version == version and back.scorer.one(probe) == right)
    row.faults += 1
    row.made += 1
    bundle.unlink()
    _flip(folder, folder)
    try:
        source.load_last_known_good(True)
        row.expect("folder with a bit flipped, and no bundle: refused", False)
    except ModelRefused as error:
        row.expect("folder with a bit flipped: told", "not the one that was registered" in str(error))
    with suppress(ModelRefused):  # the folder here, which is thrown away
        served.load(version)
    row.expect("the registry is back: fetched anew", served.load(version).version == version)
