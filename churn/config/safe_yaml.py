"""Load untrusted YAML: plain values only, with bounds on size and nesting."""

from __future__ import annotations

from typing import Any

import yaml

# Contracts have some hundreds of values. More come only from repeated aliases ("billion laughs").
MAX_NODES = 200_000
# Ours are nested 6 deep. libyaml composes by recursion in C, where too deep is not an error but the end of the process.
MAX_DEPTH = 100
# libyaml where PyYAML was built with it, as every wheel is: eight times as fast.
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(text: str) -> Any:
    """Read one YAML document as PyYAML's `safe_load` does: no tag makes an object of a class.

    Raises
    ------
    yaml.YAMLError
        If it is not YAML, has a tag of its own, is nested more than 100 deep, or its aliases stand for more than 200,000 values.

    Examples
    --------
    >>> load_yaml("{bounds: &b [0, 1], others: [*b, *b]}")
    {'bounds': [0, 1], 'others': [[0, 1], [0, 1]]}
    """
    try:
        _check_depth(text)
        loader = Loader(text)
    except UnicodeEncodeError as error:
        raise yaml.YAMLError(f"it is not text: {error}") from None
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > MAX_NODES:
            raise yaml.YAMLError(f"its aliases stand for more than {MAX_NODES:,} values")
        return loader.construct_document(node)
    except RecursionError:  # a long chain of aliases
        raise yaml.YAMLError("it is nested too deep") from None
    finally:
        loader.dispose()


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {MAX_DEPTH} deep")


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values that a node expands to, aliases included; each node is visited once."""
    size = known.get(id(node))
    if size is None:
        known[id(node)] = MAX_NODES + 1  # an alias of what it is part of stands for no end of values
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        size = known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return size
