"""References kept on disk, one file for each model version: monitoring runs do not read the training rows again."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from churn.atomic_write import atomic_write
from churn.code_digest import package_digest
from churn.config.params import SliceParams
from churn.contract import Contract
from churn.explain.segmenter import Segmenter
from monitoring.reference import Reference
from monitoring.reference_file import Unreadable, decode, encode

# Versions whose reference is kept: the newest.
MAX_KEPT = 10
# A file that other code made is made anew.
PACKAGES = ("monitoring", "churn.evaluation", "churn.explain", "churn.segments")
SUFFIX = ".reference"
logger = logging.getLogger(__name__)


def load_reference(
    folder: Path,
    identity: str,
    contract: Contract,
    read: Callable[[], pd.DataFrame],
    params: SliceParams | None = None,
    segmenter: Segmenter | None = None,
) -> Reference:
    """Return the reference that is kept, or make it.

    A file that is torn, that other code made, or that another account could have written is not used: it is made anew.

    Parameters
    ----------
    folder : Path
        Where references are kept.
    identity : str
        Of the model version; never the same for two of them.
    contract : Contract
        The description of a customer.
    read : function
        Reads the training rows; called only if the reference has to be made.
    params : SliceParams, optional
        The bands and sizes of slices; those of params.yaml by default.
    segmenter : Segmenter, optional
        Of this version, where it has segments.

    Returns
    -------
    Reference
        With the null distributions that earlier runs calibrated.
    """
    params = params or SliceParams()
    path = _path(folder, identity, contract, params)
    try:
        if _is_ours(path):
            return decode(path.read_bytes(), contract)
    except FileNotFoundError:
        pass
    except (OSError, Unreadable) as error:
        logger.warning("%s cannot be read, and is made anew: %s", path, error)
    made = Reference.of(read(), contract, params, segmenter)
    save_reference(folder, identity, contract, made)
    return made


def save_reference(folder: Path, identity: str, contract: Contract, reference: Reference) -> None:
    """Keep a reference, with the null distributions that were calibrated since.

    The file is whole or not there. A disk that is full or read-only is logged and nothing more: the reference is made again.

    Parameters
    ----------
    folder : Path
        Where references are kept; it is made.
    identity : str
        Of the model version.
    contract : Contract
        The description of a customer.
    reference : Reference
        What to keep.
    """
    path = _path(folder, identity, contract, reference.slicing.params)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as staging:
            staging.write_bytes(encode(reference))
        for old in sorted(folder.glob(f"*{SUFFIX}"), key=lambda kept: -kept.stat().st_mtime)[MAX_KEPT:]:
            old.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s cannot be written, and is made again next time: %s", path, error)


def _is_ours(path: Path) -> bool:
    """Return whether only this account can have written a file: it owns it and its folder, and nobody else may write there."""
    for one in (path, path.parent):
        known = one.lstat()
        if stat.S_ISLNK(known.st_mode) or known.st_uid != os.geteuid() or known.st_mode & stat.S_IWOTH:
            logger.warning("%s may be written by others, and is not read: it is made anew", one)
            return False
    return True


def _path(folder: Path, identity: str, contract: Contract, params: SliceParams) -> Path:
    parts = [identity, contract.model_dump_json(), params.model_dump_json(), package_digest(*PACKAGES)]
    return folder / f"{hashlib.sha256(chr(0x1F).join(parts).encode()).hexdigest()[:32]}{SUFFIX}"
