"""The notifier's queue: once, in order, in time, to the right person; and what cannot be told is said."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers import notifier_queue
from consumers.log import Restart, Unavailable
from consumers.notifier_dispatch import Happened, wait_seconds
from consumers.notifier_routes import Attempted, Delivered, Later, Message, Never
from tests.support.notifying import EMAIL, NAME, NOW, World

BUSY = Later("the mail server refused it for now (451)")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path).start()
    yield made
    made.kill()


def _refs(messages: list[Message]) -> list[str]:
    return [message.request.data.ticket_id for message in messages]


def _written(world: World) -> list[bytes | None]:
    partitions = world.broker.topic("tickets.dead-letter")
    return [record.value for partition in partitions for record in partition.slots if record is not None]


def _codes(world: World) -> list[str]:
    return [letter["code"] for letter in world.dead()]


def test_a_citizen_is_told_by_name_at_the_known_address(world: World) -> None:
    """E-mail goes to the address in the ticket's state, with the name in the text and nowhere else."""
    world.person("T-1")
    world.ask("T-1")
    world.turn()
    (message,) = world.email.taken
    assert (message.address, message.language) == (EMAIL, "ru")
    assert f"Здравствуйте, {NAME}!" in message.text.body
    assert NAME not in message.text.subject
    assert world.webhook.tried == []


def test_text_messages_and_inboxes_leave_by_the_webhook(world: World) -> None:
    """A phone number is passed on without its punctuation; an operator's inbox needs no person."""
    world.person("T-1")
    world.ask("T-1", channel="sms")
    params: dict[str, str | int | None] = {"category": "complex", "queue": "status", "priority": "low"}
    told = {"role": "operator", "ref": "op-1", "template": "ticket_assigned"}
    world.ask("T-1", 2, channel="inbox", params=params, **told)
    world.turn()
    assert [(m.address, m.name is None) for m in world.webhook.taken] == [("+79990001122", False), ("", True)]


def test_nothing_is_told_twice_over_restarts(world: World) -> None:
    """A restart goes on where the last one ended."""
    world.person("T-1")
    world.ask("T-1")
    world.turn()
    world.kill()
    world.start().turn()
    assert len(world.email.tried) == 1
    assert [happened for _, happened, _ in world.recorder.heard] == [Happened.SENT]


def test_the_same_notification_at_two_places_is_told_once(world: World) -> None:
    """The id and the time name a notification, wherever it stands in the topic."""
    world.person("T-1")
    world.ask("T-1")
    world.ask("T-1")
    world.turn()
    world.ask("T-1")
    world.turn()
    assert len(world.email.tried) == 1


def test_a_ticket_id_in_its_second_life_is_told_of_again(world: World) -> None:
    """The same id at another time is another notification."""
    world.person("T-1")
    world.ask("T-1")
    world.pass_time(60)
    world.ask("T-1")
    world.turn()
    assert len(world.email.taken) == 2
    assert len({message.id for message in world.email.taken}) == 2


def test_what_was_asked_for_is_remembered_as_long_as_the_topic_keeps_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two weeks a digest is forgotten, not before; however many there are."""
    monkeypatch.setattr(notifier_queue, "_FORGOTTEN_AT_ONCE", 2)
    world.person("T-1")
    for number in range(7):
        world.ask("T-1", number)
    world.turn(8)
    for days, kept in ((13.9, 7), (0.2, 0)):
        world.pass_time(days * 86_400)
        assert world.checkpoint is not None
        rows = world.checkpoint.database.execute("SELECT count(*) FROM remembered").fetchone()
        assert rows == (kept,)


def test_a_failed_attempt_is_repeated_with_growing_waits(world: World) -> None:
    """After 1, 2, 4, 8 s, with the same id each time; then it is done."""
    world.person("T-1")
    identifier = world.ask("T-1")
    world.email.says = lambda _: BUSY
    world.turn()
    for seconds in (1, 2, 4, 8):
        world.pass_time(seconds - 0.001)
        tried = len(world.email.tried)
        world.pass_time(0.001)
        assert len(world.email.tried) == tried + 1
    world.email.says = lambda _: Delivered()
    world.pass_time(16)
    assert len({message.id for message in world.email.tried}) == 1
    assert [happened for _, happened, _ in world.recorder.heard] == [Happened.RETRIED] * 5 + [Happened.SENT]
    assert world.recorder.heard[0] == (identifier, Happened.RETRIED, BUSY.reason)


def test_waits_are_bounded() -> None:
    """Never more than 15 minutes, whatever the other side wishes or however often it failed."""
    assert [wait_seconds(n, Later("")) for n in (1, 2, 3, 10, 11, 5_000)] == [1, 2, 4, 512, 900, 900]
    assert [wait_seconds(1, Later("", s)) for s in (0.5, 7.0, 1e9)] == [1, 7, 900]


def test_a_retry_survives_a_restart(world: World) -> None:
    """The wait and the number of attempts are kept."""
    world.person("T-1")
    world.ask("T-1")
    world.email.says = lambda _: BUSY
    world.turn()
    world.pass_time(1)
    world.kill()
    world.start()
    world.pass_time(1.9)
    assert len(world.email.tried) == 2
    world.pass_time(0.1)
    assert len(world.email.tried) == 3
    assert Happened.REPEATED not in [happened for _, happened, _ in world.recorder.heard]


def test_a_kill_during_an_attempt_makes_a_counted_repeat(world: World) -> None:
    """Nobody can know whether it arrived: it is sent again, under the same id, and said."""
    world.person("T-1")
    identifier = world.ask("T-1")

    def die(message: Message) -> Attempted:
        world.email.taken.append(message)
        raise KeyboardInterrupt

    world.email.says = die
    with pytest.raises(KeyboardInterrupt):
        world.turn()
    world.kill()
    world.email.says = lambda _: Delivered()
    world.start().turn()
    world.pass_time(1)
    assert len(world.email.taken) == 2
    assert len({message.id for message in world.email.taken}) == 1
    assert world.recorder.heard == [(identifier, Happened.REPEATED, ""), (identifier, Happened.SENT, "")]


def test_a_mistake_of_ours_ends_it_and_holds_up_nobody_else(world: World) -> None:
    """A delivery at which the process died waits, after the next start, as after a failure."""
    for number in range(3):
        world.person(f"T-{number}", f"c-{number}")
    world.width = 2
    world.turn()

    def fail(message: Message) -> Attempted:
        if message.request.data.ticket_id == "T-0":
            raise KeyError(EMAIL)
        return Delivered()

    world.email.says = fail
    for number in range(3):
        world.ask(f"T-{number}", ref=f"c-{number}")
    for _ in range(3):
        with pytest.raises(KeyError):
            world.turn(10)
        world.notifier.close()
        world.kill()
        world.start().turn()
        assert sorted(_refs(world.email.taken)) == ["T-1", "T-2"]
        world.clock.time += timedelta(seconds=8)
    assert [happened for _, happened, _ in world.recorder.heard].count(Happened.REPEATED) == 2


def test_an_attempt_without_an_answer_makes_a_counted_repeat(world: World) -> None:
    """After silence the next attempt is a possible repeat; after a clear no it is none."""
    world.person("T-1")
    world.ask("T-1")
    answers = iter([Later("silent", uncertain=True), BUSY, Delivered()])
    world.email.says = lambda _: next(answers)
    world.turn()
    world.pass_time(10, 1)
    assert [happened for _, happened, _ in world.recorder.heard] == [
        Happened.RETRIED, Happened.REPEATED, Happened.RETRIED, Happened.SENT,
    ]  # fmt: skip


def test_one_recipient_gets_things_in_order(world: World) -> None:
    """While the first is retried for less than half a minute, the second waits behind it."""
    world.person("T-1")
    first, second = world.ask("T-1", 1), world.ask("T-1", 2)
    world.email.says = lambda _: BUSY
    world.turn()
    world.pass_time(20, 0.5)
    world.email.says = lambda _: Delivered()
    world.pass_time(30, 0.5)
    assert [message.request.id for message in world.email.taken] == [first, second]


def test_one_bad_notification_does_not_hold_up_its_recipient_for_long(world: World) -> None:
    """After half a minute of retries the next one overtakes."""
    world.person("T-1")
    first, second = world.ask("T-1", 1), world.ask("T-1", 2)
    world.email.says = lambda message: BUSY if message.request.id == first else Delivered()
    world.turn()
    world.pass_time(100, 1)
    assert [message.request.id for message in world.email.taken] == [second]


def test_the_retries_of_one_recipient_hold_up_no_other(world: World) -> None:
    """Others get theirs at once."""
    for number in range(6):
        world.person(f"T-{number}", f"c-{number}")
        world.ask(f"T-{number}", ref=f"c-{number}")
    world.email.says = lambda message: BUSY if message.request.data.ticket_id == "T-0" else Delivered()
    world.turn(8)
    assert sorted(_refs(world.email.taken)) == [f"T-{number}" for number in range(1, 6)]


def test_a_route_that_hangs_holds_up_no_other_route(world: World) -> None:
    """With every thread of one route stuck the other delivers; one attempt at a time for each recipient."""
    world.kill()
    release, lock, at_once = threading.Event(), threading.Lock(), {"now": 0, "most": 0}

    def hang(_: Message) -> Attempted:
        with lock:
            at_once["now"] += 1
            at_once["most"] = max(at_once.values())
        release.wait(30)
        with lock:
            at_once["now"] -= 1
        return Delivered()

    world.webhook.says = hang
    with ThreadPoolExecutor(8) as threads:
        world.start(threads)
        for number in range(10):
            world.person(f"T-{number}", f"c-{number % 3}")
            world.ask(f"T-{number}", ref=f"c-{number % 3}", channel="sms")
        world.ask("T-0", 2, ref="c-0")
        while not world.email.taken:
            world.turn(1)
        assert at_once["most"] <= 3
        release.set()
        while len(world.webhook.taken) < 10:
            world.turn(1)


def test_not_before_is_waited_for_over_restarts(world: World) -> None:
    """Nothing is told before its time, and then at once."""
    world.person("T-1")
    world.ask("T-1", not_before=NOW + timedelta(hours=9))
    world.turn()
    world.pass_time(9 * 3600 - 1, 3600)
    world.kill()
    world.start().turn()
    assert world.email.tried == []
    world.pass_time(1)
    assert len(world.email.taken) == 1


def test_later_ones_pass_one_that_waits_for_its_time(world: World) -> None:
    """A notification for the morning does not hold up what may be told now."""
    world.person("T-1")
    world.ask("T-1", 1, not_before=NOW + timedelta(hours=9))
    second = world.ask("T-1", 2)
    world.turn()
    assert [message.request.id for message in world.email.taken] == [second]


def test_what_became_too_old_while_it_was_down_is_a_dead_letter(world: World) -> None:
    """It should have been told, and was not."""
    world.person("T-1")
    world.ask("T-1")
    world.clock.time = NOW + timedelta(days=1)
    world.turn()
    assert world.email.tried == []
    assert _codes(world) == ["undeliverable_expired"]


def test_what_was_too_old_before_its_first_start_is_counted(tmp_path: Path) -> None:
    """A first start on old topics tells nobody of the past, writes no dead letters, and logs one line."""
    world = World(tmp_path)
    world.person("T-1")
    for number in range(20):
        world.ask("T-1", number)
    world.clock.time = NOW + timedelta(days=1)
    world.ask("T-1", 20)
    world.start().turn()
    assert [message.request.id for message in world.email.taken] == ["T-1/20/ticket_closed/client"]
    assert _codes(world) == []
    counted = {"template": "ticket_closed", "channel": "email", "outcome": "expired"}
    assert world.recorder.registry.get_sample_value("ticketflow_notifications_total", counted) == 20
    world.kill()


def test_a_first_start_that_was_killed_is_still_the_first(tmp_path: Path) -> None:
    """What was too old then is no dead letter of a later start either; what becomes so is one."""
    world = World(tmp_path)
    world.person("T-1")
    world.ask("T-1")
    world.clock.time = NOW + timedelta(days=1)
    world.ask("T-1", 2)
    world.start().kill()
    world.clock.time += timedelta(days=1)
    world.start().turn()
    assert _codes(world) == ["undeliverable_expired"]
    assert [happened for _, happened, _ in world.recorder.heard] == [Happened.EXPIRED, Happened.DEAD]
    world.kill()


def test_a_clock_that_is_set_back_stops_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading anew, tidying and dead letters go by time that passes, not by what the clock shows."""

    def gone(*_: object) -> None:
        raise Unavailable("Kafka does not answer")

    world.broker.append("tickets.notifications", b"T-1", b"{", partition=0)
    with monkeypatch.context() as patched:
        patched.setattr(world.publisher, "send", gone)
        world.turn(1)
        patched.setattr(world.feed, "poll", gone)
        world.turn(1)
    world.set_back(3_600)
    world.person("T-1")
    world.ask("T-1")
    world.pass_time(31, 10)
    assert len(world.email.taken) == 1
    assert _codes(world) == ["undeliverable_malformed"]


def test_retries_end_when_it_is_too_late(world: World) -> None:
    """A delivery that fails for a day becomes a dead letter at that moment, and is not tried again."""
    world.person("T-1")
    world.ask("T-1", not_before=NOW + timedelta(hours=1))
    world.email.says = lambda _: BUSY
    world.turn()
    world.pass_time(25 * 3600 - 1, 600)
    assert _codes(world) == []
    world.pass_time(1)
    assert _codes(world) == ["undeliverable_expired"]
    assert world.notifier._queue.waiting() == {}


def test_a_dead_letter_has_the_record_and_the_reason(world: World) -> None:
    """Key, value and headers as received, in the partition it came from, under the notifier's own group."""
    world.person("T-1")
    world.ask("T-1")
    world.email.says = lambda _: Never("the mail server refused it for good (550)")
    world.turn()
    (said,) = world.dead()
    assert said == {
        "code": "undeliverable_refused",
        "message": "the mail server refused it for good (550)",
        "topic": "tickets.notifications",
        "partition": said["partition"],
        "offset": "0",
        "group": "ticketflow-notifier",
        "timestamp": "2026-03-02T08:00:00.000000Z",
    }
    number = int(said["partition"])
    asked = world.broker.topic("tickets.notifications")[number].slots[0]
    letter = world.broker.topic("tickets.dead-letter")[number].slots[0]
    assert asked is not None
    assert letter is not None
    assert (letter.key, letter.value, letter.headers[:1]) == (asked.key, asked.value, asked.headers)


def test_a_person_may_be_known_a_moment_later(world: World) -> None:
    """For half a minute the state record is waited for."""
    world.ask("T-1")
    world.pass_time(20, 1)
    world.person("T-1")
    world.pass_time(2, 1)
    assert len(world.email.taken) == 1


def test_a_stranger_is_a_dead_letter_after_half_a_minute(world: World) -> None:
    """Nobody is told what another one's ticket says. How far it has read is asked every ten seconds."""
    world.person("T-1", "c-2")
    world.ask("T-1")
    world.pass_time(29, 1)
    assert _codes(world) == []
    world.pass_time(12, 1)
    assert _codes(world) == ["undeliverable_unknown_person"]
    assert world.email.tried == []


def test_a_person_is_waited_for_while_the_state_is_still_to_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far the reading is behind: who is in what was not read yet is no stranger."""
    world.ask("T-1")
    world.turn()

    def gone(*_: object) -> None:
        raise Unavailable("Kafka does not answer")

    world.person("T-1")
    with monkeypatch.context() as patched:
        patched.setattr(world.feed, "poll", gone)
        world.pass_time(90, 5)
    with monkeypatch.context() as patched:
        patched.setattr(world.feed, "poll", lambda *_: [])
        world.pass_time(90, 5)
    world.pass_time(20, 5)
    assert _codes(world) == []
    assert len(world.email.taken) == 1


def test_who_is_waited_for_holds_up_nothing_else(world: World) -> None:
    """The same recipient's other tickets are told of meanwhile."""
    world.ask("T-1")
    world.turn()
    world.person("T-2")
    world.ask("T-2")
    world.pass_time(2, 1)
    assert _refs(world.email.taken) == ["T-2"]


RESOLVED: dict[str, Any] = {
    "template": "ticket_resolved",
    "params": {"category": "complex", "queue": "status", "priority": "low"},
}
SUMMARY = "Заявление отправлено в банк ещё раз."


def test_a_citizen_reads_what_was_done(world: World) -> None:
    """The summary comes from the state, for the notification has nothing that a person wrote."""
    world.resolved("T-1", 5, f"  {SUMMARY}\n\n")
    world.ask("T-1", 5, **RESOLVED)
    world.turn()
    (message,) = world.email.taken
    assert f"Коротко о сделанном:\n\n{SUMMARY}\n" in message.text.body
    assert SUMMARY not in repr(message)


def test_a_text_message_has_no_summary(world: World) -> None:
    """It is too short, and says where the answer is; so nothing is waited for."""
    world.person("T-1")
    world.ask("T-1", 5, channel="sms", **RESOLVED)
    world.turn()
    (message,) = world.webhook.taken
    assert "Мои заявки" in message.text.body


def test_the_summary_of_the_answer_is_waited_for(world: World) -> None:
    """What the state says of an earlier answer is not told as the summary of this one."""
    world.resolved("T-1", 2, "Заявление в работе.")
    world.ask("T-1", 5, **RESOLVED)
    world.pass_time(20, 1)
    assert world.email.tried == []
    world.resolved("T-1", 5, SUMMARY)
    world.pass_time(2, 1)
    (message,) = world.email.taken
    assert SUMMARY in message.text.body


def test_an_answer_is_told_without_a_summary_that_nobody_knows(world: World) -> None:
    """Half a minute later the state says no more: then the citizen hears at least that there is an answer."""
    world.person("T-1")
    world.ask("T-1", 5, **RESOLVED)
    world.pass_time(45, 1)
    (message,) = world.email.taken
    assert "Ответ ждёт Вас в личном кабинете" in message.text.body
    assert world.dead() == []


def test_an_answer_without_a_summary_is_told_at_once(world: World) -> None:
    """The operator wrote none, and the state says that it is as of this answer."""
    world.resolved("T-1", 5, " ")
    world.ask("T-1", 5, **RESOLVED)
    world.turn()
    (message,) = world.email.taken
    assert "Ответ ждёт Вас в личном кабинете" in message.text.body


def test_a_long_summary_is_cut(world: World) -> None:
    """To a paragraph of a thousand characters, in the file, too."""
    world.resolved("T-1", 5, "слово\n" * 3_000)
    world.ask("T-1", 5, **RESOLVED)
    world.turn()
    (message,) = world.email.taken
    (paragraph,) = [line for line in message.text.body.splitlines() if line.startswith("слово")]
    assert (len(paragraph), paragraph[-1]) == (1_000, "…")
    assert world.checkpoint is not None
    kept = world.checkpoint.database.execute("SELECT summary FROM person").fetchone()
    assert kept == (paragraph,)


def test_a_client_may_have_more_than_is_needed(world: World) -> None:
    """What a newer engine adds to a client keeps nobody from being told."""
    world.state("T-1", id="c-1", email=EMAIL, pronoun="она", notify="pigeon")
    world.ask("T-1")
    world.turn()
    assert [message.address for message in world.email.taken] == [EMAIL]


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"[]", b'{"data":1}', b'{"data":{"client":{}}}', b'{"data":{"client":{"id":"c","name":[]}}}'],
)
def test_a_state_record_that_cannot_be_read_is_passed_over(
    value: bytes, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names its place, what was known of the ticket stays, and the others are told."""
    world.person("T-1")
    world.append("tickets.state", "T-1", value)
    world.broker.append("tickets.state", b"\xff", b"{}", partition=0)
    world.ask("T-1")
    world.turn()
    assert len(world.email.taken) == 1
    assert "of tickets.state: the record at offset 1 cannot be read" in caplog.text


def test_a_person_is_forgotten_with_the_tombstone(world: World) -> None:
    """What waits for somebody who is gone is not told; name, address and number are gone from the file."""
    world.person("T-1")
    world.ask("T-1", not_before=NOW + timedelta(hours=1))
    world.turn()
    world.state("T-1")
    world.pass_time(3700, 60)
    assert world.email.tried == []
    assert _codes(world) == ["undeliverable_unknown_person"]
    world.kill()
    content = b"".join(path.read_bytes() for path in world.settings.data_dir.iterdir())
    world.start()
    assert not any(part.encode() in content for part in (NAME, EMAIL, "000-11-22"))


@pytest.mark.parametrize(
    ("client", "channel"),
    [
        ({"id": "c-1", "phone": "+79990001122"}, "email"),
        ({"id": "c-1", "email": "not an address"}, "email"),
        ({"id": "c-1", "email": "a@example.org\r\nBcc: b@example.org"}, "email"),
        ({"id": "c-1", "email": "анна@example.org"}, "email"),
        ({"id": "c-1", "email": EMAIL}, "sms"),
        ({"id": "c-1", "phone": "call me"}, "sms"),
    ],
)
def test_who_has_no_address_gets_a_dead_letter(client: dict[str, str], channel: str, world: World) -> None:
    """No address, or none that can be used, for the channel that was asked for."""
    world.state("T-1", **client)
    world.ask("T-1", channel=channel)
    world.turn()
    assert _codes(world) == ["undeliverable_no_address"]
    assert world.email.tried == world.webhook.tried == []


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[]", b"{}", b'{"id":"a","type":"x"}'])
def test_what_is_no_notification_is_a_dead_letter(value: bytes | None, world: World) -> None:
    """Nothing that stands on the topic stops it."""
    world.broker.append("tickets.notifications", b"T-1", value, (("x", None),), partition=1)
    world.person("T-2")
    world.ask("T-2")
    world.turn()
    assert _codes(world) == ["undeliverable_malformed"]
    assert len(world.email.taken) == 1


def test_what_no_template_can_say_is_a_dead_letter(world: World) -> None:
    """A parameter that is missing makes no gap in a text, but a dead letter without its values."""
    world.person("T-1")
    world.ask("T-1", params={"reasons": "Секрет"})
    world.ask("T-1", 2, params={"reason": "Секрет"})
    world.turn()
    assert _codes(world) == ["undeliverable_unrenderable"] * 2
    assert all("Секрет" not in letter["message"] for letter in world.dead())
    assert all("ru/ticket_closed.j2" in letter["message"] for letter in world.dead())


def test_one_dead_letter_that_cannot_be_written_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is kept, named by its place and tried again; the others are written."""
    send = world.publisher.send

    def picky(topic: str, key: bytes | None, value: bytes | None, *more: Any) -> None:
        if value == b"big":
            raise Restart("sending failed (MessageSizeTooLargeError)")
        send(topic, key, value, *more)

    with monkeypatch.context() as patched:
        patched.setattr(world.publisher, "send", picky)
        for value in (b"a", b"big", b"b", b"c", b"d"):
            world.broker.append("tickets.notifications", b"T-1", value, partition=1)
        world.pass_time(200, 10)
    assert len(set(_written(world))) == 4
    assert "partition 1 of tickets.notifications, offset 1" in caplog.text
    world.pass_time(40, 10)
    assert set(_written(world)) == {b"a", b"b", b"c", b"d", b"big"}


@pytest.mark.parametrize("problem", [Unavailable, Restart])
def test_dead_letters_wait_for_kafka_and_deliveries_do_not(
    problem: type[Restart], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While they cannot be written they are kept, over a restart too, and others are told meanwhile."""

    def gone() -> None:
        raise problem("Kafka does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(world.publisher, "flush", gone)
        patched.setattr(world.publisher, "send", lambda *_: None)
        world.ask("T-1")
        world.pass_time(40, 5)
        world.person("T-2")
        world.ask("T-2")
        world.turn()
        assert len(world.email.taken) == 1
    assert world.dead() == []
    world.kill()
    world.start().turn()
    assert _codes(world) == ["undeliverable_unknown_person"]


def test_nobody_is_told_before_the_state_is_read(world: World) -> None:
    """Until it has caught up the notifier is not ready, and does not take a person for unknown."""
    assert not world.notifier.ready
    world.turn(1)
    assert world.notifier.ready


def test_metrics_say_what_happened(world: World) -> None:
    """Outcomes by template and channel, what waits, and how late it was; nobody's id is a label."""
    world.person("T-1")
    world.ask("T-1")
    world.ask("T-1", 2, channel="sms", not_before=NOW + timedelta(hours=1))
    world.turn()
    world.pass_time(6)
    value = world.recorder.registry.get_sample_value
    sent = {"template": "ticket_closed", "channel": "email", "outcome": "sent"}
    assert value("ticketflow_notifications_total", sent) == 1
    assert value("ticketflow_notifications_waiting", {"channel": "sms"}) == 1
    assert value("ticketflow_notifications_waiting", {"channel": "email"}) == 0
    assert value("ticketflow_notification_delay_seconds_count") == 1


def test_while_kafka_is_away_it_goes_on_delivering(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the queue is told, retries too; and reading goes on when Kafka is back."""
    world.person("T-1")
    world.ask("T-1", not_before=NOW + timedelta(seconds=20))
    world.turn()

    def gone(*_: object) -> None:
        raise Unavailable("Kafka does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(world.feed, "poll", gone)
        patched.setattr(world.feed, "beginnings", gone)
        world.pass_time(30, 10)
        assert len(world.email.taken) == 1
    world.ask("T-1", 2)
    world.pass_time(60, 15)
    assert len(world.email.taken) == 2


def test_an_end_waits_for_attempts_but_not_for_ever(tmp_path: Path) -> None:
    """What answers within the time-out is settled; what hangs counts as a possible repeat after the start."""
    world = World(tmp_path, notifier_timeout_seconds=0.3)
    release, begun = threading.Event(), threading.Barrier(3)

    def slow(_: Message) -> Attempted:
        begun.wait(30)
        return Delivered()

    def hang(message: Message) -> Attempted:
        slow(message)
        release.wait(30)
        return Delivered()

    world.email.says, world.webhook.says = slow, hang
    with ThreadPoolExecutor(2) as email:
        world.start(email)
        world.person("T-1")
        world.ask("T-1")
        told_by_text_message = world.ask("T-1", 2, channel="sms")
        world.turn(2)
        begun.wait(30)
        world.notifier.close()
        world.kill()
        release.set()
    world.webhook.says = lambda _: Delivered()
    world.start().turn()
    world.pass_time(1)
    repeated = [
        identifier for identifier, happened, _ in world.recorder.heard if happened is Happened.REPEATED
    ]
    assert repeated == [told_by_text_message]
    assert len(world.email.taken) == 1
    world.kill()
