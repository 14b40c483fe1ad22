"""What a worker and its loader process send each other: one JSON document each way, over stdin and stdout.

The request names what to `do`:

- `prepare`: check and compile the registered `version`, and write its bundle.
- `prepare_last`: the same for the last known good model, from disk alone.
- `roll_back`: move the registry's aliases as the rollback `request` says, with a record.

It also holds the `settings` that the loader needs (addresses may hold passwords, so they are not arguments), and whether it is
`urgent`. The answer is {"result": "done"}, or the name of an error in `ERRORS` with its `reason`: so a worker raises what the
loader process raised.
"""

from __future__ import annotations

from churn.errors import ChurnError, ModelRefused, NoModel, NoVersion, RegistryError, StoreError

# The settings that the loader process needs.
LOADER_SETTINGS = {"home", "contract", "model_name", "store_url", "tracking_uri"}
# The first that fits names an error, so a subclass stands before its base.
ERRORS: dict[str, type[ChurnError]] = {
    "refused": ModelRefused,
    "no version": NoVersion,
    "no model": NoModel,
    "away": RegistryError,
    "store away": StoreError,
    "failed": ChurnError,
}


def name_error(error: ChurnError) -> str:
    """Return the name by which an answer reports an error.

    Parameters
    ----------
    error : ChurnError

    Returns
    -------
    str
        A key of `ERRORS`.

    Examples
    --------
    >>> name_error(NoVersion("there is no version 7"))
    'no version'
    """
    return next(name for name, kind in ERRORS.items() if isinstance(error, kind))


def raise_error(result: str, reason: str) -> None:
    """Raise the error that an answer reports; do nothing if the result is "done".

    Parameters
    ----------
    result, reason : str
        Of the answer.

    Raises
    ------
    ChurnError
        The one that the loader process raised.
    """
    if result != "done":
        raise ERRORS.get(result, ChurnError)(reason)
