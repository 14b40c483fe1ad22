from __future__ import annotations

import pytest
import yaml

from churn.config import safe_yaml
from churn.config.safe_yaml import MAX_DEPTH, load_yaml


@pytest.mark.parametrize(
    "text", ["", "a: 1", "[1, 2.5, null, true, x]", "a: {b: [c, d]}", "&a [1]", "2026-03-01", "- 'é'\n- |\n  b\n"]
)
def test_it_reads_what_pyyaml_reads(text: str) -> None:
    assert load_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize("text", ["!!python/object/apply:os.getcwd []", "!mine x", "a: b: c", "[1", "a\n---\nb", "\x00"])
def test_what_is_no_plain_document_is_an_error_of_yaml(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(text)


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml("a: \ud800")


def test_it_is_nested_a_hundred_deep_at_most() -> None:
    assert load_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    with pytest.raises(yaml.YAMLError, match="it is nested more than 100 deep"):
        load_yaml("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    # What was closed counts no more.
    assert len(load_yaml("[" + "[], " * 300 + "]")) == 300


def test_aliases_stand_for_so_many_values_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_yaml, "MAX_NODES", 10)
    # The list, its first list of three and the alias of it: 1 + 4 + 4.
    assert load_yaml("[&a [1, 2, 3], *a]") == [[1, 2, 3], [1, 2, 3]]
    # A key and a value each count.
    assert load_yaml("{a: 1, b: 2, c: 3, d: 4}") == {"a": 1, "b": 2, "c": 3, "d": 4}
    for text in ("[&a [1, 2, 3], *a, 5, 6]", "{a: 1, b: 2, c: 3, d: 4, e: 5}", "[&a {x: 1, y: 2}, *a, 1]"):
        with pytest.raises(yaml.YAMLError, match="its aliases stand for more than 10 values"):
            load_yaml(text)


def test_a_billion_laughs_and_a_list_within_itself_are_refused_at_once() -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    for text in (laughs, "&a [*a]", "&a {x: *a}"):
        with pytest.raises(yaml.YAMLError, match="more than 200,000 values"):
            load_yaml(text)
