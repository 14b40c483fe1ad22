"""From validated customers to records of the log. All feature work is the pipeline's own: nothing is rebuilt here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import pandas as pd

from churn.contract import Contract
from churn.frame import frame_from_records
from churn.model import Model
from churn.records import Prediction, new_id, now
from churn.request import CustomerBase
from service.explain import Explainer
from service.problems import FieldProblem, Unprocessable


@dataclass(frozen=True)
class ServedModel:
    """One model in service, with all that belongs to it. A request holds one of these from start to end."""

    model: Model
    contract: Contract
    explainer: Explainer | None
    loaded_from: Literal["registry", "disk"]
    loaded_at: datetime = field(default_factory=now)

    @property
    def version(self) -> str:
        """The registry's number of it."""
        return self.model.info.version

    def score(self, customers: Sequence[CustomerBase]) -> list[Prediction]:
        """Answer customers, in their order.

        One customer takes 2-4 ms, nearly all of it with the interpreter lock held: for /predict a thread would add switching and
        win nothing, so it runs on the event loop. A batch runs in a thread, where the loop gets its turns in between.
        """
        records = [customer.features() for customer in customers]
        probabilities = self.model.predict_probability(frame_from_records(records, self.contract))
        asked, threshold = now(), self.model.info.threshold
        return [
            Prediction(
                prediction_id=new_id(),
                customer_id=customer.customer_id,
                requested_at=asked,
                model_version=self.version,
                churn_probability=probability,
                threshold=threshold,
                churn=probability >= threshold,
                features=features,
            )
            for customer, features, probability in zip(customers, records, probabilities.tolist(), strict=True)
        ]

    def explain(self, prediction: Prediction, strongest: int) -> dict[str, Any]:
        """Give the base value and the strongest reasons of an answer of this model.

        Raises
        ------
        Unprocessable
            If this model's answers cannot be taken apart.
        """
        if self.explainer is None:
            problem = FieldProblem(field="reasons", problem="the model in service cannot give reasons")
            raise Unprocessable("1 problem found.", [problem])
        frame: pd.DataFrame = frame_from_records([prediction.features], self.contract)
        explanation = self.explainer.explain(frame)
        reasons = self.explainer.reasons(explanation, prediction.features, strongest)
        return {"base_value": explanation.base, "reasons": [reason.model_dump() for reason in reasons]}


def answer(prediction: Prediction) -> dict[str, Any]:
    """Spell a record of the log as an answer: what is sent is what is stored."""
    return {
        "prediction_id": prediction.prediction_id,
        "customer_id": prediction.customer_id,
        "churn_probability": prediction.churn_probability,
        "churn": prediction.churn,
        "threshold": prediction.threshold,
        "model_version": prediction.model_version,
    }
