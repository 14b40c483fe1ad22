"""A model's reference as the monitor needs it, made once for each version and kept: looks do not read the training rows again."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import joblib
import pandas as pd

from churn.atomic_write import atomic_write
from churn.code_digest import package_digest
from churn.contract import Contract
from monitoring.drift.columns import as_served
from monitoring.drift.profile import ReferenceProfile

# Of more rows so many are kept for pictures.
SAMPLE_ROWS = 5_000
SEED = 20_260_101
# Versions whose summary is kept: the newest.
MAX_KEPT = 10
# What was made by other code is made anew.
PACKAGES = ("monitoring.drift",)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reference:
    """What a version was trained on, summed up.

    Attributes
    ----------
    profile : ReferenceProfile
        Of its customers, with the answers of the model that is served. Thresholds that a look calibrates stay in it.
    outcomes : pandas.DataFrame, shape (n, 2)
        Columns churn_probability (out-of-fold) and churned, of all rows.
    sample : pandas.DataFrame, shape (at most 5,000, m)
        Whole rows, for pictures.
    """

    profile: ReferenceProfile
    outcomes: pd.DataFrame
    sample: pd.DataFrame

    @classmethod
    def of(cls, rows: pd.DataFrame, contract: Contract) -> Reference:
        """Sum up the rows that `Registry.reference` gives."""
        sample = rows.sample(SAMPLE_ROWS, random_state=SEED) if len(rows) > SAMPLE_ROWS else rows
        outcomes = rows[["churn_probability", "churned"]].reset_index(drop=True)
        return cls(ReferenceProfile.of(as_served(rows), contract), outcomes, sample.reset_index(drop=True))


def load_reference(folder: Path, identity: str, contract: Contract, read: Callable[[], pd.DataFrame]) -> Reference:
    """Give the reference that was kept, or make it.

    Parameters
    ----------
    folder : Path
        Where they are kept. They are pickles, and run what is in them: one that another account could have written is not read.
    identity : str
        Of the model version; never the same for two of them.
    read : function
        Reads the rows, where there is nothing kept (or nothing that can be read).
    """
    path = _place(folder, identity, contract)
    try:
        kept = joblib.load(path) if _is_ours(path) else None
    except FileNotFoundError:
        kept = None
    except Exception as error:  # noqa: BLE001 - a pickle can fail in any way, and is made anew
        logger.warning("%s cannot be read, and is made anew: %s", path, error)
        kept = None
    if isinstance(kept, Reference):
        return kept
    made = Reference.of(read(), contract)
    keep_reference(folder, identity, contract, made)
    return made


def keep_reference(folder: Path, identity: str, contract: Contract, reference: Reference) -> None:
    """Keep a reference, with the thresholds that were calibrated since. It is whole or not there; a full disk is no error."""
    path = _place(folder, identity, contract)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as staging:
            joblib.dump(reference, staging)
        for old in sorted(folder.glob("*.joblib"), key=lambda kept: -kept.stat().st_mtime)[MAX_KEPT:]:
            old.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s cannot be written, and is made again next time: %s", path, error)


def _is_ours(path: Path) -> bool:
    """Tell whether only this account can have written a file: it owns it and its folder, and lets nobody else write there."""
    for one in (path, path.parent):
        known = one.lstat()
        if stat.S_ISLNK(known.st_mode) or known.st_uid != os.geteuid() or known.st_mode & stat.S_IWOTH:
            logger.warning("%s may be written by others, and is not read: it is made anew", one)
            return False
    return True


def _place(folder: Path, identity: str, contract: Contract) -> Path:
    said = [identity, contract.model_dump_json(), package_digest(*PACKAGES)]
    digest = hashlib.sha256("\x1f".join(said).encode()).hexdigest()
    return folder / f"{digest[:32]}.joblib"
