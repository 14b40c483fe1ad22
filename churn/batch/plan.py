"""What there is to score, and how it is cut: parts that do not depend on who makes them, each known by its fingerprint."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from churn.data.file_kind import check_folder, is_parquet
from churn.errors import InputError
from churn.one_line import one_line

# Row groups are put together to parts of about so many rows: small enough for many workers, large enough for few files.
PART_ROWS = 500_000
HIVE_MISSING = "__HIVE_DEFAULT_PARTITION__"
_FOOTER_TAIL = 8
_READERS = 8


@dataclass(frozen=True)
class Terms:
    """How a run treats what it meets.

    Attributes
    ----------
    invalid : {"stop", "skip"}
        What happens to customers whom the service would refuse: the run ends, or they are set apart with the reason.
    allow_absent : bool
        Whether a feature may have no column at all: it counts as missing in every row.
    """

    invalid: Literal["stop", "skip"] = "stop"
    allow_absent: bool = False


@dataclass(frozen=True)
class Part:
    """Some row groups of a Parquet file, or a whole CSV file.

    Attributes
    ----------
    path : str
        The file to read, absolute.
    name : str
        The same, relative to the input, for people.
    output : str
        Where its answers go, relative to the output folder.
    groups : (int, int) or None
        First row group and the one after the last; None: CSV.
    first_row : int
        Rows of the file before this part.
    rows : int
        0 where only reading tells, as in CSV.
    keys : dict
        Columns that the folders' names hold, `region=north/`; None where missing.
    size, mtime_ns : int
        Of the file: a worker that sees another one makes nothing.
    fingerprint : str
        Of these rows, this model and these terms.
    """

    path: str
    name: str
    output: str
    groups: tuple[int, int] | None
    first_row: int
    rows: int
    keys: dict[str, str | None]
    size: int
    mtime_ns: int
    fingerprint: str = ""

    def to_json(self) -> bytes:
        """Return it as JSON, for a worker."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: bytes) -> Part:
        """Read what `to_json` returned."""
        document = orjson.loads(text)
        groups = document["groups"]
        return cls(**document | {"groups": None if groups is None else tuple(groups)})


@dataclass(frozen=True)
class Plan:
    """All parts of an input, in its order.

    Attributes
    ----------
    source : Path
    files : int
    parts : list of Part
    """

    source: Path
    files: int
    parts: list[Part] = field(repr=False)

    @property
    def rows(self) -> int | None:
        """How many customers there are; None where only reading tells."""
        return None if any(part.groups is None for part in self.parts) else sum(part.rows for part in self.parts)

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits that stand for this input, this model and these terms."""
        return _digest([part.fingerprint for part in self.parts])


@dataclass(frozen=True)
class _File:
    path: Path
    name: str
    keys: dict[str, str | None]


def make_plan(source: Path, model_digest: str, terms: Terms) -> Plan:
    """Look at the input and cut it into parts.

    Parameters
    ----------
    source : Path
        A Parquet file, a CSV file, or a folder of Parquet files. In a folder, names that begin with `_` or `.` are left aside, as
        other readers do it, and folders may be named `column=value`.
    model_digest : str
        `ScoringModel.digest`.
    terms : Terms

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If there is nothing to score, or a file is none that can be read.
    """
    if source.is_file():
        files = [_File(source, source.name, {})]
    elif source.is_dir():
        files = sorted(_walk(source, source, {}, frozenset()), key=lambda file: file.name)
        if not files:
            raise InputError(f"{source}: holds no Parquet file")
    else:
        raise InputError(f"{source}: no such file or folder")
    with ThreadPoolExecutor(_READERS) as pool:
        parts = [part for found in pool.map(lambda file: _parts(file, model_digest, terms), files) for part in found]
    return Plan(source, len(files), parts)


def _walk(folder: Path, root: Path, keys: dict[str, str | None], above: frozenset[str]) -> Iterator[_File]:
    # A link may lead back up.
    if (place := os.path.realpath(folder)) in above:
        raise InputError(f"{folder}: leads back to a folder above it")
    check_folder(folder)
    for path in folder.iterdir():
        name = path.name
        if name.startswith(("_", ".")):
            continue
        if path.is_dir():
            column, equals, value = name.partition("=")
            here = {unquote(column): None if value == HIVE_MISSING else unquote(value)} if equals else {}
            yield from _walk(path, root, keys | here, above | {place})
        elif is_parquet(path):
            yield _File(path, str(path.relative_to(root)), keys)
        else:
            raise InputError(f"{path}: is no Parquet file; a folder to score holds nothing else (or names that begin with _)")


def _parts(file: _File, model_digest: str, terms: Terms) -> list[Part]:
    try:
        stat = file.path.stat()
        said: list[Any] = [file.name, stat.st_size, stat.st_mtime_ns, file.keys, model_digest, asdict(terms)]
        known: dict[str, Any] = {"path": str(file.path.absolute()), "name": file.name, "keys": file.keys}
        known |= {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        if not is_parquet(file.path):
            return [Part(**known, output=_output(file, 0), groups=None, first_row=0, rows=0, fingerprint=_digest(said))]
        said.append(_footer_digest(file.path))
        with pq.ParquetFile(file.path) as opened:
            sizes = [opened.metadata.row_group(group).num_rows for group in range(opened.num_row_groups)]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{file.path}: not readable as Parquet ({one_line(error, 200)})") from error
    parts = []
    for number, (groups, first_row, rows) in enumerate(_cut(sizes)):
        parts.append(
            Part(
                **known,
                output=_output(file, number),
                groups=groups,
                first_row=first_row,
                rows=rows,
                fingerprint=_digest([*said, groups]),
            )
        )
    return parts


def _cut(sizes: list[int]) -> Iterator[tuple[tuple[int, int], int, int]]:
    """Put row groups together: their range, the rows before them, and their rows. A file without any is one empty part."""
    start = before = rows = 0
    for group, size in enumerate(sizes):
        rows += size
        if rows >= PART_ROWS:
            yield (start, group + 1), before, rows
            start, before, rows = group + 1, before + rows, 0
    if rows or start == 0:
        yield (start, len(sizes)), before, rows


def _output(file: _File, number: int) -> str:
    # Numbered always: so no two parts have one name, whatever the files are called.
    return str(Path(file.name).with_name(f"{Path(file.name).stem}-{number:05d}.parquet"))


def _footer_digest(path: Path) -> str:
    """Digest a Parquet file's footer: where its pages lie, how large they are, and what is least and largest in them."""
    with path.open("rb") as opened:
        end = opened.seek(0, os.SEEK_END)
        opened.seek(max(end - _FOOTER_TAIL, 0))
        length = int.from_bytes(opened.read(4), "little")
        opened.seek(max(end - _FOOTER_TAIL - length, 0))
        return hashlib.sha256(opened.read(length)).hexdigest()


def _digest(said: Any) -> str:
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
