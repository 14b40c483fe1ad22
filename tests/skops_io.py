"""`skops.io` as the programs have it, with the trust that they give: `from tests.skops_io import skops_io`."""

from __future__ import annotations

from churn.registry.trusted_types import prepare_skops

prepare_skops()

import skops.io as skops_io  # noqa: E402

__all__ = ["skops_io"]
