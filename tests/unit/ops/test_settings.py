"""Settings: where they come from, and the one sentence for each mistake."""

from pathlib import Path

import pytest

from ops import composition
from ops.settings import Settings, SettingsError, load_settings, unknown_variables


def _mistake(config: Path | None = None) -> str:
    with pytest.raises(SettingsError) as raised:
        load_settings(config)
    return str(raised.value)


def test_environment_beats_the_file_and_the_file_beats_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable overrides the file's value, and what neither names has its default."""
    config = tmp_path / "settings.yaml"
    config.write_text("metrics_port: 1001\npartitions: 4\n")
    monkeypatch.setenv("TICKETFLOW_METRICS_PORT", "1002")
    settings = load_settings(config)
    assert (settings.metrics_port, settings.partitions, settings.topic_prefix) == (1002, 4, "tickets")


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`TICKETFLOW_X=` in a shell or an env file means the default."""
    monkeypatch.setenv("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "")
    assert load_settings().kafka_bootstrap_servers is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TICKETFLOW_METRICS_PORT", "many"),
        ("TICKETFLOW_EMBEDDED_PORT", "70000"),
        ("TICKETFLOW_KAFKA_CLIENT", "javaclient"),
        ("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "no-port-here"),
        ("TICKETFLOW_KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ("TICKETFLOW_KAFKA_SSL_CAFILE", "/nowhere/ca.pem"),
        ("TICKETFLOW_KAFKA_SSL_CERTFILE", __file__),
        ("TICKETFLOW_POLICY", "/nowhere/policy.yaml"),
        ("TICKETFLOW_PARTITIONS", "0"),
        ("TICKETFLOW_TOPIC_PREFIX", "Of Ours"),
        ("TICKETFLOW_BATCH_MAX_RECORDS", "4001"),
        ("TICKETFLOW_BATCH_MAX_FIRINGS", "4001"),
        ("TICKETFLOW_WORKER_ID", "a b"),
        ("TICKETFLOW_SESSION_TIMEOUT_SECONDS", "9"),
        ("TICKETFLOW_REQUEST_TIMEOUT_SECONDS", "12"),
        ("TICKETFLOW_MAX_POLL_INTERVAL_SECONDS", "20"),
    ],
)
def test_a_wrong_variable_is_named_in_one_sentence_without_its_value(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the variable, ends with a full stop and does not repeat what was set."""
    monkeypatch.setenv(variable, value)
    sentence = _mistake()
    assert variable in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    if len(value) > 2 and not value.isdigit() and value not in ("SASL_SSL",):
        assert value not in sentence


def test_a_wrong_key_in_the_file_is_named_with_the_file(tmp_path: Path) -> None:
    """An unknown key of the file is an error that suggests the one that was meant."""
    config = tmp_path / "settings.yaml"
    config.write_text("metric_port: 1\n")
    assert _mistake(config) == f"metric_port in {config} is no setting; did you mean metrics_port."


@pytest.mark.parametrize("text", ["- a\n", "a: [\n", "\x80", "1: 2\n"])
def test_a_file_that_is_no_mapping_is_refused(text: str, tmp_path: Path) -> None:
    """Whatever is in the file, the answer is a sentence that names it."""
    config = tmp_path / "settings.yaml"
    config.write_bytes(text.encode("latin-1"))
    assert str(config) in _mistake(config)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """`--config` with a wrong path is a wrong setting, not a crash."""
    assert "cannot be read" in _mistake(tmp_path / "none.yaml")


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing the settings hides the password, and so does printing what the client gets."""
    monkeypatch.setenv("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "kafka:9093")
    monkeypatch.setenv("TICKETFLOW_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("TICKETFLOW_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("TICKETFLOW_KAFKA_SASL_USERNAME", "us")
    monkeypatch.setenv("TICKETFLOW_KAFKA_SASL_PASSWORD", "hunter2")
    settings = load_settings()
    assert "hunter2" not in repr(settings)
    options = composition.kafka_options(settings, "kafka:9093")
    assert "hunter2" not in repr(options)
    assert options.sasl_password == "hunter2"


def test_an_unknown_variable_is_named_with_the_one_that_was_meant() -> None:
    """A misspelt variable is not silently ignored."""
    assert unknown_variables({"TICKETFLOW_POLCY": "x", "PATH": "x", "TICKETFLOW_POLICY": "x"}) == [
        "TICKETFLOW_POLCY is no setting and is ignored; did you mean TICKETFLOW_POLICY."
    ]


def test_the_data_directory_follows_the_xdg_convention(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The data is where XDG_DATA_HOME says, and a relative one counts as not set."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Settings().data_dir == tmp_path / "ticketflow"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings().data_dir == tmp_path / ".local/share/ticketflow"


def test_the_default_time_outs_are_in_the_safe_order() -> None:
    """A request fails before its transaction, and that before another worker gets the partition."""
    settings = Settings()
    assert (
        settings.request_timeout_seconds
        < settings.transaction_timeout_seconds
        <= settings.session_timeout_seconds
        < settings.max_poll_interval_seconds
    )


def test_a_long_transaction_makes_nobody_wait_longer_for_an_answer() -> None:
    """Its time-out is for work that goes on; who is not answered tries again as soon as with the default."""
    patient = Settings(
        transaction_timeout_seconds=800, session_timeout_seconds=1800, max_poll_interval_seconds=3600
    )
    assert composition.timeouts(patient).delivery_seconds == composition.timeouts(Settings()).delivery_seconds
