"""Files of customers, and a small model that scores them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from churn.batch.model import Scorer, ScoringModel
from churn.campaigns.control_group import NOBODY, ControlGroup
from churn.contract import load_contract
from churn.inference.compiler import compile_pipeline
from churn.simulation.simulate import simulate
from tests.unit.service.fakes import make_model, with_segments

CONTRACT = load_contract()


def customers(rows: int, seed: int = 1) -> Any:
    """Give invented customers as an Arrow table, with gaps and ids."""
    frame = simulate(CONTRACT, rows, seed=seed).features
    frame.loc[frame.index % 7 == 3, "total_day_minutes"] = None
    frame.loc[frame.index % 5 == 1, "state"] = None
    frame.insert(0, "customer_id", [f"c-{seed}-{number}" for number in range(rows)])
    return pa.Table.from_pandas(frame, preserve_index=False)


def write_folder(folder: Path, parts: int, rows: int) -> Path:
    """Write a folder of Parquet files with one row group each."""
    folder.mkdir(parents=True)
    for number in range(parts):
        pq.write_table(customers(rows, seed=number + 1), folder / f"part-{number:03d}.parquet")
    return folder


def make_scorer(version: str = "1", slope: float = 1.0, control: ControlGroup = NOBODY, *, segments: bool = False) -> Scorer:
    """Give a compiled model that is ready to answer; it may know segments."""
    model = make_model(version, slope=slope)
    if segments:
        model = with_segments(model)
    compiled = compile_pipeline(model.pipeline, model.info.features, CONTRACT)
    assert compiled is not None
    info = model.info
    document = compiled.to_document()
    known = ScoringModel(
        info.name, version, info.run_id, info.threshold, document, CONTRACT, control, known_segments=info.segments
    )
    return Scorer.of(known)


def read_answers(folder: Path) -> Any:
    """Read all answers in the order of their parts."""
    files = sorted(file for file in folder.rglob("*.parquet") if "_rejected" not in file.parts)
    return pa.concat_tables([pq.ParquetFile(file).read().replace_schema_metadata(None) for file in files])
