"""E-mail to a real SMTP server and posts to a real HTTP server, both on loopback."""

import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from standardwebhooks import Webhook

from consumers.notifier_routes import Attempted, Delivered, Later, Never
from consumers.notifier_smtp import SmtpOptions, SmtpRoute
from consumers.notifier_texts import Text
from consumers.notifier_webhook import WebhookRoute
from tests.support.hooks import SECRET, Answer, HookServer, hook_server
from tests.support.mail import MailServer, mail_server
from tests.support.messages import NOW, a_message

TIMEOUT_SECONDS = 2.0
DEAD_PORT = 9  # discard: nobody listens there


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def hooks() -> Iterator[HookServer]:
    with hook_server() as server:
        yield server


@pytest.fixture
def smtp(mail: MailServer) -> Iterator[SmtpRoute]:
    route = SmtpRoute(SmtpOptions("127.0.0.1", mail.port, "none", "support@example.org", TIMEOUT_SECONDS))
    yield route
    route.close()


@pytest.fixture
def webhook(hooks: HookServer) -> Iterator[WebhookRoute]:
    route = WebhookRoute(hooks.url, SECRET, TIMEOUT_SECONDS, max_connections=2)
    yield route
    route.close()


def test_an_email_arrives_as_it_was_written(smtp: SmtpRoute, mail: MailServer) -> None:
    """Envelope, headers and text are the message's, Cyrillic and lines of dots included."""
    message = a_message()
    assert smtp.deliver(message) == Delivered()
    (taken,) = mail.mails()
    headers = taken.message
    assert (taken.sender, taken.recipient) == ("support@example.org", "anna@example.org")
    assert (headers["From"], headers["To"]) == ("support@example.org", "anna@example.org")
    assert headers["Subject"] == "Обращение T-1 закрыто"
    assert headers["Message-ID"] == f"<{message.id}@example.org>"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["Content-Language"] == "ru"
    assert abs(parsedate_to_datetime(headers["Date"]) - NOW) < timedelta(seconds=1)
    assert taken.text.splitlines() == ["Здравствуйте!", ".", ".точка", "Всё."]


@pytest.mark.parametrize("subject", ["Тема\r\nBcc: x@example.org", "Subject\nX: y", "a\r\n\r\nbody"])
def test_nothing_in_a_subject_becomes_a_header(subject: str, smtp: SmtpRoute, mail: MailServer) -> None:
    """A line break in a header is refused before anything is sent: texts are cleaned where they are made."""
    with pytest.raises(ValueError, match="Header values"):
        smtp.deliver(a_message(text=Text(subject, "text")))
    assert mail.mails() == []


def test_an_address_with_a_line_break_is_no_command(smtp: SmtpRoute, mail: MailServer) -> None:
    """Even an address that nobody has checked cannot add a command."""
    with pytest.raises(ValueError, match="."):  # noqa: RUF043
        smtp.deliver(a_message(address="a@example.org>\r\nRCPT TO:<b@example.org"))
    assert mail.mails() == []


def test_one_connection_carries_many_messages(smtp: SmtpRoute, mail: MailServer) -> None:
    """A connection is used again, and after fifty messages replaced."""
    peers = set()
    mail.says = lambda _: "250 taken"
    mail.seen = peers.add
    for _ in range(60):
        assert smtp.deliver(a_message()) == Delivered()
    assert len(mail.mails()) == 60
    assert len(peers) == 2


@pytest.mark.parametrize("answer", ["451 busy", "452 full", "421 closing", "535 who are you"])
def test_a_refusal_for_now_is_retried(answer: str, smtp: SmtpRoute, mail: MailServer) -> None:
    """4xx, and a refusal of the login, mean later; nothing of the server's words is repeated."""
    mail.says = lambda _: f"{answer} anna@example.org"
    assert smtp.deliver(a_message()) == Later(f"the mail server refused it for now ({answer[:3]})")


def test_a_refusal_for_good_is_final(smtp: SmtpRoute, mail: MailServer) -> None:
    """5xx to the message means never, and the next message goes on a connection of its own."""
    mail.says = lambda _: "554 no anna@example.org here"
    assert smtp.deliver(a_message()) == Never("the mail server refused it for good (554)")
    mail.says = lambda _: "250 taken"
    assert smtp.deliver(a_message()) == Delivered()


def test_a_refused_recipient_is_final(smtp: SmtpRoute, mail: MailServer) -> None:
    """5xx to the recipient means never."""
    mail.greets = lambda _: "550 no such user"
    assert smtp.deliver(a_message()) == Never("the mail server refused it for good (550)")


@pytest.mark.parametrize("answer", ["550 not you", "553 no such domain", "530 log in first"])
def test_a_refused_sender_is_no_messages_fault(answer: str, smtp: SmtpRoute, mail: MailServer) -> None:
    """What the server says to the sender it says to every message, until somebody mends the setting."""
    mail.trusts = lambda _: answer
    assert smtp.deliver(a_message()) == Later(f"the mail server refused the sender ({answer[:3]})")
    assert mail.mails() == []


@pytest.mark.parametrize("answer", ["hang", "close", "drop"])
def test_silence_after_the_message_leaves_it_open(answer: str, smtp: SmtpRoute, mail: MailServer) -> None:
    """Whether a server that does not answer has taken the message, nobody knows."""
    mail.says = lambda _: answer
    attempted = smtp.deliver(a_message())
    assert attempted == Later("the mail server did not answer to a message", uncertain=True)


def test_silence_before_the_message_is_certain(smtp: SmtpRoute, mail: MailServer) -> None:
    """A server that hangs before it has the message has not taken it."""
    mail.hangs_at_rcpt = True
    attempted = smtp.deliver(a_message())
    assert isinstance(attempted, Later)
    assert not attempted.uncertain


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(smtp: SmtpRoute, mail: MailServer) -> None:
    """A kept connection that is gone costs no attempt."""
    assert smtp.deliver(a_message()) == Delivered()
    mail.close_connections()
    assert smtp.deliver(a_message()) == Delivered()
    assert len(mail.mails()) == 2


def test_a_mail_server_that_is_not_there_is_tried_later() -> None:
    """Nobody listens: later, and certainly not delivered."""
    route = SmtpRoute(SmtpOptions("127.0.0.1", DEAD_PORT, "none", "a@example.org", TIMEOUT_SECONDS))
    assert route.deliver(a_message()) == Later("the mail server cannot be reached")


def test_no_plain_connection_where_starttls_is_wanted(mail: MailServer) -> None:
    """A server without STARTTLS gets nothing."""
    route = SmtpRoute(SmtpOptions("127.0.0.1", mail.port, "starttls", "a@example.org", TIMEOUT_SECONDS))
    assert route.deliver(a_message()) == Later("the mail server does not know STARTTLS, or no login")
    assert mail.mails() == []


@pytest.mark.parametrize(
    ("password", "expected"),
    [("geheim", Delivered()), ("falsch", Later("the mail server refused the login (535)"))],
)
def test_a_login_is_used_and_its_refusal_is_no_messages_fault(
    password: str, expected: Attempted, mail: MailServer
) -> None:
    """With a user's name the route logs in; a wrong password delays messages and loses none."""
    options = SmtpOptions(
        "127.0.0.1", mail.port, "none", "a@example.org", TIMEOUT_SECONDS, "ticketflow", password
    )
    route = SmtpRoute(options)
    assert route.deliver(a_message()) == expected
    assert mail.logins == (expected == Delivered())
    route.close()


def test_a_post_is_signed_and_complete(webhook: WebhookRoute, hooks: HookServer) -> None:
    """The standard's own library verifies the signature; the body says all that the receiver needs."""
    message = a_message("sms", address="+79990001122", name="Анна")
    assert webhook.deliver(message) == Delivered()
    (post,) = hooks.posts()
    assert Webhook(SECRET).verify(post.body, dict(post.headers)) == {
        "type": "notification.requested",
        "timestamp": "2026-03-02T08:15:30.000000Z",
        "data": {
            "id": "T-1/3/ticket_closed/client",
            "ticket_id": "T-1",
            "recipient": {"role": "client", "ref": "c-1", "phone": "+79990001122", "name": "Анна"},
            "channel": "sms",
            "template": "ticket_closed",
            "language": "ru",
            "subject": message.text.subject,
            "text": message.text.body,
            "params": {"reason": "confirmed"},
        },
    }
    assert post.id == message.id


def test_an_inbox_needs_no_phone(webhook: WebhookRoute, hooks: HookServer) -> None:
    """What operators get names their id, and nothing of a citizen."""
    assert webhook.deliver(a_message("inbox", "operator", address="")) == Delivered()
    assert hooks.posts()[0].data["recipient"] == {"role": "operator", "ref": "c-1"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200), Delivered()),
        (Answer(503), Later("the webhook refused it for now (503)")),
        (Answer(502), Later("the webhook refused it for now (502)", uncertain=True)),
        (Answer(408), Later("the webhook refused it for now (408)")),
        (Answer(429, {"Retry-After": "7"}), Later("the webhook refused it for now (429)", 7.0)),
        (Answer(503, {"Retry-After": "soon"}), Later("the webhook refused it for now (503)")),
        (Answer(410), Never("the webhook refused it for good (410)")),
        (Answer(400), Never("the webhook refused it for good (400)")),
        (Answer(302, {"Location": "http://127.0.0.1:9/"}), Later("the webhook refused it for now (302)")),
        (Answer(401), Later("the webhook refused it for now (401)")),
        (Answer(404), Later("the webhook refused it for now (404)")),
        (Answer(drop=True), Later("the webhook did not answer to a message", uncertain=True)),
        (Answer(hang=True), Later("the webhook did not answer to a message", uncertain=True)),
    ],
)
def test_each_answer_of_a_webhook_has_one_meaning(
    answer: Answer, expected: Attempted, webhook: WebhookRoute, hooks: HookServer
) -> None:
    """2xx is done; what may pass is tried again, when the receiver says; the rest is final."""
    hooks.says = lambda _: answer
    assert webhook.deliver(a_message("inbox", "operator", address="")) == expected
    assert len(hooks.posts()) == 1


def test_an_answer_that_drips_is_not_waited_for(webhook: WebhookRoute, hooks: HookServer) -> None:
    """Its status counts; what its body says is nothing to us, however long it takes."""
    hooks.says = lambda _: Answer(200, drips=TIMEOUT_SECONDS / 5)
    began = time.monotonic()
    assert webhook.deliver(a_message("inbox", "operator", address="")) == Delivered()
    assert time.monotonic() - began < 5 * TIMEOUT_SECONDS


def test_retry_after_may_be_a_date(webhook: WebhookRoute, hooks: HookServer) -> None:
    """RFC 9110's other form counts from the attempt."""
    at = (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    hooks.says = lambda _: Answer(429, {"Retry-After": at})
    attempted = webhook.deliver(a_message("inbox", "operator", address=""))
    assert isinstance(attempted, Later)
    assert 88 < attempted.after_seconds <= 90


def test_a_webhook_that_is_not_there_is_tried_later() -> None:
    """Nobody listens: later, and certainly not delivered."""
    route = WebhookRoute(f"http://127.0.0.1:{DEAD_PORT}/", SECRET, TIMEOUT_SECONDS, 1)
    began = time.monotonic()
    assert route.deliver(a_message("sms")) == Later("the webhook cannot be reached")
    assert time.monotonic() - began < 10
    route.close()


def test_a_message_shows_nobody() -> None:
    """The repr of a message has no text, name or address."""
    shown = repr(a_message("sms", address="+79990001122", name="Анна", text=Text("тема", "слова")))
    assert not any(part in shown for part in ("+7999", "Анна", "тема", "слова"))
