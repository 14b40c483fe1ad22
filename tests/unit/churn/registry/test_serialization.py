from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from churn.modeling.model import build_pipeline
from churn.registry.serialization import dump_pipeline
from churn.registry.trusted_types import TRUSTED_TYPES
from tests.skops_io import skops_io

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


def fitted(c: float = 1.0) -> Pipeline:
    return build_pipeline(1).set_params(logreg__C=c).fit(X, Y)


def test_the_same_model_is_the_same_bytes() -> None:
    assert dump_pipeline(fitted()) == dump_pipeline(fitted())


def test_skops_alone_would_not_give_the_same_bytes() -> None:
    # If this fails, skops writes reproducibly by itself, and churn/registry/serialization.py can go.
    pipeline = fitted()
    assert skops_io.dumps(pipeline) != skops_io.dumps(pipeline)


def test_another_model_is_other_bytes() -> None:
    assert dump_pipeline(fitted(1.0)) != dump_pipeline(fitted(0.5))


def test_what_comes_back_answers_bit_for_bit_the_same() -> None:
    pipeline = fitted()
    back = skops_io.loads(dump_pipeline(pipeline), trusted=TRUSTED_TYPES)
    assert np.array_equal(back.predict_proba(X), pipeline.predict_proba(X))
    assert list(back.named_steps) == list(pipeline.named_steps)
    assert back.get_params()["logreg__C"] == 1.0
    assert dump_pipeline(back) == dump_pipeline(pipeline)


def test_loading_needs_no_types_beyond_the_trusted() -> None:
    assert set(skops_io.get_untrusted_types(data=dump_pipeline(fitted()))) <= set(TRUSTED_TYPES)


def test_nothing_tells_when_or_where_it_was_written() -> None:
    with zipfile.ZipFile(io.BytesIO(dump_pipeline(fitted()))) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert [member.filename for member in archive.infolist()][:2] == ["schema.json", "0.npy"]


def test_another_process_writes_the_same_bytes_and_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np; from churn.registry.serialization import dump_pipeline\n"
        "from churn.modeling.model import build_pipeline\n"
        "X = np.random.default_rng(0).normal(size=(60, 3)); Y = (X[:, 0] + X[:, 1] > 0).astype(int)\n"
        "open(sys.argv[1], 'wb').write(dump_pipeline(build_pipeline(1).fit(X, Y)))\n"
        "print(*({'dask', 'pytest', 'sklearn.gaussian_process'} & set(sys.modules)))\n"
    )
    out = tmp_path / "model.skops"
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    done = subprocess.run([sys.executable, "-c", script, out], check=True, env=environment, stdout=subprocess.PIPE, timeout=60)
    assert done.stdout.split() == [], "skops alone would import all of scikit-learn, and what that asks for"
    assert out.read_bytes() == dump_pipeline(fitted())
