from __future__ import annotations

import zlib

import numpy as np

from churn.simulation.draws import Seeded, generator


def test_each_purpose_has_a_stream_of_its_own_and_each_call_starts_it_anew() -> None:
    source = Seeded(3)
    first = source.of("minutes").random(5)
    assert np.array_equal(source.of("minutes").random(5), first)
    assert np.array_equal(source.accident("minutes").random(5), first)
    assert not np.array_equal(source.of("calls").random(5), first)
    assert not np.array_equal(Seeded(4).of("minutes").random(5), first)


def test_a_key_and_a_purpose_are_a_seed_that_stays_the_same() -> None:
    expected = np.random.default_rng([3, 7, zlib.crc32(b"minutes")]).random(5)
    assert np.array_equal(generator(3, 7, purpose="minutes").random(5), expected)
    assert not np.array_equal(generator(7, 3, purpose="minutes").random(5), expected)
