"""Other accounts of the same machine: they read nothing of ours, and nothing that they could have written is run."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from churn.config.settings import Settings
from churn.contract import Contract
from churn.simulation.simulate import simulate
from churn.store.store import Store
from monitoring.reference_cache import load_reference
from pipelines.environment import prepare_environment
from pipelines.local.supervisor import Program, Supervisor
from tests.checkout import CHECKOUT


@pytest.fixture
def usual_umask(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        monkeypatch.setenv(name, os.environ[name])  # what is set in the test is taken back after it
    # Another test of this process may have named a folder of its own.
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    kept, environment = os.umask(0o022), dict(os.environ)
    yield
    os.umask(kept)
    os.environ.clear()
    os.environ.update(environment)


def others_may(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) & 0o007


@pytest.mark.usefixtures("usual_umask")
def test_a_new_home_and_what_lies_in_it_are_for_its_account(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    prepare_environment(settings)
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
    Store.open(settings.store_url).close()
    (settings.home / "any.log").write_text("x")
    found = list(settings.home.rglob("*"))
    assert {"store.db", "any.log", "prefect"} <= {path.name for path in found}
    assert [path for path in found if others_may(path)] == []


@pytest.mark.usefixtures("usual_umask")
def test_a_home_that_was_there_keeps_its_rights_for_the_group(tmp_path: Path) -> None:
    # A volume of a container is shared by group: what it allows is whoever made it to say.
    home = tmp_path / "volume"
    home.mkdir()
    home.chmod(0o2770)
    prepare_environment(Settings(home=home))
    assert stat.S_IMODE(home.stat().st_mode) == 0o2770
    (home / "file").write_text("x")
    assert stat.S_IMODE((home / "file").stat().st_mode) == 0o640


@pytest.mark.usefixtures("usual_umask")
def test_programs_of_churn_up_are_told_no_secret_that_is_not_theirs_and_write_for_us_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_STORE_URL", "postgresql://u:s3cret@db/churn")
    monkeypatch.setenv("CHURN_OTHER", "kept")
    prepare_environment(Settings(home=tmp_path / "home"))
    said = tmp_path / "home" / "said"
    code = f"import os,time; open({str(said)!r}, 'w').write(repr(dict(os.environ))); time.sleep(60)"
    program = Program("one", (sys.executable, "-c", code), said.exists, hidden=("CHURN_STORE_URL", "CHURN_API_KEYS"))
    with Supervisor([program], tmp_path / "home") as supervisor:
        supervisor.start("one")
        run = supervisor._run
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        assert run.stat().st_uid == os.geteuid()
    text = said.read_text()
    assert "s3cret" not in text
    assert "'CHURN_OTHER': 'kept'" in text
    assert others_may(said) == others_may(supervisor.log("one")) == 0


def test_a_reference_that_others_could_have_written_is_not_read(tmp_path: Path, contract: Contract) -> None:
    population = simulate(contract, 200, 3)
    rows = population.features.assign(churn_probability=0.1, churned=0)
    made: list[pd.DataFrame] = []

    def read() -> pd.DataFrame:
        made.append(rows)
        return rows

    folder = tmp_path / "references"
    load_reference(folder, "one", contract, read)
    load_reference(folder, "one", contract, read)
    assert len(made) == 1
    (kept,) = folder.glob("*.reference")
    good = kept.read_bytes()
    for spoil in (lambda: kept.chmod(0o646), lambda: folder.chmod(0o777), lambda: linked(kept)):
        mode, folder_mode, already = kept.stat().st_mode, folder.stat().st_mode, len(made)
        spoil()
        load_reference(folder, "one", contract, read)
        assert len(made) == already + 1
        kept.unlink()
        kept.write_bytes(good)
        kept.chmod(mode)
        folder.chmod(folder_mode)
        load_reference(folder, "one", contract, read)
        assert len(made) == already + 1, "the same file is read where only this account can write"


def linked(kept: Path) -> None:
    kept.rename(kept.with_suffix(".evil"))
    kept.symlink_to(kept.with_suffix(".evil"))


def test_no_code_of_ours_takes_a_fixed_name_in_a_folder_that_all_may_write() -> None:
    tree = CHECKOUT
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--quiet",
            "--select",
            "S108,S306",
            *("churn", "service", "pipelines", "monitoring"),
        ],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.usefixtures("usual_umask")
def test_prefect_lets_no_page_of_elsewhere_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    prepare_environment(Settings(home=tmp_path / "home", prefect_port=4321))
    code = "from prefect.settings import get_current_settings as s; print(s().server.api.cors_allowed_origins)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "http://127.0.0.1:4321,http://localhost:4321"
