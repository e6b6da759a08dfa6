"""What notifications say: Jinja2 templates, a file for each `Template` and language.

A template sets `subject`, `text` and, where a citizen is told, `sms`. It sees the notification's `params` by
their names, `ticket` (its id), `role`, `name` (the citizen's, or none), and `summary` (of the answer, or
none). Anything else is an error: nothing is sent that says "None" or has a gap.
"""

from __future__ import annotations

import itertools
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

import jinja2

from consumers.log import LogError
from schemas.instants import parse_instant
from schemas.records import Notification, NotificationChannel, Recipient, Role, Template
from workflow import durations

LANGUAGES: Final = ("ru", "en")

MOSCOW: Final = ZoneInfo("Europe/Moscow")
"""Times are told in Moscow time and say so, as the service does; a notification has no region."""

_C, _O, _S = Role.CLIENT, Role.OPERATOR, Role.SUPERVISOR
TOLD: Final[Mapping[Template, tuple[Role, ...]]] = MappingProxyType(
    {
        Template.TICKET_REGISTERED: (_C,),
        Template.TICKET_REGISTERED_OUT_OF_HOURS: (_C,),
        Template.TICKET_ASSIGNED: (_O,),
        Template.DEADLINE_ANNOUNCED: (_C,),
        Template.CALLBACK_OFFERED: (_C,),
        Template.CALL_SCHEDULED: (_C,),
        Template.SLA_WARNING: (_O, _S),
        Template.SLA_BREACHED: (_C, _O, _S),
        Template.SLA_RETRACTED: (_C, _O, _S),
        Template.TICKET_ESCALATED: (_S,),
        Template.TICKET_RESOLVED: (_C,),
        Template.TICKET_REOPENED: (_O,),
        Template.TICKET_CLOSED: (_C,),
    }
)
"""Who is told by each template (contract, "Notification")."""

_UNITS: Final = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_MAX_SUBJECT: Final = 200
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Nothing in a text but lines and tabs: no other control, and nothing that turns the direction of writing."""


@dataclass(frozen=True, slots=True)
class Text:
    """What somebody is told. The subject is one line."""

    subject: str = field(repr=False)
    body: str = field(repr=False)


class Unrenderable(Exception):  # noqa: N818 (becomes a dead letter)
    """No text comes of a template; the message names the template's file and no value."""


class TemplatesError(LogError):
    """The templates cannot be used; the sentence names the file."""


class Texts:
    """The templates of one language."""

    def __init__(self, language: str, own: Path | None = None) -> None:
        """`own`: a directory whose files, such as `ru/ticket_closed.j2`, are used instead of ours."""
        self.language = language
        ours: jinja2.BaseLoader = jinja2.PackageLoader("consumers")
        theirs = [] if own is None else [jinja2.FileSystemLoader(own)]
        self._environment = jinja2.Environment(
            loader=jinja2.ChoiceLoader([*theirs, ours]),
            undefined=jinja2.StrictUndefined,
            autoescape=False,  # noqa: S701 (plain text: nothing of it is HTML)
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {"moscow": _moscow, "spans": _spans, "plural": _plural}

    def render(self, notification: Notification, name: str | None, summary: str | None = None) -> Text:
        """The text for a recipient. Raises Unrenderable.

        `name`: of a citizen, if it may be shown. `summary`: what a citizen is told of the answer, if any.
        """
        file = f"{self.language}/{notification.template}.j2"
        part = "sms" if notification.channel is NotificationChannel.SMS else "text"
        known = {
            **notification.params,
            "ticket": notification.ticket_id,
            "role": str(notification.recipient.role),
            "name": name,
            "summary": summary,
        }
        try:
            module: Any = self._environment.get_template(file).make_module(known)
            subject, text = str(module.subject), str(getattr(module, part))
        except Exception as problem:  # noqa: BLE001 (templates are others' code: what fails there is theirs)
            # The error's own text may quote a parameter.
            raise Unrenderable(f"{file} gives no {part}: {_kind(problem)}") from None
        return Text(_one_line(subject), _CONTROLS.sub("", text).strip())

    def check(self) -> None:
        """Render everything once, with parameters as the engine gives them. Raises TemplatesError."""
        for template, roles in TOLD.items():
            for sample, summary in itertools.product(_samples(template, roles), (None, "…")):
                try:
                    text = self.render(sample, None, summary)
                except Unrenderable as problem:
                    raise TemplatesError(
                        f"the template {problem}; correct it in TICKETFLOW_NOTIFIER_TEMPLATES"
                    ) from None
                if not text.subject or not text.body:
                    raise TemplatesError(
                        f"the template {self.language}/{template}.j2 gives an empty subject, text or sms; "
                        "correct it in TICKETFLOW_NOTIFIER_TEMPLATES"
                    )


def _kind(problem: Exception) -> str:
    if isinstance(problem, jinja2.TemplateSyntaxError):
        return f"line {problem.lineno} is not in Jinja's syntax"
    if isinstance(problem, jinja2.TemplateNotFound):
        return "it, or a file that it imports, is not there"
    line = _line(problem)
    if isinstance(problem, jinja2.UndefinedError):
        return f"{line} uses something that this notification does not have"
    return f"{line} fails ({type(problem).__name__})"


def _line(problem: Exception) -> str:
    """Where in the templates it happened: an imported file is named, for it is another one."""
    places = [
        (template.name, template.get_corresponding_lineno(line))
        for frame, line in traceback.walk_tb(problem.__traceback__)
        if (template := frame.f_globals.get("__jinja_template__")) is not None
    ]
    return f"line {places[-1][1]} of {places[-1][0]}" if places else "it"


def _one_line(text: str) -> str:
    return " ".join(_CONTROLS.sub(" ", text).split())[:_MAX_SUBJECT]


def _moscow(instant: str) -> datetime:
    """Filter: an instant as records have it, in Moscow time."""
    return parse_instant(str(instant)).astimezone(MOSCOW)  # str: a parameter that is missing says so


def _spans(threshold: str) -> list[tuple[int, str]]:
    """Filter: the duration of a threshold such as `-90m`, as `[(1, "h"), (30, "m")]`."""
    left = durations.parse(threshold.lstrip("+-"))
    found = []
    for unit, length in _UNITS.items():
        count, left = divmod(left, length)
        if count:
            found.append((count, unit))
    return found or [(0, "s")]


def _plural(count: int, one: str, few: str, many: str | None = None) -> str:
    """Filter: the form of a word for a number; with three forms by the Russian rule, with two the English."""
    if many is None:
        return one if count == 1 else few
    if count % 10 == 1 and count % 100 != 11:
        return one
    return few if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14) else many


def _samples(template: Template, roles: tuple[Role, ...]) -> list[Notification]:
    channels = {
        Role.CLIENT: tuple(NotificationChannel),
        Role.OPERATOR: (NotificationChannel.INBOX,),
        Role.SUPERVISOR: (NotificationChannel.INBOX,),
    }
    return [
        Notification(
            ticket_id="GU-2026-000123",
            recipient=Recipient(role=role, ref="technical"),
            channel=channel,
            template=template,
            params=params,
        )
        for role in roles
        for channel in channels[role]
        for params in sample_params(template)
    ]


def sample_params(template: Template) -> list[dict[str, str | int | None]]:
    """Parameters as the engine gives them with a template (`workflow.notices`): each form that they have."""
    deadline = "2026-03-02T08:15:30.000000Z"
    request: dict[str, str | int | None] = {
        "category": "technical_fault",
        "queue": "technical",
        "priority": "high",
    }
    clock: dict[str, str | int | None] = {
        "clock": "resolution",
        "cycle": 1,
        "threshold": "breach",
        "deadline": deadline,
        "category": "complex",
        "level": 1,
    }
    match template:
        case Template.DEADLINE_ANNOUNCED:
            return [{"deadline": deadline}]
        case Template.CALL_SCHEDULED:
            return [{"at": deadline}]
        case Template.TICKET_CLOSED:
            reasons = ("confirmed", "cancelled", "duplicate", "merged", "expired")
            return [{"reason": reason} for reason in reasons]
        case Template.TICKET_ESCALATED:
            return [{"queue": "technical", "unit": unit, "level": 2} for unit in (None, "unit-4")]
        case Template.SLA_WARNING:
            return [{**clock, "threshold": threshold} for threshold in ("80%", "-5m", "-90s")]
        case Template.SLA_BREACHED:
            return [{**clock, "threshold": threshold} for threshold in ("breach", "+15m")]
        case Template.SLA_RETRACTED:
            return [{**clock, "threshold": None, "deadline": each} for each in (deadline, None)]
    return [request]
