"""Hold public docstrings to numpydoc: `python -m tools.docstrings [PACKAGE...]`; exit 1 if one breaks a rule.

numpydoc's own validation judges. A public function or method with two or more arguments must describe each of them, and what it
returns; every summary is in the imperative.
"""

from __future__ import annotations

import functools
import gc
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from numpydoc.docscrape import get_doc_object
from numpydoc.validate import Validator, validate

PACKAGES = ("churn", "service", "monitoring", "pipelines", "tools")
# numpydoc's names: a summary is missing, or not in the imperative; parameters are missing, unknown, or in another order.
ALWAYS = {"SS05", "PR02", "PR03"}
WITH_ARGUMENTS = {"PR01", "RT01", "YD01"}
# Typer and FastAPI show these docstrings to users, and describe the arguments themselves.
SHOWN_TO_USERS = ("pipelines.cli.", "service.routes.")
# Files that Alembic runs, which are no modules of ours; and what only imports with an extra that the lock leaves out.
LEFT_OUT = ("churn.store.migrations", *(() if find_spec("torch") else ("churn.modeling.deep.torch_fit",)))
NOTHING = (None, "None", inspect.Signature.empty, "NoReturn")


class _Named(Validator):  # type: ignore[misc]
    """A function as numpydoc looks at it, but for where it is: for that numpydoc reads each file, twice."""

    source_file_name = source_file_def_line = None

    def __init__(self, obj_name: str, module: Any) -> None:
        super().__init__(get_doc_object(functools.reduce(getattr, obj_name.split("."), module)))


def find_problems(package: str) -> Iterator[tuple[str, str]]:
    """Yield what breaks a rule in one package, and the packages below it.

    Parameters
    ----------
    package : str
        A dotted name, such as "churn.inference".

    Yields
    ------
    tuple of (str, str)
        Where, as `module.function (file:line)`, and which rule, in numpydoc's words.
    """
    for name in _modules(package):
        module = importlib.import_module(name)
        for path, callable_ in _functions(module):
            if not (checked := _rules_for(callable_)):
                continue
            for rule, words in validate(path, validator_cls=_Named, module=module)["errors"]:
                if rule in checked:
                    code = inspect.unwrap(callable_).__code__
                    yield f"{name}.{path} ({code.co_filename}:{code.co_firstlineno})", f"{rule} {words}"


def _modules(package: str) -> Iterator[str]:
    yield package
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{package}."):
        if not found.name.startswith(LEFT_OUT) and not found.name.endswith("__main__"):
            yield found.name


def _functions(module: Any) -> Iterator[tuple[str, Any]]:
    for name, one in vars(module).items():
        if name.startswith("_") or getattr(one, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(one):
            yield name, one
        elif inspect.isclass(one):
            for below, method in vars(one).items():
                plain = method.__func__ if isinstance(method, classmethod | staticmethod) else method
                if (
                    not below.startswith("_")
                    and inspect.isfunction(plain)
                    and plain.__qualname__ == f"{one.__qualname__}.{below}"
                ):
                    yield f"{name}.{below}", plain


def _rules_for(function: Any) -> set[str]:
    signature = inspect.signature(function)
    if not inspect.getdoc(function):
        return set()
    if function.__module__.startswith(SHOWN_TO_USERS):
        return {"SS05"}
    arguments = [name for name in signature.parameters if name not in ("self", "cls")]
    if len(arguments) < 2:
        return ALWAYS - ({"PR02", "PR03"} if len(arguments) == 0 else set())
    return ALWAYS | {"PR01"} | ({"RT01", "YD01"} if signature.return_annotation not in NOTHING else set())


def main() -> None:
    """Print every problem of the packages named on the command line, or of all."""
    gc.disable()  # what is imported stays
    problems = [found for package in sys.argv[1:] or PACKAGES for found in find_problems(package)]
    for where, what in problems:
        sys.stdout.write(f"{where}: {what}\n")
    sys.stdout.write(f"{len(problems)} problems\n")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
