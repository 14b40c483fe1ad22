from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import sklearn.utils
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from churn.modeling.model import build_pipeline
from churn.registry.serialization import dump_pipeline
from churn.registry.trusted_types import TRUSTED_TYPES, prepare_skops
from tests.checkout import CHECKOUT
from tests.skops_io import skops_io

FRAME = pd.DataFrame({"a": np.arange(40.0), "b": ["x", "y"] * 20})
OUTCOME = np.arange(40) % 3 == 0


@pytest.fixture(scope="module")
def named() -> dict[str, set[str]]:
    """What skops names of a pipeline of each form."""
    pipelines: dict[str, Pipeline] = {
        "plain": build_pipeline(1).fit(FRAME[["a"]], OUTCOME),
        "terms": build_pipeline(1, form="terms").set_params(features__boosted=8).fit(FRAME, OUTCOME),
        "deep": build_pipeline(1, form="deep"),
    }
    return {form: set(skops_io.get_untrusted_types(data=dump_pipeline(pipeline))) for form, pipeline in pipelines.items()}


def test_the_trusted_types_are_those_of_our_pipelines_and_no_more(named: dict[str, set[str]]) -> None:
    assert set().union(*named.values()) == set(TRUSTED_TYPES)
    assert "churn.modeling.features.LinearTerms" in named["terms"]


def test_no_test_imports_skops_before_it_is_told_whom_to_trust() -> None:
    """In one process with these tests it would be what skops trusts by itself, and all of scikit-learn would be imported."""
    found = [
        path for path in (CHECKOUT / "tests").rglob("*.py") if re.search(r"^(import|from) skops", path.read_text("utf-8"), re.M)
    ]
    assert [path.name for path in found] == ["skops_io.py"]


def test_an_estimator_that_no_pipeline_of_ours_has_is_not_trusted() -> None:
    said = skops_io.get_untrusted_types(data=skops_io.dumps(KNeighborsClassifier()))
    assert said == ["sklearn.neighbors._classification.KNeighborsClassifier"]


def test_scikit_learn_knows_its_estimators_as_before() -> None:
    prepare_skops()
    assert sklearn.utils.all_estimators is sklearn.utils.discovery.all_estimators
