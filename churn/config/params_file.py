"""Change a value in params.yaml and leave everything else, comments and layout, as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from churn.atomic_write import atomic_write
from churn.config.params import Params, load_params
from churn.errors import InputError, unwritable

Keys = tuple[str, ...]


def write_param(path: Path, keys: Keys, value: float, beside: Mapping[Keys, float] | None = None) -> Params:
    """Replace a number in params.yaml; the file is replaced whole, or not at all.

    Parameters
    ----------
    path : Path
    keys : tuple of str
        The section and the name within it, such as ("profit", "acceptance").
    value : float
    beside : mapping, optional
        Other numbers to replace, those of them that the file has.

    Returns
    -------
    Params
        What the file says now.

    Raises
    ------
    InputError
        If there is no such file, it has no such value, the value breaks a rule, or the file cannot be written.
    ChurnError
        If the disk is full or fails.
    """
    dotted = ".".join(keys)
    if not path.is_file():
        raise InputError(f"{path}: is not there, so that {dotted} cannot be written to it; CHURN_PARAMS names the file")
    # What can be read as parameters has bounds on its nesting, and one document.
    load_params(path)
    # Line ends as they are.
    text = path.read_bytes().decode("utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    node = _find(root, keys)
    if node is None:
        raise InputError(f"{path}: has no {dotted}; add it, so that its line says where the value belongs")
    others = [(found, other) for name, other in (beside or {}).items() if (found := _find(root, name)) is not None]
    changed = text
    # From the last to the first, so that the places of the others stay.
    for one, number in sorted([(node, value), *others], key=lambda pair: -pair[0].start_mark.index):
        changed = f"{changed[: one.start_mark.index]}{number:g}{changed[one.end_mark.index :]}"
    target = path.resolve()
    try:
        with atomic_write(target, mode=target.stat().st_mode & 0o777) as staging:
            staging.write_bytes(changed.encode())
            return load_params(staging)
    except OSError as error:
        raise unwritable(path, error) from error


def _find(node: yaml.Node | None, keys: Keys) -> yaml.ScalarNode | None:
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((inner for name, inner in pairs if name.value == key), None)
    return node if isinstance(node, yaml.ScalarNode) else None
