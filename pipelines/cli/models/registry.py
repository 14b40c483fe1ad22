"""The registry, for a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from churn.registry.registry import Registry


def open_registry() -> Registry:
    """Return the registry of the settings. Nothing is asked of it yet."""
    from churn.config.settings import load_settings
    from churn.registry.registry import Registry
    from pipelines.environment import prepare_environment

    settings = load_settings()
    prepare_environment(settings)
    return Registry(settings)
