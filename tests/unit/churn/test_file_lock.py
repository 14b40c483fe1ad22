from __future__ import annotations

from pathlib import Path

from churn.file_lock import try_lock


def test_one_holder_at_a_time_until_the_file_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "a.lock"
    with file.open("ab") as first, file.open("ab") as second:
        assert try_lock(first)
        assert not try_lock(second)
        first.close()
        assert try_lock(second)


def test_shared_holders_keep_only_exclusive_ones_out(tmp_path: Path) -> None:
    file = tmp_path / "a.lock"
    with file.open("ab") as one, file.open("ab") as two, file.open("ab") as three:
        assert try_lock(one, shared=True)
        assert try_lock(two, shared=True)
        assert not try_lock(three)
