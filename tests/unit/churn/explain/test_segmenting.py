"""A trained model gets segments, and slices by them of the customers held out: of very many, of some, and it is said."""

from __future__ import annotations

from typing import Any

import pytest

from churn.clock import now
from churn.config.params import Params
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.report import assess
from churn.explain import segmenting
from churn.explain.segmenting import add_segments
from churn.modeling.model import Model, ModelInfo, build_pipeline
from churn.modeling.training import Trained
from churn.modeling.training_set import assemble
from churn.segments.segments import SLICE
from churn.simulation.simulate import simulate

PARAMS = Params.model_validate({"evaluation": {"resamples": 100, "slices": {"min_rows": 10, "min_churners": 1}}})


@pytest.fixture(scope="module")
def fitted(contract: Contract) -> tuple[Trained, Labelled]:
    known = assemble(simulate(contract, 1_500, 4), None, contract, PARAMS)
    train, held = known.train, known.holdout
    pipeline = build_pipeline(3, form="terms", contract=contract).set_params(features__trees=10)
    info = ModelInfo(
        name="churn",
        version="3",
        trained_at=now(),
        data_digest="d",
        data_source="s",
        rows=len(train),
        contract=contract.name,
        contract_digest=contract.digest,
        features=contract.feature_names,
        threshold=0.3,
    )
    model = Model(pipeline.fit(train.features, train.outcome), info)
    evaluation = assess(held, model.predict_probability(held.features), 0.3, contract, PARAMS)
    nothing: Any = None
    return Trained(model, nothing, evaluation, train.features.assign(churned=train.outcome), train), held


def segment_rows(trained: Trained) -> int:
    slices = trained.evaluation.slices
    return int(slices.loc[slices["column"] == SLICE, "rows"].sum())


def test_all_held_out_are_in_the_slices_or_some_and_it_is_said(
    fitted: tuple[Trained, Labelled], contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, held = fitted
    whole = add_segments(trained, held, contract, PARAMS)
    assert whole.model.info.segments is not None
    assert len(whole.model.info.segments.names) > 1
    assert segment_rows(whole) == len(held)
    assert whole.evaluation.notes == trained.evaluation.notes
    monkeypatch.setattr(segmenting, "MAX_HELD", 100)
    some = add_segments(trained, held, contract, PARAMS)
    assert some.model.info == whole.model.info
    notes = [note for note in some.evaluation.notes if note.startswith(SLICE)]
    assert notes[-1] == f"{SLICE}: of 100 of the {len(held)} held out, drawn at random"
    # Who was not drawn is not said to be in too small a slice.
    small = sum(int(note.split()[2].replace(",", "")) for note in notes[:-1])
    assert segment_rows(some) + small == 100
