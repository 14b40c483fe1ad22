"""Serialize a pipeline to bytes that depend on nothing but the pipeline: the same model is the same file."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from churn.registry.trusted_types import prepare_skops

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

SCHEMA = "schema.json"
EPOCH = (1980, 1, 1, 0, 0, 0)


def dump_pipeline(pipeline: Pipeline) -> bytes:
    """Return a pipeline in skops' format, with fixed names and times in place of those that skops makes up each time.

    skops names arrays by random UUIDs, objects by their address in memory, and zip members carry the time of writing.

    Examples
    --------
    >>> from churn.modeling.model import build_pipeline
    >>> dump_pipeline(build_pipeline(1)) == dump_pipeline(build_pipeline(1))
    True
    """
    prepare_skops()
    import skops.io

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(pipeline))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop(SCHEMA))
    files, objects = _Names(), _Names()
    schema = _renamed(schema, files, objects)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(SCHEMA, EPOCH), json.dumps(schema, indent=2))
        for old, new in files.given.items():
            archive.writestr(zipfile.ZipInfo(f"{new}.npy", EPOCH), members[old])
    return content.getvalue()


class _Names:
    """Numbers for things, in the order they are first asked for."""

    def __init__(self) -> None:
        self.given: dict[Any, int] = {}

    def __call__(self, name: Any) -> int:
        return self.given.setdefault(name, len(self.given))


def _renamed(node: Any, files: _Names, objects: _Names) -> Any:
    if isinstance(node, list):
        return [_renamed(item, files, objects) for item in node]
    if not isinstance(node, dict):
        return node
    renamed: dict[str, Any] = {}
    for key, value in node.items():
        if key == "__id__":
            renamed[key] = objects(value)
        elif key == "file":
            renamed[key] = f"{files(value)}.npy"
        else:
            renamed[key] = _renamed(value, files, objects)
    return renamed
