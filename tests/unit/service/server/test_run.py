from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import service.app
from churn.errors import InputError
from service.server import run as module
from service.server.run import allow_many_connections, check_settings, run, served_app, shared_metrics
from tests.unit.service.fakes import KEYS, make_settings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "churn.example"])  # noqa: S104
def test_open_address_without_keys_is_refused_before_anything_starts(tmp_path: Path, host: str) -> None:
    with pytest.raises(InputError, match="CHURN_API_KEYS") as caught:
        run(make_settings(tmp_path / "home", host=host))
    assert caught.value.exit_code == 2
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(("host", "keys"), [("127.0.0.1", ""), ("::1", ""), ("localhost", ""), ("0.0.0.0", KEYS)])  # noqa: S104
def test_loopback_or_keys_are_enough(tmp_path: Path, host: str, keys: str) -> None:
    check_settings(make_settings(tmp_path, host=host, api_keys=keys))


def test_malformed_settings_are_refused_before_anything_starts(tmp_path: Path) -> None:
    for changes, words in (
        ({"api_keys": "nonsense"}, "CHURN_API_KEYS"),
        ({"contract": "nowhere.yaml"}, "nowhere.yaml"),
    ):
        with pytest.raises(InputError, match=words):
            run(make_settings(tmp_path / "home", **changes))
    with pytest.raises(InputError, match="workers"):
        run(make_settings(tmp_path / "home"), workers=0)
    assert not (tmp_path / "home").exists()


def test_workers_share_a_fresh_folder_that_goes_away(tmp_path: Path) -> None:
    with shared_metrics(make_settings(tmp_path)):
        folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        assert folder.parent == tmp_path
        assert list(folder.iterdir()) == []
    assert not folder.exists()
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ


def test_a_worker_loads_arrow_and_parquet_before_its_first_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    for name in ("keep_little_memory", "load_columnar_formats", "freeze_startup_objects"):
        monkeypatch.setattr(module, name, lambda name=name: called.append(name))
    monkeypatch.setattr(module, "_drain_on_sigterm", lambda _state: called.append("drain"))
    monkeypatch.setattr(service.app, "create_app", lambda _settings, on_start: on_start(None))
    served_app(make_settings(tmp_path))
    assert called == ["keep_little_memory", "load_columnar_formats", "freeze_startup_objects", "drain"]


def test_what_reads_arrow_and_parquet_needs_no_pandas() -> None:
    script = "import sys; from service.server.run import load_columnar_formats; load_columnar_formats()\n"
    script += "import pyarrow; print(pyarrow.default_memory_pool().backend_name)\n"
    script += "print(sorted({'pandas', 'pyarrow.parquet'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "system\n['pyarrow.parquet']\n"


@pytest.mark.parametrize(
    ("soft", "hard", "asked", "warned"),
    [
        (1_024, 524_288, 65_536, False),
        (1_024, resource.RLIM_INFINITY, 65_536, False),
        (1_024, 20_000, 20_000, False),
        (1_024, 1_024, None, True),
        (1_024, 2_048, 2_048, True),
        (100_000, 100_000, None, False),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, False),
    ],
)
def test_as_many_files_may_be_open_as_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, soft: int, hard: int, asked: int | None, warned: bool
) -> None:
    wanted: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: wanted.append(limits))
    allow_many_connections()
    assert wanted == ([] if asked is None else [(asked, hard)])
    assert [record.getMessage().startswith(f"only {asked or soft} files") for record in caplog.records] == [True] * warned
