"""Rules of very many inputs: how many they read, and that these are what tells most. Work is counted, never timed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier

import churn.modeling.rules as rules_module
from churn.modeling.boosted import screening
from churn.modeling.boosted.screening import count_screened, screen_inputs
from churn.modeling.features import LinearTerms
from churn.modeling.rules import grow_rules, rule_holds

RULES = {"trees": 6, "depth": 3, "min_rows": 5, "seed": 3}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that few customers reach."""
    monkeypatch.setattr(screening, "MAX_CELLS", 4_000)
    monkeypatch.setattr(screening, "MIN_INPUTS", 6)
    monkeypatch.setattr(rules_module, "MAX_TREE_ROWS", 100)


def wide(rows: int = 400, noise: int = 40, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64], set[int]]:
    """Noise of several kinds, and among it a line, a bend, a rare level, a skewed number; return where these are, too."""
    rng = np.random.default_rng(seed)
    line, bend = rng.normal(size=(2, rows))
    level, skewed = (rng.random(rows) < 0.1).astype(float), rng.lognormal(0, 2, rows)
    logit = 1.5 * line + 2 * (np.abs(bend) > 1) + 3 * level - 2.0 * (skewed < 0.5)
    kinds = [rng.normal(size=rows), rng.poisson(2, rows), rng.random(rows) < 0.05, np.zeros(rows)]
    columns = [rng.permutation(kinds[number % 4]) for number in range(noise)]
    places = [0, noise // 3, noise // 2, noise + 3]
    for place, column in zip(places, (line, bend, level, skewed), strict=True):
        columns.insert(place, column)
    return np.column_stack(columns), (logit + rng.logistic(size=rows) > 0).astype(np.int64), set(places)


@pytest.mark.parametrize(("rows", "inputs"), [(2_500, 400), (20_000, 64), (15_625, 64), (1, 1_000), (3, 1)])
def test_up_to_so_many_cells_and_inputs_nothing_is_left_out(rows: int, inputs: int) -> None:
    """So it is for 3,333 telecom customers, and for anybody with up to 64 inputs."""
    assert count_screened(rows) >= inputs
    outcome = np.arange(rows) % 2
    assert screen_inputs(np.broadcast_to(0.0, (rows, inputs)), outcome).tolist() == list(range(inputs))


@pytest.mark.usefixtures("small")
def test_what_tells_most_is_read_wherever_it_stands() -> None:
    inputs, outcome, telling = wide()
    seen = screen_inputs(inputs, outcome)
    assert len(seen) == 10
    assert telling <= set(seen.tolist())
    assert (np.diff(seen) > 0).all()
    order = np.random.default_rng(2).permutation(inputs.shape[1])
    assert telling <= set(order[screen_inputs(inputs[:, order], outcome)].tolist())


@pytest.mark.usefixtures("small")
def test_rules_name_inputs_by_their_own_places() -> None:
    inputs, outcome, _ = wide()
    seen = screen_inputs(inputs, outcome)
    rules = grow_rules(inputs, outcome, seen, **RULES)
    alone = grow_rules(inputs[:, seen], outcome, np.arange(len(seen)), **RULES)
    assert alone
    assert {column for rule in rules for column, _ in rule} <= set(seen.tolist())
    assert max(column for rule in rules for column, _ in rule) > len(seen), "and not by those among the seen"
    assert all(rule_holds(rule, inputs).sum() >= RULES["min_rows"] for rule in rules)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("noise", [20, 80, 320])
def test_work_goes_by_cells_however_many_the_inputs(noise: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cells: list[float] = []
    fit = GradientBoostingClassifier.fit

    def counting(self: Any, x: NDArray[np.float64], y: NDArray[np.int64]) -> Any:
        cells.append(x.size * self.subsample)
        return fit(self, x, y)

    monkeypatch.setattr(GradientBoostingClassifier, "fit", counting)
    inputs, outcome, _ = wide(noise=noise)
    terms = LinearTerms(trees=6, depth=3, min_rows=5, knots=0, strictness=0.0)
    terms.fit(pd.DataFrame(inputs).rename(columns=str), outcome)
    assert cells == [100 * 10] * 2
    cells.clear()
    monkeypatch.setattr(screening, "MAX_CELLS", inputs.size)
    terms.fit(pd.DataFrame(inputs + 1).rename(columns=str), outcome)
    assert cells == [inputs.size / 2] * 2, "within the bound all are read"
