"""A model's artifact as a folder on disk: its files, what is loaded from them, and what is refused.

The folder holds the pipeline as skops, `model.json` (its `ModelInfo`), `reference.parquet` and `card.md`. No registry is asked
here. What takes long to import is imported by the functions that load it.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from churn.config.settings import Settings
from churn.errors import ModelRefused
from churn.model_card.card import number_card
from churn.modeling.model_info import ModelInfo
from churn.one_line import one_line
from churn.registry.trusted_types import TRUSTED_TYPES, prepare_skops

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from churn.modeling.model import Model

INFO_FILE, REFERENCE_FILE, PIPELINE_FILE, CARD_FILE = "model.json", "reference.parquet", "model.skops", "card.md"
# MLflow's own description, with the signature.
MLMODEL_FILE = "MLmodel"
# The pipeline as it was evaluated, where it was fitted anew since; its digest is in `model.json`.
EVALUATED_FILE = "evaluated.skops"
# What a served model is read from, at any depth, and what its digest is of.
READ_FILES = frozenset({INFO_FILE, REFERENCE_FILE, PIPELINE_FILE, CARD_FILE, MLMODEL_FILE})
# The rest of an artifact is not downloaded.
FETCHED_FILES = READ_FILES | {EVALUATED_FILE}
# Holds the digest of the folder as it was registered.
SEAL_FILE = "registered.sha256"
# Of a text in an artifact, and of an unpacked pipeline. Real ones take some hundred kilobytes.
MAX_TEXT_BYTES, MAX_PIPELINE_BYTES, MAX_PIPELINE_PARTS = 16 * 2**20, 512 * 2**20, 10_000
# A broken archive can fail anywhere in zipfile, zlib, numpy, json, skops or an estimator.
UNREADABLE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
    *(ValueError, TypeError, LookupError, AttributeError, ImportError, ArithmeticError, MemoryError, RuntimeError),
)


def load_folder(folder: Path, version: str, *, judged: bool = False) -> Model:
    """Load a model from its artifact folder. Nothing is unpickled.

    Parameters
    ----------
    folder : pathlib.Path
    version : str
        The version that it is.
    judged : bool
        Load it as it was evaluated, too: see `Model.judged`.

    Returns
    -------
    Model

    Raises
    ------
    ModelRefused
        If it cannot be read, holds types that are not trusted, or is too large.
    """
    from churn.modeling.model import Model

    evaluated = None
    try:
        info = ModelInfo.model_validate_json(read_text(folder, INFO_FILE))
        pipeline = _load_pipeline(_find(folder, PIPELINE_FILE), version)
        if judged and info.refitted_on:
            file = _find(folder, EVALUATED_FILE)
            if hashlib.sha256(file.read_bytes()).hexdigest() != info.evaluated_digest:
                raise ModelRefused(f"version {version} as it was evaluated is not what was registered: its hash differs")
            evaluated = _load_pipeline(file, version)
        card = read_text(folder, CARD_FILE) if any(folder.rglob(CARD_FILE)) else ""
    except UNREADABLE as error:
        raise ModelRefused(f"version {version} cannot be loaded: {one_line(error)}") from error
    info = info.model_copy(update={"version": version})
    return Model(pipeline, info, number_card(card, info), evaluated)


def _load_pipeline(file: Path, version: str) -> Pipeline:
    """Load a pipeline of trusted types. Raise ModelRefused, or one of `UNREADABLE`."""
    prepare_skops()
    import skops.io
    from sklearn.pipeline import Pipeline

    _refuse_bomb(file)
    foreign = set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED_TYPES)
    if foreign:
        raise ModelRefused(f"version {version} holds types that are not trusted: {', '.join(sorted(foreign))}")
    pipeline = skops.io.load(file, trusted=TRUSTED_TYPES)
    if not isinstance(pipeline, Pipeline):
        raise ModelRefused(f"version {version} is no pipeline but a {type(pipeline).__name__}")
    return pipeline


def read_reference(folder: Path, version: str) -> pd.DataFrame:
    """Read what a model was trained on, for drift.

    Parameters
    ----------
    folder : pathlib.Path
    version : str
        The version that it is, for the message.

    Returns
    -------
    pandas.DataFrame
        As `Trained.reference`.

    Raises
    ------
    ModelRefused
        If it cannot be read.
    """
    import pandas as pd

    try:
        return pd.read_parquet(_find(folder, REFERENCE_FILE))
    except UNREADABLE as error:
        raise ModelRefused(f"the reference of version {version} cannot be read: {one_line(error)}") from error


def read_text(folder: Path, name: str) -> str:
    """Read a text file of an artifact.

    Parameters
    ----------
    folder : pathlib.Path
    name : str
        The file's name, at any depth.

    Returns
    -------
    str

    Raises
    ------
    FileNotFoundError
        If it is not there.
    ValueError
        If it is no plain file, or too large.
    """
    file = _find(folder, name)
    if file.stat().st_size > MAX_TEXT_BYTES:
        raise ValueError(f"{name} is larger than {MAX_TEXT_BYTES >> 20} MiB")
    return file.read_text("utf-8")


def digest_folder(folder: Path) -> str:
    """Return the SHA-256 digest, hexadecimal, of those files of an artifact that are read. Raise ModelRefused if one cannot be.

    Other files may lie beside them.
    """
    digest = hashlib.sha256()
    try:
        for name in sorted(READ_FILES):
            if any(folder.rglob(name)):
                with _find(folder, name).open("rb") as content:
                    digest.update(f"{name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    except (OSError, ValueError) as error:
        raise ModelRefused(f"the artifact in {folder} cannot be read: {one_line(error)}") from error
    return digest.hexdigest()


def seal(folder: Path, version: str, promised: str) -> None:
    """Check a folder against the digest that was registered, and write that into it, for a start without a registry.

    Parameters
    ----------
    folder : pathlib.Path
    version : str
        The version that it is, for the message.
    promised : str
        The digest of the registered artifact.

    Raises
    ------
    ModelRefused
        If the folder holds something else.
    """
    if digest_folder(folder) != promised:
        raise ModelRefused(f"the artifact of version {version} is not the one that was registered: its hash differs")
    noted = folder / SEAL_FILE
    if not noted.exists():
        noted.write_text(promised)


def artifact_folder(settings: Settings, version: str, run_id: str) -> Path:
    """Return where a downloaded artifact lies.

    Parameters
    ----------
    settings : Settings
    version : str
    run_id : str
        Of the version's run: another registry's version of this number is another model.

    Returns
    -------
    pathlib.Path
        It need not be there.
    """
    return models_folder(settings) / f"{as_file_name(version)}-{as_file_name(run_id)}"


def as_file_name(text: str) -> str:
    """Return a text from a registry as a part of a file's name: it must not become a path.

    Examples
    --------
    >>> as_file_name("4bf92f"), as_file_name("/../../etc")
    ('4bf92f', '_______etc')
    """
    return re.sub(r"[^A-Za-z0-9-]", "_", text)


def models_folder(settings: Settings) -> Path:
    """Return where models lie on disk."""
    return settings.home / "models" / settings.model_name


def _find(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name))
    if not found:
        raise FileNotFoundError(f"{name} is missing in the artifact")
    # A link may lead to any file of this machine, and a pipe may never end.
    if found[0].is_symlink() or not found[0].is_file() or not found[0].resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name} is no plain file of the artifact")
    return found[0]


def _refuse_bomb(file: Path) -> None:
    """Raise ValueError if a pipeline would unpack to too much. (No part can be larger than the archive says.)"""
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
    if len(parts) > MAX_PIPELINE_PARTS or sum(part.file_size for part in parts) > MAX_PIPELINE_BYTES:
        raise ValueError(f"{file.name} unpacks to more than {MAX_PIPELINE_BYTES >> 20} MiB or {MAX_PIPELINE_PARTS} parts")
