"""The training parameters of params.yaml."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from churn.config.safe_yaml import load_yaml
from churn.errors import InputError
from churn.one_line import one_line

Form = Literal["terms", "plain", "deep"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitParams(_Part):
    """Who is reserved to judge models: as the holdout of a file, and as the gate's customers among the traffic.

    The key is no secret. With another key other customers are reserved, of whom the models so far have learned: all are spent.
    """

    key: str = Field("who is who 1", min_length=1, max_length=200)
    reserved: float = Field(0.25, gt=0, lt=0.9)


class ModelParams(_Part):
    """The model's form: `terms` makes linear terms (`churn.modeling.features`), `plain` reads numeric columns as they are.

    `deep` is a small neural network (`churn.modeling.deep`); it needs the extra of that name.
    """

    form: Form = "terms"
    pretraining_rows: int = Field(
        20_000, ge=0, description="With `deep`: simulated customers to start from, where the contract has a population; 0: none."
    )


class TuningParams(_Part):
    """The search: over which parameters, how, and how a candidate is scored.

    A value of `grid` is a list, `{linspace: [start, stop, count]}` or, for `random` and `halving`, `{loguniform: [low, high]}` or
    `{uniform: [low, high]}`. A list of grids is searched one after the other. Without a grid it is the form's own.
    """

    search: Literal["grid", "random", "halving"] = "grid"
    candidates: int = Field(20, ge=2, description="How many `random` draws, and with how many `halving` starts.")
    folds: int = Field(5, ge=2, le=50)
    scoring: Literal["neg_log_loss", "roc_auc", "average_precision", "neg_brier_score"] = "neg_log_loss"
    grid: list[Grid] | None = None
    boosted: bool = Field(True, description="With the form's own grid: try the sum of a small boosting as one more term, too.")
    mean: bool = Field(True, description="With the form's own grid: try the mean of up to four candidates' log-odds, too.")

    @field_validator("grid", mode="before")
    @classmethod
    def _expanded(cls, grids: Any) -> Any:
        grids = [grids] if isinstance(grids, dict) else grids
        if not isinstance(grids, list):
            return grids
        return [{name: _expand(value) for name, value in grid.items()} if isinstance(grid, dict) else grid for grid in grids]

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.grid is not None and not self.grid:
            raise ValueError("grid needs at least one entry; leave it out for the form's own")
        if self.search == "grid" and any(isinstance(value, Distribution) for grid in self.grid or [] for value in grid.values()):
            raise ValueError("a grid search needs lists; distributions are for `random` and `halving`")
        return self

    def grid_for(self, form: Form) -> list[Grid]:
        """Return the grid to search with a pipeline of this form."""
        return GRIDS[form] if self.grid is None else self.grid

    def boosted_grid_for(self, form: Form) -> list[Grid]:
        """Return what is tried of the boosting's sum with a pipeline of this form, beside the grid; nothing is an empty list."""
        return BOOSTED_GRID if self.boosted and self.grid is None and form == "terms" else []


class Distribution(_Part):
    """The distribution that a random search draws a parameter from."""

    law: Literal["uniform", "loguniform"]
    low: float
    high: float


Grid = dict[str, Annotated[list[Any], Field(min_length=1)] | Distribution]
GRIDS: dict[Form, list[Grid]] = {
    "plain": [{"logreg__solver": ["newton-cg", "saga", "lbfgs"], "logreg__C": np.linspace(0.001, 1.0, 10).tolist()}],  # recipe
    # Few rules, with weights of their own or shrunken ones; fewer still; all candidates, shrunken, for many deep interactions; no
    # rules, for what is linear as it is, or bent but without interactions.
    "terms": [
        {"features__trees": [120], "features__strictness": [0.7], "logreg__C": [0.01, 0.1, 1.0]},
        {"features__trees": [120], "features__strictness": [1.3], "logreg__C": [0.1, 1.0]},
        {"features__trees": [120], "features__strictness": [0.0], "logreg__C": [0.03]},
        {"features__trees": [0], "features__knots": [0, 3], "features__strictness": [0.1], "logreg__C": [0.1, 1.0]},
    ],
    # Levels of few customers are noise to a network, and cost it much. Each candidate takes a second or so a fold.
    "deep": [{"features__min_rows": [20, 200], "network__weight_decay": [1e-3, 1e-2]}],
}

# Beside a sum of many trees the model has lines and hinges only: rules are found with the outcomes that they are weighed by, and
# would take the weight from the sum, which is predicted out of fold.
LINES: Grid = {"features__trees": [0], "features__knots": [3], "features__strictness": [0.1], "logreg__C": [1.0]}
# On few customers hinges are too many beside it, and few straight lines are enough; on fewer still, so are few small trees.
FEW_LINES: Grid = LINES | {"features__knots": [0], "features__strictness": [0.5]}
BOOSTED_GRID: list[Grid] = [
    *(FEW_LINES | {"features__boosted": [trees], "features__leaves": [leaves]} for trees, leaves in ((100, 8), (50, 4))),
    LINES | {"features__boosted": [100], "features__leaves": [8, 16]},
]
# Where rules win, stumps tell those apart for whom the same few rules hold. Each reads one column: reasons stay cheap.
BESIDE_RULES: dict[str, Any] = {"features__boosted": 100, "features__leaves": 2}


def _expand(value: Any) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        return value
    [(law, numbers)] = value.items()
    if not (isinstance(numbers, list) and all(isinstance(number, int | float) for number in numbers)):
        return value
    if law == "linspace" and len(numbers) == 3:
        return np.linspace(numbers[0], numbers[1], int(numbers[2])).tolist()
    if law in ("uniform", "loguniform") and len(numbers) == 2:
        low, high = numbers
        if not low < high or (law == "loguniform" and low <= 0):
            raise ValueError(f"{law} needs {'0 < ' if law == 'loguniform' else ''}low < high")
        return {"law": law, "low": low, "high": high}
    return value


class ThresholdParams(_Part):
    """How the threshold between stay and churn is chosen on out-of-fold probabilities."""

    method: Literal["profit", "top_k", "f1", "fixed"] = "profit"
    budget: int | float = Field(
        0.1, gt=0, description="With `top_k`: who can be contacted at most, as a share in (0, 1) or as a count of customers."
    )
    value: float = Field(0.5, gt=0, lt=1, description="With method `fixed`.")

    @field_validator("budget")
    @classmethod
    def _share_or_count(cls, budget: float) -> float:
        if isinstance(budget, float) and budget >= 1:
            raise ValueError("a share must be below 1, and a count a whole number such as 200")
        return budget


class ProfitParams(_Part):
    """What a retention campaign costs and brings; money is in `currency`, per customer. See `churn.evaluation.profit`.

    The values are those of the case study that EMPC comes from (Verbraken, Verbeke and Baesens, IEEE TKDE 25(5), 2013).
    """

    currency: str = Field("USD", min_length=1)
    customer_value: float = Field(200, gt=0, description="Value of a customer who stays (customer lifetime value).")
    cost_of_offer: float = Field(10, ge=0, description="Of an accepted offer; who would have stayed anyway accepts it.")
    cost_of_contact: float = Field(1, ge=0)
    acceptance: float = Field(0.3, ge=0, le=1, description="Share of would-be churners who accept the offer and stay.")
    acceptance_alpha: float = Field(6, gt=0, description="EMPC leaves the acceptance open: it is Beta(alpha, beta).")
    acceptance_beta: float = Field(14, gt=0)

    @model_validator(mode="after")
    def _worth_an_offer(self) -> Self:
        if self.customer_value <= self.cost_of_offer:
            raise ValueError("customer_value must be above cost_of_offer, or no offer is ever worth making")
        return self


class SliceParams(_Part):
    """Which groups of customers are evaluated separately, and how large they must be."""

    min_rows: int = Field(50, ge=2)
    min_churners: int = Field(10, ge=1, description="Who churned, and as many who stayed.")
    bands: dict[str, Annotated[list[float], Field(min_length=1)]] = Field(
        default_factory=lambda: {"account_length": [50.0, 100.0, 150.0], "tenure": [12.0, 24.0, 48.0]},
        description="Inner edges for numeric columns; the file is shared by contracts: a column that one lacks is left aside.",
    )

    @field_validator("bands")
    @classmethod
    def _ascending(cls, bands: dict[str, list[float]]) -> dict[str, list[float]]:
        for column, edges in bands.items():
            if any(low >= high for low, high in pairwise(edges)):
                raise ValueError(f"the edges of {column!r} must rise")
        return bands


class EvaluationParams(_Part):
    """Intervals, calibration curve and slices of an evaluation."""

    confidence: float = Field(0.95, gt=0.5, lt=1, description="Of the two-sided bootstrap intervals.")
    resamples: int = Field(500, ge=100)
    calibration_bins: int = Field(10, ge=2, description="Of the calibration curve; bins of equal population.")
    slices: SliceParams = SliceParams()


class GateParams(_Part):
    """What a challenger must pass before it becomes champion."""

    confidence: float = Field(0.96, gt=0.5, lt=1, description="One-sided: an equally good challenger passes in 1 - confidence.")
    resamples: int = Field(2000, ge=200)
    min_fresh_rows: int = Field(200, ge=30)
    max_fresh_rows: int = Field(20_000, ge=30)
    fresh_days: float = Field(
        92, gt=0, le=36_600, description="The gate's customers are those of the newest days; older ones where they are too few."
    )
    max_calibration_error: float = Field(0.1, gt=0, le=1, description="ECE of the challenger.")
    max_calibration_bias: float = Field(0.05, gt=0, le=1, description="Mean probability less churn rate, either way.")
    max_profit_loss: float = Field(0.1, ge=0, description="In the profit's currency per customer.")
    max_slice_loss: float = Field(0.02, ge=0, description="How much log loss (nats) may rise in any one slice.")
    min_class_rows: int = Field(10, ge=2, description="Who churned, and as many who stayed, for there to be enough evidence.")
    max_latency_ms: float = Field(50, gt=0, description="Median of one customer's answer through the serving path.")


Gap = Literal["recall", "selection_rate", "false_positive_rate"]


class FairnessParams(_Part):
    """What is done about gaps between groups, where the contract has sensitive columns; see `churn.fairness`.

    `recall` is equal opportunity, `selection_rate` demographic parity; `recall` and `false_positive_rate` are equalized odds.
    """

    gaps: list[Gap] = Field(["recall"], min_length=1, description="Which are judged.")
    margin: float = Field(0.05, ge=0, le=1, description="The change of a gap that counts, if it is beyond chance.")
    reweigh: Literal["never", "candidate", "always"] = Field(
        "candidate", description="Whether customers are reweighed: never, where that narrows a gap at little cost, or always."
    )
    max_cost: float = Field(0.02, ge=0, le=1, description="Share by which log loss may be higher with reweighed customers.")

    @field_validator("gaps")
    @classmethod
    def _once(cls, gaps: list[Gap]) -> list[Gap]:
        if len(set(gaps)) < len(gaps):
            raise ValueError("name each gap once")
        return gaps


class Params(_Part):
    """The whole of params.yaml."""

    seed: int = Field(17, ge=0)
    split: SplitParams = SplitParams()
    model: ModelParams = ModelParams()
    tuning: TuningParams = TuningParams()
    threshold: ThresholdParams = ThresholdParams()
    profit: ProfitParams = ProfitParams()
    evaluation: EvaluationParams = EvaluationParams()
    gate: GateParams = GateParams()
    fairness: FairnessParams = FairnessParams()

    def with_form(self, form: str | None) -> Params:
        """Return these parameters for another form of the model, with its own grid.

        Parameters
        ----------
        form : {"terms", "plain", "deep"} or None
            None: that of these parameters.

        Returns
        -------
        Params

        Raises
        ------
        InputError
            If there is no such form.
        """
        if form in (None, self.model.form):
            return self
        if form not in get_args(Form):
            raise InputError(f"form: {form!r} is none of {', '.join(get_args(Form))}")
        other, tuning = self.model.model_copy(update={"form": form}), self.tuning.model_copy(update={"grid": None})
        return self.model_copy(update={"model": other, "tuning": tuning})


def load_params(path: Path) -> Params:
    """Read params.yaml; a file that is not there gives the defaults, which are the same values.

    Raises
    ------
    InputError
        If it is not YAML, or a value breaks its rule; the message names the field.
    """
    if not path.exists():
        return Params()
    try:
        return Params.model_validate(load_yaml(path.read_text()) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        raise InputError(f"{path}: not readable as YAML parameters ({one_line(error)})") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}") from error
