"""What a training leaves: pictures, tables, tags and the commit in its MLflow run; the gate's evidence; what it returns."""

from __future__ import annotations

import subprocess
from typing import Any, TypedDict

from churn.config.params import Params
from churn.contract import Contract
from churn.diagnostics.curves import Curves
from churn.evaluation.plots import draw_business, draw_quality, draw_slices
from churn.explain.segmenting import explain_sample
from churn.fairness.pictures import draw_reweighing
from churn.lifecycle.gate import GateDecision
from churn.lifecycle.promotion import identity
from churn.modeling.model_info import ModelInfo
from churn.modeling.training import Trained
from churn.modeling.training_set import TrainingSet
from churn.registry.aliases import TRAINING_TAG
from churn.segments.pictures import draw_segments

# A repository on a network drive may stand still, and no training waits for a note.
GIT_SECONDS = 10


class TrainingResult(TypedDict):
    """The version that a training registered, whether it is champion, why, and its metrics by name."""

    version: str
    promoted: bool
    reason: str
    metrics: dict[str, float]


class TrainingReport(TrainingResult):
    """The result; what was cleaned up after trainings that were killed; and what the search left out, in sentences."""

    cleared: list[str]
    reduced: list[str]


def git_commit() -> str:
    """Return the checkout's commit; empty where there is no git or no checkout."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=GIT_SECONDS)  # noqa: S607 -- git, wherever it is; the commit is a note
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()


def run_files(
    trained: Trained, training_set: TrainingSet, decision: GateDecision, contract: Contract, params: Params, curves: Curves | None
) -> dict[str, Any]:
    """Return the files of a training's run.

    Parameters
    ----------
    trained : Trained
    training_set : TrainingSet
        Whose holdout is drawn.
    decision : GateDecision
    contract : Contract
    params : Params
    curves : Curves or None
        None: none were measured.

    Returns
    -------
    dict
        By path in the run: figures, frames, and objects that become JSON.
    """
    held, info, found = training_set.holdout, trained.model.info, trained.evaluation
    probability = trained.model.judged.predict_probability(held.features)
    title = f"Holdout, {len(held)} customers"
    files = {
        "plots/quality.png": draw_quality(held.outcome.to_numpy(), probability, info.threshold, title),
        "plots/business.png": draw_business(found, params.threshold.budget, params.profit, title),
        "plots/slices.png": draw_slices(found, title),
        **{f"curves/{name}.csv": curve for name, curve in found.curves.items()},
        "scorecard.json": found.report(),
        "slices.csv": found.slices,
        "tuning.csv": trained.tuned.candidates,
        "gate.json": {"promote": decision.promote, "reason": decision.reason, **decision.evidence},
        **(curves.files() if curves else {}),
    }
    if trained.reweighing is not None:
        files["fairness.json"] = trained.reweighing.report()
        if trained.reweighing.gaps:
            files["plots/fairness.png"] = draw_reweighing(trained.reweighing, title)
    if info.segments is not None and (sample := explain_sample(trained.model, trained.reference, contract)) is not None:
        segments = f"Segments of {len(sample.contributions)} customers trained on"
        files["plots/segments.png"] = draw_segments(info.segments, sample.contributions, segments)
    return files


def run_tags(info: ModelInfo, training: str) -> dict[str, str]:
    """Return the tags of a training's run, by which it is found again.

    Parameters
    ----------
    info : ModelInfo
    training : str
        The flow run's id.

    Returns
    -------
    dict of str to str
    """
    return {
        "trigger": info.trigger,
        "data_digest": info.data_digest,
        "data_source": info.data_source,
        "simulated": str(info.simulated).lower(),
        "mlflow.source.git.commit": info.git_commit,
        TRAINING_TAG: training,
    }


def gate_evidence(info: ModelInfo, decision: GateDecision) -> dict[str, Any]:
    """Return what the gate knew when it decided, and of which version.

    Parameters
    ----------
    info : ModelInfo
    decision : GateDecision

    Returns
    -------
    dict
    """
    return {**identity(info), "version": info.version, **decision.evidence}
