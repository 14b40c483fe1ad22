"""Whatever a company's customers are like, a training ends with a sane model, or with one line that says what is wrong.

Files of odd columns are generated: a constant, an empty column, the outcome itself, numbers near the largest that are allowed,
ten thousand levels. Each goes the whole way, from file to gate.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import churn.config.params as params_module
from churn.config.params import Params
from churn.contract import Column, Contract, Target
from churn.data.dataset import Dataset, read_dataset
from churn.data.doubts import doubts
from churn.diagnostics.curves import find_curves
from churn.errors import ChurnError
from churn.evaluation.report import assess
from churn.explain.segmenting import add_segments
from churn.inference.compiler import compile_pipeline
from churn.lifecycle.gate import decide
from churn.modeling.training import Trained, train
from churn.modeling.training_set import assemble

PARAMS = Params.model_validate({"evaluation": {"resamples": 100}, "gate": {"resamples": 200}, "tuning": {"folds": 3}})
# As the form's own, of small trees.
RULES = {"features__trees": [6], "features__strictness": [0.0, 1.0], "features__min_rows": [5], "logreg__C": [0.1]}
LINES = {"features__trees": [0], "features__knots": [3], "features__strictness": [0.1], "logreg__C": [1.0]}
Floats = np.ndarray[Any, np.dtype[np.float64]]
# What a column is like: kind, and values from a generator and who left.
Maker = tuple[str, Callable[[np.random.Generator, Floats], Any]]
COLUMNS: dict[str, Maker] = {
    "normal": ("number", lambda rng, left: rng.normal(size=len(left)) + left),
    "skewed": ("number", lambda rng, left: rng.lognormal(3, 2, len(left)) * (1 + left)),
    "count": ("number", lambda rng, left: rng.poisson(1 + left)),
    "constant": ("number", lambda rng, left: np.full(len(left), 3.5)),
    "empty": ("number", lambda rng, left: np.full(len(left), np.nan)),
    "mostly missing": ("number", lambda rng, left: np.where(rng.random(len(left)) < 0.97, np.nan, 1.0)),
    "missing where they left": ("number", lambda rng, left: np.where(left == 1, np.nan, rng.random(len(left)))),
    "mostly zero": ("number", lambda rng, left: np.where(rng.random(len(left)) < 0.98, 0.0, 1e6)),
    "the outcome": ("number", lambda rng, left: left),
    "huge": ("number", lambda rng, left: rng.random(len(left)) * 9e99),
    "one huge": ("number", lambda rng, left: np.where(np.arange(len(left)) == 7, 1e99, rng.random(len(left)))),
    "tiny": ("number", lambda rng, left: rng.random(len(left)) * 1e-300),
    "like ids": ("number", lambda rng, left: 2.0**60 + 128 * rng.permutation(len(left))),
    "levels": ("category", lambda rng, left: np.where(rng.random(len(left)) < 0.3 + 0.4 * left, "a", "b")),
    "one level": ("category", lambda rng, left: np.full(len(left), "a")),
    "empty levels": ("category", lambda rng, left: np.full(len(left), "")),
    "a level each": ("category", lambda rng, left: [f"s{number}" for number in range(len(left))]),
    "the outcome's level": ("category", lambda rng, left: np.where(left == 1, "q", "r")),
    "flag": ("flag", lambda rng, left: np.where(rng.random(len(left)) < 0.5, "yes", "no")),
    "flag or nothing": ("flag", lambda rng, left: np.where(rng.random(len(left)) < 0.9, "", "yes")),
}
OUTCOMES: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "a third": lambda rng, rows: rng.random(rows) < 1 / 3,
    "hardly anybody": lambda rng, rows: np.arange(rows) % (rows // 6) == 0,
    "nearly everybody": lambda rng, rows: np.arange(rows) % (rows // 12) > 0,
    "two": lambda rng, rows: np.isin(np.arange(rows), [3, rows // 2]),
    "nobody": lambda rng, rows: np.zeros(rows, dtype=np.bool_),
}


def contract_of(kinds: dict[str, str], frame: pd.DataFrame) -> Contract:
    columns = []
    for name, kind in kinds.items():
        more: dict[str, Any] = {}
        if kind == "category":
            more["levels"] = tuple(sorted(set(frame[name]) - {""})) or ("a", "b")
        elif kind == "flag":
            more = {"true_level": "yes", "false_level": "no"}
        columns.append(Column(name=name, source=name, kind=kind, nullable=True, **more))
    target = Target(column="churned", source="churned", true_level="yes", false_level="no")
    return Contract(name="anybody", target=target, columns=tuple(columns))


def draw_file(folder: Path, seed: int) -> tuple[Path, Contract]:
    """Draw a file: how many customers, who of them left, and which columns."""
    rng = np.random.default_rng(seed)
    rows = int(rng.choice([40, 150, 400]))
    outcomes = list(OUTCOMES)
    left = np.asarray(OUTCOMES[outcomes[seed % len(outcomes)] if seed % 2 else "a third"](rng, rows), dtype=np.float64)
    # Each column comes up, whatever is drawn beside it.
    chosen = [list(COLUMNS)[seed % len(COLUMNS)], *rng.choice(list(COLUMNS), rng.integers(0, 4))]
    kinds = {name.replace(" ", "_").replace("'", ""): COLUMNS[name][0] for name in chosen}
    values = {name.replace(" ", "_").replace("'", ""): COLUMNS[name][1](rng, left) for name in chosen}
    frame = pd.DataFrame(values).assign(churned=np.where(left == 1, "yes", "no"))
    path = folder / "anybody.csv"
    frame.to_csv(path, index=False)
    return path, contract_of(kinds, frame)


def go_the_whole_way(dataset: Dataset, contract: Contract, params: Params) -> Trained:
    doubts(dataset)
    parts = assemble(dataset, None, contract, params)
    trained = add_segments(train(parts, contract, params, name="m", trigger="t"), parts.holdout, contract, params)
    known, info = trained.learned, trained.model.info
    curves = find_curves(trained.tuned, known, info.features, params.tuning, params.seed)
    assert all(curves.report()["too_simple"])
    decision = decide(trained.model, None, parts.fresh, params, contract, serving=None, holdout=parts.holdout)
    assert decision.reason
    trained.evaluation.report()
    assess(known, trained.tuned.out_of_fold, info.threshold, contract, params)
    return trained


@pytest.fixture(autouse=True)
def _small_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(params_module.GRIDS, "terms", [RULES, LINES])
    boosted = {name: values[:1] for name, values in LINES.items()} | {"features__boosted": [5], "features__leaves": [4]}
    monkeypatch.setattr(params_module, "BOOSTED_GRID", [boosted])


# Each column comes up in the first twenty.
@pytest.mark.parametrize("seed", [*range(20), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(20, 40))])
def test_any_file_gives_a_sane_model_or_one_line(seed: int, tmp_path: Path) -> None:
    path, contract = draw_file(tmp_path, seed)
    form = "plain" if seed % 8 == 7 else "terms"
    try:
        dataset = read_dataset(path, contract)
        trained = go_the_whole_way(dataset, contract, PARAMS.with_form(form))
    except ChurnError as error:
        said = str(error)
        assert "\n" not in said
        assert any(word in said for word in ("needed", "needs", "empty customer", "must lie", "no column", "reads numbers")), said
        return
    features = dataset.features[trained.model.info.features]
    probability = trained.model.predict_probability(features)
    assert np.isfinite(probability).all()
    assert 0 <= trained.model.info.threshold <= 1
    if trained.learned.customer is None:  # else a few customers, by what they are, have most rows
        rate = trained.learned.outcome.mean()
        assert trained.tuned.out_of_fold.mean() == pytest.approx(rate, abs=0.1), "on the whole as many as there are"
    compiled = compile_pipeline(trained.model.pipeline, list(features), contract)
    assert compiled is not None
    rows = features.astype(object).where(features.notna(), None).to_numpy().tolist()
    assert [compiled.probability(row) for row in rows] == pytest.approx(probability, abs=1e-9), "served as it is"
