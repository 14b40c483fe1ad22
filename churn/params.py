"""How to train, as params.yaml says it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from churn.errors import InputError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitParams(_Part):
    """How much is held out of every training."""

    holdout: float = Field(0.25, gt=0, lt=0.9)


class TuningParams(_Part):
    """The grid that is searched, and how a candidate is scored.

    A value of `grid` is a list, or `{linspace: [start, stop, count]}`.
    """

    folds: int = Field(5, ge=2, le=50)
    scoring: Literal["neg_log_loss", "roc_auc", "average_precision", "neg_brier_score"] = "neg_log_loss"
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default_factory=lambda: {
            "logreg__solver": ["newton-cg", "saga", "lbfgs"],
            "logreg__C": np.linspace(0.001, 1.0, 10).tolist(),
        }
    )

    @field_validator("grid", mode="before")
    @classmethod
    def _spelled_out(cls, grid: Any) -> Any:
        if not isinstance(grid, dict):
            return grid
        return {name: np.linspace(*value["linspace"]).tolist() if _is_linspace(value) else value for name, value in grid.items()}


def _is_linspace(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"linspace"} and len(value["linspace"]) == 3


class ThresholdParams(_Part):
    """How the threshold between stay and churn is chosen on out-of-fold probabilities."""

    method: Literal["f1", "fixed"] = "f1"
    value: float = Field(0.5, gt=0, lt=1, description="With method `fixed`.")


class GateParams(_Part):
    """What a challenger must show before it takes over."""

    confidence: float = Field(0.95, gt=0.5, lt=1, description="One-sided: an equally good challenger passes in 1 - confidence.")
    resamples: int = Field(2000, ge=200)
    fresh_share: float = Field(0.5, gt=0, lt=1)
    min_fresh_rows: int = Field(200, ge=30)
    max_fresh_rows: int = Field(20_000, ge=30)
    max_calibration_error: float = Field(0.1, gt=0, le=1)


class Params(_Part):
    """The whole of params.yaml."""

    seed: int = Field(17, ge=0)
    split: SplitParams = SplitParams()
    tuning: TuningParams = TuningParams()
    threshold: ThresholdParams = ThresholdParams()
    gate: GateParams = GateParams()


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
        return Params.model_validate(yaml.safe_load(path.read_text()) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        raise InputError(f"{path}: not readable as YAML parameters ({' '.join(str(error).split())})") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
