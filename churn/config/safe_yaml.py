"""Load untrusted YAML: plain values only, with bounds on size and nesting."""

from __future__ import annotations

from typing import Any

import yaml

# Contracts have some hundreds of values. More come only from repeated aliases ("billion laughs").
MAX_NODES = 200_000


def load_yaml(text: str) -> Any:
    """Read one YAML document as PyYAML's `safe_load` does: no tag makes an object of a class.

    Raises
    ------
    yaml.YAMLError
        If it is not YAML, has a tag of its own, is nested too deep, or its aliases stand for more than 200,000 values.

    Examples
    --------
    >>> load_yaml("{bounds: &b [0, 1], others: [*b, *b]}")
    {'bounds': [0, 1], 'others': [[0, 1], [0, 1]]}
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > MAX_NODES:
            raise yaml.YAMLError(f"its aliases stand for more than {MAX_NODES:,} values")
        return loader.construct_document(node)
    except RecursionError:
        raise yaml.YAMLError("it is nested too deep") from None
    finally:
        loader.dispose()


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
