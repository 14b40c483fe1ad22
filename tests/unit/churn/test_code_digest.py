"""What decides that a cache is stale: any file of a package, and nothing else."""

import sys
from pathlib import Path

import pytest

from churn.code_digest import package_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "made_up_package"
    (folder / "below").mkdir(parents=True)
    for name in ("__init__.py", "one.py", "below/__init__.py", "below/two.py"):
        (folder / name).write_text(f"# {name}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, folder.name, raising=False)
    return folder


def test_every_file_counts_by_its_name_and_its_content(package: Path) -> None:
    digests = {package_digest(package.name)}
    (package / "below/two.py").write_text("# other\n")
    digests.add(package_digest(package.name))
    (package / "below/two.py").rename(package / "below/three.py")
    digests.add(package_digest(package.name))
    (package / "four.py").write_text("")
    digests.add(package_digest(package.name))
    assert len(digests) == 4


def test_what_is_not_code_does_not_count(package: Path) -> None:
    usual = package_digest(package.name)
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__/one.py").write_text("")
    (package / "notes.txt").write_text("")
    assert package_digest(package.name) == usual


def test_the_order_in_which_packages_are_named_does_not_count() -> None:
    assert package_digest("churn.inference", "churn.modeling") == package_digest("churn.modeling", "churn.inference")


def test_a_package_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        package_digest("churn.never_there")
