"""`report`: what the promises came to in a period, out of the journal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from errno import EISDIR
from os import strerror
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from consumers.report_fold import Dimension, Frame
from ops import OperationError, composition, policies
from ops.plain_data import as_data
from ops.report_source import FileSource, Source, TopicSource, report_figures
from ops.settings import Settings
from schemas.instants import format_instant, parse_instant
from workflow.calendars import time_zone
from workflow.policy import ANY, Policy
from workflow.report_figures import Figures

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Format(StrEnum):
    """How a report is written."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


class Usage(ValueError):  # noqa: N818 (it is shown as wrong usage)
    """An option is wrong; the message says which, and how it is written."""


@dataclass(frozen=True, slots=True)
class Report:
    """The figures, and of what they are."""

    frame: Frame
    figures: Figures

    def as_dict(self) -> Mapping[str, Any]:
        """For programs."""
        return {
            "from": format_instant(self.frame.start),
            "to": format_instant(self.frame.end),
            "zone": self.frame.zone.key,
            "by": [str(each) for each in self.frame.by],
            **as_data(self.figures),
        }


def home_zone(policy: Policy) -> str:
    """The zone of the calendar for regions without one of their own; UTC where that is always open."""
    calendar = policy.calendars.get(policy.region_calendars.get(ANY, ""))
    return "UTC" if calendar is None else calendar.zone


def zone_of(settings: Settings, name: str | None) -> ZoneInfo:
    """The zone of that name; None: the home zone of the policy in force now. Raises Usage, PolicyError."""
    if name is None:
        name = home_zone(policies.load(settings.policy).in_force(datetime.now(UTC)))
    try:
        return time_zone(name)
    except ValueError as problem:
        raise Usage(f"--zone: {problem}") from None


def dimensions(text: str | None) -> tuple[Dimension, ...]:
    """The dimensions in a list with commas. Raises Usage."""
    names = [each.strip() for each in (text or "").split(",") if each.strip()]
    known = [str(each) for each in Dimension]
    if not set(names) <= set(known) or len(set(names)) < len(names):
        raise Usage(f"--by takes each of these at most once, with commas between: {', '.join(known)}")
    return tuple(Dimension(name) for name in names)


def instant(option: str, text: str, zone: ZoneInfo) -> datetime:
    """An RFC 3339 instant, or a date: midnight in the zone. Raises Usage."""
    try:
        if _DATE.fullmatch(text):  # `fromisoformat` takes the dates of weeks, too
            return datetime.combine(date.fromisoformat(text), datetime.min.time(), zone).astimezone(UTC)
        return parse_instant(text)
    except (ValueError, OverflowError):
        raise Usage(f"{option} is a date like 2026-03-01, or like 2026-03-01T09:00:00+03:00") from None


def period(start: str, end: str, zone: ZoneInfo, by: tuple[Dimension, ...]) -> Frame:
    """The frame from one instant up to another. Raises Usage."""
    frame = Frame(instant("--from", start, zone), instant("--to", end, zone), zone, by)
    if frame.start >= frame.end:
        raise Usage("--to must be later than --from")
    return frame


@contextmanager
def source(settings: Settings, journal: Path | None) -> Iterator[Source]:
    """The journal: the topic as it is now, or a file. Raises OperationError, LogError."""
    if journal is not None:
        yield FileSource(journal)
        return
    with closing(composition.reader(settings, composition.bootstrap_servers(settings))) as reader:
        yield TopicSource(reader, settings.topic_prefix)


def make(settings: Settings, journal: Path | None, frame: Frame) -> Report:
    """Read the journal and add it up. Raises OperationError, LogError."""
    with source(settings, journal) as lines:
        return Report(frame, report_figures(lines, frame))


def rendered(report: Report, form: Format) -> str:
    """The report as a file has it, with a line end after its last line."""
    return _RENDERERS[form](report)


def write(report: Report, form: Format, path: Path) -> None:
    """Write the report to a file, which is whole or not there. Raises OperationError."""
    beside = path.parent / f".{path.name}.part"
    try:
        if path.is_dir():  # also one without a name of its own, such as `.`
            raise IsADirectoryError(EISDIR, strerror(EISDIR))
        beside.write_text(rendered(report, form), "utf-8")
        beside.replace(path)
    except OSError as error:
        raise OperationError(f"The report cannot be written to {path}: {error.strerror}.") from None
    finally:
        with suppress(OSError):  # it has its name, or nothing could be written
            beside.unlink()


def _text(report: Report) -> str:
    from ops.report_text import text

    return text(report)


def _csv(report: Report) -> str:
    from ops.report_data import table

    return table(report)


def _json(report: Report) -> str:
    import json

    return json.dumps(report.as_dict(), ensure_ascii=False, indent=2) + "\n"


def _html(report: Report) -> str:
    from ops.report_html import page

    return page(report)


_RENDERERS: Final[Mapping[Format, Callable[[Report], str]]] = {
    Format.TEXT: _text,
    Format.CSV: _csv,
    Format.JSON: _json,
    Format.HTML: _html,
}
