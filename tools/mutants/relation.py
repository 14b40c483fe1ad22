"""How near a test file is to a module, without running it: by imports, by the routes it asks for, by the commands it runs.

A file that has no coverage map is chosen by this. It takes seconds for the whole tree, where the map takes the time of all tests.
"""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.mutants.sample import PACKAGES

# Beyond it nearly every module is reached from every test of a service or a flow.
MAX_DISTANCE = 3
COMMANDS = "pipelines/cli"
_ROUTE = re.compile(r"/[a-z][a-z0-9_]*(/[a-z{][a-z0-9_{}]*)*")


class Relation:
    """The imports of all modules and tests, and the routes and commands that they name.

    Parameters
    ----------
    root : Path
        The checkout.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        modules = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
        tests = sorted((root / "tests").rglob("*.py"))
        self._files = {file.relative_to(root).as_posix() for file in (*modules, *tests)}
        trees = {file.relative_to(root).as_posix(): ast.parse(file.read_text(encoding="utf-8")) for file in (*modules, *tests)}
        served: dict[str, set[str]] = {}
        for name, tree in trees.items():
            if name.startswith("service/routes/"):
                for text in filter(_ROUTE.fullmatch, _texts(tree)):
                    served.setdefault(text, set()).add(name)
        self._edges = {name: set(self._imported(tree)) for name, tree in trees.items()}
        for name, tree in trees.items():
            if name.startswith("tests/"):
                # A unit test imports the command that it is about, and says "store" of many things.
                commands = not name.startswith("tests/unit/")
                for text in _texts(tree):
                    self._edges[name] |= served.get(text.partition("?")[0], set()) | (self._command(text) if commands else set())
        self._distances: dict[str, dict[str, int]] = {}

    def distance(self, test_file: str, path: str) -> int | None:
        """Return how many steps lead from a test file to a module; None if they are more than `MAX_DISTANCE`.

        Parameters
        ----------
        test_file, path : str
            Files of the checkout.

        Returns
        -------
        int or None
        """
        if test_file not in self._distances:
            self._distances[test_file] = self._walk(test_file)
        return self._distances[test_file].get(path)

    def nearest(self, test_files: Iterable[str], path: str) -> list[str]:
        """Return the test files that lead to a module, the nearest first.

        Of equally near ones, those of the module's own folder come first, then those of its package, and of these the ones that
        name few modules: they are about these.

        Parameters
        ----------
        test_files : iterable of str
        path : str
            A module of the checkout.

        Returns
        -------
        list of str
        """
        folder, package = f"tests/unit/{path.rpartition('/')[0]}", f"tests/unit/{path.partition('/')[0]}/"
        ranked = [
            (distance, name.rpartition("/")[0] != folder, not name.startswith(package), len(self._edges[name]), name)
            for name in test_files
            if (distance := self.distance(name, path)) is not None
        ]
        return [name for *_, name in sorted(ranked)]

    def _walk(self, start: str) -> dict[str, int]:
        found, waiting = {start: 0}, deque([start])
        while waiting:
            here = waiting.popleft()
            for there in self._edges.get(here, ()):
                # A helper of tests is a part of the test that imports it.
                step = found[here] + (not there.startswith("tests/"))
                if step <= MAX_DISTANCE and step < found.get(there, MAX_DISTANCE + 1):
                    found[there] = step
                    waiting.append(there)
        return found

    def _imported(self, tree: ast.AST) -> Iterator[str]:
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    yield from self._existing(*(one.name for one in names))
                case ast.ImportFrom(module=str(module), names=names):
                    yield from self._existing(module, *(f"{module}.{one.name}" for one in names))
                case ast.Constant(value=str(text)) if "." in text and text.isascii() and len(text) < 100:
                    yield from self._existing(text.partition(":")[0])

    def _existing(self, *modules: str) -> Iterator[str]:
        for module in modules:
            path = module.replace(".", "/")
            yield from (name for name in (f"{path}.py", f"{path}/__init__.py", f"{path}/__main__.py") if name in self._files)

    def _command(self, word: str) -> set[str]:
        """Return the modules of a command of `churn`: a noun has a module or a folder of its own."""
        if not word.isalpha():
            return set()
        one, many = f"{COMMANDS}/{word}.py", f"{COMMANDS}/{word}s/commands.py"
        return {name for name in (one, many) if name in self._files}


def _texts(tree: ast.AST) -> set[str]:
    """Return the routes and single words among the texts of a file."""
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in texts if _ROUTE.fullmatch(text.partition("?")[0]) or text.isalpha()}
