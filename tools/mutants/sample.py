"""Draw mutants at random: a statement first, all alike, then one of its mutations."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.mutants.operators import Mutation, find_mutations

PACKAGES = ("churn", "service", "monitoring", "pipelines")
# Alembic's own files, and what draws the dashboards: they are shipped drawn, and a test holds the drawings to the code.
LEFT_OUT = ("churn/store/migrations/", "monitoring/dashboards/")


@dataclass(frozen=True)
class Mutant:
    """A mutation of one file."""

    path: str
    mutation: Mutation

    @property
    def package(self) -> str:
        """The package that it is in."""
        return self.path.split("/", maxsplit=1)[0]

    @property
    def title(self) -> str:
        """One line that tells it from all others."""
        return f"{self.path}:{self.mutation.line}: {self.mutation.before!s} → {self.mutation.after!s}"

    def as_dict(self) -> dict[str, Any]:
        """Return it, JSON-ready."""
        return {"path": self.path, **asdict(self.mutation)}


def draw(root: Path, count: int, seed: int, packages: tuple[str, ...] = PACKAGES) -> list[Mutant]:
    """Draw mutants from all statements that have any, without replacement.

    Parameters
    ----------
    root : Path
        The checkout.
    count : int
    seed : int
    packages : tuple of str
        Packages to draw from.

    Returns
    -------
    list of Mutant
    """
    rng = random.Random(seed)  # noqa: S311 -- a sample, no secret
    statements = [
        (path.relative_to(root).as_posix(), mutations)
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
        if not path.relative_to(root).as_posix().startswith(LEFT_OUT)
        for statement in statements_of(ast.parse(path.read_text(encoding="utf-8")))
        if (mutations := find_mutations(statement))
    ]
    return [Mutant(path, rng.choice(mutations)) for path, mutations in rng.sample(statements, min(count, len(statements)))]


def statements_of(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements that do something: no docstrings, imports, log lines, `__all__` or what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.stmt):
            if _says_nothing(node):
                continue
            yield node
        yield from statements_of(node)


def _says_nothing(node: ast.stmt) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.ClassDef(bases=bases):
            return any("Protocol" in ast.unparse(base) for base in bases)
        case ast.Assign(targets=[ast.Name(id="__all__" | "logger")]):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="logger" | "log")))):
            return True
    return False
