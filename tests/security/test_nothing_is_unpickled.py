"""Nothing that the system reads is unpickled: a pickle is a program that runs when it is opened (issue 18).

By the syntax tree, so that a mention in a docstring is none, and an alias is seen through. The one exception is the reader of the
published frame, whose unpickler knows no names but its own records and runs in a process of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("churn", "service", "monitoring", "pipelines")
RESTRICTED = {"pipelines/data_sources/frames/records.py"}
# What runs code that its input names, by full names; whatever is below one of them is meant, too.
FORBIDDEN = (
    *("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal", "jsonpickle", "pickle5"),
    *(
        "joblib.load",
        "joblib.memory",
        "joblib.Memory",
        "sklearn.externals",
        "torch.load",
        "torch.jit.load",
        "keras.models.load_model",
    ),
    *("pandas.read_pickle", "pandas.read_hdf", "pandas.HDFStore", "sqlalchemy.PickleType"),
    *("sqlalchemy.types.PickleType", "sqlalchemy.ext.serializer", "mlflow.pyfunc.load_model", "mlflow.sklearn.load_model"),
    *("mlflow.pyfunc.spark_udf", "pyarrow.deserialize", "pyarrow.deserialize_pandas", "yaml.unsafe_load", "yaml.full_load"),
    *("yaml.UnsafeLoader", "yaml.FullLoader", "yaml.Loader", "multiprocessing.connection", "multiprocessing.managers"),
)
# Methods that unpickle, whatever the object is called.
METHODS = frozenset({"read_pickle", "to_pickle", "unsafe_load"})


def unpicklings(source: str) -> Iterator[str]:
    """Yield what in a module unpickles, or may."""
    tree = ast.parse(source)
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
                yield from _forbidden(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield from _forbidden(f"{node.module}.{alias.name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from _forbidden(_dotted(node, aliases))
            if node.attr in METHODS:
                yield f"….{node.attr}"
        elif isinstance(node, ast.Call):
            yield from _told_to(node, _dotted(node.func, aliases))


def _told_to(call: ast.Call, name: str) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg == "allow_pickle" and not _is(keyword.value, False):
            yield "allow_pickle"
        # Objects of skops run nothing if their types are named; True would trust those that a file names.
        if name.startswith("skops.io.load") and keyword.arg == "trusted" and _is(keyword.value, True):
            yield "trusted=True"
    # (numpy's default is False; older readers of ours must say so, as its default was True once.)
    if name == "numpy.load" and not any(keyword.arg == "allow_pickle" for keyword in call.keywords):
        yield "numpy.load without allow_pickle=False"
    if name in ("importlib.import_module", "__import__") and call.args and isinstance(call.args[0], ast.Constant):
        yield from _forbidden(str(call.args[0].value))


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _forbidden(name: str) -> Iterator[str]:
    if any(name == one or name.startswith(f"{one}.") for one in FORBIDDEN):
        yield name


def _dotted(node: ast.expr, aliases: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    return f"{_dotted(node.value, aliases)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_unpickles(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in sorted((ROOT / package).rglob("*.py"))
        if (names := sorted(set(unpicklings(path.read_text("utf-8")))))
    }
    assert set(found) - RESTRICTED == set(), found


def test_the_exception_is_one_still() -> None:
    (exception,) = RESTRICTED
    assert set(unpicklings((ROOT / exception).read_text("utf-8"))) == {"pickle", "pickle.Unpickler", "pickle.UnpicklingError"}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import _pickle as p; p.loads(b'')",
        "import joblib as j\nj.load('x')",
        "from joblib import load as read\nread('x')",
        "def f():\n    import cloudpickle",
        "import pandas as pd\npd.read_pickle('x')",
        "frame.read_pickle('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.load('x', allow_pickle=flag)",
        "import numpy as np\nnp.load('x')",
        "import skops.io\nskops.io.load('x', trusted=True)",
        "import torch\ntorch.load('x')",
        "import mlflow.sklearn\nmlflow.sklearn.load_model('x')",
        "import importlib\nimportlib.import_module('dill')",
        "import yaml\nyaml.load(text, yaml.UnsafeLoader)",
    ],
)
def test_what_unpickles_is_found(source: str) -> None:
    assert list(unpicklings(source))


@pytest.mark.parametrize(
    "source", ["'pickle.loads'", "import joblib\njoblib.Parallel(2)", "import skops.io\nskops.io.load('x', trusted=[])"]
)
def test_what_does_not_is_left_alone(source: str) -> None:
    assert list(unpicklings(source)) == []
