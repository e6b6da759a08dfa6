"""What stories are told with: tickets of invented people, and what happens to them second by second."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, product
from random import Random
from typing import Any

CREATED, DROPPED = "ticket.created.v1", "call.dropped.v1"

FIRST_RESPONSE_SECONDS = {"phone": 3, "chat": 8, "feedback_form": 16, "cabinet": 16, "mobile_app": 8}
RESOLUTION_SECONDS = {
    "status_check": 8, "contact_change": 12, "access_recovery": 16, "technical_fault": 25, "complex": 120,
}  # fmt: skip
"""The targets of `policy.yaml`: stories keep them or break them."""
SHORT = tuple(name for name in RESOLUTION_SECONDS if name != "complex")
"""The categories whose promise is over within the day, and waits while the citizen is waited for."""

_JITTER_SECONDS = 0.2  # nothing in life happens on the full second; stories keep well away from deadlines
_OPERATORS = 24
_PRIORITIES = ("normal", "normal", "normal", "low", "high", "urgent", None)
_QUEUES = {
    "status_check": (None, "status", "applications"),
    "contact_change": (None, "registration", "reference"),
    "access_recovery": (None, "registration", "security"),
    "technical_fault": (None, "technical", "applications"),
    "complex": (None, "reference", "applications", "security"),
}
REGIONS = ("77", "39", "63", "66", "55", "54", "38", "14", "25", "abroad", "87", "78", None)
"""One of each regional calendar of the default policy, and the two that this day's policy names."""
_NAMES = ("Пример Образцов", "Вымысла Небылицына", "Тест Проверкин", "Макета Шаблонова", "Условный Иван")
_WORDS = {
    "status_check": "Подскажите, на каком этапе моё заявление",
    "contact_change": "Хочу заменить номер телефона в личном кабинете",
    "access_recovery": "Не могу войти в кабинет, код подтверждения не приходит",
    "technical_fault": "Страница с заявлением не открывается, видна ошибка",
    "complex": "Данные в выписке не совпадают с паспортом, нужна проверка в ведомстве",
}
_REQUEST_TYPES = {"technical_fault": "technical_fault", "complex": "data_error"}


@dataclass(frozen=True)
class Moment:
    """An instant in an event's data: seconds after the scene's begin."""

    seconds: float


@dataclass
class Happening:
    """An event: it happens at `time` and is sent at `arrival`, in seconds after the scene's begin.

    `bad`: the dead-letter code that comes of it, where it is refused.
    """

    ticket: "Ticket"
    kind: str
    time: float
    arrival: float
    data: dict[str, Any]
    bad: str | None = None


@dataclass
class Ticket:
    """A ticket; `begins` in seconds after the scene's begin. Its id is given when the day is laid out."""

    scene: "Scene"
    begins: float
    channel: str
    category: str
    operator: str
    id: str = ""

    @property
    def target(self) -> int:
        """The seconds in which it is to be resolved."""
        return RESOLUTION_SECONDS[self.category]

    @property
    def soon(self) -> float:
        """When an operator takes it who does well."""
        return min(0.3 * FIRST_RESPONSE_SECONDS[self.channel], 0.25 * self.target)

    def at(self, seconds: float, kind: str, late: float = 0.0, bad: str | None = None, **data: Any) -> None:
        """An event so many seconds after the registration, sent `late` seconds after it happened."""
        time = self.begins + seconds + self.scene.random.uniform(0, _JITTER_SECONDS)
        self.scene.happenings.append(Happening(self, kind, time, time + late, data, bad))

    def moment(self, seconds: float) -> Moment:
        """An instant to announce, in seconds after the registration."""
        return Moment(self.begins + seconds)

    def take(self, seconds: float | None = None, late: float = 0.0) -> None:
        """Its operator takes it, by default soon enough."""
        self.at(self.soon if seconds is None else seconds, "ticket.assigned.v1", late, operator=self.operator)

    def transfer(self, seconds: float, queue: str, late: float = 0.0) -> None:
        """It goes to another queue."""
        self.at(seconds, "ticket.transferred.v1", late, queue=queue, reason="Нужны другие специалисты")

    def escalate(self, seconds: float, unit: str = "line-2") -> None:
        """It goes to a higher level."""
        self.at(seconds, "ticket.escalated.v1", unit=unit, by=self.operator)

    def wait(self, seconds: float, late: float = 0.0) -> None:
        """The service waits for the citizen."""
        self.at(seconds, "ticket.pending.v1", late, reason="Ждём документ от заявителя")

    def go_on(self, seconds: float) -> None:
        """It waits no longer."""
        self.at(seconds, "ticket.resumed.v1")

    def client(self, seconds: float) -> None:
        """The citizen writes or calls again."""
        self.at(seconds, "ticket.contacted.v1", by="client", channel=self.channel)

    def answer(self, seconds: float, late: float = 0.0) -> None:
        """The operator writes or calls."""
        self.at(seconds, "ticket.contacted.v1", late, by="operator", channel=self.channel)

    def promise(self, seconds: float, deadline: float) -> None:
        """The operator announces a deadline."""
        self.at(seconds, "ticket.promised.v1", deadline=self.moment(deadline), by=self.operator)

    def drop(self, seconds: float) -> None:
        """A call about it breaks off."""
        self.at(seconds, DROPPED)

    def schedule(self, seconds: float, at: float) -> None:
        """Another call is arranged."""
        self.at(seconds, "call.scheduled.v1", at=self.moment(at))

    def call_back(self, seconds: float, late: float = 0.0) -> None:
        """The citizen is called back."""
        self.at(seconds, "call.returned.v1", late, operator=self.operator)

    def reclassify(self, seconds: float, **fields: str) -> None:
        """Something about it turns out to be different."""
        self.at(seconds, "ticket.reclassified.v1", late=0.0, bad=None, **fields)

    def resolve(self, seconds: float, late: float = 0.0) -> None:
        """The work is done."""
        self.at(seconds, "ticket.resolved.v1", late, summary="Вопрос решён", by=self.operator)

    def reopen(self, seconds: float) -> None:
        """The citizen says no, or comes back."""
        self.at(seconds, "ticket.reopened.v1", reason="Не помогло")

    def close(self, seconds: float, reason: str = "confirmed", late: float = 0.0, **data: Any) -> None:
        """It is over."""
        self.at(seconds, "ticket.closed.v1", late, reason=reason, **data)

    def finish(self, seconds: float) -> None:
        """It is resolved, and the citizen soon confirms."""
        self.resolve(seconds)
        self.close(seconds + self.scene.random.uniform(1, 5))


@dataclass
class Scene:
    """One telling of a story. `begin` is its place in the day, in seconds; stories count from 0.

    `tail_seconds`: how long after the last event the engine still has to do with it.
    """

    random: Random
    combinations: Iterator[tuple[str, str]]
    regions: Iterator[str | None]
    begin: float = 0.0
    tail_seconds: float = 16.0
    happenings: list[Happening] = field(default_factory=list)

    @property
    def length(self) -> float:
        """Seconds until the last event is sent."""
        return max(happening.arrival for happening in self.happenings)

    def one(self, *choices: str) -> str:
        """Any of them."""
        return self.random.choice(choices)

    def ticket(
        self, channel: str = "", category: str = "", begins: float = 0.0, kind: str = CREATED, **data: Any
    ) -> Ticket:
        """A citizen turns to the service, by default by the next channel with the next category in turn."""
        if not (channel and category):
            following = next(self.combinations)
            channel, category = channel or following[0], category or following[1]
        ticket = Ticket(self, begins, channel, category, f"op-{self.random.randint(1, _OPERATORS)}")
        ticket.at(0, kind, **self._registration(channel, category), **data)
        return ticket

    def _registration(self, channel: str, category: str) -> dict[str, Any]:
        data: dict[str, Any] = {
            "channel": channel,
            "category": category,
            "queue": self.random.choice(_QUEUES[category]),
            "priority": self.random.choice(_PRIORITIES),
            "region": next(self.regions),
            "client": self._client(whole=channel == "feedback_form"),
        }
        if channel in ("feedback_form", "cabinet"):
            data |= {"description": _WORDS[category], "consent": True}
        if channel == "feedback_form":
            data["request_type"] = _REQUEST_TYPES.get(category, "usage_question")
            data["callback_window"] = {"from": "10:00", "to": "12:00"}
        if channel == "cabinet" and category == "complex":
            data["attachments"] = [f"file-{self.random.randint(1, 999):04}"]
        if channel == "phone" and category == "technical_fault":
            data["error_code"] = "BANK-503"
        return {name: value for name, value in data.items() if value is not None}

    def _client(self, *, whole: bool) -> dict[str, str]:
        """Nobody: the names are of no one, the numbers of no country's network, the addresses RFC 2606's."""
        number = self.random.randint(1, 9999)
        client = {"id": f"citizen-{number:04}"}
        if whole or self.random.random() < 0.8:
            client |= {
                "name": self.random.choice(_NAMES),
                "phone": f"+7 000 000-{number // 100:02}-{number % 100:02}",
            }
        if self.random.random() < 0.6:
            client["email"] = f"citizen-{number:04}@{self.one('example.com', 'example.ru')}"
        if (notify := self.random.choice((None, None, None, "email", "sms", "none"))) is not None:
            client["notify"] = notify
        return client


def combinations() -> Iterator[tuple[str, str]]:
    """Every channel with every category, again and again."""
    return cycle(product(FIRST_RESPONSE_SECONDS, RESOLUTION_SECONDS))
