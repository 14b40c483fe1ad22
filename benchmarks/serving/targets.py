"""What the service aims at, as ratios of things that were measured in one sitting. Told, never asserted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.serving.baselines import BARE, MLFLOW, NO_MODEL, OURS


@dataclass(frozen=True)
class Target:
    """One aim and what came of it."""

    name: str
    aim: str
    measured: str
    met: bool

    def report(self) -> dict[str, Any]:
        """Give it JSON-ready."""
        return asdict(self)


def targets(results: dict[str, Any]) -> list[Target]:
    """Compare what was measured with the aims; those of scenarios that were not run are left out."""
    return [*_single(_by_name(results.get("single"))), *_batch(_by_name(results.get("batch"))), *_others(results)]


def _single(found: dict[str, Any]) -> list[Target]:
    if OURS not in found:
        return []
    us, met = found[OURS], []
    baselines = [one for name, one in found.items() if one["asks_a_model"] and name != OURS]
    if baselines:
        best = max(baselines, key=lambda one: float(one["rate"]))
        met.append(_least(f"single answers, against {best['name']}", 35, us["rate"] / best["rate"]))
    if BARE in found:
        met.append(_least("single answers, against bare ASGI", 0.40, us["rate"] / found[BARE]["rate"]))
    met.append(_at_most("p99 against p50", 3, us["p99_ms"] / us["p50_ms"]))
    if NO_MODEL in found:
        slower = us["one_connection_p50_ms"] / found[NO_MODEL]["one_connection_p50_ms"]
        met.append(_at_most("one connection, p50 against FastAPI without a model", 1.3, slower))
    return met


def _batch(found: dict[str, Any]) -> list[Target]:
    if OURS not in found or MLFLOW not in found:
        return []
    theirs = found[MLFLOW]["rows_per_second"]
    met = [_least("JSON batches, logged, against MLflow", 2, found[OURS]["rows_per_second"] / theirs)]
    if (without := found.get(f"{OURS}, no log")) is not None:
        met.append(_least("JSON batches, without the log, against MLflow", 4, without["rows_per_second"] / theirs))
    return met


def _others(results: dict[str, Any]) -> list[Target]:
    met = []
    for name, one in _by_name(results.get("columnar")).items():
        if "body to answer" in name:
            rate = one["rows_per_second"]
            met.append(Target(f"{name}, a core", "≥ 1,000,000 rows/s", f"{rate:,.0f}", rate >= 1_000_000))
    if "cost" in (found := results.get("reasons", {})):
        met.append(Target("reasons, share of throughput", "≤ 25 %", f"{found['cost']:.0%}", found["cost"] <= 0.25))
    if "warm_seconds" in (found := results.get("start", {})):
        met.append(_at_most("seconds to ready from a warm disk", 3, found["warm_seconds"]))
    if "max_mb" in (found := results.get("memory", {})):
        met.append(_at_most("resident MB of a worker", 200, found["max_mb"]))
    return met


def _by_name(found: Any) -> dict[str, Any]:
    return {one["name"]: one for one in found if "failed" not in one} if isinstance(found, list) else {}


def _least(name: str, aim: float, measured: float) -> Target:
    return Target(name, f"≥ {aim:g}", f"{measured:.2f}", measured >= aim)


def _at_most(name: str, aim: float, measured: float) -> Target:
    return Target(name, f"≤ {aim:g}", f"{measured:.2f}", measured <= aim)
