"""kafka-python's sender with what `consumers.kafka_python_sender` mends, and no cluster."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import errors
from kafka.net.compat import KafkaNetClient
from kafka.producer.sender import Sender
from kafka.producer.transaction_manager import TransactionManager
from kafka.structs import TopicPartition

from consumers import kafka_python_sender

COORDINATOR = "coordinator-1"
FENCED = (errors.InvalidProducerEpochError, errors.OutOfOrderSequenceNumberError)


@pytest.fixture
def manager() -> TransactionManager:
    """Of a transactional producer on a current cluster."""
    kafka_python_sender.install()
    return TransactionManager(transactional_id="worker-a", api_version=(4, 0))


class Away:
    """Connections of which none comes about: the coordinator does not listen."""

    _conns: dict[str, Any] = {}  # noqa: RUF012 (nobody changes it)
    config = {"request_timeout_ms": 1}  # noqa: RUF012

    def get_connection(self, node_id: str) -> Any:
        raise errors.NodeNotReadyError(node_id)


def _sender(manager: TransactionManager) -> Any:
    """A sender that is not connected, without its thread."""
    client = KafkaNetClient.__new__(KafkaNetClient)
    client._manager = Away()
    sender = Sender.__new__(Sender)
    sender.config = dict(Sender.DEFAULT_CONFIG)
    sender._client, sender._transaction_manager = client, manager
    sender._running, sender._force_close = True, False
    sender._accumulator = SimpleNamespace(has_incomplete=False)
    return sender


def _waiting(manager: TransactionManager) -> Iterator[Any]:
    return (handler for _, _, handler in sorted(manager._pending_requests, key=lambda each: each[:2]))


def test_a_request_of_a_transaction_outlives_a_coordinator_that_is_not_there(
    manager: TransactionManager,
) -> None:
    """It is sent as soon as the coordinator is found again; its result is waited for without a limit."""
    result = manager.initialize_transactions()
    manager._transaction_coordinator = COORDINATOR
    assert _sender(manager)._maybe_send_pending_request()
    lookup, init = _waiting(manager)
    assert (type(lookup).__name__, type(init).__name__) == ("FindCoordinatorHandler", "InitProducerIdHandler")
    assert init.result is result
    assert not result.is_done


@pytest.mark.parametrize("error", FENCED)
def test_a_transactional_producer_that_is_told_its_epoch_is_not_valid_is_at_its_end(
    manager: TransactionManager, error: type[Exception]
) -> None:
    """It gets no new epoch by itself: its transaction is gone, and somebody else may have fenced it."""
    batch = SimpleNamespace(topic_partition=TopicPartition("t", 0))
    assert manager.classify_batch_error(error, batch) == TransactionManager.ERROR_CLASS_FATAL


@pytest.mark.parametrize("error", FENCED)
def test_a_producer_without_transactions_still_gets_a_new_epoch(
    manager: TransactionManager, error: type[Exception]
) -> None:
    """Nothing is fenced but itself, and what waits is sent with the new one."""
    manager.transactional_id = None
    batch = SimpleNamespace(topic_partition=TopicPartition("t", 0))
    assert manager.classify_batch_error(error, batch) == TransactionManager.ERROR_CLASS_NEEDS_EPOCH_BUMP
