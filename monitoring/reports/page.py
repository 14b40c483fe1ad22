"""Pages for people: one HTML file that needs nothing else, whose texts are escaped."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from churn.atomic_write import atomic_write


def render_page(template: str, **values: Any) -> str:
    """Render a template of `monitoring/templates`.

    Parameters
    ----------
    template : str
        Its file.
    **values
        What it reads; `moment`, which spells a datetime, is there in each.

    Returns
    -------
    str
        HTML.
    """
    environment = Environment(
        loader=PackageLoader("monitoring"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(moment=moment, **values)


def write_page(path: Path, page: str) -> None:
    """Write a page; it is whole or not there.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    page : str
        HTML.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as staging:
        staging.write_text(page, encoding="utf-8")


def moment(at: datetime) -> str:
    """Return a moment of UTC as text, to the minute."""
    return at.strftime("%Y-%m-%d %H:%M UTC")
