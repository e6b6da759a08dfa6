"""A real SMTP server on loopback that keeps what it takes, and misbehaves when it is told to."""

import asyncio
import contextlib
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Final, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

_HANG_SECONDS: Final = 3_600.0

Answer = str
"""What the server says to a message, such as `451 busy`; `hang` and `close` say nothing: the first for ever.
`drop` takes the message and then closes the connection without a word."""

# The server's threads outlive the stream that a test before them may have given to the root's handlers.
logging.getLogger("mail.log").propagate = False


@dataclass(frozen=True)
class Mail:
    """A message that was taken: envelope, content, and whether it came over TLS."""

    sender: str
    recipient: str
    content: bytes
    encrypted: bool

    @property
    def message(self) -> EmailMessage:
        """The content, parsed."""
        parsed = message_from_bytes(self.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        """The body."""
        return str(self.message.get_content())

    @property
    def id(self) -> str:
        """What stands in its Message-ID before the @."""
        return str(self.message["Message-ID"]).strip("<>").rpartition("@")[0]


class MailServer:
    """Answers `250` until `says` or `greets` has another idea. Used as a context manager.

    `tls`: encrypted from the start, or after STARTTLS, else it takes nothing; `identity` is its side.
    """

    def __init__(
        self, tls: Literal["none", "starttls", "tls"] = "none", identity: ssl.SSLContext | None = None
    ) -> None:
        self._tls, self._identity = tls, identity
        self.taken: list[Mail] = []
        self.port = 0
        self.logins = 0
        self.says: Callable[[Mail], Answer] = lambda mail: "250 taken"  # noqa: ARG005 (each of them is)
        self.trusts: Callable[[str], str] = lambda sender: "250 fine"  # noqa: ARG005 (see above)
        self.greets: Callable[[str], str] = lambda recipient: "250 known"  # noqa: ARG005 (see above)
        self.seen: Callable[[tuple[str, int]], object] = lambda peer: None  # noqa: ARG005 (see above)
        self.hangs_at_rcpt = False
        self._protocols: list[SMTP] = []
        self._lock = threading.Lock()

    def __enter__(self) -> "MailServer":
        self._loop = asyncio.new_event_loop()
        listening = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(listening,), name="mail", daemon=True)
        self._thread.start()
        listening.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self, listening: threading.Event) -> None:
        loop = self._loop

        upgrades = self._tls == "starttls"

        def connected() -> SMTP:
            self._protocols.append(
                SMTP(
                    self,
                    hostname="mail.test",
                    loop=loop,
                    authenticator=self._authenticated,
                    auth_require_tls=upgrades,
                    require_starttls=upgrades,
                    tls_context=self._identity if upgrades else None,
                )
            )
            return self._protocols[-1]

        at_once = self._identity if self._tls == "tls" else None
        server = loop.run_until_complete(loop.create_server(connected, "127.0.0.1", 0, ssl=at_once))
        self.port = int(server.sockets[0].getsockname()[1])
        listening.set()
        loop.run_forever()
        server.close()
        self._abort()
        loop.run_until_complete(_cancelled(asyncio.all_tasks(loop)))
        loop.close()

    def _authenticated(
        self,
        server: SMTP,  # noqa: ARG002 (it calls with all of them)
        session: Session,  # noqa: ARG002
        envelope: Envelope,  # noqa: ARG002
        mechanism: str,  # noqa: ARG002
        data: LoginPassword,
    ) -> AuthResult:
        good = (data.login, data.password) == (b"ticketflow", b"geheim")
        self.logins += good
        return AuthResult(success=good, handled=False)

    def close_connections(self) -> None:
        """Close every connection, as servers do after a while."""
        closed = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (self._abort(), closed.set()))
        closed.wait()

    def _abort(self) -> None:
        for protocol in self._protocols:
            if protocol.transport is not None:
                protocol.transport.abort()

    def mails(self) -> list[Mail]:
        """What was taken so far."""
        with self._lock:
            return list(self.taken)

    # ---- aiosmtpd's handler ----

    async def handle_MAIL(  # noqa: N802 (aiosmtpd's name)
        self,
        server: SMTP,  # noqa: ARG002 (it calls with all of them)
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        options: list[str],  # noqa: ARG002
    ) -> str:
        envelope.mail_from = address
        return self.trusts(address)

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self,
        server: SMTP,  # noqa: ARG002 (it calls with all of them)
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],  # noqa: ARG002
    ) -> str:
        self.seen(session.peer)
        if self.hangs_at_rcpt:
            await asyncio.sleep(_HANG_SECONDS)
        said = self.greets(address)
        if said.startswith("2"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        content = envelope.content
        assert isinstance(content, bytes)
        assert server.transport is not None
        encrypted = server.transport.get_extra_info("cipher") is not None
        mail = Mail(str(envelope.mail_from), envelope.rcpt_tos[0], content, encrypted)
        said = self.says(mail)
        if said == "hang":
            await asyncio.sleep(_HANG_SECONDS)
        if said in ("drop", "close") or said.startswith("2"):
            if said != "close":
                with self._lock:
                    self.taken.append(mail)
            if said in ("drop", "close"):
                server.transport.abort()
        return said


async def _cancelled(tasks: "set[asyncio.Task[object]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def mail_server(
    tls: Literal["none", "starttls", "tls"] = "none", identity: ssl.SSLContext | None = None
) -> Iterator[MailServer]:
    """A server for the time of a test."""
    with MailServer(tls, identity) as server:
        yield server
