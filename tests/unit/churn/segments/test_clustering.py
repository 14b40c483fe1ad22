"""Clusters that samples agree on: those that are there are found, nothing is made of noise, and none is of hardly anybody."""

from __future__ import annotations

import numpy as np
import pytest

from churn.segments import clustering
from churn.segments.clustering import MAX_SEGMENTS, MIN_CUSTOMERS, MIN_STABILITY, stable_clusters


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "RESAMPLES", 4)
    monkeypatch.setattr(clustering, "STARTS", 2)


def groups(*centres: tuple[float, float], each: int = 40, spread: float = 0.05) -> np.ndarray:
    rng = np.random.default_rng(2)
    return np.concatenate([rng.normal(centre, spread, (each, 2)) for centre in centres])


def test_groups_that_are_there_are_found_and_the_highest_risk_comes_first() -> None:
    points = groups((-1, 0), (2, 1), (0, 0))
    counts = {len(one.centres): one for one in stable_clusters(points, seed=1)}
    found = counts[3]
    assert found.stability == pytest.approx(1.0)
    assert found.centres == pytest.approx(np.array([[2, 1], [0, 0], [-1, 0]]), abs=0.05)
    assert list(counts) == sorted(counts, reverse=True), "the largest number first"
    assert all(one.stability >= MIN_STABILITY for one in counts.values())


def test_of_one_round_cloud_nothing_is_made() -> None:
    points = np.random.default_rng(3).normal(size=(150, 4))
    assert list(stable_clusters(points, seed=1)) == []


@pytest.mark.parametrize(("few", "is_kept"), [(MIN_CUSTOMERS, True), (MIN_CUSTOMERS - 1, False)])
def test_a_segment_of_hardly_anybody_is_none(few: int, is_kept: bool) -> None:
    points = np.concatenate([groups((0, 0), each=100), groups((5, 5), each=few)])
    assert (len(list(stable_clusters(points, seed=1))) == 1) is is_kept


TOO_FEW = np.zeros((0, 2)), np.zeros((2 * MIN_CUSTOMERS, 2)), groups((0, 0), (5, 5), each=MIN_CUSTOMERS - 1)


@pytest.mark.parametrize("points", TOO_FEW, ids=["nobody", "equal", "few"])
def test_few_customers_or_equal_ones_have_no_segments(points: np.ndarray) -> None:
    assert list(stable_clusters(points, seed=1)) == []


def test_there_are_never_more_than_one_can_keep_apart() -> None:
    points = groups(*((10.0 * n, 0.0) for n in range(MAX_SEGMENTS + 2)), each=MIN_CUSTOMERS)
    assert max((len(one.centres) for one in stable_clusters(points, seed=1)), default=0) <= MAX_SEGMENTS


def test_the_same_seed_gives_the_same_to_the_last_digit() -> None:
    points = groups((-1, 0), (2, 1))
    first, again = (list(stable_clusters(points, seed=5)) for _ in range(2))
    assert [one.stability for one in first] == [one.stability for one in again]
    assert all(np.array_equal(one.centres, two.centres) for one, two in zip(first, again, strict=True))


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_samples_that_cannot_change_what_is_kept_are_not_clustered(spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    points = groups((-1, 0), (2, 1), (0, 0), spread=spread)
    fit, fits = clustering._fit, list[int]()
    monkeypatch.setattr(clustering, "_fit", lambda points, count, *more: [fits.append(count), fit(points, count, *more)][1])
    found = {len(one.centres): one.stability for one in stable_clusters(points, seed=3)}
    spared = len(fits)
    fits.clear()
    monkeypatch.setattr(clustering, "MIN_STABILITY", 0.0)
    in_full = {len(one.centres): one.stability for one in stable_clusters(points, seed=3)}
    assert found == {count: stability for count, stability in in_full.items() if stability >= MIN_STABILITY}
    assert found != in_full
    assert spared < len(fits)
