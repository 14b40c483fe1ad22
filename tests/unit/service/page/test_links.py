"""Where the page leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.config.settings import load_settings
from churn.config.ui_links import EVIDENTLY_PROJECT
from churn.errors import InputError
from service.page.links import other_links
from tests.unit.service.fakes import (
    KEYS,
    make_settings,
)


def test_links_are_those_of_churn_up_or_of_the_settings(tmp_path: Path) -> None:
    local = other_links(make_settings(tmp_path, mlflow_port=5050))
    assert local == {
        "MLflow": "http://127.0.0.1:5050/#/models/churn?workflowType=machine_learning",
        "Prefect": "http://127.0.0.1:4200/deployments",
        "Evidently": "http://127.0.0.1:8085/",
    }
    # The first monitoring run makes the project: from then on the link leads there.
    settings = make_settings(tmp_path)
    (settings.home / "evidently" / str(EVIDENTLY_PROJECT)).mkdir(parents=True)
    assert other_links(settings)["Evidently"] == f"http://127.0.0.1:8085/projects/{EVIDENTLY_PROJECT}"
    assert other_links(make_settings(tmp_path, host="0.0.0.0", api_keys=KEYS)) == {}  # noqa: S104
    chosen = make_settings(tmp_path, page_links="Grafana=https://grafana.example/d/1?a=b")
    assert other_links(chosen) == {"Grafana": "https://grafana.example/d/1?a=b"}


@pytest.mark.parametrize("links", ["Grafana", "=https://x.example", "Grafana=javascript:alert(1)", "a=http://x, b"])
def test_a_wrong_link_stops_the_start(links: str) -> None:
    with pytest.raises(InputError, match="CHURN_PAGE_LINKS"):
        load_settings(page_links=links)
