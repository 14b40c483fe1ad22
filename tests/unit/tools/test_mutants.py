"""Mutation testing: what is changed, what is left alone, which tests are chosen, and what the table says."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.checkout import CHECKOUT
from tools.mutants.coverage_map import CoverageMap, digest, map_file
from tools.mutants.operators import find_mutations
from tools.mutants.relation import Relation
from tools.mutants.report import judged, table
from tools.mutants.sample import PACKAGES, draw, statements_of


def mutants_of(source: str) -> set[str]:
    return {
        mutation.apply(source).strip() for statement in statements_of(ast.parse(source)) for mutation in find_mutations(statement)
    }


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("x = a < b", {"x = (a <= b)"}),
        ("x = a and b", {"x = (a or b)", "x = (a)", "x = (b)"}),
        ("x = not a", {"x = (a)"}),
        ("x = a + 1", {"x = (a - 1)", "x = a + 2"}),
        ("x = f'{a}' + 'b'", set()),
        ("x = True", {"x = False"}),
        ("f(a, key=b)", {"pass", "(f(a))"}),
        ("x = zip(a, b, strict=False)", {"x = zip(a, b, strict=True)"}),
        (
            "def f(a: int = 1) -> None:\n    raise E('words')",
            {"def f(a: int = 2) -> None:\n    raise E('words')", "def f(a: int = 1) -> None:\n    pass"},
        ),
        ("def f():\n    return a", {"def f():\n    return None"}),
        ("if a:\n    b = c", {"if (not (a)):\n    b = c", "if False:\n    b = c"}),
        ("é, x = 'ü', 1", {"é, x = 'ü', 2"}),
        ("logger.info('words', 1)", set()),
        ("'''Words.'''\nimport os\n__all__ = ['a']", set()),
        ("if TYPE_CHECKING:\n    import x", set()),
        ("x: Annotated[int, 1]", set()),
    ],
)  # fmt: skip
def test_what_a_statement_can_become(source: str, mutants: set[str]) -> None:
    assert mutants_of(source) == mutants


def test_the_same_seed_draws_the_same_and_every_mutant_is_python() -> None:
    assert PACKAGES == ("churn", "service", "monitoring", "pipelines")
    few = ("monitoring/drift", "pipelines/cli")
    drawn = draw(CHECKOUT, 50, 3, few)
    assert draw(CHECKOUT, 50, 3, few) == drawn != draw(CHECKOUT, 50, 4, few)
    assert {mutant.package for mutant in drawn} == {"monitoring", "pipelines"}
    for mutant in drawn:
        source = (CHECKOUT / mutant.path).read_text(encoding="utf-8")
        changed = ast.dump(ast.parse(mutant.mutation.apply(source)))
        assert changed != ast.dump(ast.parse(source)), mutant.title


def test_the_tests_that_run_a_line_are_chosen_the_cheap_ones_first(tmp_path: Path) -> None:
    source, folder = tmp_path / "churn/a.py", tmp_path / "map"
    source.parent.mkdir()
    source.write_text("def f():\n    x = 1\n    y = 2\nz = 3\n")
    folder.mkdir()
    nodes = {"slow": (9.0, [2, 4]), "quick": (4.0, [2, 3]), "other": (1.0, [3])}
    for name, (seconds, lines) in nodes.items():
        test = tmp_path / f"tests/unit/churn/test_{name}.py"
        test.parent.mkdir(parents=True, exist_ok=True)
        test.write_text("")
        known = {f"{test.name}::test": {"seconds": seconds, "lines": {"churn/a.py": lines}}}
        text = {"digest": digest(test), "sources": {"churn/a.py": digest(source)}, "nodes": known}
        map_file(folder, test.relative_to(tmp_path)).write_text(json.dumps(text))
    near = tmp_path / "tests/unit/churn/test_new.py"
    near.write_text("from churn.a import f")
    (tmp_path / "tests/unit/churn/test_new_of_others.py").write_text("import churn.b")
    found = CoverageMap(tmp_path, folder, Relation(tmp_path))

    def chosen(line: int, seconds: float = 100) -> list[str]:
        return [test.node for test in found.find_tests("churn/a.py", range(line, line + 1), ("tests/unit",), seconds)]

    # Of files without a map, those that lead to the module, after all others.
    assert chosen(2) == ["test_quick.py::test", "test_slow.py::test", "tests/unit/churn/test_new.py"]
    near.unlink()
    found = CoverageMap(tmp_path, folder, Relation(tmp_path))
    assert chosen(2) == ["test_quick.py::test", "test_slow.py::test"]
    # A file that takes a moment is run whole.
    assert chosen(3) == ["tests/unit/churn/test_other.py", "test_quick.py::test"]
    assert chosen(2, seconds=5) == ["test_quick.py::test"]
    # What runs at import, whoever imported it first, belongs to all that use the module; and so does what has changed since.
    assert len(chosen(1)) == len(chosen(4)) == 3
    source.write_text("def f():\n\n    x = 1\n    y = 2\nz = 3\n")
    assert len(chosen(2)) == 3


def test_without_a_map_the_test_files_nearest_to_a_module_are_chosen(tmp_path: Path) -> None:
    files = {
        "churn/a.py": "",
        "churn/b.py": "from churn.a import f",
        "churn/c.py": "import churn.b",
        "churn/d.py": "import churn.c",
        "service/routes/things.py": "from churn import a\n@router.post('/things')\ndef route(): ...",
        "pipelines/cli/score.py": "import churn.a",
        "pipelines/cli/models/commands.py": "import churn.a",
        "tests/helper.py": "from churn.a import f",
        "tests/unit/churn/test_a.py": "import churn.a",
        "tests/unit/churn/deep/test_a_and_more.py": "import churn.a, churn.b, churn.c",
        "tests/unit/churn/deep/test_helped.py": "import tests.helper",
        "tests/unit/churn/test_b.py": "from churn.b import f",
        "tests/unit/service/test_b.py": "from churn.b import f",
        "tests/unit/churn/test_far.py": "import churn.d",
        "tests/unit/churn/test_words.py": "run('score')",
        "tests/integration/test_route.py": "ask('/things?k=3')",
        "tests/integration/test_command.py": "run('score', 'in.csv')",
        "tests/integration/test_noun.py": "run('churn', 'model', 'list')",
        "tests/integration/test_program.py": "start('service.routes.things:route')",
        "tests/integration/test_nothing.py": "run('store'); ask('/others')",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    relation = Relation(tmp_path)
    unit = [name for name in files if name.startswith("tests/unit")]
    assert relation.nearest(unit, "churn/a.py") == [
        "tests/unit/churn/test_a.py",
        "tests/unit/churn/deep/test_helped.py",
        "tests/unit/churn/deep/test_a_and_more.py",
        "tests/unit/churn/test_b.py",
        "tests/unit/service/test_b.py",
    ]
    assert relation.distance("tests/unit/churn/test_far.py", "churn/b.py") == 3
    assert relation.distance("tests/unit/churn/test_far.py", "churn/a.py") is None
    other = [name for name in files if name.startswith("tests/integration")]
    assert {relation.distance(name, "churn/a.py") for name in other} == {2, None}
    assert [name for name in other if relation.distance(name, "churn/a.py") is None] == ["tests/integration/test_nothing.py"]


def test_the_examples_of_a_module_are_tests_of_it(tmp_path: Path) -> None:
    for name, text in {
        "churn/a.py": '"""Docs.\n\n>>> 1\n1\n"""',
        "churn/b.py": "x = 1",
        "tests/unit/test_doctests.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = CoverageMap(tmp_path, tmp_path, Relation(tmp_path))
    unit = ("tests/unit",)
    assert [test.node for test in found.find_tests("churn/a.py", range(1, 2), unit, 100)] == [
        "tests/unit/test_doctests.py::test_doctests[churn.a]"
    ]
    assert found.find_tests("churn/b.py", range(1, 2), unit, 100) == []
    assert found.find_tests("churn/a.py", range(1, 2), ("tests/integration",), 100) == []


def test_an_equivalent_mutant_counts_neither_way() -> None:
    def result(kind: str, package: str = "churn") -> dict[str, str]:
        return {"path": f"{package}/a.py", "before": "1", "after": "2", "result": kind}

    shown = table([result("mirror"), result("unit"), result("other"), result("survived"), result("mirror", "service")])
    lines = [line.split(" | ") for line in shown.splitlines()]
    assert lines[2][0] == "| churn"
    assert lines[2][-2:] == ["75%", "50% |"]
    assert lines[-1][-2:] == ["80%", "60% |"]
    assert judged(result("survived")) == "survived"
