"""How to reach a Kafka cluster, and the time-outs of a worker; for every client and command."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """Where the cluster is and how to log in. `security_protocol` as Kafka names it."""

    bootstrap_servers: tuple[str, ...]
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """A worker's time-outs, in seconds.

    request < delivery < transaction <= session, and far below max_poll: a request that fails must leave
    time to abort before the broker does, and a worker whose transaction the broker aborted must not keep
    its partitions much longer. `stall` ends a process whose client hangs; it is longer than the broker
    needs to abort a dead worker's transaction.
    """

    request_seconds: float = 8.0
    delivery_seconds: float = 10.0
    transaction_seconds: float = 12.0
    session_seconds: float = 15.0
    max_poll_seconds: float = 300.0
    stall_seconds: float = 45.0

    def __post_init__(self) -> None:
        """Refuse an order that breaks the reasoning above. Raises ValueError."""
        ordered = (
            0
            < self.request_seconds
            < self.delivery_seconds
            < self.transaction_seconds
            <= self.session_seconds
        )
        if not ordered or self.session_seconds * 2 > min(self.max_poll_seconds, self.stall_seconds):
            raise ValueError(
                "time-outs must keep request < delivery < transaction <= session, "
                "and session at most half of max_poll and stall"
            )
