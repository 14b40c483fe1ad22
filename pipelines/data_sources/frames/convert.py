"""Have a published frame read in a child process, and hold what comes out against its hash."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from churn.errors import InputError
from pipelines.data_sources.frames.__main__ import MAX_BYTES

# A child takes .2 s; on a machine that is busy many times as long. What hangs longer is given up.
MAX_SECONDS = 120
# The folder that holds our packages.
IMPORT_PATH = Path(__file__).parents[3]


@dataclass(frozen=True)
class PublishedFrame:
    """A frame in a package, and the CSV that its first rows become.

    Attributes
    ----------
    member : str
        Path of the file in the wheel: a pickled frame under xz.
    sha256 : str
        Of that file.
    rows : int
        How many, from the top. What is below them never leaves the child.
    headings : dict of str to str
        Heading in the CSV by column of the frame, in the order of the CSV.
    levels : dict of str to dict
        By column: how each of its texts is spelled in the CSV.
    csv_md5 : str
        Of the CSV.
    """

    member: str
    sha256: str
    rows: int
    headings: dict[str, str]
    csv_md5: str
    levels: dict[str, dict[str, str]] = field(default_factory=dict)


def convert(frame: PublishedFrame, packed: bytes) -> bytes:
    """Return the CSV of a published frame.

    Parameters
    ----------
    frame : PublishedFrame
    packed : bytes
        What was found as its member.

    Returns
    -------
    bytes
        Exactly those that `csv_md5` pins.

    Raises
    ------
    InputError
        If the member, or what becomes of it, is not what is pinned. If it cannot be read within the child's limits.
    """
    found = hashlib.sha256(packed).hexdigest()
    if found != frame.sha256:
        raise InputError(f"{frame.member}: its sha256 is {found}, not the pinned {frame.sha256}; it is not read")
    content = read_in_child(frame, packed)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 != frame.csv_md5:
        raise InputError(f"{frame.member}: the md5 of its customers is {md5}, not the pinned {frame.csv_md5}; they are not used")
    return content


def read_in_child(frame: PublishedFrame, packed: bytes) -> bytes:
    """Return the CSV that a child process makes of a frame, whatever the bytes are.

    Parameters
    ----------
    frame : PublishedFrame
        Its hashes are not looked at.
    packed : bytes

    Returns
    -------
    bytes
        At most `MAX_BYTES` and a header.

    Raises
    ------
    InputError
        If the child refuses it, or needs too much memory or time.
    """
    request = json.dumps({"rows": frame.rows, "headings": frame.headings, "levels": frame.levels})
    # Nothing of this process's environment but how its Python finds its own libraries.
    environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as made, tempfile.TemporaryFile() as said:
        given.write(packed)
        given.seek(0)
        try:
            ended = subprocess.run(  # noqa: S603 -- our own interpreter and module
                [sys.executable, "-P", "-s", "-m", "pipelines.data_sources.frames", request],
                stdin=given,
                stdout=made,
                stderr=said,
                env=environment | {"PYTHONPATH": str(IMPORT_PATH), "PYTHONDONTWRITEBYTECODE": "1"},
                timeout=MAX_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise InputError(f"{frame.member}: not read within {MAX_SECONDS} s") from error
        if ended != 0:
            said.seek(0)
            lines = said.read(2_000).decode(errors="replace").strip().splitlines() or [f"its reader ended with {ended}"]
            raise InputError(f"{frame.member}: cannot be read ({lines[-1]})")
        made.seek(0)
        return made.read(2 * MAX_BYTES)
