"""Loads of models, one of each version at a time, for whoever waits for it; and the versions that were refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from churn.errors import ChurnError, ModelRefused
from service.rollout.backoff import RefusedVersions
from service.rollout.model_source import ModelSource
from service.scoring.served_model import ServedModel
from service.threads import run_in_thread


class ModelLoads:
    """Loads versions in threads. A load may take minutes, and holds up nothing but those who wait for it.

    Parameters
    ----------
    source : ModelSource
    refused : RefusedVersions
    """

    def __init__(self, source: ModelSource, refused: RefusedVersions) -> None:
        self._source = source
        self.refused = refused
        self._loads: dict[str, asyncio.Task[ServedModel]] = {}

    async def load(self, version: str) -> ServedModel:
        """Load a version, even one that was refused before. Raises what `ModelSource.load` raises."""
        load = self._loads.get(version)
        if load is None:
            load = self._loads[version] = asyncio.create_task(self._load(version))
            load.add_done_callback(lambda _: self._loads.pop(version))
        # Whoever stops waiting does not end it for the others.
        return await asyncio.shield(load)

    async def load_quietly(self, version: str, note: Callable[[ChurnError], None]) -> ServedModel | None:
        """Load a version that was not refused.

        Parameters
        ----------
        version : str
        note : callable
            Called with the error, if there is one.

        Returns
        -------
        ServedModel or None
            None if it was refused, or if it cannot be loaded now.
        """
        if version in self.refused:
            return None
        try:
            return await self.load(version)
        except ChurnError as error:
            note(error)
            return None

    def cancel(self) -> None:
        """Cancel all loads."""
        for load in self._loads.values():
            load.cancel()

    async def _load(self, version: str) -> ServedModel:
        try:
            served = await run_in_thread(self._source.load, version)
        except ModelRefused:
            self.refused.add(version)
            raise
        self.refused.remove(version)
        return served
