"""Every setting: from the environment (`TICKETFLOW_*`), then from a YAML file, then the default.

A field is named in the file as here, and in the environment in capitals with the prefix.
"""

from __future__ import annotations

import difflib
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import InitSettingsSource

from ops import OperationError
from ops.directories import cache_directory, data_directory

PREFIX = "TICKETFLOW_"

MAX_BATCH: Final = 4_000
"""Of records, and of firings: both together fit the 10,000 records among which the verifier looks for an
effect's cause, and what they write is committed within the 12 s of a transaction."""

Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=3_600)]
_NAME = r"^[A-Za-z0-9._-]{1,64}$"
_MAX_PREFIX = r"^[a-z0-9]([a-z0-9._-]{0,198}[a-z0-9])?$"  # with a suffix below Kafka's 249 characters
_SERVER = re.compile(r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$")


class SettingsError(OperationError):
    """A setting is wrong, as one sentence that names it; the command exits with status 2."""


def _existing(directory: Path | None) -> Path:
    if directory is None:
        raise SettingsError(
            "This user has no home directory: set TICKETFLOW_DATA_DIR and TICKETFLOW_CACHE_DIR."
        )
    return directory


def _default_worker_id() -> str:
    """Return the host's name: stable across restarts, and in a StatefulSet different in each pod."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64] or "worker"


class Settings(BaseSettings):
    """What a person can set. Frozen; made by `load_settings`, or directly in tests."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    kafka_bootstrap_servers: str | None = None
    """`host:port` with commas between; None: the embedded broker."""
    kafka_client: Literal["kafka-python", "librdkafka"] = "kafka-python"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Path | None = None
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None

    topic_prefix: str = Field("tickets", pattern=_MAX_PREFIX)
    partitions: int = Field(12, ge=1, le=10_000)
    replication_factor: int | None = Field(None, ge=1, le=100)
    """Of new topics; None: what the cluster's own default is."""

    data_dir: Path = Field(default_factory=lambda: _existing(data_directory()))
    """The embedded broker's data and the checkpoints; `~/.local/share/ticketflow` where XDG says nothing."""
    cache_dir: Path = Field(default_factory=lambda: _existing(cache_directory()))
    """Kafka's jars, which can be fetched again; `~/.cache/ticketflow` where XDG says nothing."""
    embedded_port: Port | None = None
    """None: 9092, or a free one if that is taken; 0: any free one."""
    embedded_heap_mebibytes: int = Field(512, ge=192, le=32_768)
    embedded_start_timeout_seconds: Seconds = 60.0

    metrics_port: Port = 9465
    exporter_port: Port = 9464
    notifier_port: Port = 9463

    notifier_language: Literal["ru", "en"] = "ru"
    notifier_templates: Path | None = None
    """A directory whose templates stand before ours of the same name."""
    notifier_max_age_seconds: float = Field(86_400.0, ge=60, le=14 * 86_400)
    """What is older, from when it was due, is not sent. Notifications are kept for 14 days."""
    notifier_timeout_seconds: Seconds = 30.0
    """For each answer of the mail server, and for the webhook's."""
    notifier_smtp_host: str | None = None
    notifier_smtp_port: Port | None = None
    """None: 587 with starttls, 465 with tls, 25 with none."""
    notifier_smtp_tls: Literal["none", "starttls", "tls"] = "starttls"
    notifier_smtp_username: str | None = None
    notifier_smtp_password: SecretStr | None = None
    notifier_smtp_from: str | None = None
    notifier_webhook_url: str | None = None
    notifier_webhook_secret: SecretStr | None = None
    """`whsec_` and at least 24 bytes in base64 (Standard Webhooks)."""

    policy: Path | None = None
    """A policy file, or a folder of versions; None: the default policy, `gosuslugi`."""
    worker_id: str = Field(default_factory=_default_worker_id, pattern=_NAME)
    group_id: str = Field("ticketflow", pattern=_NAME)

    batch_max_records: int = Field(500, ge=1, le=MAX_BATCH)
    batch_max_firings: int = Field(500, ge=1, le=MAX_BATCH)
    """At most 4,000 each: a batch must end within a transaction's time-out, and fit the verifier's window."""
    poll_timeout_seconds: Seconds = 0.1

    # The order is what keeps a worker that hangs from freezing its partitions' readers: a request fails
    # before its transaction ends, and the transaction before another worker gets the partition.
    request_timeout_seconds: Seconds = 8.0
    transaction_timeout_seconds: Seconds = 12.0
    session_timeout_seconds: Seconds = 15.0
    max_poll_interval_seconds: Seconds = 120.0

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"
    """auto: for people on a terminal, JSON elsewhere."""

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _servers_have_ports(cls, servers: str | None) -> str | None:
        if servers is None:
            return None
        names = [name.strip() for name in servers.split(",")]
        ports = [_SERVER.match(name) for name in names]
        if not all(port and 0 < int(port.group(2)) <= 65_535 for port in ports):
            raise ValueError("each server is host:port, with commas between")
        return ",".join(names)

    @field_validator(
        "kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile", "policy", "notifier_templates"
    )
    @classmethod
    def _exists(cls, path: Path | None) -> Path | None:
        if path is not None and not path.expanduser().exists():
            raise ValueError("there is no such file")
        return path and path.expanduser()

    @field_validator("data_dir", "cache_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @model_validator(mode="after")
    def _security_is_whole(self) -> Settings:
        sasl = (self.kafka_sasl_mechanism, self.kafka_sasl_username, self.kafka_sasl_password)
        if self.kafka_security_protocol.startswith("SASL") and None in sasl:
            raise ValueError(
                "TICKETFLOW_KAFKA_SECURITY_PROTOCOL asks for SASL, which needs "
                "TICKETFLOW_KAFKA_SASL_MECHANISM, TICKETFLOW_KAFKA_SASL_USERNAME and "
                "TICKETFLOW_KAFKA_SASL_PASSWORD"
            )
        if (self.kafka_ssl_certfile is None) != (self.kafka_ssl_keyfile is None):
            raise ValueError(
                "TICKETFLOW_KAFKA_SSL_CERTFILE and TICKETFLOW_KAFKA_SSL_KEYFILE are only of use together"
            )
        if self.kafka_bootstrap_servers is None and self.kafka_security_protocol != "PLAINTEXT":
            raise ValueError(
                "TICKETFLOW_KAFKA_SECURITY_PROTOCOL is for a cluster of your own, so it needs "
                "TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS"
            )
        return self

    @model_validator(mode="after")
    def _time_outs_are_ordered(self) -> Settings:
        in_order = (
            self.request_timeout_seconds < self.transaction_timeout_seconds
            and self.transaction_timeout_seconds <= self.session_timeout_seconds
            and 2 * self.session_timeout_seconds <= self.max_poll_interval_seconds
        )
        if not in_order:
            raise ValueError(
                "the time-outs must be TICKETFLOW_REQUEST_TIMEOUT_SECONDS < "
                "TICKETFLOW_TRANSACTION_TIMEOUT_SECONDS <= TICKETFLOW_SESSION_TIMEOUT_SECONDS, "
                "and TICKETFLOW_MAX_POLL_INTERVAL_SECONDS at least twice that"
            )
        return self


def load_settings(config: Path | None = None) -> Settings:
    """Return the settings of this process; `config` is the file of `--config`.

    Raises:
        SettingsError: a sentence that names the variable, or the file and the key.
    """
    from_file = {} if config is None else _read_file(config)

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(  # the signature is the library's
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (env_settings, InitSettingsSource(settings_cls, init_kwargs=from_file))

    try:
        return FromFile()
    except ValidationError as problems:
        raise SettingsError(_sentence(problems, config)) from None


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return a sentence for each `TICKETFLOW_*` variable that is no setting of ours.

    It is a warning and no error: Kubernetes itself sets `TICKETFLOW_PORT` and the like when a service has
    our name.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return [
        f"{name} is no setting and is ignored{_did_you_mean(name, known)}."
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known
    ]


def _read_file(config: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(config.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"The settings file {config} cannot be read.") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise SettingsError(f"The settings file {config} is not YAML{where}.") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SettingsError(f"The settings file {config} must have one `name: value` on each line.")
    return content


def _sentence(problems: ValidationError, config: Path | None) -> str:
    return " ".join(_clause(error["loc"], error["type"], error["msg"], config) for error in problems.errors())


def _clause(location: tuple[int | str, ...], kind: str, message: str, config: Path | None) -> str:
    reason = message.removeprefix("Value error, ")
    if not location:
        return f"{reason[0].upper()}{reason[1:]}."
    field = str(location[0])
    variable = PREFIX + field.upper()
    if kind == "extra_forbidden":
        return f"{field} in {config} is no setting{_did_you_mean(field, Settings.model_fields)}."
    name = variable if os.environ.get(variable) or config is None else f"{field} in {config}"
    if kind == "string_pattern_mismatch":
        letters = "lower-case letters" if field == "topic_prefix" else "letters"
        reason = f"use only {letters}, digits, dots, underscores and hyphens"
    return f"{name} is wrong: {reason[0].lower()}{reason[1:]}."


def _did_you_mean(name: str, known: Mapping[str, object] | set[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.8)
    return f"; did you mean {close[0]}?"[:-1] if close else ""
