"""Settings by file: `CHURN_STORE_PASSWORD_FILE=/run/secrets/store_password`, as Docker's and Kubernetes' secrets are mounted.

A file that is named must be there: a password that is missing must not turn into a default. Error messages name the
file, never its content.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from churn.errors import InputError


class SettingsFiles(PydanticBaseSettingsSource):
    """A source of pydantic-settings: the files that the environment names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of one field; None if no file is named for it.

        Parameters
        ----------
        field : FieldInfo
        field_name : str

        Returns
        -------
        value, key, value_is_complex : tuple
            As pydantic-settings expects it.
        """
        file = file_of(field_name)
        return (_read(field_name, file) if file else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the value of every field that has a file."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def file_of(field: str) -> str:
    """Return the file that is named for a field of the settings; empty if none is."""
    return os.environ.get(f"CHURN_{field.upper()}_FILE", "")


def _read(field: str, file: str) -> str:
    variable = f"CHURN_{field.upper()}"
    if os.environ.get(variable):
        raise InputError(f"{variable} and {variable}_FILE are both set; keep one of them")
    try:
        text = Path(file).read_text("utf-8").strip()
    except OSError as error:
        raise InputError(f"{variable}_FILE: {file} cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise InputError(f"{variable}_FILE: {file} is not text") from None
    if not text:
        raise InputError(f"{variable}_FILE: {file} is empty")
    return text
