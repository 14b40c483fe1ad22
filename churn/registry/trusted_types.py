"""What a pipeline may hold, and skops without all the rest of scikit-learn."""

from __future__ import annotations

import sys
import threading

# Everything else is refused, whatever an artifact says of itself.
TRUSTED_TYPES = [
    "churn.modeling.deep.bounded_inputs.BoundedInputs",
    "churn.modeling.deep.network.DenseNetwork",
    "churn.modeling.features.LinearTerms",
    "numpy.dtype",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.StandardScaler",
]
_lock = threading.Lock()


def prepare_skops() -> None:
    """Import skops, which is told that scikit-learn has no estimators: what it may load is what `TRUSTED_TYPES` names.

    By itself it trusts each estimator that scikit-learn has, and to learn their names it imports all of scikit-learn and, where
    they are installed, Dask and pytest: a quarter of what a process imports to load a model. Called before `import skops.io`.
    """
    with _lock:
        if "skops.io" in sys.modules:
            return
        import sklearn.utils

        find_all = sklearn.utils.all_estimators
        sklearn.utils.all_estimators = list
        try:
            import skops.io  # noqa: F401
        finally:
            sklearn.utils.all_estimators = find_all
