"""Two errors that kafka-python 3.0.12's producer passes over in silence; `install` lets it act on them.

Both leave a transaction waiting, with nothing under way and no error to be seen. Neither needs more than a
cluster that is slow or away for a moment.

- Before it sends a request of a transaction the sender asks whether the coordinator is connected, and
  expects False where it is not (`Sender._maybe_send_pending_request`). But `await_ready` raises then; and the
  request, out of its queue by that time, is forgotten: its result never comes.
- Told by one partition that its epoch or sequence is not valid, a transactional producer gets a new epoch by
  itself, within the transaction (`TransactionManager.bump_producer_id_and_epoch`). What waits for its other
  partitions is never sent; and where another had fenced it, it may fence that one in turn.
"""

from typing import Any

from kafka import errors
from kafka.net.compat import KafkaNetClient
from kafka.producer.transaction_manager import TransactionManager

_await_ready_strictly = KafkaNetClient.await_ready
_supports_epoch_bump = TransactionManager._supports_epoch_bump


def _await_ready(client: Any, node_id: Any, timeout_ms: float = 30_000) -> bool:
    """Whether a node is connected, after waiting for it."""
    try:
        return bool(_await_ready_strictly(client, node_id, timeout_ms))
    except errors.KafkaError:
        return False


def _may_bump_its_epoch(manager: Any) -> bool:
    """Not within a transaction: the error is final then, and the producer is thrown away with it."""
    return not manager.is_transactional() and _supports_epoch_bump(manager)


def install() -> None:
    """Replace the methods; again and again does no harm."""
    KafkaNetClient.await_ready = _await_ready
    TransactionManager._supports_epoch_bump = _may_bump_its_epoch
