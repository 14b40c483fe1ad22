"""Find the calls that may wait for ever: connections, processes, threads, queues and locks to which nobody gave a time limit.

By the syntax tree: what a name was imported as is seen through; a method is known by its name alone, because its object's type is
not known. `tests/unit/tools/test_waiting_calls.py` holds the list of those that need none, each with its reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Functions by their full names, and the arguments of which one is a limit.
LIMITED_BY = {
    **dict.fromkeys(("subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output"), ("timeout",)),
    **dict.fromkeys(("sqlite3.connect", "http.client.HTTPConnection", "http.client.HTTPSConnection"), ("timeout",)),
    **dict.fromkeys(("urllib.request.urlopen", "socket.create_connection", "smtplib.SMTP", "smtplib.SMTP_SSL"), ("timeout",)),
    **dict.fromkeys(("psycopg.connect", "psycopg.Connection.connect", "psycopg.AsyncConnection.connect"), ("connect_timeout",)),
    **dict.fromkeys(("sqlalchemy.create_engine", "sqlalchemy.create_async_engine"), ("connect_args",)),
    **dict.fromkeys(("distributed.Client", "dask.distributed.Client", "distributed.as_completed"), ("timeout",)),
    **dict.fromkeys(("concurrent.futures.wait", "concurrent.futures.as_completed", "asyncio.wait"), ("timeout",)),
    **dict.fromkeys(
        ("distributed.wait", "dask.distributed.wait", "mlflow.register_model"), ("timeout", "await_registration_for")
    ),
    **dict.fromkeys(("select.select", "select.poll", "signal.sigtimedwait"), ("timeout",)),
}
# The clients of HTTP, whose functions and classes all take the same argument.
HTTP = tuple(
    f"{library}.{name}"
    for library in ("httpx2", "httpx", "requests")
    for name in ("Client", "AsyncClient", "get", "post", "put", "patch", "delete", "head", "options", "request", "stream")
)
LIMITED_BY |= dict.fromkeys(HTTP, ("timeout",))
# Where a limit may be given without its name.
POSITIONS = {"concurrent.futures.wait": 1, "concurrent.futures.as_completed": 1, "socket.create_connection": 1}
# These have no such argument: the limit comes from somewhere else, and the reason says whence.
UNLIMITED = frozenset(
    {
        *("prefect.client.orchestration.get_client", "prefect.get_client", "prefect.serve", "mlflow.MlflowClient"),
        *("mlflow.tracking.MlflowClient", "boto3.client", "boto3.resource", "boto3.Session", "fsspec.open", "s3fs.S3FileSystem"),
        *("xmlrpc.client.ServerProxy", "socket.socket", "os.waitpid", "os.wait", "signal.pause", "signal.sigwait"),
        *("multiprocessing.Pool", "pyarrow.fs.S3FileSystem", "pyarrow.fs.FileSystem.from_uri"),
        *("asyncio.open_connection", "asyncio.open_unix_connection", "asyncio.create_subprocess_exec"),
        *("asyncio.create_subprocess_shell", "select.epoll", "grpc.insecure_channel", "grpc.secure_channel"),
    }
)
# Methods that wait, and what ends the waiting: a first argument, one of these names, or (of locks and queues) not to wait.
METHODS = {
    **dict.fromkeys(("wait", "join", "result"), ("timeout",)),
    "communicate": ("timeout",),
    "acquire": ("timeout", "blocking"),
    "get": ("timeout", "block"),
    "put": ("timeout", "block"),
    "wait_for": ("timeout",),
    "as_completed": ("timeout",),
    "wait_for_workers": ("timeout",),
    "create_connection": ("timeout",),
    "accept": ("timeout",),
    "recv": ("timeout",),
}
# Where the limit stands among the arguments, if it is not the first; None: only by its name.
PLACES = {"communicate": 1, "wait_for": 1, "put": 1, "wait_for_workers": None, "recv": None, "create_connection": None}
# What ends a call of asyncio that is made inside of it.
SCOPES = ("asyncio.wait_for", "asyncio.timeout", "asyncio.timeout_at")


@dataclass(frozen=True, order=True)
class WaitingCall:
    """A call without a limit: where it is, and what is called."""

    path: str
    function: str
    call: str
    line: int

    @property
    def key(self) -> str:
        """What the list of reasons calls it: lines change, functions less so."""
        return f"{self.path}::{self.function}: {self.call}"


class _Finder(ast.NodeVisitor):
    def __init__(self, path: str) -> None:
        self.path = path
        self.names: dict[str, str] = {}
        self.within: list[str] = []
        self.bounded = 0
        self.found: list[WaitingCall] = []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.names[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self.names[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def _visit_scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.within.append(node.name)
        self.generic_visit(node)
        self.within.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _visit_scope  # noqa: N815 -- names of ast

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        inside = any(isinstance(item.context_expr, ast.Call) and self._name(item.context_expr) in SCOPES for item in node.items)
        self.bounded += inside
        self.generic_visit(node)
        self.bounded -= inside

    def visit_Call(self, node: ast.Call) -> None:
        name = self._name(node)
        if not self.bounded and (call := self._unlimited(node, name)):
            self.found.append(WaitingCall(self.path, ".".join(self.within) or "module", call, node.lineno))
        scope = name == "asyncio.wait_for" and _is_limited(node, ("timeout",), positional=1)
        self.bounded += scope
        self.generic_visit(node)
        self.bounded -= scope

    def _unlimited(self, node: ast.Call, name: str) -> str | None:
        """Return what is called, if it has no limit."""
        if name in UNLIMITED:
            limited = False
        elif name in ("fcntl.flock", "fcntl.lockf"):
            limited = any(mode in ast.dump(node) for mode in ("LOCK_NB", "LOCK_UN"))
        elif name in LIMITED_BY:
            limited = _is_limited(node, LIMITED_BY[name], positional=POSITIONS.get(name))
        else:
            return self._unlimited_method(node, name)
        return None if limited else name

    def _unlimited_method(self, node: ast.Call, name: str) -> str | None:
        # With a name it is a module's function, such as `os.path.join`.
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in METHODS or name not in ("", "asyncio.wait_for"):
            return None
        method = node.func.attr
        if _is_limited(node, METHODS[method], positional=PLACES.get(method, 0)):
            return None
        # Much is put into things that are no queue.
        return None if method == "put" and "queue" not in ast.unparse(node.func.value).lower() else f"….{method}"

    def _name(self, node: ast.Call) -> str:
        """Return the full name of what is called, if its first part was imported."""
        parts, at = [], node.func
        while isinstance(at, ast.Attribute):
            parts.append(at.attr)
            at = at.value
        if not isinstance(at, ast.Name) or at.id not in self.names:
            return ""
        return ".".join([self.names[at.id], *reversed(parts)])


def _is_limited(node: ast.Call, names: tuple[str, ...], positional: int | None = None) -> bool:
    if positional is not None and len(node.args) > positional and not _is_none(node.args[positional]):
        return True
    return any(keyword.arg is None or (keyword.arg in names and not _is_none(keyword.value)) for keyword in node.keywords)


def _is_none(node: ast.expr) -> bool:
    """Tell whether an argument is, or may be, None: no limit."""
    if isinstance(node, ast.IfExp):
        return _is_none(node.body) or _is_none(node.orelse)
    return isinstance(node, ast.Constant) and node.value is None


def waiting_calls(source: str, path: str) -> Iterator[WaitingCall]:
    """Yield the calls of a module that may wait for ever.

    Parameters
    ----------
    source : str
        Its text.
    path : str
        Where it is, for the result.

    Yields
    ------
    WaitingCall
    """
    finder = _Finder(path)
    finder.visit(ast.parse(source))
    yield from finder.found


def waiting_calls_in(root: Path, packages: tuple[str, ...]) -> list[WaitingCall]:
    """List the calls of some packages that may wait for ever.

    Parameters
    ----------
    root : Path
        The checkout.
    packages : tuple of str

    Returns
    -------
    list of WaitingCall
        In the order of files and lines.
    """
    files = sorted(file for package in packages for file in (root / package).rglob("*.py"))
    return [call for file in files for call in waiting_calls(file.read_text("utf-8"), file.relative_to(root).as_posix())]
