from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from churn.config.settings import Settings
from churn.errors import InputError
from pipelines.data_sources.source import (
    TELECOM_MD5,
    check_telecom,
    find_data,
    is_pinned,
    note_of,
    write_errors_named,
    write_pinned,
)

PINNED = Settings.model_fields["data"].default


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_pinned_customers_are_those_of_the_default() -> None:
    assert is_pinned(PINNED)
    assert not is_pinned(Path("other.csv"))


def test_what_was_brought_is_found_and_invented_customers_stand_in_for_it(folder: Path) -> None:
    settings = Settings(home=folder / "home", data=PINNED)
    with pytest.raises(InputError, match="no such file; bring it with: churn data pull"):
        find_data(settings)
    invented = folder / "home" / "data" / "simulated.csv"
    invented.parent.mkdir(parents=True)
    invented.touch()
    note_of(invented).touch()
    found = find_data(settings)
    assert (found.path, found.simulated, found.how) == (invented, True, f"{invented} is invented")
    PINNED.parent.mkdir(parents=True, exist_ok=True)
    PINNED.touch()
    found = find_data(settings)
    assert (found.path, found.simulated, found.how) == (PINNED, False, f"{PINNED} is there")


def test_nothing_stands_in_for_a_file_that_somebody_named(folder: Path) -> None:
    settings = Settings(home=folder / "home", data=folder / "named.csv")
    (folder / "home" / "data").mkdir(parents=True)
    (folder / "home" / "data" / "simulated.csv").touch()
    with pytest.raises(InputError, match=r"named.csv: no such file"):
        find_data(settings)
    (folder / "named.csv").touch()
    note_of(folder / "named.csv").touch()
    assert find_data(settings).simulated
    assert note_of(folder / "named.csv") == folder / "named.csv.simulated"


def test_other_bytes_than_the_pinned_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=f"x: its md5 is .*, not the pinned {TELECOM_MD5}; delete it and run: churn data pull"):
        check_telecom("x", b"other")
    with pytest.raises(InputError, match="; try another"):
        check_telecom("x", b"other", "try another")
    monkeypatch.setattr("pipelines.data_sources.source.TELECOM_MD5", hashlib.md5(b"right", usedforsecurity=False).hexdigest())
    check_telecom("x", b"right")


def test_checked_bytes_are_written_whole_and_leave_nothing_beside_them(folder: Path) -> None:
    target = folder / "data" / "customers.csv"
    for content in (b"first", b"second"):
        write_pinned(target, content)
        assert target.read_bytes() == content
    assert sorted(path.name for path in folder.rglob("*")) == ["customers.csv", "data"]


def test_a_file_that_cannot_be_written_is_named(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(InputError, match=r"customers.csv: cannot be written \("):
        write_pinned(folder / "file" / "customers.csv", b"x")
    with pytest.raises(InputError, match=r"^x: cannot be written \(odd\)$"), write_errors_named(Path("x")):
        raise OSError("odd")
    with pytest.raises(KeyError), write_errors_named(Path("x")):
        raise KeyError
