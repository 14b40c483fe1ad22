from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tools.images import index_access
from tools.images.index_access import build_secrets, indexes, render_pip, render_uv

INNER, OUTER = "https://packages.example/simple", "https://mirror.example/simple"


@pytest.fixture(autouse=True)
def _nobody_has_a_uv_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_access, "UV_FILES", ())


def test_without_any_configuration_nothing_is_passed() -> None:
    assert render_pip({}, {}) == ""
    assert render_uv({}, {}) == ""


@pytest.mark.parametrize(
    ("pip", "environment", "found"),
    [
        ({"index-url": INNER}, {}, (INNER, [])),
        ({"index-url": INNER}, {"UV_DEFAULT_INDEX": OUTER}, (OUTER, [])),
        ({"extra-index-url": f"{INNER} {OUTER}"}, {}, ("", [INNER, OUTER])),
        ({}, {"UV_INDEX": f"inner={INNER}"}, ("", [INNER])),
        # A name in a query is not the name of an index.
        ({"index-url": f"{INNER}?a=b"}, {}, (f"{INNER}?a=b", [])),
        # Folders of this machine are not there in a build.
        ({"index-url": "file:///srv/pypi", "extra-index-url": "/srv/more"}, {}, ("", [])),
    ],
)
def test_indexes_come_from_uv_first_then_from_pip(
    pip: dict[str, str], environment: dict[str, str], found: tuple[str, list[str]]
) -> None:
    assert indexes(pip, environment) == found


def test_pip_and_uv_are_told_the_same() -> None:
    pip = {"index-url": INNER, "extra-index-url": OUTER, "trusted-host": "packages.example", "find-links": "/srv"}
    assert render_pip(pip, {}).splitlines() == [
        "[global]",
        "trusted-host = packages.example",
        f"index-url = {INNER}",
        f"extra-index-url = {OUTER}",
    ]
    assert tomllib.loads(render_uv(pip, {})) == {"index": [{"url": OUTER}, {"url": INNER, "default": True}]}


def test_a_uv_file_is_passed_as_it_is_unless_a_variable_names_an_index(tmp_path: Path) -> None:
    file = tmp_path / "uv.toml"
    file.write_text("offline = false\n")
    named = {"UV_CONFIG_FILE": str(file)}
    assert render_uv({"index-url": INNER}, named) == "offline = false\n"
    assert INNER in render_uv({}, {**named, "UV_DEFAULT_INDEX": INNER})


def test_the_authorities_of_the_network_are_passed_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_access, "pip_configuration", lambda: {"index-url": INNER})
    mine = tmp_path / "mine.crt"
    mine.touch()
    options = build_secrets(tmp_path, {"REQUESTS_CA_BUNDLE": str(mine), "SSL_CERT_FILE": str(tmp_path / "gone.crt")})
    assert options == [
        f"--secret=id=authorities,src={mine}",
        f"--secret=id=pip,src={tmp_path / 'pip'}",
        f"--secret=id=uv,src={tmp_path / 'uv'}",
    ]
    assert INNER in (tmp_path / "uv").read_text()
