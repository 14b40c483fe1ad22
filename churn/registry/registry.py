"""The model registry: the registered versions of one model, their aliases, artifacts and runs."""

from __future__ import annotations

from churn.config.settings import Settings
from churn.registry.client import Client
from churn.registry.downloads import Downloads
from churn.registry.runs import Runs
from churn.registry.versions import Versions


class Registry:
    """The methods of all parts of one registry; as in `churn.store.store.Store`, they are attributes here.

    Every method raises RegistryError when the registry is away.
    """

    def __init__(self, settings: Settings) -> None:
        client = Client(settings)

        versions = Versions(client)
        self.version = versions.version
        self.versions = versions.versions
        self.champion_version = versions.champion_version
        self.previous_version = versions.previous_version
        self.registered = versions.registered
        self.identity = versions.identity
        self.tags_of = versions.tags_of
        self.aliases = versions.aliases
        self.challenge = versions.challenge
        self.end_challenge = versions.end_challenge
        self.promote = versions.promote
        self.rolled_back_version = versions.rolled_back_version
        self.restore = versions.restore

        downloads = Downloads(client, versions)
        self.load = downloads.load
        self.load_judged = downloads.load_judged
        self.reference = downloads.reference

        runs = Runs(client, versions, downloads)
        self.register = runs.register
        self.log_comparison = runs.log_comparison
        self.log_campaign = runs.log_campaign
        self.end_runs = runs.end_runs
