"""Training for all strategies alike: the project's own, with a smaller search, and each training set only once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from churn.clock import now
from churn.config.params import EvaluationParams, Params, TuningParams
from churn.contract import Contract
from churn.customers.frame import frame_digest
from churn.data.dataset import Dataset
from churn.data.labelled import Labelled
from churn.evaluation.profit import break_even, profit_of_churner, profit_of_stayer
from churn.modeling.model import Model, ModelInfo, build_pipeline, columns_read
from churn.modeling.search.refit import joined
from churn.modeling.training import Trained, train
from churn.modeling.training_set import TrainingSet
from churn.simulation.life import Month

# One candidate of the default search; terms are looked for among so many customers, weights fitted on all.
CANDIDATE: dict[str, Any] = {
    "features__trees": 120,
    "features__strictness": 0.7,
    "features__max_rows": 3_000,
    "logreg__C": 0.1,
}
SEARCH = TuningParams(grid=[{name: [value] for name, value in CANDIDATE.items()}])
PARAMS = Params(tuning=SEARCH, evaluation=EvaluationParams(resamples=100))
# Of more customers a sample is trained on.
MAX_ROWS = 40_000


@dataclass(frozen=True)
class Fitted:
    """A model of those who have no gate.

    Attributes
    ----------
    model : Model
    features : pandas.DataFrame
        Of the customers that it was trained on.
    accuracy : float
        On the file's holdout.
    """

    model: Model
    features: pd.DataFrame
    accuracy: float


class Trainer:
    """Trains, and remembers every model: the same customers give the same model.

    Parameters
    ----------
    contract : Contract
    params : Params
        Of the training, the gate and the profit.
    """

    def __init__(self, contract: Contract, params: Params = PARAMS) -> None:
        self.contract, self.params = contract, params
        self._trained: dict[str, Trained] = {}
        self._fitted: dict[str, Fitted] = {}
        self._said: dict[tuple[str, int], np.ndarray] = {}

    def train(self, training_set: TrainingSet, trigger: str) -> Trained:
        """Train a model as this project does: search, out-of-fold threshold, evaluation, reference.

        Parameters
        ----------
        training_set : TrainingSet
        trigger : str
            Why.
        """
        key = training_set.digest
        if key not in self._trained:
            self._trained[key] = train(training_set, self.contract, self.params, name="churn", trigger=trigger)
        return self._trained[key]

    def fit(self, known: Labelled, holdout: Labelled) -> Fitted:
        """Fit a model as the same pipeline, without all that others do not ask for.

        Its threshold is the one that pays if it is calibrated, which spares others the noise of choosing it.

        Parameters
        ----------
        known, holdout : Labelled
        """
        digest = frame_digest(known.features.assign(**{"<outcome>": known.outcome}))
        if digest not in self._fitted:
            form = self.params.model.form
            pipeline = build_pipeline(self.params.seed, form=form, contract=self.contract).set_params(**CANDIDATE)
            columns = columns_read(form, self.contract)
            pipeline.fit(known.features[columns], known.outcome)
            info = ModelInfo(
                name="churn",
                trained_at=now(),
                data_digest=digest,
                data_source="",
                rows=len(known),
                contract=self.contract.name,
                contract_digest=self.contract.digest,
                features=columns,
                threshold=break_even(self.params.profit),
            )
            model = Model(pipeline, info)
            right = (model.predict_probability(holdout.features) >= 0.5) == (holdout.outcome.to_numpy() == 1)
            # As ours does, once it is known how good it is.
            everybody = joined(known, holdout)
            pipeline.fit(everybody.features[columns], everybody.outcome)
            self._fitted[digest] = Fitted(model, known.features, float(right.mean()))
        return self._fitted[digest]

    def ask(self, model: Model, month: Month) -> np.ndarray:
        """Return what a model says of all customers of a month, shape (n,).

        Parameters
        ----------
        model : Model
        month : Month
        """
        # A threshold apart, two models of the same customers are one.
        key = (f"{model.info.data_digest} {model.info.reference_digest}", id(month.customers.features))
        if key not in self._said:
            self._said[key] = model.predict_probability(month.customers.features)
        return self._said[key]

    def forget_answers(self) -> None:
        """Forget what models said: the months of another scenario follow."""
        self._said.clear()


def known_to_all(file: Dataset, months: list[Month], holdout: Labelled, params: Params) -> Labelled:
    """Put together everything that is known, as most teams do: nobody but the holdout is kept back.

    Parameters
    ----------
    file : Dataset
    months : list of Month
        Those whose outcomes are known.
    holdout : Labelled
        The file's first rows.
    params : Params
    """
    features = pd.concat([file.features, *(month.customers.features for month in months)], ignore_index=True)
    outcome = pd.concat([file.labelled, *(month.customers.labelled for month in months)], ignore_index=True)
    rows = np.arange(len(holdout), len(features))
    if len(rows) > MAX_ROWS:
        rows = np.sort(np.random.default_rng(params.seed).choice(rows, MAX_ROWS, replace=False))
    return Labelled(features.iloc[rows].reset_index(drop=True), outcome.iloc[rows].reset_index(drop=True))


def expected_log_loss(truth: np.ndarray, said: np.ndarray) -> float:
    """Return the log loss that answers have on average over what may come true.

    Parameters
    ----------
    truth, said : array of float in [0, 1], shape (n,)

    Returns
    -------
    float
        In nats per customer.
    """
    said = np.clip(said, 1e-15, 1 - 1e-15)
    return float(-(truth * np.log(said) + (1 - truth) * np.log1p(-said)).mean())


def expected_profit(truth: np.ndarray, said: np.ndarray, threshold: float, params: Params) -> float:
    """Return the profit per customer, on average over what may come true, if all at or above the threshold are contacted.

    Parameters
    ----------
    truth, said : array of float in [0, 1], shape (n,)
    threshold : float
    params : Params
        Of them the profit's.
    """
    won, lost = profit_of_churner(params.profit), profit_of_stayer(params.profit)
    return float(np.where(said >= threshold, truth * won + (1 - truth) * lost, 0.0).mean())
