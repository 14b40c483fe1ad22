"""A model's artifact as a folder on disk: its files, what is loaded from them and what is refused, and the last known good one.

The folder holds the pipeline as skops, `model.json` (its `ModelInfo`), `reference.parquet` and, since there are cards, `card.md`.
No registry is asked here.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
import zlib
from pathlib import Path

import pandas as pd
from sklearn.pipeline import Pipeline

from churn.card import number_card
from churn.errors import ModelRefused
from churn.model import Model, ModelInfo
from churn.settings import Settings

# The server's own list: what an artifact says of itself is not asked. Everything else in it is refused.
TRUSTED_TYPES = ["churn.features.LinearTerms", "numpy.dtype"]
INFO_FILE, REFERENCE_FILE, PIPELINE_FILE, CARD_FILE = "model.json", "reference.parquet", "model.skops", "card.md"
# A broken archive can fail anywhere in zipfile, zlib, numpy, json, skops or an estimator; all of it means the same here.
UNREADABLE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
    *(ValueError, TypeError, LookupError, AttributeError, ImportError, ArithmeticError, MemoryError, RuntimeError),
)


def load_folder(folder: Path, version: str) -> Model:
    """Load a model from its artifact folder. Nothing is unpickled; ModelRefused if anything is not as it must be."""
    import skops.io  # here, because who only asks for versions or references should not wait for it

    try:
        info = ModelInfo.model_validate_json(_find(folder, INFO_FILE).read_text())
        file = _find(folder, PIPELINE_FILE)
        foreign = set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED_TYPES)
        if foreign:
            raise ModelRefused(f"version {version} holds types that are not trusted: {', '.join(sorted(foreign))}")
        pipeline = skops.io.load(file, trusted=TRUSTED_TYPES)
        card = next((found.read_text("utf-8") for found in folder.rglob(CARD_FILE)), "")
    except UNREADABLE as error:
        raise ModelRefused(f"version {version} cannot be loaded: {_one_line(error)}") from error
    if not isinstance(pipeline, Pipeline):
        raise ModelRefused(f"version {version} is no pipeline but a {type(pipeline).__name__}")
    info = info.model_copy(update={"version": version})
    return Model(pipeline, info, number_card(card, info))


def read_reference(folder: Path, version: str) -> pd.DataFrame:
    """Read what a model was trained on; ModelRefused if it cannot be read."""
    try:
        return pd.read_parquet(_find(folder, REFERENCE_FILE))
    except UNREADABLE as error:
        raise ModelRefused(f"the reference of version {version} cannot be read: {_one_line(error)}") from error


def remember(settings: Settings, model: Model) -> None:
    """Make `model` the last known good one, for a start while the registry is away."""
    pointer = _pointer(settings)
    pointer.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: several workers of one service remember at the same time.
    with tempfile.NamedTemporaryFile("w", dir=pointer.parent, prefix=".last-", delete=False) as staging:
        json.dump({"version": model.info.version, "run_id": model.info.run_id}, staging)
    Path(staging.name).replace(pointer)


def last_known_good(settings: Settings) -> Model | None:
    """Load the last model that served, from disk alone; None if none ever did."""
    pointer = _pointer(settings)
    try:
        said = json.loads(pointer.read_text())
        version, run_id = str(said["version"]), str(said["run_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return load_folder(pointer.parent / f"{version}-{run_id}", version)


def _pointer(settings: Settings) -> Path:
    return settings.home / "models" / settings.model_name / "last-known-good.json"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _find(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name))
    if not found:
        raise FileNotFoundError(f"{name} is missing in the artifact")
    return found[0]
