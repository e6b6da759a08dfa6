"""The notifier as a process: everybody is told, whoever is killed, and repeats are those that it counted."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaPublisher
from consumers.notifier_request import Request, read_request
from tests.support.hooks import SECRET, Answer, HookServer, Post, hook_server
from tests.support.mail import Mail, MailServer, mail_server
from tests.support.notifying import notification
from tests.support.processes import Worker
from tests.support.system import awaited, run
from tests.support.traffic import EMAIL, NAME, PHONE, Plan, Traffic
from tests.support.traffic_system import System, header

pytestmark = pytest.mark.timeout(900)  # several processes start, on a machine that may be busy

RECORDS, TICKETS, KILLS = 900, 180, 5
DONE_SECONDS = 300.0
TWO_WEEKS = str(14 * 86_400)


class Notifier(Worker):
    """`ticketflow notifier` as a process."""

    command = "notifier"

    def every_line(self) -> list[dict[str, Any]]:
        """What all its lives have logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@pytest.fixture
def system(broker: str, prefix: str, tmp_path: Path) -> System:
    """Topics of this test's own."""
    return System(broker, prefix, tmp_path)


@contextmanager
def notifier(system: System, mail: MailServer, hooks: HookServer, **more: str) -> Iterator[Notifier]:
    """A notifier that is not started yet."""
    settings = {
        "notifier_port": "0",
        "notifier_smtp_host": "127.0.0.1",
        "notifier_smtp_port": str(mail.port),
        "notifier_smtp_tls": "none",
        "notifier_smtp_from": "support@example.org",
        "notifier_webhook_url": hooks.url,
        "notifier_webhook_secret": SECRET,
        **more,
    }
    made = Notifier(system.directory, "notifier", system.settings(**settings))
    try:
        yield made
    finally:
        made.end()


def asked(system: System) -> dict[str, Request]:
    """Every notification on its topic, by the message's id."""
    found = {}
    for message in system.read("notifications"):
        request = read_request(message.value())
        assert request is not None
        found[request.digest] = request
    return found


def answered_for(wanted: dict[str, Request], telling: Notifier) -> set[str]:
    """Those that were not too old already when the notifier started first."""
    first = next(line for line in telling.every_line() if line["event"] == "notifier started")
    started_at = datetime.fromisoformat(first["timestamp"])
    max_age = timedelta(seconds=float(TWO_WEEKS))
    return {identifier for identifier, request in wanted.items() if request.expires_at(max_age) > started_at}


def dead(system: System) -> dict[str, str]:
    """The code of every dead letter of the notifier's, by the message's id."""
    found = {}
    for message in system.read("dead-letter"):
        request = read_request(message.value())
        if header(message, "dlq.errors.group") == f"{system.prefix}-notifier" and request is not None:
            found[request.digest] = header(message, "dlq.errors.code")
    return found


def moody_mail(chance: random.Random) -> Any:
    """A tenth is refused for now, and now and then the server falls silent, before or after it took it."""

    def says(_: Mail) -> str:
        return chance.choices(["250 taken", "451 busy", "hang", "drop", "close"], [85, 10, 1, 2, 2])[0]

    return says


def moody_hooks(chance: random.Random) -> Any:
    """Less moody: all of the few operators are told by one line each, and a failure lets a line rest."""
    answers = [Answer(), Answer(503), Answer(200, drop=True), Answer(500, drop=True)]

    def says(_: Post) -> Answer:
        return chance.choices(answers, [96, 2, 1, 1])[0]

    return says


@pytest.mark.chaos
def test_killed_five_times_it_tells_everybody_and_counts_its_repeats(system: System) -> None:
    """With servers that fail, each notification arrives once, but for repeats that the log has counted."""
    traffic = Traffic(Plan(RECORDS, TICKETS, seed=9), datetime.now(UTC))
    system.publish(traffic.records())
    with ExitStack() as stack:
        mail, hooks = stack.enter_context(mail_server()), stack.enter_context(hook_server())
        mail.says, hooks.says = moody_mail(random.Random(1)), moody_hooks(random.Random(2))
        (worker,) = stack.enter_context(system.workers("a", batch_max_records="50"))
        bounds = {"notifier_max_age_seconds": TWO_WEEKS, "notifier_timeout_seconds": "3"}
        telling = stack.enter_context(notifier(system, mail, hooks, **bounds))
        worker.start()
        for kill in range(KILLS):
            telling.start()
            while len(mail.mails()) < (kill + 1) * TICKETS // 8:
                telling.check()
                worker.check()
                time.sleep(0.01)
            telling.kill()
        telling.start()
        system.settle(traffic.expected, worker)
        wanted = asked(system)
        _await_all(system, answered_for(wanted, telling), mail, hooks, telling)
        assert telling.stop() == 0
        assert telling.logged("notifier ended") is not None
    _told_once(wanted, mail, hooks, dead(system), telling)
    _shows_nobody(system, telling)
    system.verify()


def _arrived(mail: MailServer, hooks: HookServer) -> Counter[str]:
    return Counter([*(each.id for each in mail.mails()), *(post.id for post in hooks.taken())])


def _await_all(
    system: System, wanted: set[str], mail: MailServer, hooks: HookServer, telling: Notifier
) -> None:
    deadline = time.monotonic() + DONE_SECONDS
    while left := wanted - _arrived(mail, hooks).keys() - dead(system).keys():
        telling.check()
        assert time.monotonic() < deadline, f"{len(left)} notifications have not ended"
        time.sleep(0.2)


def _told_once(
    wanted: dict[str, Request],
    mail: MailServer,
    hooks: HookServer,
    letters: dict[str, str],
    telling: Notifier,
) -> None:
    arrived = _arrived(mail, hooks)
    repeated = Counter(
        line["message"] for line in telling.every_line() if line["event"] == "notification repeated"
    )
    assert arrived.keys() <= wanted.keys()
    assert len(arrived) > TICKETS, "most are told"
    assert {
        identifier: count for identifier, count in arrived.items() if count > 1 + repeated[identifier]
    } == {}
    assert repeated.total() >= 1, "nothing was repeated: the test proves nothing"
    assert set(letters.values()) <= {"undeliverable_expired", "undeliverable_unknown_person"}
    for post in hooks.posts():
        Webhook(SECRET).verify(post.body, dict(post.headers))


def _shows_nobody(system: System, telling: Notifier) -> None:
    log = telling.log.read_text()
    letters = b"".join(message.value() or b"" for message in system.read("notifications"))
    for part in (NAME, PHONE, EMAIL):
        assert part not in log
        assert part.encode() not in letters
    for file in system.directory.glob("notifier-*.sqlite*"):
        assert file.stat().st_mode & 0o077 == 0


def test_what_was_refused_is_told_after_a_start_with_retry(system: System) -> None:
    """A server that does not relay for us refuses for good; once it does, the letters are told, each once."""
    with mail_server() as mail, hook_server() as hooks, notifier(system, mail, hooks) as telling:
        mail.greets = lambda _: "550 no relaying"
        telling.start().ready()
        client = {"id": "c-1", "email": EMAIL}
        event = notification("T-1", 1, datetime.now(UTC))
        with closing(KafkaPublisher(KafkaOptions((system.servers,)))) as kafka:
            kafka.send(system.topic("state"), b"T-1", json.dumps({"data": {"client": client}}).encode())
            kafka.send(system.topic("notifications"), b"T-1", json.dumps(event).encode())
        awaited(lambda: set(dead(system).values()) == {"undeliverable_refused"}, "it is a dead letter")
        assert telling.stop() == 0
        mail.greets = lambda _: "250 known"
        telling.options = ("--retry", "undeliverable_refused")
        for waiting in (1, 0):
            line = telling.start().await_line("dead letters are tried again")
            assert (line["notifications"], line["too_old"]) == (waiting, 0)
            telling.ready()
            awaited(lambda: len(mail.mails()) == 1, "the e-mail is there")
            assert telling.stop() == 0
        assert len(mail.mails()) == 1


def test_it_starts_stops_and_is_seen(system: System) -> None:
    """Ready once the state is read; figures with its own names; a second one on its checkpoint is refused."""
    with mail_server() as mail, hook_server() as hooks, notifier(system, mail, hooks) as telling:
        telling.start().ready()
        assert 'ticketflow_notifications_waiting{channel="email"} 0.0' in telling.metrics()
        second = run({**telling._settings}, "notifier")
        assert second.returncode == 1
        assert "Another process works on" in second.stderr.decode().splitlines()[-1]
        assert "Traceback" not in second.stderr.decode()
        assert telling.stop() == 0
