"""Probes of a manifest, run from outside as a kubelet does: HTTP from the node to the pod, a command inside the container."""

from __future__ import annotations

import time
from typing import Any

import httpx2

from churn.errors import ChurnError
from tools.containers.engine import Engine

Container = dict[str, Any]


def find_port(container: Container, port: int | str) -> int:
    """Return a port's number.

    Parameters
    ----------
    container : dict
        As the manifest has it.
    port : int or str
        Its number, or its name in the container.

    Returns
    -------
    int
    """
    if isinstance(port, int):
        return port
    return int(next(entry["containerPort"] for entry in container["ports"] if entry["name"] == port))


def run_probe(engine: Engine, container: Container, probe: dict[str, Any], name: str, address: str) -> bool:
    """Run a probe once.

    Parameters
    ----------
    engine : Engine
    container : dict
        As the manifest has it.
    probe : dict
        One of its probes.
    name : str
        The running container's.
    address : str
        The pod's.

    Returns
    -------
    bool
        Whether it passed within its own timeout.
    """
    if "httpGet" in probe:
        url = f"http://{address}:{find_port(container, probe['httpGet']['port'])}{probe['httpGet']['path']}"
        try:
            answer = httpx2.get(url, timeout=probe["timeoutSeconds"], trust_env=False)
        except httpx2.HTTPError:
            return False
        return 200 <= answer.status_code < 400
    began = time.monotonic()
    done = engine.run("podman", "exec", name, *probe["exec"]["command"], check=False)
    return done.returncode == 0 and time.monotonic() - began <= probe["timeoutSeconds"]


def await_probe(engine: Engine, container: Container, kind: str, name: str, address: str, factor: float = 1.0) -> float:
    """Run a probe until it passes, for as long as the manifest gives it.

    Parameters
    ----------
    engine : Engine
    container : dict
        As the manifest has it.
    kind : str
        `startupProbe`, `readinessProbe` or `livenessProbe`.
    name : str
        The running container's.
    address : str
        The pod's.
    factor : float
        So many times as long.

    Returns
    -------
    float
        Seconds until it passed.

    Raises
    ------
    ChurnError
        If it does not pass in time.
    """
    probe = container[kind]
    began = time.monotonic()
    while not run_probe(engine, container, probe, name, address):
        if time.monotonic() - began > factor * probe["periodSeconds"] * probe["failureThreshold"]:
            log = engine.run("podman", "logs", name, check=False)
            raise ChurnError(f"{name}: its {kind} does not pass:\n{(log.stdout + log.stderr)[-3000:]}")
        time.sleep(min(1.0, float(probe["periodSeconds"])))
    return time.monotonic() - began
