"""The page: one document that loads nothing from other sites, and the policy that lets it run only its own script."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from string import Template
from typing import Self

import orjson

from churn.config.settings import Settings
from churn.contract import Contract
from service.page.example import example_customer
from service.page.fields import group_columns, render_groups
from service.page.headers import page_headers
from service.page.links import render_links
from service.page.model_panel import render_model
from service.scoring.scorer import CompiledScorer
from service.scoring.served_model import ServedModel

HIDDEN = "<p>Enter an API key to see the model in service.</p>"
NONE = "<p class=warning>No model is in service yet: {why}.</p>"


@dataclass(frozen=True)
class Page:
    """The parts of the page that do not change while the service runs."""

    settings: Settings
    contract: Contract
    with_keys: bool

    @classmethod
    def of(cls, settings: Settings, contract: Contract, *, with_keys: bool) -> Self:
        """Return the page of a service.

        Parameters
        ----------
        settings : Settings
        contract : Contract
        with_keys : bool
            Whether the service asks for API keys.

        Returns
        -------
        Page
        """
        return cls(settings, contract, with_keys)

    def render(self, served: ServedModel | None, *, trusted: bool, why_none: str = "") -> str:
        """Render the page.

        Parameters
        ----------
        served : ServedModel or None
            The model in service, if any.
        trusted : bool
            Whether the visitor may see the model.
        why_none : str
            Why no model is in service, if none is.

        Returns
        -------
        str
            HTML.
        """
        shown = served if trusted else None
        scorer = None if shown is None else shown.scorer
        compiled = scorer.compiled if isinstance(scorer, CompiledScorer) else None
        example = {} if compiled is None else example_customer(compiled, self.contract)
        return _template().substitute(
            style=_asset("style.css"),
            script=_script(),
            customer=escape(self.contract.description),
            groups=render_groups(group_columns(self.contract.features), {} if compiled is None else compiled.typical),
            example=escape(orjson.dumps(example).decode()),
            key="" if self.with_keys else "hidden",
            model=self._model(shown, trusted=trusted, why_none=why_none),
            links=render_links(self.settings),
        )

    def _model(self, shown: ServedModel | None, *, trusted: bool, why_none: str) -> str:
        if not trusted:
            return HIDDEN
        return NONE.format(why=escape(why_none)) if shown is None else render_model(shown, link=not self.with_keys)


@cache
def headers() -> dict[str, str]:
    """Return the headers of the page: a browser may run its own style and script, and call this service."""
    return page_headers(style=_asset("style.css"), script=_script())


def _script() -> str:
    return "".join(map(_asset, ("key.js", "script.js", "gains.js", "pieces.js", "campaign.js")))


@cache
def _asset(name: str) -> str:
    return resources.files("service.page").joinpath(name).read_text("utf-8")


@cache
def _template() -> Template:
    return Template(_asset("index.html"))
