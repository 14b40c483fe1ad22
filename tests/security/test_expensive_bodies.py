"""A small body costs little memory, whatever it says: ten times its own size and 64 MB at most (issue 18).

More of them, and the whole service under a limit: `benchmarks.attacks`. One by one: `python -m tests.security.cost_of_bodies`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pytest

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies import generated
from benchmarks.attacks.bodies.routes import BATCH, FILE, INFER, INVOCATIONS, PARQUET, STREAM, post
from benchmarks.attacks.bodies.tables import ID, LONG, MINUTES, STATE, as_file, as_parquet, as_stream, repeated, views
from tests.security.cost_of_bodies import peak_bytes, start_anew

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("small_heap")]
ROWS = 20_000
ROOM = 64 * 2**20
CASE = Path(__file__).parents[2].parent / "shared" / "cases" / "id_dictionary_bomb.parquet"


# What repeats in a few bytes, by name, and the ways to send it. (Made in the test: it takes a second, and megabytes.)
TABLES: dict[str, Callable[[], dict[str, Any]]] = {
    "an id": lambda: {MINUTES: pa.array([1.0] * ROWS), ID: repeated(LONG)},
    "a state": lambda: {MINUTES: pa.array([1.0] * ROWS), STATE: repeated(LONG)},
    "minutes": lambda: {MINUTES: repeated("1" + "0" * 100_000)},
    "ids that are views": lambda: {MINUTES: pa.array([1.0] * ROWS), ID: views(LONG)},
}
WAYS: dict[str, tuple[str, str, Callable[[Any], bytes]]] = {
    "stream": (BATCH, STREAM, as_stream),
    "file": (BATCH, FILE, as_file),
    "parquet": (BATCH, PARQUET, as_parquet),
    "parquet of MLflow": (INVOCATIONS, PARQUET, as_parquet),
}


async def cost(client: httpx2.AsyncClient, attack: Attack) -> tuple[int, int]:
    before = start_anew()
    answer = await client.request(attack.method, attack.path, content=attack.body, headers=attack.headers)
    return answer.status_code, peak_bytes() - before


async def refused_in_little_memory(client: httpx2.AsyncClient, attack: Attack) -> None:
    status, memory = await cost(client, attack)
    assert status == 422
    assert memory <= 10 * len(attack.body) + ROOM


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TABLES)
async def test_what_repeats_in_a_few_bytes_is_refused_in_little_memory(
    open_client: httpx2.AsyncClient, name: str, way: str
) -> None:
    path, content_type, write = WAYS[way]
    await refused_in_little_memory(open_client, post(f"{name}, {way}", path, write(pa.table(TABLES[name]())), content_type))


async def test_an_output_that_is_asked_for_100_times_is_refused_in_little_memory(open_client: httpx2.AsyncClient) -> None:
    tensor = '{"name":"total_day_minutes","shape":[1],"datatype":"FP64","data":[1.5]}'
    outputs = ",".join(['{"name":"prediction_id"}'] * 100)
    body = f'{{"inputs":[{tensor}],"outputs":[{outputs}]}}'.encode()
    await refused_in_little_memory(open_client, post("an output 100 times", INFER, body))


async def test_the_case_that_was_reported(open_client: httpx2.AsyncClient) -> None:
    if not CASE.is_file():
        pytest.skip("the cases lie in ../shared/cases, beside the checkout")
    status, memory = await cost(open_client, post("the case", BATCH, CASE.read_bytes(), PARQUET))
    assert (status, memory <= ROOM) == (422, True)


async def test_bodies_that_are_drawn_are_no_server_error_and_cost_little(open_client: httpx2.AsyncClient) -> None:
    for attack in generated(18, range(40)):
        status, memory = await cost(open_client, attack)
        assert status < 500, attack.name
        assert memory <= 10 * len(attack.body) + ROOM, attack.name
