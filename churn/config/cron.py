"""When a schedule is due: the five fields of cron, checked before anything waits for them."""

from __future__ import annotations

import re

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Name, lowest and highest number, and names that stand for numbers from the lowest on.
FIELDS = (("minute", 0, 59, ()), ("hour", 0, 23, ()), ("day", 1, 31, ()), ("month", 1, 12, MONTHS), ("weekday", 0, 7, DAYS))
DAYS_IN_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")


def require_cron(expression: str) -> str:
    """Return a cron expression if it is one: minute, hour, day of the month, month, day of the week.

    Each field is `*`, a number, a range or a list of them, with a step where wanted; months and weekdays may have their English
    names. Weekday 0 and 7 are Sunday.

    Raises
    ------
    ValueError
        If a field is missing or breaks its rule, or no day ever matches.

    Examples
    --------
    >>> require_cron("*/15 3-5 * jan,jul mon-fri")
    '*/15 3-5 * jan,jul mon-fri'
    """
    fields = expression.split()
    if len(fields) != len(FIELDS):
        raise ValueError(
            f"must have five fields, minute hour day month weekday, such as 0 3 * * 0 for Sundays at three; it has {len(fields)}"
        )
    days, months = (_numbers(fields[place], *FIELDS[place]) for place in (2, 3))
    for place in (0, 1, 4):
        _numbers(fields[place], *FIELDS[place])
    # With a weekday given too, either may match.
    if fields[4] == "*" and not any(day <= DAYS_IN_MONTHS[month - 1] for day in days for month in months):
        raise ValueError(f"day {fields[2]!r} is in none of its months: it would never be due")
    return expression


def _numbers(field: str, name: str, low: int, high: int, names: tuple[str, ...]) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None or (match["first"] == "*" and match["last"]) or match["step"] == "0":
            raise ValueError(f"{name} {part!r} is no number, range or step, such as {low}, {low}-{high} or */2")
        every = match["first"] == "*"
        first = low if every else _number(match["first"], name, low, high, names)
        stepped = match["step"] is not None
        last = high if every or (stepped and not match["last"]) else first
        last = _number(match["last"], name, low, high, names) if match["last"] else last
        if last < first:
            raise ValueError(f"{name} {part!r} ends before it begins")
        found |= set(range(first, last + 1, int(match["step"] or 1)))
    return found


def _number(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return low + names.index(text.lower())
    if not text.isdecimal() or not text.isascii() or not low <= int(text) <= high:
        known = f" or one of {', '.join(names)}" if names else ""
        raise ValueError(f"{name} {text!r} must be a number from {low} to {high}{known}")
    return int(text)
