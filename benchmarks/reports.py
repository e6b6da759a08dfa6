"""What a report over a journal costs: time by record, and memory."""

import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from benchmarks import engine
from benchmarks.report import Result, Row
from consumers.memory import MemoryReader
from consumers.report_fold import Dimension, Frame
from ops.report_source import TopicSource, report_figures
from schemas.topics import Topic, topic_name
from tests.support.traffic import Plan, Traffic

_MONTH = timedelta(days=30)


def measure(events: int) -> Result:
    """Report on the journal of a month twice: once for the time, once for the memory."""
    now, tickets = datetime.now(UTC), events // 5
    records = list(Traffic(Plan(events, tickets), now).records())
    reader = MemoryReader(engine.run(records, now, time.process_time).broker)
    journal = TopicSource(reader, engine.PREFIX)
    frame = Frame(now - _MONTH, now + _MONTH, ZoneInfo("Europe/Moscow"), (Dimension.CATEGORY,))
    begun = time.process_time()
    report_figures(journal, frame)
    seconds = time.process_time() - begun
    tracemalloc.start()
    report_figures(journal, frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    written = sum(reader.ends(topic_name(engine.PREFIX, Topic.JOURNAL)).values())
    return Result(
        "A report over the journal",
        f"{written:,} journal records of {tickets:,} tickets, {engine.PARTITIONS} partitions, in memory; "
        "each is read twice and folded once.",
        (
            Row("journal records", written / seconds, "1/s", "of processor time"),
            Row("per record", 1e6 * seconds / written, "µs"),
            Row("memory at most", peak / 1e6, "MB", "beside the journal itself"),
        ),
    )
