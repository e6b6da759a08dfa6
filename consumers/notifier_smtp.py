"""E-mail by SMTP (RFC 5321), a few connections kept open for the next messages."""

from __future__ import annotations

import contextlib
import queue
import smtplib
import socket
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final, Literal

from consumers.notifier_routes import Attempted, Delivered, Later, Message, Never, why_not_encrypted

_MAX_MESSAGES: Final = 50
"""Over one connection: servers close a connection that never ends."""
_SERVERS_OWN_TROUBLE: Final = frozenset({530, 534, 535, 538})
"""Refusals of the login (RFC 4954, section 6): no message's fault."""
_GO_ON: Final = frozenset({250, 251, 252, 354})
_NO_CONNECTION: Final = "the mail server cannot be reached"


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """A mail server. `sender` is the address that e-mails come from; `timeout_seconds` is for each answer."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"]
    sender: str
    timeout_seconds: float
    username: str | None = None
    password: str | None = field(default=None, repr=False)


class _Connection:
    """A connection that was greeted, and how many messages it has carried."""

    def __init__(self, options: SmtpOptions) -> None:
        """Connect and log in. Raises OSError, SMTPException."""
        context = ssl.create_default_context()
        name = socket.gethostname()
        # What smtplib would say by itself, but without asking the DNS.
        name = name if "." in name else "[127.0.0.1]"
        where, timeout = (options.host, options.port, name), options.timeout_seconds
        self.messages = 0
        self.smtp = (
            smtplib.SMTP_SSL(*where, timeout=timeout, context=context)
            if options.tls == "tls"
            else smtplib.SMTP(*where, timeout=timeout)
        )
        try:
            if options.tls == "starttls":
                self.smtp.starttls(context=context)
            self.smtp.ehlo_or_helo_if_needed()
            if options.username is not None:
                self.smtp.login(options.username, options.password or "")
        except BaseException:
            self.smtp.close()
            raise


class SmtpRoute:
    """Sends each message as an e-mail of its own."""

    def __init__(self, options: SmtpOptions) -> None:
        self._options = options
        self._idle: queue.SimpleQueue[_Connection] = queue.SimpleQueue()

    def deliver(self, message: Message) -> Attempted:
        """See `Route.deliver`. A connection that the server has closed meanwhile is replaced once."""
        lines = letter(message, self._options.sender)
        kept = self._kept()
        if kept is not None:
            attempted = self._hand_over(kept, message, lines)
            if attempted is not None:
                return attempted
        try:
            connection = _Connection(self._options)
        except (OSError, smtplib.SMTPException) as problem:
            return Later(_why_not_connected(problem))
        return self._hand_over(connection, message, lines) or Later(_NO_CONNECTION)

    def _kept(self) -> _Connection | None:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return None

    def _hand_over(self, connection: _Connection, message: Message, lines: bytes) -> Attempted | None:
        """What the server says to it; None where the connection ended before it had the message."""
        handed_over = False
        smtp = connection.smtp
        try:
            code = smtp.docmd(f"MAIL FROM:<{self._options.sender}>")[0]
            if code not in _GO_ON:
                _quit(connection)
                return Later(f"the mail server refused the sender ({code})")  # as it will each message's
            for command in (f"RCPT TO:<{message.address}>", "DATA"):
                code = smtp.docmd(command)[0]
                if code not in _GO_ON:
                    return _refused(connection, code)
            handed_over = True
            smtp.send(lines + b".\r\n")
            code = smtp.getreply()[0]
        except (OSError, smtplib.SMTPException):
            smtp.close()
            if handed_over:
                return Later("the mail server did not answer to a message", uncertain=True)
            return None
        if code != 250:
            return _refused(connection, code)
        self._keep(connection)
        return Delivered()

    def _keep(self, connection: _Connection) -> None:
        connection.messages += 1
        if connection.messages < _MAX_MESSAGES:
            self._idle.put(connection)
        else:
            _quit(connection)

    def close(self) -> None:
        """See `Route.close`."""
        while (connection := self._kept()) is not None:
            _quit(connection)


def letter(message: Message, sender: str) -> bytes:
    """The e-mail as it goes over the wire, but for the last dot (RFC 5322).

    No header has anything that a person wrote but the checked address. In base64 no line begins with a dot,
    so none has to be doubled (RFC 5321, section 4.5.2).
    """
    email = EmailMessage(policy=SMTP)
    email["From"] = sender
    email["To"] = message.address
    email["Subject"] = message.text.subject
    email["Date"] = format_datetime(message.at)
    email["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    email["Auto-Submitted"] = "auto-generated"  # RFC 3834: out-of-office replies are unwanted
    email.set_content(message.text.body, charset="utf-8", cte="base64")
    email["Content-Language"] = message.language  # after the content, which takes such headers away
    return email.as_bytes()


def _refused(connection: _Connection, code: int) -> Attempted:
    """What it says to a recipient or a message. A refusal to relay has the codes of one who is not known."""
    _quit(connection)
    if 500 <= code <= 599 and code not in _SERVERS_OWN_TROUBLE:
        return Never(f"the mail server refused it for good ({code})")
    return Later(f"the mail server refused it for now ({code})")


def _quit(connection: _Connection) -> None:
    with contextlib.suppress(OSError, smtplib.SMTPException):
        connection.smtp.quit()
    connection.smtp.close()


def _why_not_connected(problem: Exception) -> str:
    """In our words: the server's may quote addresses."""
    if isinstance(problem, smtplib.SMTPAuthenticationError):
        return f"the mail server refused the login ({problem.smtp_code})"
    if isinstance(problem, smtplib.SMTPNotSupportedError):
        return "the mail server does not know STARTTLS, or no login"
    if isinstance(problem, smtplib.SMTPResponseException):
        return f"the mail server takes no messages now ({problem.smtp_code})"
    return why_not_encrypted(problem, "the mail server") or _NO_CONNECTION
