"""Learning and validation curves: a world whose answer is known is read rightly, twice alike, in bounded time."""

from __future__ import annotations

import io

from churn.diagnostics.curves import Curves, find_curves
from tests.unit.churn.diagnostics.weak_columns import FEATURES, PARAMS, customers, tuned


def test_pictures_show_scores_as_people_read_them() -> None:
    curves = find_curves(tuned(customers(500)), customers(500), FEATURES, PARAMS, 1, measure=True)
    files = curves.files()
    assert set(files) == {
        *("plots/learning_curve.png", "plots/validation_curves.png"),
        *("curves/learning.csv", "curves/validation.csv"),
    }
    for name in ("plots/learning_curve.png", "plots/validation_curves.png"):
        axes = files[name].axes[0]
        assert axes.get_ylabel() == "log loss"
        assert all(value > 0 for line in axes.get_lines()[:2] for value in line.get_ydata()), "losses, not negated ones"
        assert {"customers trained on", "others (cross-validation)"} <= {text.get_text() for text in axes.get_legend().texts}
        files[name].savefig(io.BytesIO())
    assert list(files["curves/learning.csv"]) == ["rows", "fold", "own", "others"]
    assert curves.report()["more_customers"].startswith("More customers would probably help")


def test_without_curves_there_are_no_files() -> None:
    assert Curves().files() == {}
