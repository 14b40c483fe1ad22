"""What the page says of the model in service."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.page.model_panel import render_model
from tests.unit.service.fakes import (
    make_model,
    served_model,
)


@pytest.mark.parametrize("simulated", [True, False])
def test_a_model_of_invented_customers_is_marked(simulated: bool) -> None:
    model = make_model()
    info = model.info.model_copy(update={"simulated": simulated})
    shown = render_model(replace(served_model(model, "disk"), info=info, card=""), link=True)
    assert ("Trained on simulated customers" in shown) is simulated
    assert "Model card" not in shown


def test_the_interval_of_a_score_is_shown_where_it_is_known() -> None:
    model = make_model()
    metrics = {"roc_auc": 0.9312, "roc_auc_low": 0.9, "roc_auc_high": 0.96, "brier": 0.05, "rows": 200.0}
    served = served_model(replace(model, info=model.info.model_copy(update={"metrics": metrics})), "registry")
    panel = render_model(served, link=True)
    assert "<th scope=row>ROC AUC</th><td>0.931</td><td>0.9 to 0.96</td>" in panel
    assert "<th scope=row>Brier score</th><td>0.05</td><td></td>" in panel
    assert "the registry" in panel
    assert "compiled" in panel
