"""What can happen to a Kafka cluster: rights that are taken away, topics that go, limits, a full disk."""

import resource
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from ops import embedded
from ops.embedded import EmbeddedBroker
from ops.settings import Settings
from tests.support.processes import Worker

_AUTHORIZER = (
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
    "allow.everyone.if.no.acl.found=true\n"
)
_EVERYBODY = "User:ANONYMOUS"
QUICK = {
    "TICKETFLOW_REQUEST_TIMEOUT_SECONDS": "2",
    "TICKETFLOW_TRANSACTION_TIMEOUT_SECONDS": "5",
    "TICKETFLOW_SESSION_TIMEOUT_SECONDS": "6",
    "TICKETFLOW_MAX_POLL_INTERVAL_SECONDS": "60",
}
"""Time-outs as short as a broker allows, so that a test need not wait long for a worker to notice."""


@contextmanager
def authorizing_broker(directory: Path) -> Iterator[EmbeddedBroker]:
    """A broker that knows rights. As long as a resource has none everybody may do everything with it."""
    plain = embedded.server_properties
    with patch.object(embedded, "server_properties", lambda *each: plain(*each) + _AUTHORIZER):
        broker = EmbeddedBroker(
            Settings(data_dir=directory, embedded_port=0, embedded_start_timeout_seconds=240)
        )
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


class Administrator:
    """Somebody who changes a cluster under the feet of its workers."""

    def __init__(self, servers: str) -> None:
        self._admin = KafkaAdminClient(bootstrap_servers=servers.split(","))

    def revoke(self, kind: ResourceType, name: str, operation: ACLOperation) -> None:
        """Take one right to a resource away from everybody; the others stay."""
        resource_ = ResourcePattern(kind, name)
        rules = ((ACLOperation.ALL, ACLPermissionType.ALLOW), (operation, ACLPermissionType.DENY))
        done = self._admin.create_acls([ACL(_EVERYBODY, "*", *rule, resource_) for rule in rules])
        assert not done["failed"]

    def grant(self, kind: ResourceType, name: str) -> None:
        """Give everybody all rights to a resource again."""
        pattern = ResourcePatternFilter(kind, name, ACLResourcePatternType.LITERAL)
        self._admin.delete_acls(
            [ACLFilter(_EVERYBODY, "*", ACLOperation.ANY, ACLPermissionType.ANY, pattern)]
        )

    def delete(self, topic: str) -> None:
        """Delete a topic."""
        self._admin.delete_topics([topic])

    def limit(self, topic: str, max_bytes: int) -> None:
        """Set the largest batch that a topic takes."""
        change = {"max.message.bytes": str(max_bytes)}
        self._admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, change)])

    def close(self) -> None:
        """Let go of the connection."""
        self._admin.close()


def let_files_grow(broker: EmbeddedBroker, max_bytes: int = resource.RLIM_INFINITY) -> None:
    """Let no file of the broker grow beyond that: a write fails as it does on a disk that is full."""
    resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (max_bytes, resource.RLIM_INFINITY))


def probe(worker: Worker, path: str) -> tuple[int, str]:
    """Status and text of one of a worker's probes."""
    address = str(worker.await_line(f"{worker.command} started")["metrics"])
    try:
        with urllib.request.urlopen(address.replace("/metrics", path), timeout=10) as answer:  # noqa: S310 (our own, on loopback)
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode().strip()


def blocked(worker: Worker) -> set[str]:
    """The reasons for which a worker says that it cannot go on."""
    head = 'ticketflow_worker_blocked{reason="'
    lines = [line for line in worker.metrics().splitlines() if line.startswith(head)]
    return {line.removeprefix(head).partition('"')[0] for line in lines if line.endswith(" 1.0")}


def attempts(worker: Worker) -> int:
    """How often a worker has started over."""
    head = 'ticketflow_transactions_total{outcome="restarted"} '
    return next(
        int(float(line.removeprefix(head))) for line in worker.metrics().splitlines() if line.startswith(head)
    )
