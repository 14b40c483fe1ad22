"""One number of params.yaml is changed, and not a byte beside it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from churn.config.params import load_params
from churn.config.params_file import write_param
from churn.errors import InputError

ACCEPTANCE = ("profit", "acceptance")
OURS = Path("params.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "profit:\n  acceptance: 0.3   # measured once\r\nseed: 4\n",
            "profit:\n  acceptance: 0.125   # measured once\r\nseed: 4\n",
        ),
        ("profit: {cost_of_offer: 5, acceptance: .3}", "profit: {cost_of_offer: 5, acceptance: 0.125}"),
        ("# für\nprofit:\n    acceptance:\n        0.3\n", "# für\nprofit:\n    acceptance:\n        0.125\n"),
    ],
)
def test_comments_and_layout_stay(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode())
    path.chmod(0o640)
    assert write_param(path, ACCEPTANCE, 0.125).profit.acceptance == 0.125
    assert path.read_bytes().decode() == expected
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_the_projects_own_file_changes_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(OURS.read_bytes())
    write_param(path, ACCEPTANCE, 0.4)
    before, after = OURS.read_text().splitlines(), path.read_text().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new.split("#")[0].split() for _, new in changed] == [["acceptance:", "0.4"]]
    assert load_params(path) == load_params(OURS).model_copy(
        update={"profit": load_params(OURS).profit.model_copy(update={"acceptance": 0.4})}
    )


def test_others_are_changed_with_it_where_the_file_has_them(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("profit:\n  acceptance_beta: 14 # b\n  acceptance: 0.3 # a\nseed: 1\n")
    beside = {("profit", "acceptance_alpha"): 7.0, ("profit", "acceptance_beta"): 9.5}
    write_param(path, ACCEPTANCE, 0.4, beside)
    assert path.read_text() == "profit:\n  acceptance_beta: 9.5 # b\n  acceptance: 0.4 # a\nseed: 1\n"


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("profit: {acceptance: 0.3}\n")
    (tmp_path / "params.yaml").symlink_to("real.yaml")
    write_param(tmp_path / "params.yaml", ACCEPTANCE, 0.5)
    assert (tmp_path / "params.yaml").is_symlink()
    assert (tmp_path / "real.yaml").read_text() == "profit: {acceptance: 0.5}\n"


@pytest.mark.parametrize(
    ("text", "value", "words"),
    [
        ("seed: 4\n", 0.5, "has no profit.acceptance"),
        ("profit: {acceptance: 0.3}\n", 1.5, "profit.acceptance"),
        ("profit: [\n", 0.5, "not readable as YAML"),
        (None, 0.5, "is not there"),
    ],
)
def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path, text: str | None, value: float, words: str) -> None:
    path = tmp_path / "params.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=words):
        write_param(path, ACCEPTANCE, value)
    assert (path.read_text() if text is not None else None) == text
    assert len(list(tmp_path.iterdir())) == (text is not None)
