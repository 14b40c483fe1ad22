"""What each setting must keep beyond its type: addresses, schedules, and settings that belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from churn.config.cron import require_cron
from churn.config.secret_files import SettingsFiles
from churn.config.urls import parse_links, put_password, require_address, require_host, require_scheme

MIN_KEY_LENGTH = 16
# MLflow, SQLAlchemy and downloads would open other schemes too: other files, programs and machines.
REGISTRIES = ("sqlite", "http", "https", "postgresql", "mysql", "mssql")
REGISTRY_DATABASES = ("sqlite", "postgresql")
STORES = ("sqlite", "postgresql")
NOT_EMPTY = ("home", "contract", "data", "params", "host", "exporter_host", "retrain_cron", "score_cron")
DEFAULT_PARAMS = Path("params.yaml")
# Pairs of which the first must not be above the second: k of n, a window, outcomes in one, a body that is let in.
ORDERED = (
    ("policy_k", "policy_n"),
    ("min_window_rows", "max_window_rows"),
    ("min_labelled_rows", "max_window_rows"),
    ("max_body_bytes", "max_inflight_bytes"),
)


class SettingRules(BaseSettings):
    """Where settings come from, and their rules. `churn.config.settings.Settings` declares them."""

    model_config = SettingsConfigDict(env_prefix="CHURN_", frozen=True, extra="ignore", validate_default=True)

    @field_validator("home", mode="after", check_fields=False)
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        home = home.expanduser().absolute()
        # The addresses of the databases in it: SQLAlchemy, MLflow and Prefect read what follows as parameters, and would put all
        # three into one file beside the folder.
        if any(c in "?\r\n" for c in str(home)):
            raise ValueError(f"{str(home)!r} must hold no question mark and no line break: databases are addressed by it")
        return home

    @field_validator(*NOT_EMPTY, mode="before", check_fields=False)
    @classmethod
    def _is_something(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            raise ValueError("must not be empty; leave it unset for the default")
        return value

    @field_validator("params", mode="after", check_fields=False)
    @classmethod
    def _is_there(cls, params: Path) -> Path:
        # The defaults hold where there is no file; instead of one that somebody named, they would be another company's costs.
        if params != DEFAULT_PARAMS and not params.exists():
            raise ValueError("there is no such file; leave it unset for the defaults")
        return params

    @field_validator("label_maturity_seconds", mode="before", check_fields=False)
    @classmethod
    def _none_if_auto(cls, value: Any) -> Any:
        return None if isinstance(value, str) and value.strip().lower() == "auto" else value

    @field_validator("host", "exporter_host", mode="after", check_fields=False)
    @classmethod
    def _is_a_host(cls, host: str) -> str:
        return require_host(host)

    @field_validator("service_url", "exporter_url", "evidently_url", mode="after", check_fields=False)
    @classmethod
    def _answers_http(cls, value: str) -> str:
        return require_address(("http", "https"), value) if value else value

    @field_validator("dask_scheduler", mode="after", check_fields=False)
    @classmethod
    def _is_a_scheduler(cls, value: str) -> str:
        return require_address(("tcp", "tls", "ws", "wss"), value) if value else value

    @field_validator("registry_database_url", mode="after", check_fields=False)
    @classmethod
    def _is_a_registry_database(cls, value: str) -> str:
        return require_scheme(REGISTRY_DATABASES, value) if value else value

    @field_validator("retrain_cron", "score_cron", mode="after", check_fields=False)
    @classmethod
    def _is_a_schedule(cls, value: str) -> str:
        return require_cron(value)

    @field_validator(*{name for pair in ORDERED for name in pair}, mode="after", check_fields=False)
    @classmethod
    def _in_order(cls, value: int, info: ValidationInfo) -> int:
        known = {**info.data, str(info.field_name): value}
        for low, high in ORDERED:
            if info.field_name in (low, high) and low in known and high in known and known[low] > known[high]:
                raise ValueError(f"CHURN_{low.upper()} ({known[low]}) must not be above CHURN_{high.upper()} ({known[high]})")
        return value

    @field_validator("score_output", mode="after", check_fields=False)
    @classmethod
    def _has_a_place(cls, output: str, info: ValidationInfo) -> str:
        if info.data.get("score_input") and not output.strip():
            raise ValueError("must say where the answers go, as CHURN_SCORE_INPUT says what is scored")
        return output

    @field_validator("page_links", mode="after", check_fields=False)
    @classmethod
    def _are_links(cls, value: str) -> str:
        parse_links(value)
        return value

    @field_validator("pseudonym_key", mode="after", check_fields=False)
    @classmethod
    def _long_enough(cls, key: SecretStr) -> SecretStr:
        if 0 < len(key.get_secret_value()) < MIN_KEY_LENGTH:
            raise ValueError(f"needs {MIN_KEY_LENGTH} characters or more, or none: a short key can be guessed")
        return key

    @field_validator("store_url", "tracking_uri", mode="after", check_fields=False)
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be empty; leave it unset for the default")
        return value

    @field_validator("tracking_uri", mode="after", check_fields=False)
    @classmethod
    def _is_a_registry(cls, value: str) -> str:
        return require_scheme(REGISTRIES, value)

    @field_validator("store_url", mode="after", check_fields=False)
    @classmethod
    def _is_a_store(cls, value: str) -> str:
        return require_scheme(STORES, value)

    @field_validator("data_url", mode="after", check_fields=False)
    @classmethod
    def _is_on_the_web(cls, value: str) -> str:
        return require_scheme(("http", "https"), value) if value else value

    @field_validator("store_url", mode="after", check_fields=False)
    @classmethod
    def _with_password(cls, url: str, info: ValidationInfo) -> str:
        password = info.data.get("store_password")
        if password is None or not password.get_secret_value():
            return url
        return put_password(url, password.get_secret_value())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let arguments win over files and the environment, of which only one may set a value.

        Parameters
        ----------
        settings_cls : type of BaseSettings
        init_settings, env_settings, dotenv_settings, file_secret_settings : PydanticBaseSettingsSource
            As pydantic-settings passes them.

        Returns
        -------
        tuple of PydanticBaseSettingsSource
            The sources, the strongest first.
        """
        return init_settings, SettingsFiles(settings_cls), env_settings
