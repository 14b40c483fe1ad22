"""A way to PostgreSQL that can be made slow: a proxy between two sockets, which passes bytes on after a while."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SOCKET = ".s.PGSQL.5432"
PIECE = 65_536


@contextmanager
def slow_way(server: Path, work: Path) -> Iterator[tuple[Path, Callable[[float], None]]]:
    """Give the folder of a socket that leads to the one in `server`, and what sets the delay of each answer, in seconds."""
    folder = work / "way"
    folder.mkdir()
    delay, loop, stopped, ready = [0.0], asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    ends: set[asyncio.StreamWriter] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late: bool) -> None:
        ends.add(writer)
        with suppress(OSError):
            while data := await reader.read(PIECE):
                if late and delay[0]:
                    await asyncio.sleep(delay[0])
                writer.write(data)
                await writer.drain()
        writer.close()
        ends.discard(writer)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_unix_connection(str(server / SOCKET))
        except OSError:
            writer.close()
            return
        with suppress(asyncio.CancelledError):  # the end of the block
            await asyncio.gather(pass_on(reader, back, False), pass_on(there, writer, True))

    async def serve() -> None:
        event_receiver = await asyncio.start_unix_server(connected, str(folder / SOCKET))
        ready.set()
        await stopped.wait()
        event_receiver.close()
        for end in ends:
            end.transport.abort()
        # Their sockets are closed in the loop's next rounds.
        await asyncio.sleep(0.01)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    def set_delay(seconds: float) -> None:
        delay[0] = seconds

    thread = threading.Thread(target=run, name="slow-way")
    thread.start()
    ready.wait(10)
    try:
        yield folder, set_delay
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)
