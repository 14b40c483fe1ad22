"""Mutation testing on a random sample: `python -m tools.mutants --sample 100 --seed 7`; `--map` first records what tests run.

Both go on where they were stopped, by hand or by --minutes. Results lie in build/mutants/.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tools.mutants.coverage_map import OTHERS, UNIT, CoverageMap, stale_tests
from tools.mutants.relation import Relation
from tools.mutants.report import survivors, table
from tools.mutants.sample import PACKAGES, Mutant, draw
from tools.mutants.trial import TEST_SECONDS, copy_tree, failed_tests, preload, run_tests

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/mutants"
# How long the tests may take that are chosen for one mutant, when nothing else runs; a busy machine gets four times as long.
UNIT_SECONDS, OTHER_SECONDS = 40.0, 100.0
TIMEOUT_FACTOR = 4
UNIT_FILES = 12


def main() -> None:
    """Draw mutants, run the tests that could notice each, print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=100, help="how many mutants")
    parser.add_argument("--seed", type=int, default=7, help="which ones")
    parser.add_argument("--packages", nargs="+", default=list(PACKAGES), help="packages to draw from")
    parser.add_argument("--unit", action="store_true", help="unit tests only")
    parser.add_argument("--map", action="store_true", help="record which tests run which lines, where that is not known yet")
    parser.add_argument("--minutes", type=float, default=600, help="begin nothing new after so many minutes")
    parser.add_argument("--workers", type=int, default=2, help="how many mutants at a time")
    parser.add_argument("--anew", action="store_true", help="forget the results of this sample")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    (BUILD / "map").mkdir(parents=True, exist_ok=True)
    preload()
    if options.map:
        record(UNIT if options.unit else (*UNIT, *OTHERS), until)
        return
    name = "-".join(map(str, ("sample", options.sample, options.seed, *(options.packages if len(options.packages) < 4 else ()))))
    state = BUILD / f"{name}.jsonl"
    if options.anew:
        state.unlink(missing_ok=True)
    drawn_file = BUILD / f"{name}.drawn.json"
    mutants = draw(ROOT, options.sample, options.seed, tuple(options.packages))
    # A sample stays what it was when it was drawn; that tells whether the code has changed under it.
    drawn = json.dumps([mutant.as_dict() for mutant in mutants])
    if state.exists() and drawn_file.exists() and drawn_file.read_text(encoding="utf-8") != drawn:
        raise SystemExit(f"the code has changed since {name} was begun: give --anew")
    drawn_file.write_text(drawn, encoding="utf-8")
    # What a run with --unit did not notice, one without it shows to the other tests.
    known = _read(state)
    done = {title for title, line in known.items() if options.unit or not _others_are_left(line)}
    left = [(mutant, mutant.title in known) for mutant in mutants if mutant.title not in done]
    fork = multiprocessing.get_context("fork")
    parts = [left[number :: options.workers] for number in range(options.workers)]
    known_tests = CoverageMap(ROOT, BUILD / "map", Relation(ROOT))
    workers = [fork.Process(target=work, args=(part, state, known_tests, options.unit, until)) for part in parts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    results = list(_read(state).values())
    today = time.strftime("%Y-%m-%d", time.gmtime())
    print(f"{len(results)} of {len(mutants)} mutants, seed {options.seed}, {today}\n\n{table(results)}\n")
    print("\n".join(survivors(results)))


def record(under: tuple[str, ...], until: float) -> None:
    """Record which lines the tests run, of those test files that have changed since.

    Parameters
    ----------
    under : tuple of str
        Folders of tests.
    until : float
        When to begin nothing new, on the monotonic clock.
    """
    with tempfile.TemporaryDirectory(prefix="churn-mutants-") as place:
        tree, traces = Path(place) / "tree", Path(place) / "traces"
        traces.mkdir()
        copy_tree(ROOT, tree)
        os.environ |= {
            "CHURN_MUTANTS_MAP": str(BUILD / "map"),
            "CHURN_MUTANTS_TRACES": str(traces),
            "CHURN_MUTANTS_TREE": str(tree),
        }
        os.environ["CHURN_MUTANTS_PATH"] = f"{tree}/tools/mutants/processes"
        # Unit tests many files at a time: most of their time is imports. Each file's map is written when the file has ended.
        stale = stale_tests(ROOT, BUILD / "map", under)
        unit, other = ([name for name in stale if name.startswith(UNIT) is wanted] for wanted in (True, False))
        for names in [*(unit[n : n + UNIT_FILES] for n in range(0, len(unit), UNIT_FILES)), *([name] for name in other)]:
            if time.monotonic() > until:
                return
            outcome = run_tests(
                tree, names, max_seconds=900, output=Path(place) / "output", options=("-p", "tools.mutants.recorder")
            )
            print(f"{', '.join(names)}: {outcome}", flush=True)
            if outcome != "passed":
                print((Path(place) / "output").read_text()[-1500:])


def work(mutants: list[tuple[Mutant, bool]], state: Path, known: CoverageMap, unit_only: bool, until: float) -> None:
    """Try mutants one after the other, and append each result to the state.

    Parameters
    ----------
    mutants : list of (Mutant, bool)
        And whether unit tests have been tried on it before.
    state : Path
        A file of JSON lines.
    known : CoverageMap
    unit_only : bool
    until : float
        When to begin nothing new, on the monotonic clock.
    """
    with tempfile.TemporaryDirectory(prefix="churn-mutants-") as place:
        tree = Path(place) / "tree"
        copy_tree(ROOT, tree)
        for mutant, is_tried in mutants:
            if time.monotonic() > until:
                return
            started = time.monotonic()
            kinds = [kind for kind, wanted in (("unit", not is_tried), ("other", not unit_only)) if wanted]
            result = judge(mutant, tree, known, kinds)
            seconds = round(time.monotonic() - started, 1)
            line = {"mutant": mutant.title, "result": result, "seconds": seconds, "others": not unit_only, **mutant.as_dict()}
            with state.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{result:9} {seconds:5.1f} s  {mutant.title}", flush=True)


def judge(mutant: Mutant, tree: Path, known: CoverageMap, kinds: Collection[str]) -> str:
    """Return which kind of test notices a mutant first, the cheap ones first: mirror, unit, other; or survived, or timed out.

    Parameters
    ----------
    mutant : Mutant
    tree : Path
        A copy of the checkout.
    known : CoverageMap
    kinds : collection of str
        Which tests are tried: unit, other.

    Returns
    -------
    str
    """
    change = mutant.mutation
    lines = range(change.line, change.end_line + 1)
    mirrors = find_mirrors(mutant.path)
    steps: list[tuple[str, list[str], float]] = [("mirror", mirrors, UNIT_SECONDS)] if "unit" in kinds else []
    for name, under, seconds in (("unit", UNIT, UNIT_SECONDS), ("other", OTHERS, OTHER_SECONDS)):
        if name in kinds:
            found = known.find_tests(mutant.path, lines, under, seconds)
            nodes = [test.node for test in found if test.node not in mirrors]
            steps.append((name, nodes, sum(test.seconds for test in found)))
    target, output = tree / mutant.path, tree.parent / "output"
    source = target.read_text(encoding="utf-8")
    slow = False
    for name, nodes, seconds in steps:
        if not nodes:
            continue
        limit = ("-x", f"--timeout={TEST_SECONDS}") if name != "other" else ("-x",)
        most = 30 + TIMEOUT_FACTOR * seconds
        target.write_text(change.apply(source), encoding="utf-8")
        try:
            outcome = run_tests(tree, nodes, max_seconds=most, output=output, options=limit)
        finally:
            target.write_text(source, encoding="utf-8")
        if outcome == "failed":
            # On a busy machine a test with servers may fail by itself: then it says nothing about the mutant.
            failed = failed_tests(output.read_text(encoding="utf-8", errors="replace")) if name == "other" else []
            if not failed or run_tests(tree, failed, max_seconds=most, output=output, options=limit) == "passed":
                return name
        slow = slow or outcome == "timed out"
    return "timed out" if slow else "survived"


def find_mirrors(path: str) -> list[str]:
    """Return the unit test files named after a module.

    Parameters
    ----------
    path : str
        A module in the checkout.

    Returns
    -------
    list of str
    """
    module = Path(path)
    folder = ROOT / "tests/unit" / module.parent
    name = module.stem.strip("_")  # of a program: test_main.py
    found = [*folder.glob(f"test_{name}.py"), *folder.glob(f"test_{name}_*.py")]
    return sorted(file.relative_to(ROOT).as_posix() for file in found)


def _read(state: Path) -> dict[str, dict[str, Any]]:
    """Return the last result of each mutant, by its title."""
    lines = map(json.loads, state.read_text(encoding="utf-8").splitlines()) if state.exists() else ()
    return {line["mutant"]: line for line in lines}


def _others_are_left(line: dict[str, Any]) -> bool:
    return line["result"] in ("survived", "timed out") and not line["others"]


if __name__ == "__main__":
    main()
