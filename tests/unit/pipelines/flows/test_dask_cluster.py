"""Parts that a cluster of other machines scores."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from churn.batch.plan import Terms
from churn.customers.pseudonym import Pseudonymiser
from churn.errors import ChurnError
from pipelines.flows.dask_cluster import on_cluster
from pipelines.scoring import with_opt_outs
from tests.integration.files_to_score import make_scorer
from tests.unit.pipelines.test_scoring import KEY, settings, told


def test_the_key_of_pseudonyms_goes_to_no_worker(tmp_path: Path) -> None:
    told(tmp_path, Pseudonymiser(KEY)("anna"))
    scorer = with_opt_outs(make_scorer(), settings(tmp_path, KEY))
    assert KEY.encode() not in scorer.model.to_json()
    run = on_cluster(SimpleNamespace())
    with pytest.raises(ChurnError, match="1 customers want no contacts and are known by pseudonyms"):
        next(run(scorer, [], Terms(), tmp_path))
