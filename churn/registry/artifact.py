"""A model's artifact as a folder on disk: its files, what is loaded from them and what is refused, and the last known good one.

The folder holds the pipeline as skops, `model.json` (its `ModelInfo`), `reference.parquet` and, since there are cards, `card.md`.
No registry is asked here. What takes long to import is imported by the functions that load: a server only asks which was last.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from churn.atomic_write import PRIVATE, atomic_write
from churn.config.settings import Settings
from churn.errors import ModelRefused
from churn.model_card.card import number_card
from churn.modeling.model_info import ModelInfo
from churn.one_line import one_line

if TYPE_CHECKING:
    import pandas as pd

    from churn.modeling.model import Model

# The server's own list: what an artifact says of itself is not asked. Everything else in it is refused.
TRUSTED_TYPES = ["churn.modeling.features.LinearTerms", "numpy.dtype"]
INFO_FILE, REFERENCE_FILE, PIPELINE_FILE, CARD_FILE = "model.json", "reference.parquet", "model.skops", "card.md"
# MLflow's own description, with the signature.
MLMODEL_FILE = "MLmodel"
# The digest of the folder as it was registered.
SEAL_FILE = "registered.sha256"
# Of a text in an artifact, and of what a pipeline unpacks to. Ours take some hundred kilobytes.
MAX_TEXT_BYTES, MAX_PIPELINE_BYTES, MAX_PIPELINE_PARTS = 16 * 2**20, 512 * 2**20, 10_000
# A broken archive can fail anywhere in zipfile, zlib, numpy, json, skops or an estimator; all of it means the same here.
UNREADABLE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
    *(ValueError, TypeError, LookupError, AttributeError, ImportError, ArithmeticError, MemoryError, RuntimeError),
)


class Informed(Protocol):
    """Anything that knows which model it is."""

    @property
    def info(self) -> ModelInfo:
        """What is known of the model."""


def load_folder(folder: Path, version: str) -> Model:
    """Load a model from its artifact folder. Nothing is unpickled; ModelRefused if anything is not as it must be."""
    import skops.io
    from sklearn.pipeline import Pipeline

    from churn.modeling.model import Model

    try:
        info = ModelInfo.model_validate_json(read_text(folder, INFO_FILE))
        file = _find(folder, PIPELINE_FILE)
        _refuse_bomb(file)
        foreign = set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED_TYPES)
        if foreign:
            raise ModelRefused(f"version {version} holds types that are not trusted: {', '.join(sorted(foreign))}")
        pipeline = skops.io.load(file, trusted=TRUSTED_TYPES)
        card = read_text(folder, CARD_FILE) if any(folder.rglob(CARD_FILE)) else ""
    except UNREADABLE as error:
        raise ModelRefused(f"version {version} cannot be loaded: {one_line(error)}") from error
    if not isinstance(pipeline, Pipeline):
        raise ModelRefused(f"version {version} is no pipeline but a {type(pipeline).__name__}")
    info = info.model_copy(update={"version": version})
    return Model(pipeline, info, number_card(card, info))


def read_reference(folder: Path, version: str) -> pd.DataFrame:
    """Read what a model was trained on; ModelRefused if it cannot be read."""
    import pandas as pd

    try:
        return pd.read_parquet(_find(folder, REFERENCE_FILE))
    except UNREADABLE as error:
        raise ModelRefused(f"the reference of version {version} cannot be read: {one_line(error)}") from error


def read_text(folder: Path, name: str) -> str:
    """Read a text of an artifact. FileNotFoundError if it is not there, ValueError if it is no plain file or too large."""
    file = _find(folder, name)
    if file.stat().st_size > MAX_TEXT_BYTES:
        raise ValueError(f"{name} is larger than {MAX_TEXT_BYTES >> 20} MiB")
    return file.read_text("utf-8")


def digest_folder(folder: Path) -> str:
    """Digest the files of an artifact that are read: SHA-256, hexadecimal. ModelRefused if one cannot be read.

    Other files lie beside them, such as what MLflow notes on each download.
    """
    digest = hashlib.sha256()
    try:
        for name in sorted((INFO_FILE, REFERENCE_FILE, PIPELINE_FILE, CARD_FILE, MLMODEL_FILE)):
            if any(folder.rglob(name)):
                with _find(folder, name).open("rb") as content:
                    digest.update(f"{name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    except (OSError, ValueError) as error:
        raise ModelRefused(f"the artifact in {folder} cannot be read: {one_line(error)}") from error
    return digest.hexdigest()


def seal(folder: Path, version: str, promised: str) -> None:
    """Hold a folder against the digest that was registered, and note that beside the files, for a start without a registry.

    Raises
    ------
    ModelRefused
        If it holds something else.
    """
    if digest_folder(folder) != promised:
        raise ModelRefused(f"the artifact of version {version} is not the one that was registered: its hash differs")
    noted = folder / SEAL_FILE
    if not noted.exists():
        noted.write_text(promised)


def remember(settings: Settings, model: Informed) -> None:
    """Make `model` the last known good one, for a start while the registry is away."""
    pointer = _pointer(settings)
    pointer.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(pointer, mode=PRIVATE) as staging:
        staging.write_text(json.dumps({"version": model.info.version, "run_id": model.info.run_id}))


def last_known(settings: Settings) -> tuple[str, str] | None:
    """Tell the version and the run of the last model that served; None if none ever did."""
    try:
        said = json.loads(_pointer(settings).read_text())
        return str(said["version"]), str(said["run_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def last_known_good(settings: Settings) -> Model | None:
    """Load the last model that served, from disk alone; None if none ever did."""
    known = last_known(settings)
    if known is None:
        return None
    folder = artifact_folder(settings, *known)
    noted = folder / SEAL_FILE
    if noted.is_file():
        seal(folder, known[0], noted.read_text())
    return load_folder(folder, known[0])


def artifact_folder(settings: Settings, version: str, run_id: str) -> Path:
    """Say where a fetched artifact lies. Its name holds the run: another registry's version of this number is another model."""
    return models_folder(settings) / f"{as_file_name(version)}-{as_file_name(run_id)}"


def as_file_name(said: str) -> str:
    """Make a part of a file's name of what the registry said: a number or an id that comes from elsewhere is no path.

    Examples
    --------
    >>> as_file_name("4bf92f"), as_file_name("/../../etc")
    ('4bf92f', '_______etc')
    """
    return re.sub(r"[^A-Za-z0-9-]", "_", said)


def models_folder(settings: Settings) -> Path:
    """Say where models lie on disk."""
    return settings.home / "models" / settings.model_name


def _pointer(settings: Settings) -> Path:
    return models_folder(settings) / "last-known-good.json"


def _find(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name))
    if not found:
        raise FileNotFoundError(f"{name} is missing in the artifact")
    # A link may lead to any file of this machine, and what is read of a pipe never ends.
    if found[0].is_symlink() or not found[0].is_file() or not found[0].resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name} is no plain file of the artifact")
    return found[0]


def _refuse_bomb(file: Path) -> None:
    """Raise ValueError if a pipeline would unpack to more than it may. (No part can give more than the archive says of it.)"""
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
    if len(parts) > MAX_PIPELINE_PARTS or sum(part.file_size for part in parts) > MAX_PIPELINE_BYTES:
        raise ValueError(f"{file.name} unpacks to more than {MAX_PIPELINE_BYTES >> 20} MiB or {MAX_PIPELINE_PARTS} parts")
