"""The notifier: one process that delivers what `tickets.notifications` asks for, by SMTP and webhook."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from itertools import chain
from typing import Final

import structlog

from consumers.checkpoint import Checkpoint
from consumers.clock import Clock, WallClock
from consumers.log import Feed, Publisher, Reader, Record
from consumers.notifier import EMAIL_ROUTE, FORMAT, WEBHOOK_ROUTE, DeadLetters, Intake
from consumers.notifier_dispatch import Dispatcher, Lane
from consumers.notifier_people import People
from consumers.notifier_queue import Queue
from consumers.notifier_retry import Retried, Retry
from consumers.notifier_routes import Route
from consumers.notifier_smtp import SmtpRoute
from consumers.notifier_texts import Texts
from consumers.notifier_webhook import WebhookRoute
from consumers.subscriber import Subscriber, TopicIds
from ops import composition, kafka_noise
from ops.http import Endpoint
from ops.logs import STARTS
from ops.notifier_metrics import NotifierMetrics
from ops.notifier_options import own_templates, require_routes, smtp_options, webhook_secret, webhook_url
from ops.service import Following, Stop, checkpoint_file, until_told
from ops.settings import Settings
from producers.outbox import Outbox
from schemas.envelope import Undeliverable
from schemas.topics import Topic, topic_name

_log = structlog.get_logger(__name__)
_starts = structlog.get_logger(STARTS)

_THREADS: Final = 8
"""Per route: so many recipients are served at a time, each by one attempt."""
_POLL_SECONDS: Final = 0.1
_SETTLE_SECONDS: Final = 0.05
_TIDY_EVERY_SECONDS: Final = 5.0


def run(
    settings: Settings, parent: int | None = None, retry: Collection[Undeliverable] = frozenset()
) -> None:
    """Deliver until SIGTERM or SIGINT; then wait for the attempts under way.

    `parent`: end also when this process, our parent, has ended. `retry`: first take up its own dead letters
    with these codes. Raises OperationError, LogError.
    """
    require_routes(settings)
    smtp, url, secret = smtp_options(settings), webhook_url(settings), webhook_secret(settings)
    texts = Texts(settings.notifier_language, own_templates(settings))
    texts.check()
    for name in ("httpx", "httpcore"):  # they tell of every request, with the URL
        logging.getLogger(name).setLevel(logging.WARNING)
    with until_told(parent) as stop, ExitStack() as stack:
        servers = composition.bootstrap_servers(settings)
        noise = kafka_noise.limit()
        with stop.interrupting():
            feed = composition.feed(settings, servers, "ticketflow-notifier")
            stack.callback(feed.close)
            publisher = composition.publisher(settings, servers)
        stack.callback(publisher.close)
        noise.connected = True
        file, metrics = checkpoint_file(settings, "notifier", feed.cluster), NotifierMetrics()
        checkpoint = Checkpoint(file, FORMAT)
        stack.callback(checkpoint.close)
        lanes = {
            EMAIL_ROUTE: _lane(SmtpRoute(smtp)),
            WEBHOOK_ROUTE: _lane(WebhookRoute(url, secret, settings.notifier_timeout_seconds, _THREADS)),
        }
        notifier = Notifier(
            settings, feed, feed.topic_ids, publisher, checkpoint, lanes, texts, metrics, WallClock()
        )
        stack.callback(notifier.close)
        if retry:
            with stop.interrupting(), closing(composition.reader(settings, servers)) as reader:
                _retry(notifier, reader, settings, retry)
        endpoint = _endpoint(settings, notifier, metrics)
        stack.callback(endpoint.close)
        at = f"{endpoint.url}/metrics"
        _starts.info("notifier started", metrics=at, servers=servers, checkpoint=str(file))
        _turn(notifier, stop)
    _log.info("notifier ended")


def _retry(notifier: Notifier, reader: Reader, settings: Settings, codes: Collection[Undeliverable]) -> None:
    letters = topic_name(settings.topic_prefix, Topic.DEAD_LETTER)
    read = (reader.read(letters, number) for number in range(reader.partitions(letters)))
    retried = notifier.retry(chain.from_iterable(read), codes)
    _log.info("dead letters are tried again", notifications=retried.waiting, too_old=retried.too_old)


class Notifier:
    """The parts put together, and turned in one thread."""

    def __init__(
        self,
        settings: Settings,
        feed: Feed,
        topic_ids: TopicIds,
        publisher: Publisher,
        checkpoint: Checkpoint,
        lanes: Mapping[str, Lane],
        texts: Texts,
        metrics: NotifierMetrics,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lanes`: the two routes by name. `monotonic`: see `Following`. Raises CheckpointError."""
        self._max_age = max_age = timedelta(seconds=settings.notifier_max_age_seconds)
        people, self._queue = People(checkpoint.database), Queue(checkpoint.database)
        state = topic_name(settings.topic_prefix, Topic.STATE)
        topics = (topic_name(settings.topic_prefix, Topic.NOTIFICATIONS), state)
        self._topic, self._group = topics[0], f"{settings.group_id}-notifier"
        outbox = Outbox(settings.topic_prefix, settings.partitions, self._group)
        self._clock, self._monotonic, self._metrics, self._checkpoint = clock, monotonic, metrics, checkpoint
        self._grace_seconds = settings.notifier_timeout_seconds
        with checkpoint.transaction():
            begun_at = self._queue.begun_at(clock.now())
        self._intake = Intake(
            people, self._queue, clock, metrics, state_topic=state, max_age=max_age, begun_at=begun_at
        )
        self._subscriber = Subscriber(
            feed, checkpoint, self._intake, clock, topics=topics, compacted=state, topic_ids=topic_ids
        )
        self._dispatcher = Dispatcher(
            checkpoint,
            self._queue,
            people,
            texts,
            lanes,
            clock,
            metrics,
            max_age,
            lambda: self._subscriber.read_to,
        )
        self._letters = DeadLetters(checkpoint, self._queue, publisher, outbox.dead_letter, monotonic)
        self._following = Following(self._subscriber, monotonic)
        self._tidy_at = monotonic()
        recovered = self._dispatcher.recover()
        if recovered:
            _log.warning("attempts of a killed notifier have an unknown outcome", notifications=recovered)

    def retry(self, letters: Iterable[Record], codes: Collection[Undeliverable]) -> Retried:
        """Let those of these dead letters that are its own and have these codes wait for delivery again."""
        retry, now = Retry(self._queue, codes, self._topic, self._group, self._max_age), self._clock.now()
        with self._checkpoint.transaction():
            self._queue.forget_letters(now)
            retry.take_up(letters, now)
        return retry.retried

    @property
    def ready(self) -> bool:
        """Whether everybody is known, so that it delivers."""
        return self._intake.complete

    def turn(self) -> None:
        """Deliver what is due, and read on. Raises LogError; after a Restart it reads anew a little later."""
        busy = self.ready and self._dispatcher.step(_SETTLE_SECONDS)
        self._letters.write()
        if not self._following.turn(0.0 if busy else _POLL_SECONDS) and not busy:
            time.sleep(_POLL_SECONDS)
        if self._subscriber.caught_up:
            self._intake.complete = True
        if self._monotonic() >= self._tidy_at:
            self._tidy()
        self._metrics.turned()

    def _tidy(self) -> None:
        with self._checkpoint.transaction():
            all_forgotten = self._queue.forget(self._clock.now())
        if all_forgotten:  # else go on with the next turn
            self._tidy_at = self._monotonic() + _TIDY_EVERY_SECONDS
        self._metrics.waiting(self._queue.waiting())
        if self.ready and (too_old := self._intake.passed_over()):
            _log.warning("too old before the first start: nobody is told", notifications=too_old)

    def close(self) -> None:
        """Wait for the attempts under way, as long as one of them may wait for an answer."""
        self._dispatcher.close(self._grace_seconds)


def _lane(route: Route) -> Lane:
    return Lane(route, ThreadPoolExecutor(_THREADS), _THREADS)


def _turn(notifier: Notifier, stop: Stop) -> None:
    was_ready = False
    while not stop.requested:
        notifier.turn()
        if notifier.ready != was_ready:
            was_ready = notifier.ready
            _log.info("notifier ready" if was_ready else "notifier not ready")


def _endpoint(settings: Settings, notifier: Notifier, metrics: NotifierMetrics) -> Endpoint:
    return Endpoint(
        metrics.registry,
        # Longer than the client waits for an answer: an outage of Kafka is no reason to be killed.
        alive=lambda: metrics.idle_seconds < settings.max_poll_interval_seconds,
        not_ready=lambda: None if notifier.ready else "the state is not read yet, so nobody is known",
        setting="TICKETFLOW_NOTIFIER_PORT",
        port=settings.notifier_port,
        or_next_free="notifier_port" not in settings.model_fields_set,
    )
