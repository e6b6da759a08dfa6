"""The command `notifier`: what it needs, and the sentence for each thing that is missing or unsafe."""

from pathlib import Path
from typing import Any

import pytest

from ops.cli import main
from ops.notifier_options import own_templates, require_routes, smtp_options, webhook_secret, webhook_url
from ops.settings import Settings, SettingsError
from tests.support.hooks import SECRET

COMPLETE: dict[str, Any] = {
    "notifier_smtp_host": "mail.example.org",
    "notifier_smtp_from": "support@example.org",
    "notifier_webhook_url": "https://hooks.example.org/in",
    "notifier_webhook_secret": SECRET,
}


def _settings(directory: Path, **changes: Any) -> Settings:
    return Settings(data_dir=directory, **{**COMPLETE, **changes})


def _checked(settings: Settings) -> None:
    require_routes(settings)
    smtp_options(settings)
    webhook_url(settings)
    webhook_secret(settings)


def test_complete_settings_are_taken(tmp_path: Path) -> None:
    """By default the connection is encrypted, on the port for submission."""
    _checked(_settings(tmp_path))
    options = smtp_options(_settings(tmp_path))
    assert (options.host, options.port, options.tls) == ("mail.example.org", 587, "starttls")
    assert smtp_options(_settings(tmp_path, notifier_smtp_tls="tls")).port == 465
    assert smtp_options(_settings(tmp_path, notifier_smtp_tls="none")).port == 25
    assert smtp_options(_settings(tmp_path, notifier_smtp_port=2525)).port == 2525


@pytest.mark.parametrize("name", list(COMPLETE))
def test_what_is_missing_is_named(name: str, tmp_path: Path) -> None:
    """Both routes are needed; the sentence has the variables to set, and no other."""
    with pytest.raises(SettingsError) as raised:
        _checked(_settings(tmp_path, **{name: None}))
    sentence = str(raised.value)
    assert f"TICKETFLOW_{name.upper()}" in sentence
    assert sentence.count("TICKETFLOW_") == 1
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("notifier_smtp_host", "mail..org"),
        ("notifier_smtp_host", "smtp://mail.example.org"),
        ("notifier_smtp_from", "support"),
        ("notifier_smtp_from", "support@example.org\r\nBcc: a@example.org"),
        ("notifier_webhook_url", "hooks.example.org"),
        ("notifier_webhook_url", "ftp://hooks.example.org"),
        ("notifier_webhook_url", "http://hooks.example.org/in"),
        ("notifier_webhook_url", "http://127.0.0.1.example.org/in"),
        ("notifier_webhook_url", "https:///in"),
        ("notifier_webhook_url", "https://hooks..example.org/in"),
        ("notifier_webhook_url", f"https://{'a' * 64}.example.org/in"),
        ("notifier_webhook_secret", "secret"),
        ("notifier_webhook_secret", "whsec_AAAA"),
        ("notifier_webhook_secret", "whsec_###"),
        ("notifier_smtp_password", "Geheim"),
    ],
)
def test_what_is_wrong_is_named_without_its_value(name: str, value: str, tmp_path: Path) -> None:
    """One sentence with the variable in it; a password or a secret is never shown."""
    with pytest.raises(SettingsError) as raised:
        _checked(_settings(tmp_path, **{name: value}))
    assert f"TICKETFLOW_{name.upper()}" in str(raised.value)
    assert value not in str(raised.value)


def test_a_directory_of_templates_must_have_some(tmp_path: Path) -> None:
    """A file in the wrong place is said, not passed over."""
    assert own_templates(_settings(tmp_path)) is None
    settings = _settings(tmp_path, notifier_templates=tmp_path)
    (tmp_path / "ticket_closed.j2").touch()
    with pytest.raises(SettingsError, match=r"like ru/ticket_closed\.j2\.$"):
        own_templates(settings)
    (tmp_path / "ru").mkdir()
    (tmp_path / "ru" / "ticket_closed.j2").touch()
    assert own_templates(settings) == tmp_path


def test_a_password_needs_an_encrypted_connection(tmp_path: Path) -> None:
    """In the clear a password goes to this machine only."""
    login = {"notifier_smtp_username": "u", "notifier_smtp_password": "p", "notifier_smtp_tls": "none"}
    with pytest.raises(SettingsError, match="in the clear"):
        _checked(_settings(tmp_path, **login))
    _checked(_settings(tmp_path, **login, notifier_smtp_host="127.0.0.1"))
    _checked(_settings(tmp_path, **{**login, "notifier_smtp_tls": "tls"}))


@pytest.mark.parametrize("name", ["notifier_smtp_username", "notifier_smtp_password"])
def test_a_login_that_smtp_cannot_say_is_refused(name: str, tmp_path: Path) -> None:
    """A login goes to the server in ASCII: what is none would fail at each message."""
    login = {"notifier_smtp_username": "u", "notifier_smtp_password": "p", name: "Пароль"}
    with pytest.raises(SettingsError, match=f"TICKETFLOW_{name.upper()} is wrong") as raised:
        _checked(_settings(tmp_path, **login))
    assert "Пароль" not in str(raised.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_on_this_machine_a_webhook_may_be_plain(host: str, tmp_path: Path) -> None:
    """On loopback nobody listens on the way."""
    _checked(_settings(tmp_path, notifier_webhook_url=f"http://{host}:8080/in"))


def test_settings_show_no_secret(tmp_path: Path) -> None:
    """Neither the secret nor the password is in what can be printed."""
    settings = _settings(tmp_path, notifier_smtp_username="u", notifier_smtp_password="Geheim")
    shown = f"{settings!r} {smtp_options(settings)!r}"
    assert "Geheim" not in shown
    assert SECRET not in shown


@pytest.mark.parametrize("code", ["undeliverable_malformed", "malformed", "all"])
def test_what_cannot_be_tried_again_is_wrong_usage(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the notifier's own codes, and of these not that of records that are no notifications."""
    assert main(["notifier", "--retry", code]) == 2
    assert "undeliverable_refused" in capsys.readouterr().err
