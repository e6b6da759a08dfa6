"""The HTTP endpoint beside a process, on loopback: `/metrics`, `/livez` and `/readyz`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ops import OperationError

_HOST: Final = "127.0.0.1"
_PORTS_TRIED: Final = 100
_REQUEST_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.2


class Endpoint:
    """Serves until it is closed, in threads of its own.

    `alive` and `ready` are asked from those threads, and must only look.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        alive: Callable[[], bool],
        ready: Callable[[], bool],
        *,
        port: int,
        or_next_free: bool,
    ) -> None:
        """Listen on `port` (0: any free one), `or_next_free` one above. Raises OperationError."""
        self._registry, self._alive, self._ready = registry, alive, ready
        self._server = _listen(_handler(self), port, or_next_free=or_next_free)
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
                return _verdict(self._alive(), "alive", "the loop does not turn")
            case "/readyz":
                return _verdict(self._ready(), "ready", "no partition is restored yet")
        return 404, "text/plain", b"there is /metrics, /livez and /readyz\n"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _verdict(good: bool, yes: str, no: str) -> tuple[int, str, bytes]:
    return (200, "text/plain", f"{yes}\n".encode()) if good else (503, "text/plain", f"{no}\n".encode())


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

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away in the middle is no news either."""


def _listen(handler: type[BaseHTTPRequestHandler], port: int, *, or_next_free: bool) -> _Server:
    last = min(port + _PORTS_TRIED, 65_535) if or_next_free and port else port
    reason: str | None = None
    for candidate in range(port, last + 1):
        try:
            return _Server((_HOST, candidate), handler)
        except OSError as problem:
            reason = problem.strerror
    tried = f"Port {port}" if last == port else f"Each port from {port} to {last}"
    raise OperationError(
        f"{tried} cannot be used for metrics ({reason}): set TICKETFLOW_METRICS_PORT to another port (0: any "
        "free one)."
    )
