"""The HTTP endpoint beside a process, on loopback: `/metrics`, `/livez` and `/readyz`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ops import OperationError

_log = structlog.get_logger(__name__)

_HOST: Final = "127.0.0.1"
_PORTS_TRIED: Final = 100
_REQUEST_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.2


class Endpoint:
    """Serves until it is closed, in threads of its own.

    `alive` and `not_ready` are asked from those threads, and must only look.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        alive: Callable[[], bool],
        not_ready: Callable[[], str | None],
        *,
        setting: str,
        port: int,
        or_next_free: bool,
    ) -> None:
        """Listen on `port` (0: any free one), `or_next_free` one above. Raises OperationError.

        `not_ready` is what `/readyz` says, None once it is ready; `setting` names the port in an error.
        """
        self._registry, self._alive, self._not_ready = registry, alive, not_ready
        self._server = _listen(_handler(self), port, setting, or_next_free=or_next_free)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="http", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it answers, without a path."""
        return f"http://{_HOST}:{self._server.server_address[1]}"

    def answer(self, path: str, accept: str) -> tuple[int, str, bytes]:
        """Return status, content type and body for a path."""
        match path.partition("?")[0]:
            case "/metrics":
                encode, content_type = choose_encoder(accept)
                return 200, content_type, encode(self._registry)
            case "/livez":
                return _verdict("alive", None if self._alive() else "the loop does not turn")
            case "/readyz":
                return _verdict("ready", self._not_ready())
        return 404, "text/plain", b"there is /metrics, /livez and /readyz\n"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _verdict(good: str, problem: str | None) -> tuple[int, str, bytes]:
    if problem is None:
        return 200, "text/plain", f"{good}\n".encode()
    return 503, "text/plain", f"{problem}\n".encode()


def _handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_SECONDS

        def do_GET(self) -> None:
            status, content_type, body = endpoint.answer(self.path, self.headers.get("Accept", ""))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """A scrape every few seconds is no news."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 (the library's)
        """Log what kept a request from its answer, but for a client that went away in the middle."""
        problem = sys.exc_info()[1]
        if not isinstance(problem, OSError):  # its own text may quote a record
            _log.error("a request was not answered", problem=type(problem).__name__)


def _listen(handler: type[BaseHTTPRequestHandler], port: int, setting: str, *, or_next_free: bool) -> _Server:
    last = min(port + _PORTS_TRIED, 65_535) if or_next_free and port else port
    reason: str | None = None
    for candidate in range(port, last + 1):
        try:
            return _Server((_HOST, candidate), handler)
        except OSError as problem:
            reason = problem.strerror
    tried = f"Port {port}" if last == port else f"Each port from {port} to {last}"
    raise OperationError(
        f"{tried} cannot be used for metrics ({reason}): set {setting} to another port (0: any free one)."
    )
