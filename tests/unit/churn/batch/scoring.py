"""Files that are scored in small pieces, and the same customers asked of the service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from churn.batch.plan import Terms
from churn.batch.run import Summary, on_threads, score_folder
from churn.customers.customer import request_model
from service.formats.csv_text import read_csv
from service.formats.parquet import read_parquet
from service.formats.validation import ColumnRules
from tests.integration.files_to_score import CONTRACT, make_scorer
from tests.unit.service.fakes import make_model, served_model

RULES = ColumnRules(CONTRACT, request_model(CONTRACT))


def score(source: Path, out: Path, terms: Terms = Terms(), **options: Any) -> Summary:  # noqa: B008 -- it is frozen
    return score_folder(options.pop("scorer", None) or make_scorer(), source, out, terms, on_threads(2), **options)


def changed(table: Any, column: str, values: dict[int, Any], kind: Any = None) -> Any:
    cells = table.column(column).to_pylist()
    for row, value in values.items():
        cells[row] = value
    return table.set_column(table.column_names.index(column), column, pa.array(cells, kind))


def served(body: bytes, *, text: bool = False) -> np.ndarray:
    read = read_csv(body, RULES, 10**6) if text else read_parquet(body, RULES, 10**6, 10**9)
    return served_model(make_model(), "disk").score_columns(read).probabilities
