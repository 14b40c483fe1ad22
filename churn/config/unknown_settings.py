"""Find names of the environment that look like settings and are none: a mistyped setting is a default that nobody chose."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

PREFIX = "CHURN_"
# Read by clients of the service, by compose.yaml, and by tests and tools of this project.
OTHERS = re.compile(r"CHURN_(API_KEY|BIND|DASHBOARDS)|CHURN_(TEST|MUTANTS)_\w+")
# Kubernetes sets both of each service, and then a dozen more: https://kubernetes.io/docs/concepts/services-networking/service/
HOST, PORT = "_SERVICE_HOST", "_SERVICE_PORT"
ALIKE = 0.65


def unknown_settings(names: Iterable[str]) -> list[str]:
    """Return a sentence on each name that begins as a setting does, and is none.

    Parameters
    ----------
    names : iterable of str
        Of environment variables.

    Returns
    -------
    list of str
        In the order of the names; with the setting that was probably meant.

    Examples
    --------
    >>> unknown_settings(["HOME", "CHURN_HOME", "CHURN_STORE_ULR"])
    ['CHURN_STORE_ULR is no setting, and is ignored: did you mean CHURN_STORE_URL?']
    """
    candidates = sorted(name for name in names if name.upper().startswith(PREFIX))
    if not candidates:
        return []
    from churn.config.settings import Settings

    services = [
        name.removesuffix(HOST) for name in candidates if name.endswith(HOST) and name.removesuffix(HOST) + PORT in candidates
    ]
    of_services = tuple(f"{service}{start}" for service in services for start in (HOST, "_PORT", PORT))
    known = {f"{field.upper()}{end}" for field in Settings.model_fields for end in ("", "_FILE")}
    unknown = [name for name in candidates if name.upper().removeprefix(PREFIX) not in known]
    return [_sentence(name, known) for name in unknown if not (OTHERS.fullmatch(name.upper()) or name.startswith(of_services))]


def _sentence(name: str, known: set[str]) -> str:
    likely = get_close_matches(name.upper().removeprefix(PREFIX), sorted(known), n=1, cutoff=ALIKE)
    meant = f": did you mean {PREFIX}{likely[0]}?" if likely else "; docs/settings.md lists them"
    return f"{name} is no setting, and is ignored{meant}"
