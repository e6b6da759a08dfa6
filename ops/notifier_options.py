"""Where the notifier delivers to, checked before anything is read: what is missing is said in a sentence."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from pathlib import Path
from typing import Final

import httpx
from pydantic import SecretStr

from consumers.notifier_people import email_address
from consumers.notifier_smtp import SmtpOptions
from ops.settings import PREFIX, Settings, SettingsError

_PORTS: Final = {"none": 25, "starttls": 587, "tls": 465}
"""RFC 5321, RFC 6409 and RFC 8314."""
_LEAST_SECRET_BYTES: Final = 24
"""Standard Webhooks, "Signature scheme": between 24 and 64 bytes."""
_NEEDED: Final = (
    "notifier_smtp_host",
    "notifier_smtp_from",
    "notifier_webhook_url",
    "notifier_webhook_secret",
)


def require_routes(settings: Settings) -> None:
    """Raise SettingsError where e-mail or webhook are not described: each notification needs one of them."""
    missing = [PREFIX + name.upper() for name in _NEEDED if getattr(settings, name) is None]
    if missing:
        raise SettingsError(
            "The notifier delivers e-mail by SMTP, text messages and inboxes by webhook, and needs both: "
            f"set {', '.join(missing)}."
        )


def smtp_options(settings: Settings) -> SmtpOptions:
    """The mail server of complete settings. Raises SettingsError."""
    host, tls, password = (
        settings.notifier_smtp_host or "",
        settings.notifier_smtp_tls,
        settings.notifier_smtp_password,
    )
    if not _is_host(host):
        raise SettingsError(
            "TICKETFLOW_NOTIFIER_SMTP_HOST is wrong: it must be the name or address of a host."
        )
    sender = email_address(settings.notifier_smtp_from)
    if sender is None:
        raise SettingsError("TICKETFLOW_NOTIFIER_SMTP_FROM is wrong: it must be an e-mail address.")
    if (settings.notifier_smtp_username is None) != (password is None):
        raise SettingsError(
            "TICKETFLOW_NOTIFIER_SMTP_USERNAME and TICKETFLOW_NOTIFIER_SMTP_PASSWORD are only of use "
            "together."
        )
    for name in ("notifier_smtp_username", "notifier_smtp_password"):
        _require_ascii(name, getattr(settings, name))
    if password is not None and tls == "none" and not _is_loopback(host):
        raise SettingsError(
            "TICKETFLOW_NOTIFIER_SMTP_PASSWORD would go over the network in the clear: set "
            "TICKETFLOW_NOTIFIER_SMTP_TLS to starttls or tls."
        )
    return SmtpOptions(
        host=host,
        port=settings.notifier_smtp_port or _PORTS[tls],
        tls=tls,
        sender=sender,
        timeout_seconds=settings.notifier_timeout_seconds,
        username=settings.notifier_smtp_username,
        password=None if password is None else password.get_secret_value(),
    )


def webhook_url(settings: Settings) -> str:
    """The URL of complete settings. Raises SettingsError."""
    try:
        url = httpx.URL(settings.notifier_webhook_url or "")
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not _is_host(url.raw_host.decode("ascii")):
        raise SettingsError(
            "TICKETFLOW_NOTIFIER_WEBHOOK_URL is wrong: it must be a URL that begins with https://."
        )
    if url.scheme == "http" and not _is_loopback(url.host):
        raise SettingsError(
            "TICKETFLOW_NOTIFIER_WEBHOOK_URL must begin with https://: phone numbers go over the network."
        )
    return str(url)


def webhook_secret(settings: Settings) -> str:
    """The secret of complete settings. Raises SettingsError."""
    secret = settings.notifier_webhook_secret
    text = "" if secret is None else secret.get_secret_value()
    encoded = text.removeprefix("whsec_")
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if not text.startswith("whsec_") or len(decoded) < _LEAST_SECRET_BYTES:
        raise SettingsError(
            "TICKETFLOW_NOTIFIER_WEBHOOK_SECRET is wrong: it must be whsec_ and at least "
            f"{_LEAST_SECRET_BYTES} bytes in base64."
        )
    return text


def own_templates(settings: Settings) -> Path | None:
    """The directory of templates that stand before ours. Raises SettingsError where none of it is used."""
    directory = settings.notifier_templates
    if directory is not None and not any(directory.glob(f"{settings.notifier_language}/*.j2")):
        raise SettingsError(
            "TICKETFLOW_NOTIFIER_TEMPLATES is wrong: there is no file in it like "
            f"{settings.notifier_language}/ticket_closed.j2."
        )
    return directory


def _require_ascii(name: str, value: str | SecretStr | None) -> None:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
    if not text.isascii():
        raise SettingsError(
            f"{PREFIX}{name.upper()} is wrong: a login to a mail server has ASCII characters only."
        )


def _is_host(host: str) -> bool:
    try:
        return bool(host.encode("idna")) and not re.search(r"[\s/@]", host)
    except UnicodeError:
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
