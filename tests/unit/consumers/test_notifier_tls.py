"""E-mail and posts over TLS, to real servers on loopback with certificates of an authority made here."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
import trustme

from consumers.notifier_routes import Delivered, Later
from consumers.notifier_smtp import SmtpOptions, SmtpRoute
from consumers.notifier_webhook import WebhookRoute
from tests.support.hooks import SECRET, hook_server
from tests.support.mail import MailServer, mail_server
from tests.support.messages import a_message

TIMEOUT_SECONDS = 5.0
HOST = "127.0.0.1"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)

Tls = Literal["starttls", "tls"]
WAYS: tuple[Tls, ...] = ("starttls", "tls")
FAULTS = {
    "unknown authority": "unable to get local issuer certificate",
    "other host": "IP address mismatch, certificate is not valid for '127.0.0.1'",
    "out of date": "certificate has expired",
}
"""What is wrong with a certificate, and OpenSSL's words for it."""


@pytest.fixture(scope="module")
def ours() -> trustme.CA:
    """The authority that this machine trusts; the other tests' servers are certified by another one."""
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(ours: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust it in the way that an operator does (docs/operating.md)."""
    file = tmp_path / "authority.pem"
    ours.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


def _identity(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def _bad(fault: str, ours: trustme.CA) -> ssl.SSLContext:
    """What a server shows that is not to be trusted."""
    if fault == "unknown authority":
        return _identity(trustme.CA().issue_cert(HOST))
    if fault == "other host":
        return _identity(ours.issue_cert("mail.example.org"))
    return _identity(ours.issue_cert(HOST, not_after=YESTERDAY))


def _smtp(server: MailServer, tls: Tls) -> SmtpRoute:
    return SmtpRoute(
        SmtpOptions(HOST, server.port, tls, "a@example.org", TIMEOUT_SECONDS, "ticketflow", "geheim")
    )


@pytest.mark.parametrize("tls", WAYS)
def test_login_and_messages_go_over_tls(tls: Tls, ours: trustme.CA) -> None:
    """With STARTTLS and with TLS from the start, on a new connection and on one that was kept."""
    with mail_server(tls, _identity(ours.issue_cert(HOST))) as server:
        route = _smtp(server, tls)
        assert [route.deliver(a_message()) for _ in range(2)] == [Delivered(), Delivered()]
        route.close()
        assert [mail.encrypted for mail in server.mails()] == [True, True]
        assert server.logins == 1


@pytest.mark.parametrize("tls", WAYS)
@pytest.mark.parametrize(("fault", "why"), FAULTS.items())
def test_a_mail_server_with_a_bad_certificate_gets_nothing(
    fault: str, why: str, tls: Tls, ours: trustme.CA
) -> None:
    """Neither login nor message; they are tried later, and the reason says what is wrong."""
    with mail_server(tls, _bad(fault, ours)) as server:
        route = _smtp(server, tls)
        attempted = route.deliver(a_message())
        route.close()
        assert attempted == Later(f"the certificate of the mail server is not trusted ({why})")
        assert (server.mails(), server.logins) == ([], 0)


def test_a_mail_server_that_speaks_no_tls_is_no_certificates_fault() -> None:
    """TLS from the start with a server that knows only the other way: later, with the reason."""
    with mail_server() as server:
        attempted = _smtp(server, "tls").deliver(a_message())
        assert attempted == Later("no encrypted connection to the mail server came about")


def test_a_post_goes_over_tls(ours: trustme.CA) -> None:
    """A webhook of https gets its post where its certificate is trusted."""
    with hook_server(_identity(ours.issue_cert(HOST))) as server:
        route = WebhookRoute(server.url, SECRET, TIMEOUT_SECONDS, 1)
        assert route.deliver(a_message("sms")) == Delivered()
        route.close()
        assert len(server.posts()) == 1


@pytest.mark.parametrize(("fault", "why"), FAULTS.items())
def test_a_webhook_with_a_bad_certificate_gets_nothing(fault: str, why: str, ours: trustme.CA) -> None:
    """No phone number leaves; it is tried later, and the reason says what is wrong."""
    with hook_server(_bad(fault, ours)) as server:
        route = WebhookRoute(server.url, SECRET, TIMEOUT_SECONDS, 1)
        attempted = route.deliver(a_message("sms"))
        route.close()
        assert attempted == Later(f"the certificate of the webhook is not trusted ({why})")
        assert server.posts() == []
