"""One baseline, in a process of its own: `python -m benchmarks.batch.baselines NAME INPUT OUTPUT WHERE`. Prints its seconds.

All read the same files of customers (20 columns) and write an id and a probability at least, on two cores, file by file. What is
timed begins when everything is imported and the model is loaded.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

CORES = 2
# What the others take at once: as large as is usual, and no gain beyond.
CHUNK_ROWS = 100_000


class Times(NamedTuple):
    """Seconds on the wall, and of this process's own processor time: what works in other processes has its time there."""

    wall: float
    cpu: float


def _now() -> Times:
    return Times(time.perf_counter(), time.process_time())


def _since(start: Times) -> Times:
    now = _now()
    return Times(now.wall - start.wall, now.cpu - start.cpu)


def churn_threads(source: Path, out: Path, fixture: dict[str, str]) -> Times:
    """Ours: threads in one process."""
    from churn.batch.plan import Terms
    from churn.batch.run import on_threads, score_folder

    scorer = load_scorer(fixture)
    start = _now()
    score_folder(scorer, source, out, Terms(), on_threads(CORES))
    return _since(start)


def churn_dask(source: Path, out: Path, fixture: dict[str, str]) -> Times:
    """Ours, on a Dask cluster of two processes."""
    from churn.batch.plan import Terms
    from churn.batch.run import score_folder
    from pipelines.flows.dask_cluster import connected, on_cluster

    scorer = load_scorer(fixture)
    with connected("local") as client:
        client.run(_import_part)
        start = _now()
        score_folder(scorer, source, out, Terms(), on_cluster(client))
        return _since(start)


def _import_part() -> None:
    pass


def load_scorer(fixture: dict[str, str]) -> Any:
    """Load the champion of a fixture, ready to score."""
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from pipelines.scoring import find_scorer

    home = Path(fixture["home"])
    settings = load_settings(
        home=home, store_url=f"sqlite:///{home / 'store.db'}", tracking_uri=f"sqlite:///{home / 'mlflow.db'}"
    )
    return find_scorer(settings, load_contract(), "champion")


def read_and_write(source: Path, out: Path, fixture: dict[str, str]) -> Times:
    """No scoring: reads the same columns in the same way, and writes the answers' columns with a number that was there before."""
    return _by_arrow(source, out, *known_answers())


def known_answers() -> tuple[Any, Callable[[Any], Any]]:
    """Return the schema of answers, and what makes them of a batch that was read: all but the ids was there before."""
    import pyarrow as pa

    from churn.batch.answers import answer_schema
    from churn.batch.pieces import PIECE_ROWS

    schema, drawn = answer_schema(pa.string()), np.random.default_rng(1).random(PIECE_ROWS)
    said = (pa.array(drawn), pa.array(drawn > 0.5), *(pa.repeat(same, PIECE_ROWS) for same in ("none", 0.5, "1")))

    def answers(batch: Any) -> Any:
        return pa.RecordBatch.from_arrays(
            [batch.column("customer_id"), *(c.slice(0, batch.num_rows) for c in said)], schema=schema
        )

    return schema, answers


def copy_all(source: Path, out: Path, fixture: dict[str, str]) -> Times:
    """No scoring: reads all columns and writes all of them."""
    return _by_arrow(source, out, None, lambda batch: batch)


def _by_arrow(source: Path, out: Path, schema: Any, answers: Callable[[Any], Any]) -> Times:
    import pyarrow.parquet as pq

    from churn.batch.answer_file import COMPRESSION, REPEATED, whole_file
    from churn.batch.pieces import PIECE_ROWS
    from churn.batch.readers.parquet_reader import BUFFER_BYTES

    def one(file: Path) -> None:
        texts = ["state", "area_code"]
        with (
            whole_file(out / file.name) as staging,
            pq.ParquetFile(file, read_dictionary=texts, buffer_size=BUFFER_BYTES) as opened,
        ):
            written = schema or opened.schema_arrow
            repeated: Any = REPEATED if schema else True
            with pq.ParquetWriter(staging, written, compression=COMPRESSION, use_dictionary=repeated) as writer:
                for batch in opened.iter_batches(PIECE_ROWS, use_threads=False):
                    writer.write_batch(answers(batch))

    out.mkdir(parents=True, exist_ok=True)
    start = _now()
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(one, sorted(source.glob("*.parquet"))))
    return _since(start)


def pandas_pipeline(source: Path, out: Path, fixture: dict[str, str]) -> Times:
    """As one would write it: pandas, and the pipeline's own predict_proba, in chunks, in two processes."""
    return _in_processes(source, out, "pipeline", fixture["pipeline"])


def mlflow_pyfunc(source: Path, out: Path, fixture: dict[str, str]) -> Times:
    """MLflow's pyfunc, in chunks, in two processes."""
    return _in_processes(source, out, "pyfunc", fixture["mlflow_model"])


_PREDICT: dict[str, Callable[[Any], Any]] = {}


def _load(kind: str, place: str) -> Callable[[Any], Any]:
    if kind not in _PREDICT:
        if kind == "pyfunc":
            import mlflow.pyfunc

            _PREDICT[kind] = mlflow.pyfunc.load_model(place).predict
        else:
            import joblib

            _PREDICT[kind] = joblib.load(place).predict_proba
    return _PREDICT[kind]


def _warm(kind: str, place: str) -> None:
    _load(kind, place)
    time.sleep(0.2)  # so that the other process gets one too


def _score_file(kind: str, place: str, file: Path, out: Path) -> None:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    predict, schema = _load(kind, place), pa.schema([("customer_id", pa.string()), ("churn_probability", pa.float64())])
    with pq.ParquetFile(file) as opened, pq.ParquetWriter(out / file.name, schema) as writer:
        for batch in opened.iter_batches(CHUNK_ROWS):
            frame = batch.to_pandas()
            named = pd.DataFrame({"customer_id": frame.pop("customer_id"), "churn_probability": np.asarray(predict(frame))[:, 1]})
            writer.write_table(pa.Table.from_pandas(named, schema, preserve_index=False))


def _in_processes(source: Path, out: Path, kind: str, place: str) -> Times:
    out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(CORES) as pool:
        for future in [pool.submit(_warm, kind, place) for _ in range(CORES)]:
            future.result()
        start = _now()
        made: list[Future[None]] = [pool.submit(_score_file, kind, place, file, out) for file in sorted(source.glob("*.parquet"))]
        for future in made:
            future.result()
        return _since(start)


def dask_dataframe(source: Path, out: Path, fixture: dict[str, str]) -> Times:
    """dask.dataframe and map_partitions with the pipeline, in two processes."""
    import dask.dataframe as dd
    import joblib
    import pandas as pd
    from distributed import Client, LocalCluster

    pipeline = joblib.load(fixture["pipeline"])

    def predict(frame: pd.DataFrame) -> pd.DataFrame:
        p = pipeline.predict_proba(frame.drop(columns="customer_id"))[:, 1] if len(frame) else []
        return pd.DataFrame({"customer_id": frame["customer_id"], "churn_probability": np.asarray(p, dtype=float)})

    with LocalCluster(n_workers=CORES, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        start = _now()
        frame = dd.read_parquet(str(source), split_row_groups=True)
        frame.map_partitions(predict, meta={"customer_id": "string", "churn_probability": float}).to_parquet(str(out))
        return _since(start)


BASELINES: dict[str, Callable[[Path, Path, dict[str, str]], Times]] = {
    "churn score": churn_threads,
    "read and write, no scoring": read_and_write,
    "copy of all columns": copy_all,
    "churn score, Dask": churn_dask,
    "pandas + pipeline": pandas_pipeline,
    "mlflow.pyfunc": mlflow_pyfunc,
    "dask.dataframe + pipeline": dask_dataframe,
}
OWN_PROCESS = ("churn score", "read and write, no scoring", "copy of all columns")


if __name__ == "__main__":
    name, given, made, where = sys.argv[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        took = BASELINES[name](Path(given), Path(made), json.loads(where))
    print(json.dumps({"seconds": took.wall, "cpu_seconds": took.cpu if name in OWN_PROCESS else None}))
