"""What a body took is free as soon as it is answered: nothing waits for the garbage collector (issue 18).

An error knows the frames that it went through, and a frame that knows the error closes a circle: with it, each refused body of
megabytes was kept until 50,000 other objects had come. The service grew to 1.4 GB within 697 bodies.
"""

from __future__ import annotations

import gc
import types
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies import generated
from benchmarks.attacks.bodies.routes import BATCH, CSV, INFER, INVOCATIONS, OUTCOMES, PARQUET, PREDICT, STREAM, post

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("small_heap")]
ROWS = 3_000


def bodies() -> Iterator[Attack]:
    """Refused and answered ones, large enough for a thread, and small ones that the event loop reads."""
    for rows in (1, ROWS):
        for value in ('{"state":"OH"}', '{"state":"XX"}', '{"a":1}', "1"):
            many = ",".join([value] * rows)
            yield post(f"{rows} of {value}, batch", BATCH, f'{{"customers":[{many}]}}'.encode())
            yield post(f"{rows} of {value}, records", INVOCATIONS, f'{{"dataframe_records":[{many}]}}'.encode())
            yield post(f"{rows} of {value}, outcomes", OUTCOMES, f'{{"outcomes":[{many}]}}'.encode())
            yield post(f"{rows} of {value}, inputs", INFER, f'{{"inputs":[{many}]}}'.encode())
        yield post(
            f"{rows} of an outcome", OUTCOMES, b'{"outcomes":[%b]}' % b",".join([b'{"customer_id":"c","churned":true}'] * rows)
        )
        yield post(f"{rows} in CSV", BATCH, b"state\n" + b"OH\n" * rows, CSV)
        yield post(f"{rows} wrong in CSV", BATCH, b"state\n" + b"XX\n" * rows, CSV)
        yield post(f"{rows} not in CSV", BATCH, b'state\n"' + b"XX\n" * rows, CSV)
        yield post(f"{rows} not in gzip", BATCH, b"x" * 10 * rows, CSV, content_encoding="gzip")
        yield post(f"{rows} not in Parquet", BATCH, b"PAR1" * 10 * rows, PARQUET)
        yield post(f"{rows} not in Arrow", BATCH, b"\xff" * 10 * rows, STREAM)
        yield post(f"{rows} not JSON", BATCH, b"[" * 10 * rows)
        yield post(f"{rows} not JSON, NaN", INVOCATIONS, b"[NaN" * 10 * rows)
    yield post("one", PREDICT, b'{"state":"OH"}')
    yield post("a wrong one", PREDICT, b'{"state":"XX"}')
    yield from generated(18, range(60))


@contextmanager
def circles() -> Iterator[list[object]]:
    """Collect what only the garbage collector would have freed."""
    gc.collect()
    found: list[object] = []
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.disable()
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def test_no_error_keeps_the_frames_that_read_a_body(open_client: httpx2.AsyncClient) -> None:
    async def send(attack: Attack) -> None:
        await open_client.request(attack.method, attack.path, content=attack.body, headers=attack.headers)

    for attack in bodies():
        await send(attack)  # what is made once, such as a thread, is no part of it
        with circles() as found:
            await send(attack)
        frames = [one.f_code.co_qualname for one in found if isinstance(one, types.FrameType)]
        assert frames == [], attack.name
        large = [type(one).__name__ for one in found if isinstance(one, list | dict | set) and len(one) > ROWS // 2]
        assert large == [], attack.name
