"""An error in one line, whatever its message is."""

from __future__ import annotations

from churn.one_line import one_line


def test_line_breaks_and_blanks_become_one_blank() -> None:
    assert one_line(ValueError("a\n  b\t\tc ")) == "a b c"


def test_the_rest_of_a_long_message_is_cut_off() -> None:
    assert one_line(ValueError("x" * 501)) == "x" * 500
    assert one_line(ValueError("abc"), 2) == "ab"


def test_without_a_message_the_class_is_named() -> None:
    assert one_line(KeyError()) == "KeyError"
    assert one_line(OSError(" \n")) == "OSError"
