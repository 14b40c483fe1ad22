"""`pytest --clock MOMENT`: each test begins at that moment, and its clock goes on from there: no test may need its own day.

Whatever asks for the time in this process is told so, pandas too. Modules are imported by the real clock, so that a moment which
a test reckons when it is imported is seen to be another day's. SQLite, programs that a test starts, and the times of files keep
the real clock. The zone of the machine is another thing: set TZ.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine


class ShiftedClock:
    """A plugin of pytest that sets the clock before each test.

    Parameters
    ----------
    moment : str
        ISO 8601, in UTC.
    """

    def __init__(self, moment: str) -> None:
        self._moment = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        """Run a test, and make the fixtures that it is the first to need, at the moment."""
        with time_machine.travel(self._moment, tick=True):
            return (yield)
