"""Give a trained model its segments: found on the customers trained on, and slices in the evaluation of those held out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.config.params import Params
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.report import sliced_by
from churn.explain.attribution import Attributor
from churn.explain.frames import attribute_rows, column_values
from churn.explain.segmenter import Segmenter
from churn.inference.compiler import compile_pipeline
from churn.modeling.model import Model
from churn.modeling.training import Trained
from churn.segments.find import draw_sample, find_segments
from churn.segments.segments import SLICE, bounded

# Of so many customers held out the segments are looked up, drawn at random: what is said of more would hardly be surer.
MAX_HELD = 20_000


@dataclass(frozen=True)
class Sample:
    """Customers that a model was trained on, and why it answered as it did.

    Attributes
    ----------
    features : pandas.DataFrame, shape (n, n_columns)
        As `churn.segments.find.draw_sample` gives them.
    contributions : array of float, shape (n, n_columns)
        In log-odds.
    attributor : Attributor
    """

    features: pd.DataFrame
    contributions: NDArray[np.float64]
    attributor: Attributor


def load_segmenter(model: Model, contract: Contract) -> Segmenter | None:
    """Return what finds the segments of a model's customers.

    Parameters
    ----------
    model : Model
    contract : Contract

    Returns
    -------
    Segmenter or None
        None if the model has no segments to tell apart, or its pipeline is not compiled.
    """
    segments = model.info.segments
    if segments is None or len(segments.names) < 2:
        return None
    compiled = compile_pipeline(model.pipeline, model.info.features, contract)
    return None if compiled is None else Segmenter.of(compiled, segments)


def explain_sample(model: Model, reference: pd.DataFrame, contract: Contract) -> Sample | None:
    """Explain the answers for some of the customers that a model was trained on.

    Parameters
    ----------
    model : Model
    reference : pandas.DataFrame
        As `Trained.reference`.
    contract : Contract

    Returns
    -------
    Sample or None
        None if the pipeline is not compiled: contributions are not known then.
    """
    compiled = compile_pipeline(model.pipeline, model.info.features, contract)
    if compiled is None:
        return None
    # Customers who do not count in the reference have no outcome in it.
    sample = draw_sample(reference.loc[reference["churned"].notna(), model.info.features])
    attributor = Attributor(compiled)
    return Sample(sample, bounded(attribute_rows(attributor, sample)), attributor)


def add_segments(trained: Trained, held: Labelled, contract: Contract, params: Params) -> Trained:
    """Find the segments of a trained model; the same model gets the same, in whatever order its customers came.

    Parameters
    ----------
    trained : Trained
    held : Labelled
        The holdout that it was evaluated on.
    contract : Contract
    params : Params

    Returns
    -------
    Trained
        Its `ModelInfo` knows the segments, and its evaluation has them as slices; unchanged if contributions are not known.
    """
    model = trained.model
    sample = explain_sample(model, trained.reference, contract)
    if sample is None:
        return trained
    segments = find_segments(sample.features, sample.contributions, contract, params.seed)
    drawn, notes = held, list[str]()
    if len(held) > MAX_HELD:
        rows = np.sort(np.random.default_rng(params.seed).choice(len(held), MAX_HELD, replace=False))
        who = None if held.customer is None else held.customer[rows]
        drawn = Labelled(held.features.iloc[rows], held.outcome.iloc[rows], customer=who)
        notes = [f"{SLICE}: of {MAX_HELD:,} of the {len(held):,} held out, drawn at random"]
    numbers = Segmenter(sample.attributor, segments).numbers(column_values(drawn.features[model.info.features]))
    levels = pd.Series(pd.Categorical.from_codes(numbers.tolist(), categories=pd.Index(segments.names), ordered=True))
    evaluation = sliced_by(trained.evaluation, drawn, model.judged.predict_probability(drawn.features), SLICE, levels, params)
    evaluation = replace(evaluation, notes=[*evaluation.notes, *notes])
    described = replace(model, info=model.info.model_copy(update={"segments": segments}))
    return replace(trained, model=described, evaluation=evaluation)
