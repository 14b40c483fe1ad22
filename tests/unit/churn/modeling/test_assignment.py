"""Who is who: whatever rows there are, and whatever they say of themselves, nobody judges who was learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.config.params import SplitParams
from churn.customers.pseudonym import Pseudonymiser
from churn.modeling.assignment import Assignment, Source, assign

PARAMS = SplitParams(key="tests", reserved=0.4)


def source(contents: Sequence[int], ids: Sequence[Any] | None = None) -> Source:
    """Rows whose content is one number."""
    named = None if ids is None else pd.Series(list(ids), dtype=object)
    return Source(pd.DataFrame({"x": np.asarray(contents, dtype=np.float64)}), named)


def sides(who: Assignment) -> list[str]:
    """L(earned from), J(udges) or neither, a letter a row."""
    assert not (who.learns & who.judges).any()
    return ["L" if learns else "J" if judges else "-" for learns, judges in zip(who.learns, who.judges, strict=True)]


NAMES = [f"c{n}" for n in range(400)]


def test_the_share_reserved_is_what_was_asked_for_in_files_and_traffic_alike() -> None:
    for rows in (source(range(10_000)), source([1] * 10_000, [f"c{n}" for n in range(10_000)])):
        (who,) = assign([rows], PARAMS)
        assert who.judges.mean() == pytest.approx(0.4, abs=0.02)
        assert (who.learns | who.judges).all()
        assert len(set(who.customer)) == 10_000


def test_a_larger_share_reserves_whom_a_smaller_one_reserved() -> None:
    few, many = (assign([source(range(1000))], SplitParams(key="k", reserved=share))[0].judges for share in (0.2, 0.6))
    assert not (few & ~many).any()


def test_an_id_decides_in_a_file_as_in_traffic_however_it_is_written_and_whatever_the_content() -> None:
    ids = list(range(400))
    forms: list[list[Any]] = [
        ids,
        [str(n) for n in ids],
        [float(n) for n in ids],
        [f" {n} " for n in ids],
        [f"{n}.0" for n in ids],
    ]
    expected, *others = (
        assign([source(np.random.default_rng(k).permutation(400), form)], PARAMS)[0] for k, form in enumerate(forms)
    )
    assert {*sides(expected)} == {"L", "J"}
    for other in others:
        assert sides(other) == sides(expected)
        assert other.fold.tolist() == expected.fold.tolist()
    file, traffic = assign([source(range(400), forms[0]), source(range(400, 800), forms[1])], PARAMS)
    assert sides(file) == sides(traffic) == sides(expected)
    assert file.customer.tolist() == traffic.customer.tolist()


def test_ids_of_the_file_meet_their_pseudonyms_in_the_traffic() -> None:
    key = Pseudonymiser("a key of the store's own")
    file, traffic = assign([source(range(400), NAMES), source(range(400, 800), map(key, NAMES))], PARAMS, key)
    assert sides(file) == sides(traffic)
    assert file.customer.tolist() == traffic.customer.tolist()


def test_rows_of_the_same_content_stay_together_where_nobody_is_named() -> None:
    (who,) = assign([source([*range(200), *range(200)])], PARAMS)
    assert sides(who)[:200] == sides(who)[200:]
    assert who.customer[:200].tolist() == who.customer[200:].tolist()
    assert who.fold[:200].tolist() == who.fold[200:].tolist()


def test_customers_with_ids_are_two_however_alike() -> None:
    file, traffic = assign([source([1] * 400, NAMES), source([1] * 200, NAMES[:200])], PARAMS)
    assert len(set(file.customer)) == 400
    assert {*sides(file)} == {"L", "J"}
    assert traffic.customer.tolist() == file.customer[:200].tolist()


def test_who_is_learned_from_in_a_file_without_ids_does_not_judge_under_an_id_even_with_another_content() -> None:
    """A customer of the file is scored under an id, and scored again a month later, when the content is another."""
    file, traffic = assign([source(range(400)), source([*range(400), *range(1000, 1400)], [*NAMES, *NAMES])], PARAMS)
    assert traffic.customer[:400].tolist() == traffic.customer[400:].tolist() == file.customer.tolist()
    first, later = sides(traffic)[:400], sides(traffic)[400:]
    assert first == later
    pairs = {*zip(sides(file), first, strict=True)}
    assert pairs == {("L", "L"), ("L", "-"), ("-", "L"), ("J", "J")}
    assert file.left_out | traffic.left_out <= {*file.customer.tolist()}
    # Not a row of whom is reserved by its own key is ever learned from, whoever turns out to be the same.
    assert file.learns.tolist() == assign([source(range(400))], PARAMS)[0].learns.tolist()


def test_traffic_without_ids_is_known_by_the_content_of_a_file_with_ids() -> None:
    file, traffic = assign([source(range(400), NAMES), source(range(400))], PARAMS)
    assert file.customer.tolist() == traffic.customer.tolist()
    assert {*zip(sides(file), sides(traffic), strict=True)} == {("L", "L"), ("L", "-"), ("-", "L"), ("J", "J")}


def test_where_not_one_id_of_the_file_is_known_in_the_traffic_contents_tell() -> None:
    """The file has the billing system's numbers, the requests those of the call centre."""
    strangers = [f"call-{n}" for n in range(400)]
    file, traffic = assign([source(range(400), NAMES), source(range(400), strangers)], PARAMS)
    assert file.customer.tolist() == traffic.customer.tolist()
    assert ("L", "J") not in {*zip(sides(file), sides(traffic), strict=True)}
    # A content that several customers of one source have is no sign of anybody.
    file, traffic = assign([source([n % 50 for n in range(400)], NAMES), source([n % 50 for n in range(400)], strangers)], PARAMS)
    assert not set(file.customer) & set(traffic.customer)
    assert {*sides(traffic)} == {"L", "J"}


def test_an_id_that_two_people_share_is_one_customer() -> None:
    (who,) = assign([source([1, 2, 3, 4], ["shared", "shared", "a", "b"])], PARAMS)
    assert who.customer[0] == who.customer[1]
    assert sides(who)[0] == sides(who)[1]


def test_of_no_customers_nobody_is_assigned() -> None:
    empty, none = assign([source([]), source([], [])], PARAMS)
    assert len(empty) == len(none) == 0


ROWS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from([None, "a", "b", "c", "7", 7, 7.0, "d"])), max_size=25)


@given(ROWS, ROWS, st.integers(0, 20), st.randoms())
def test_whoever_judges_has_no_row_that_was_ever_learned_from(
    file: list[tuple[int, Any]], traffic: list[tuple[int, Any]], key: int, chance: Any
) -> None:
    """Any rows, any order, and at any time: what is learned from today, or was when there were fewer rows, does not judge."""
    params = SplitParams(key=str(key), reserved=0.5)

    def sources(*parts: list[tuple[int, Any]]) -> list[Source]:
        return [source([content for content, _ in part], [name for _, name in part]) for part in parts]

    now = assign(sources(file, traffic), params)
    rows = [
        (*row, who.customer[n], who.learns[n], who.judges[n])
        for part, who in zip((file, traffic), now, strict=True)
        for n, row in enumerate(part)
    ]
    taught = {customer for *_, customer, learns, _ in rows if learns}
    assert not taught & {customer for *_, customer, _, judges in rows if judges}

    # By the letter: the same id, or the same content where one of both rows has no id.
    def spelled(name: Any) -> str | None:
        return None if name is None else str(name).removesuffix(".0")

    for content, name, _, learns, _ in rows:
        for other, called, _, _, judges in rows:
            same = spelled(name) == spelled(called) if name is not None and called is not None else content == other
            assert not (learns and judges and same)
    # Before the file grew, and in another order, nobody was learned from who judges now.
    before = list(traffic[: len(traffic) // 2])
    chance.shuffle(before)
    (then,) = assign(sources(before), params)
    learned = {(content, spelled(name)) for (content, name), learns in zip(before, then.learns, strict=True) if learns}
    assert not learned & {(content, spelled(name)) for content, name, *_, judges in rows if judges}
