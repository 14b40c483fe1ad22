"""The list of versions, newest first by number and not by text."""

from __future__ import annotations

from churn.registry.aliases import TIMEOUT_SECONDS, Version, list_versions


def test_versions_are_sorted_by_number_with_their_aliases_in_alphabetical_order() -> None:
    tags = {"9": {"a": "1"}, "10": {}, "2": {}}
    found = list_versions(tags, {"previous": "9", "champion": "10", "challenger": "9", "gone": "77"})
    assert found == [Version("10", ["champion"], {}), Version("9", ["challenger", "previous"], {"a": "1"}), Version("2", [], {})]
    assert found[1].tags is not tags["9"]
    assert list_versions({}, {"champion": "1"}) == []


def test_a_reader_waits_for_seconds() -> None:
    assert TIMEOUT_SECONDS == 5
