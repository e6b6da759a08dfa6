"""`up --demo`: plays a service day on the running system, shows it, and says in the end whether all is right.

What the person has set is obeyed; what is left open the demo chooses so that it meets nobody else's tickets.
Its policy is always the one of `examples/service-day`, in which 48 hours are two minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Final

from consumers.log import Feed, Place
from ops import OperationError, composition, policies, up
from ops.children import Notice
from ops.demo_day import POLICY, Line, read_day
from ops.demo_play import DayFold, Play
from ops.demo_show import Result, next_commands, show_result
from ops.directories import demo_directory
from ops.screen import Facts, show_warning
from ops.settings import PREFIX, Settings
from ops.watch import Watch
from ops.watch import starts as watch_starts
from schemas.topics import Topic, topic_name

_CATCH_UP_SECONDS: Final = 30.0
_TAG_CHARACTERS: Final = 4
_ALPHABET: Final = digits + ascii_lowercase
_OWN_NAME: Final = "demo"
_FROM_NOW_ON: Final = frozenset(Topic) - {Topic.STATE}


def perform(settings: Settings, config: Path | None) -> bool:
    """Play the day from start to end; returns whether all came out right.

    Raises OperationError, LogError, PolicyError: what keeps it from that. KeyboardInterrupt: it was ended
    before, and nothing of it runs any more.
    """
    day = read_day()
    chosen = choices(settings)
    demo = Demo(settings.model_copy(update=dict(chosen)), chosen, day)
    up.run(demo.settings, config, demo)
    result = demo.result()
    show_result(result, next_commands(variables(_way_back(demo.settings)), result.ticket_id, config))
    return result.right


def _way_back(settings: Settings) -> Mapping[str, str | Path]:
    """The settings that lead to the demo's data from where the demo was started."""
    here = Path.cwd()
    policy = POLICY.relative_to(here) if POLICY.is_relative_to(here) else POLICY
    if settings.kafka_bootstrap_servers is None:
        return {"data_dir": settings.data_dir, "policy": policy}
    return {
        "kafka_bootstrap_servers": settings.kafka_bootstrap_servers,
        "topic_prefix": settings.topic_prefix,
        "group_id": settings.group_id,
        "policy": policy,
    }


def variables(values: Mapping[str, str | Path]) -> dict[str, str]:
    """Settings as environment variables."""
    return {PREFIX + name.upper(): str(value) for name, value in values.items()}


def choices(settings: Settings) -> Mapping[str, str | Path]:
    """The settings that the demo makes itself, by name; which of them depends on what is left open."""
    given = settings.model_fields_set
    if settings.kafka_bootstrap_servers is None:
        own: dict[str, str | Path] = {"data_dir": demo_directory(settings.data_dir)}
    else:
        own = {"topic_prefix": _OWN_NAME, "group_id": _OWN_NAME}
    return {name: value for name, value in own.items() if name not in given} | {"policy": POLICY}


def tag_of(start: datetime) -> str:
    """What ticket ids of a run that starts then end with. It comes again after 19 days."""
    seconds, characters = int(start.timestamp()), ""
    for _ in range(_TAG_CHARACTERS):
        seconds, place = divmod(seconds, len(_ALPHABET))
        characters = _ALPHABET[place] + characters
    return f"-{characters}"


class Demo:
    """The companion of the system that plays the day. See `up.Companion`."""

    def __init__(self, settings: Settings, chosen: Mapping[str, str | Path], day: Sequence[Line]) -> None:
        """`chosen` is what `settings` has of `choices`."""
        self.settings = settings
        self._chosen, self._day = chosen, day
        self._tag = tag_of(datetime.now(UTC))
        self._thread = ThreadPoolExecutor(1, "demo")
        self._watch: Watch[DayFold] | None = None
        self._play: Play | None = None
        self._done: Future[Result | None] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """See `Companion.environment`. That the worker is ready is told at that level of its log."""
        return variables(self._chosen) | {f"{PREFIX}LOG_LEVEL": "info"}

    def begin(self, servers: str) -> None:
        """See `Companion.begin`. Raises OperationError where others' tickets would run under this policy."""
        starts: dict[Place, int] = {}

        def fixed_starts(feed: Feed) -> Mapping[Place, int]:
            if not starts:
                starts.update(watch_starts(feed, self.settings.topic_prefix, _FROM_NOW_ON, 0))
            return starts

        self._watch = watch = Watch(
            lambda: composition.feed(self.settings, servers, "ticketflow-demo"),
            fixed_starts,
            lambda: DayFold(self.settings.topic_prefix, self._tag),
        )
        watch.start()
        if not watch.caught_up(_CATCH_UP_SECONDS):
            raise OperationError(
                f"The topics could not be read within {_CATCH_UP_SECONDS:g} s: see what keeps Kafka busy."
            )
        versions = policies.load(self.settings.policy)
        with watch.locked() as fold:
            self.refuse_others(frozenset(versions.labels), fold)
        events = topic_name(self.settings.topic_prefix, Topic.EVENTS)
        fresh = not any(start for place, start in starts.items() if place.topic == events)
        self._play = Play(self.settings, servers, self._day, self._tag, watch, fresh=fresh)
        self._done = self._thread.submit(self._play.perform, versions)

    def refuse_others(self, ours: frozenset[str], fold: DayFold) -> None:
        """Raise OperationError where clocks run under other versions of a policy than these."""
        others = fold.board.policies - ours
        if others:
            raise OperationError(
                f"The topics {self.settings.topic_prefix}.* have tickets whose clocks run under another "
                f"policy ({', '.join(sorted(others))}), and the demo brings its own: set "
                "TICKETFLOW_TOPIC_PREFIX, or for an embedded broker TICKETFLOW_DATA_DIR, to something new."
            )

    def notice(self, name: str, notice: Notice) -> None:
        """See `Companion.notice`."""
        if name == "worker" and notice.get("event") == "worker ready" and self._play is not None:
            self._play.ready.set()

    def started(self, facts: Facts) -> None:
        """See `Companion.started`: there is another screen."""

    def tell(self, sentence: str) -> None:
        """See `Companion.tell`."""
        if self._play is None:
            show_warning(sentence)
        else:
            self._play.tell(sentence)

    def ended(self) -> bool:
        """See `Companion.ended`."""
        return self._done is not None and self._done.done()

    def end(self) -> None:
        """See `Companion.end`."""
        if self._play is not None:
            self._play.end.set()
        self._thread.shutdown()
        if self._watch is not None:
            self._watch.close()

    def result(self) -> Result:
        """What came out. Raises what kept it from its end, and KeyboardInterrupt where somebody ended it."""
        found = None if self._done is None else self._done.result()
        if found is None:
            raise KeyboardInterrupt
        return found
