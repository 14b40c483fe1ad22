"""What a mutant is: one statement, changed in one place. The mutations of a statement, found in its syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
# Their arguments are for people: a log's words, the help of an option.
FOR_PEOPLE = {"debug", "info", "warning", "error", "exception", "critical", "Option", "Argument", "Query", "Path", "warn"}


@dataclass(frozen=True)
class Mutation:
    """A piece of a file, and what stands in its place in the mutant.

    Attributes
    ----------
    line, end_line : int
        The lines of the changed piece, from 1.
    column, end_column : int
        Where it begins and ends in them, in bytes.
    before, after : str
        The piece, as Python writes it, and its replacement.
    """

    line: int
    end_line: int
    column: int
    end_column: int
    before: str
    after: str

    def apply(self, source: str) -> str:
        """Return the source of the mutant."""
        lines = source.encode().splitlines(keepends=True)
        start = sum(map(len, lines[: self.line - 1])) + self.column
        end = sum(map(len, lines[: self.end_line - 1])) + self.end_column
        data = b"".join(lines)
        return (data[:start] + self.after.encode() + data[end:]).decode()


def find_mutations(statement: ast.stmt) -> list[Mutation]:
    """Return all mutations of one statement; of a compound one those of its head only: its body's statements stand alone."""
    found = list(_without(statement))
    for node in _head(statement):
        found += [_replace(node, new) for new in _changes(node)]
    return found


def _replace(node: ast.stmt | ast.expr, after: str) -> Mutation:
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
    return Mutation(node.lineno, end_line, node.col_offset, end_column, ast.unparse(node), after)


def _without(statement: ast.stmt) -> Iterator[Mutation]:
    """Yield the statement taken away, or its value."""
    match statement:
        case ast.Return(value=value) if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
            yield _replace(statement, "return None")
        case ast.Expr() | ast.Raise() | ast.AugAssign() | ast.Delete() | ast.Assert() | ast.Continue() | ast.Break():
            yield _replace(statement, "pass")
        case ast.If(test=test) | ast.While(test=test):
            yield _replace(test, f"(not ({ast.unparse(test)}))")
            yield _replace(test, "False")


def _head(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield the expressions of a statement that decide what it does: no annotations, no bodies, nothing that is for people."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            roots: list[ast.expr] = [*statement.args.defaults, *(default for default in statement.args.kw_defaults if default)]
        case ast.AnnAssign():
            roots = [statement.value] if statement.value else []
        case ast.For() | ast.AsyncFor():
            roots = [statement.iter]
        case ast.With() | ast.AsyncWith():
            roots = [item.context_expr for item in statement.items]
        case ast.If() | ast.While():
            roots = [statement.test]
        case ast.Match():
            roots = [statement.subject]
        case ast.Try() | ast.ClassDef():
            roots = []
        case ast.Raise():
            roots = []  # a message is for people; that it is raised at all is a mutation of its own
        case _:
            roots = [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr)]
    for root in roots:
        yield from _walk(root)


def _walk(node: ast.AST) -> Iterator[ast.expr]:
    if (isinstance(node, ast.Call) and _name(node.func) in FOR_PEOPLE) or isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.expr):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _walk(child)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def _changes(node: ast.expr) -> Iterator[str]:
    """Yield what may stand in the place of an expression."""
    match node:
        case ast.Compare(ops=[only], comparators=[_]):
            yield _changed(node, ops=[COMPARISONS[type(only)]()])
        case ast.BoolOp(op=op, values=values):
            yield _changed(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
            yield from (f"({ast.unparse(value)})" for value in values)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.BinOp(op=op) if type(op) in ARITHMETIC and not _is_text(node):
            yield _changed(node, op=ARITHMETIC[type(op)]())
        case ast.IfExp(body=body, orelse=other):
            yield f"({ast.unparse(body)})"
            yield f"({ast.unparse(other)})"
        case ast.Constant(value=bool(value)):
            yield str(not value)
        case ast.Constant(value=int(value)):
            yield str(value + 1)
        case ast.Constant(value=float(value)):
            yield f"({value} * 1.5 + 0.1)"
        case ast.Call(keywords=keywords) if any(keyword.arg for keyword in keywords):
            for keyword in (keyword for keyword in keywords if keyword.arg and not _says_nothing(keyword)):
                yield _changed(node, keywords=[other for other in keywords if other is not keyword])


def _says_nothing(keyword: ast.keyword) -> bool:
    """Return whether an argument is for people, or the default, as that of `zip` is."""
    return keyword.arg in ("help", "description") or ast.unparse(keyword) == "strict=False"


def _is_text(node: ast.BinOp) -> bool:
    return any(isinstance(part, ast.Constant | ast.JoinedStr) and not _number(part) for part in ast.walk(node))


def _number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _changed(node: ast.expr, **fields: object) -> str:
    twin = copy.copy(node)
    for name, value in fields.items():
        setattr(twin, name, value)
    return f"({ast.unparse(twin)})"
