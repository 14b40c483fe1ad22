"""Which tests run a line: read from what `recorder.py` wrote, the cheap ones first; of files without a map, the nearest ones."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.mutants.relation import Relation

# A test file that takes no longer is run whole: what its shared fixtures run is noted with the first test only.
WHOLE_FILE_SECONDS = 3.0
UNIT = ("tests/unit/pipelines", "tests/unit/monitoring", "tests/unit/test_doctests.py", "tests/unit/churn", "tests/unit/service")
OTHERS = ("tests/integration", "tests/security", "tests/chaos")
# Runs the examples of each module as a test that is named after it.
DOCTESTS = "tests/unit/test_doctests.py"
# What an example begins with; spelled so that this file seems to have none.
PROMPT = ">" * 3 + " "
# What a test file without a map is thought to take.
UNIT_SECONDS, OTHER_SECONDS = 4.0, 25.0
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Selected:
    """A test, or a test file, and how many seconds it takes."""

    node: str
    seconds: float


def digest(path: Path) -> str:
    """Return what tells whether a file has changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def map_file(folder: Path, test_file: Path) -> Path:
    """Return where the map of a test file is.

    Parameters
    ----------
    folder : Path
        Folder of all maps.
    test_file : Path
        In the checkout.

    Returns
    -------
    Path
    """
    return folder / f"{test_file.as_posix().replace('/', '.')}.json"


def test_files(place: Path) -> list[Path]:
    """Return the test files of a folder, or the file itself."""
    return [place] if place.is_file() else sorted(place.rglob("test_*.py"))


def stale_tests(root: Path, folder: Path, under: tuple[str, ...]) -> list[str]:
    """List the test files that have no map, or one of an older text.

    Parameters
    ----------
    root : Path
        The checkout.
    folder : Path
        Folder of the maps.
    under : tuple of str
        Folders of tests.

    Returns
    -------
    list of str
    """
    stale = []
    for path in (path for place in under for path in test_files(root / place)):
        known = map_file(folder, path.relative_to(root))
        if not known.exists() or json.loads(known.read_text(encoding="utf-8"))["digest"] != digest(path):
            stale.append(path.relative_to(root).as_posix())
    return stale


class CoverageMap:
    """The maps of all test files.

    Parameters
    ----------
    root : Path
        The checkout.
    folder : Path
        Folder of the maps.
    relation : Relation
        Chooses among the files that have none.
    """

    def __init__(self, root: Path, folder: Path, relation: Relation) -> None:
        self._root, self._relation = root, relation
        self._files: dict[str, dict[str, Any]] = {}
        self._unmapped: list[str] = []
        for place in (*UNIT, *OTHERS):
            for path in test_files(root / place):
                name = path.relative_to(root)
                if (known := map_file(folder, name)).exists():
                    self._files[name.as_posix()] = json.loads(known.read_text(encoding="utf-8"))
                else:
                    self._unmapped.append(name.as_posix())

    def find_tests(self, path: str, lines: range, under: tuple[str, ...], max_seconds: float) -> list[Selected]:
        """Return the tests that run one of these lines, the cheapest first; then test files without a map, the nearest first.

        Lines that run when a module is imported belong to every test that uses the module, and so do those of a file that has
        changed since the map was made.

        Parameters
        ----------
        path : str
            A file of the checkout.
        lines : range
        under : tuple of str
            Folders of tests.
        max_seconds : float
            How long all of them may take.

        Returns
        -------
        list of Selected
        """
        now, once = digest(self._root / path), _runs_at_import(self._root / path, lines)
        exact, loose = [], []
        for name, known in self._files.items():
            if not name.startswith(under):
                continue
            fresh = known["sources"].get(path) == now
            using = {node: test for node, test in known["nodes"].items() if path in test["lines"]}
            running = {node: test for node, test in using.items() if once or not fresh or set(lines) & set(test["lines"][path])}
            exact += list(_selected(name, known["nodes"], running))
            loose += list(_selected(name, known["nodes"], using))
        unmapped = [name for name in self._unmapped if name.startswith(under)]
        near = [] if DOCTESTS not in unmapped else self._examples(path)
        near += [
            Selected(name, UNIT_SECONDS if name.startswith("tests/unit/") else OTHER_SECONDS)
            for name in self._relation.nearest(unmapped, path)
        ]
        mapped = sorted(exact if exact or near else loose, key=lambda test: test.seconds)
        return list(_within([*mapped, *near], max_seconds))

    def _examples(self, path: str) -> list[Selected]:
        """Return the test of a module's examples, if it has any."""
        if PROMPT not in (self._root / path).read_text(encoding="utf-8"):
            return []
        name = path.removesuffix(".py").replace("/", ".")
        return [Selected(f"{DOCTESTS}::test_doctests[{name}]", UNIT_SECONDS)]


def _runs_at_import(path: Path, lines: range) -> bool:
    """Return whether lines stand in no body of a function: which test ran them first says nothing."""
    functions = (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, FUNCTIONS))
    return not any(function.body[0].lineno <= lines[0] <= (function.end_lineno or 0) for function in functions)


def _selected(name: str, all_tests: dict[str, Any], running: dict[str, Any]) -> Iterator[Selected]:
    whole = sum(test["seconds"] for test in all_tests.values())
    if running and whole <= WHOLE_FILE_SECONDS and name != DOCTESTS:
        yield Selected(name, whole)
        return
    for node, test in running.items():
        yield Selected(node, test["seconds"])


def _within(tests: list[Selected], max_seconds: float) -> Iterator[Selected]:
    spent = 0.0
    for test in tests:
        if (spent := spent + test.seconds) > max_seconds and spent > test.seconds:
            return
        yield test
