"""Topic administration: creates the contract's topics, and says in words what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError

from consumers.kafka_options import KafkaOptions, Timeouts
from consumers.kafka_python_client import connect, connection, cure, milliseconds
from consumers.log import Reason, Unavailable
from ops import OperationError
from schemas.topics import Topic, topic_name
from workflow import durations

_TIMEOUT_SECONDS: Final = 30.0
_TIMEOUT_MS: Final = milliseconds(_TIMEOUT_SECONDS)
_ALREADY_EXISTS: Final = TopicAlreadyExistsError.errno
_KEPT_FOR: Final = {"retention.ms": "records", "delete.retention.ms": "tombstones"}
"""Settings that are a time, and what they keep."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a topic. `fatal`: a worker must not start, for it would fail or decide wrongly."""

    sentence: str
    fatal: bool = False
    missing: bool = False

    def __str__(self) -> str:
        return self.sentence


class ClusterError(OperationError):
    """The cluster did not do what was asked, for a reason that may pass."""

    def __init__(self, sentence: str, reason: Reason) -> None:
        super().__init__(sentence)
        self.reason = reason


def cluster_id(options: KafkaOptions, timeout_seconds: float = 10.0) -> str:
    """Return the cluster's id: a real request, so its answer says that the broker works.

    Raises OperationError.
    """
    with _admin(options, timeout_seconds) as admin:
        return str(admin.describe_cluster()["cluster_id"])


def create(
    options: KafkaOptions, prefix: str, partitions: int, replication_factor: int | None = None
) -> list[str]:
    """Create those of the six topics that are missing, and return their names.

    A topic that exists is left as it is: its number of partitions decides which partition holds a ticket.
    `replication_factor`: None for the cluster's default. Raises OperationError.
    """
    with _admin(options) as admin:
        existing = set(admin.list_topics())
        missing = {
            topic_name(prefix, topic): {
                "num_partitions": partitions,
                "replication_factor": replication_factor or -1,
                "configs": topic.config,
            }
            for topic in Topic
            if topic_name(prefix, topic) not in existing
        }
        if not missing:
            return []
        answer = admin.create_topics(missing, timeout_ms=_TIMEOUT_MS, raise_errors=False)
        created = [name for name in missing if _was_created(answer, name)]
        admin.wait_for_topics(list(missing), timeout_ms=_TIMEOUT_MS)
        return created


def check(
    options: KafkaOptions, prefix: str, partitions: int | None = None, timeout_seconds: float = 10.0
) -> list[Finding]:
    """Return what is wrong with the topics, the fatal first; empty if nothing is.

    `partitions`: the number that is wanted, or None to demand only that all have the same.
    Raises OperationError.
    """
    names = {topic_name(prefix, topic): topic for topic in Topic}
    with _admin(options, timeout_seconds) as admin:
        existing = set(admin.list_topics())
        present = [name for name in names if name in existing]
        described = {topic["name"]: topic["partitions"] for topic in _describe(admin, present)}
        configs = _configs(admin, present)
    found = [
        Finding(f"The topic {name} is missing.", fatal=True, missing=True)
        for name in names
        if name not in existing
    ]
    found += _partition_problems(described, partitions)
    for name in present:
        found += _config_problems(name, names[name], configs[name])
        found += _replication_problems(name, described[name], configs[name])
    return sorted(found, key=lambda finding: not finding.fatal)


def _partition_problems(described: Mapping[str, list[Any]], wanted: int | None) -> list[Finding]:
    counts = {name: len(partitions) for name, partitions in described.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} has {count}" for name, count in counts.items())
        return [Finding(f"All topics need the same number of partitions, but {listed}.", fatal=True)]
    return [
        Finding(
            f"The topic {name} has {count} partitions instead of {wanted}; the number is never changed in "
            "place."
        )
        for name, count in counts.items()
        if wanted is not None and count != wanted
    ]


def _config_problems(name: str, topic: Topic, actual: Mapping[str, str]) -> list[Finding]:
    wanted = topic.config
    found = [
        Finding(
            f"The topic {name} has {key}={actual.get(key)} where ticketflow relies on {wanted[key]}.",
            # An event's arrival is its stamp: one from a publisher's clock that is ahead would fire clocks.
            fatal=topic is Topic.EVENTS and key == "message.timestamp.type",
        )
        for key in ("message.timestamp.type", "cleanup.policy")
        if key in wanted and actual.get(key) != wanted[key]
    ]
    found += _retention_problems(name, topic, actual)
    least = int(wanted["max.message.bytes"])
    if int(actual.get("max.message.bytes", 0)) < least:
        sentence = f"The topic {name} has max.message.bytes below the {least} that a record may need."
        found.append(Finding(sentence))
    return found


def _retention_problems(name: str, topic: Topic, actual: Mapping[str, str]) -> Iterator[Finding]:
    # The journal grows without a limit and may be cut, but not below the events that it accounts for.
    wanted = (Topic.EVENTS if topic is Topic.JOURNAL else topic).config
    for key, kept_for in _KEPT_FOR.items():
        kept_ms, least_ms = int(actual[key]), int(wanted.get(key, 0))
        if 0 <= kept_ms < least_ms:
            kept, least = (durations.render(timedelta(milliseconds=each)) for each in (kept_ms, least_ms))
            yield Finding(f"The topic {name} keeps {kept_for} for {kept} ({key}), less than {least}.")
    most_bytes = int(actual["retention.bytes"])
    if most_bytes >= 0 and wanted["cleanup.policy"] == "delete":
        yield Finding(
            f"The topic {name} keeps no more than {most_bytes} bytes a partition (retention.bytes), however "
            "young they are, where ticketflow relies on -1: no limit."
        )


def _replication_problems(name: str, partitions: list[Any], actual: Mapping[str, str]) -> list[Finding]:
    replicas = min((len(partition["replica_nodes"]) for partition in partitions), default=0)
    needed = int(actual.get("min.insync.replicas", 1))
    if replicas < needed:
        return [
            Finding(
                f"The topic {name} has {replicas} replicas, fewer than its min.insync.replicas={needed}: "
                "nothing can be written to it."
            )
        ]
    return []


def _describe(admin: Any, names: list[str]) -> list[Any]:
    return list(admin.describe_topics(names)) if names else []  # none named would mean all


def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    described = admin.describe_configs(resources, config_filter="all")
    for name, values in described["topic"].items():
        if not values:  # the client passes over the error in the answer, and no topic is without any setting
            raise ClusterError(
                f"The configuration of the topic {name} cannot be read: check the Kafka settings and rights, "
                "it needs DescribeConfigs.",
                Reason.NOT_AUTHORIZED,
            )
    return {
        name: {key: str(entry["value"]) for key, entry in values.items()}
        for name, values in described["topic"].items()
    }


def _was_created(answer: Mapping[str, Any], name: str) -> bool:
    topic = next(topic for topic in answer["topics"] if topic["name"] == name)
    code = topic["error_code"]
    if code not in (0, _ALREADY_EXISTS):  # another process may create them at the same time
        reason = topic.get("error_message") or f"Kafka's error {code}"
        raise OperationError(f"The topic {name} could not be created: {reason}")
    return bool(code == 0)


@contextmanager
def _admin(options: KafkaOptions, timeout_seconds: float = 10.0) -> Iterator[Any]:
    where = ", ".join(options.bootstrap_servers)
    ours = connection(options, Timeouts(), "ticketflow-admin") | {
        "request_timeout_ms": _TIMEOUT_MS,
        "bootstrap_timeout_ms": milliseconds(timeout_seconds),
    }
    try:
        admin = connect(KafkaAdminClient, **ours)
    except (OSError, ValueError):  # certificates that cannot be loaded
        raise OperationError(_no_answer(where)) from None
    except KafkaError as problem:
        raise _unavailable(_no_answer(where), problem) from None
    try:
        yield admin
    except KafkaError as problem:
        raise _unavailable(
            f"Kafka at {where} refused an administrative request ({type(problem).__name__}).", problem
        ) from None
    finally:
        admin.close()


def _no_answer(where: str) -> str:
    return (
        f"Kafka does not answer at {where}: check TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS and its security "
        "settings, and that the broker runs."
    )


def _unavailable(sentence: str, problem: KafkaError) -> OperationError:
    """Return the error with that sentence: one that may pass, or one that waiting does not help."""
    cured = cure(problem, "an administrative request")
    return (
        ClusterError(sentence, cured.reason) if isinstance(cured, Unavailable) else OperationError(sentence)
    )
