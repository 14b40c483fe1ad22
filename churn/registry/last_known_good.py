"""Last known good model: which version served last, for a start while the registry is away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from churn.atomic_write import PRIVATE, atomic_write
from churn.config.settings import Settings
from churn.modeling.model_info import ModelInfo
from churn.registry.artifact import SEAL_FILE, artifact_folder, load_folder, models_folder, seal

if TYPE_CHECKING:
    from churn.modeling.model import Model

FILE = "last-known-good.json"


class Identified(Protocol):
    """Anything that knows which model it is."""

    @property
    def info(self) -> ModelInfo:
        """What is known of the model."""


def save_last_known_good(settings: Settings, model: Identified) -> None:
    """Make a model the last known good one. Its artifact must be on disk already.

    Parameters
    ----------
    settings : Settings
    model : Identified
        A model, or what serves it.

    Raises
    ------
    OSError
        If it cannot be written; the one before stays.
    """
    pointer = _pointer(settings)
    pointer.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(pointer, mode=PRIVATE) as staging:
        staging.write_text(json.dumps({"version": model.info.version, "run_id": model.info.run_id}))


def last_known_version(settings: Settings) -> tuple[str, str] | None:
    """Return version and run of the last known good model; None if there is none."""
    try:
        found = json.loads(_pointer(settings).read_text())
        return str(found["version"]), str(found["run_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def load_last_known_good(settings: Settings) -> Model | None:
    """Load the last known good model from disk; None if there is none. Raise ModelRefused if it is not as it was registered."""
    known = last_known_version(settings)
    if known is None:
        return None
    folder = artifact_folder(settings, *known)
    digest = folder / SEAL_FILE
    if digest.is_file():
        seal(folder, known[0], digest.read_text())
    return load_folder(folder, known[0])


def _pointer(settings: Settings) -> Path:
    return models_folder(settings) / FILE
