from __future__ import annotations

import json
import subprocess
import sys

import pytest

from churn.registry.trusted_types import TRUSTED_TYPES

# A process of its own: in this one, other tests may have imported skops as it is.
SCRIPT = """
import json, sys
import numpy as np, pandas as pd
import sklearn.utils
from churn.modeling.model import build_pipeline
from churn.registry.serialization import dump_pipeline
from churn.registry.trusted_types import prepare_skops

find_all = sklearn.utils.all_estimators
prepare_skops()
prepare_skops()
import skops.io

frame = pd.DataFrame({"a": np.arange(40.0), "b": ["x", "y"] * 20})
outcome = np.arange(40) % 3 == 0
pipelines = {
    "plain": build_pipeline(1).fit(frame[["a"]], outcome),
    "terms": build_pipeline(1, form="terms").set_params(features__boosted=8).fit(frame, outcome),
    "deep": build_pipeline(1, form="deep"),
}
named = {form: skops.io.get_untrusted_types(data=dump_pipeline(pipeline)) for form, pipeline in pipelines.items()}

from sklearn.neighbors import KNeighborsClassifier
foreign = skops.io.get_untrusted_types(data=skops.io.dumps(KNeighborsClassifier()))
unused = [name for name in ("dask", "pytest", "sklearn.gaussian_process") if name in sys.modules]
print(json.dumps([named, foreign, unused, sklearn.utils.all_estimators is find_all]))
"""


@pytest.fixture(scope="module")
def told() -> list[object]:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=True)
    found: list[object] = json.loads(done.stdout)
    return found


def test_the_trusted_types_are_those_of_our_pipelines_and_no_more(told: list[object]) -> None:
    named = told[0]
    assert isinstance(named, dict)
    assert {name for names in named.values() for name in names} == set(TRUSTED_TYPES)
    assert "churn.modeling.features.LinearTerms" in named["terms"]


def test_an_estimator_that_no_pipeline_of_ours_has_is_not_trusted(told: list[object]) -> None:
    assert told[1] == ["sklearn.neighbors._classification.KNeighborsClassifier"]


def test_skops_comes_without_all_of_scikit_learn_which_is_left_as_it_was(told: list[object]) -> None:
    assert told[2:] == [[], True]
