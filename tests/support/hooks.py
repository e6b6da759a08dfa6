"""A real HTTP server on loopback that keeps what is posted, and misbehaves when it is told to."""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_HANG_SECONDS: Final = 60.0
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Post:
    """A request that came, whatever the answer was. `headers`: names in lower case."""

    headers: Mapping[str, str]
    body: str

    @property
    def id(self) -> str:
        """The webhook-id."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        """The `data` of the body."""
        return dict(json.loads(self.body)["data"])


@dataclass(frozen=True)
class Answer:
    """What the server answers. `drop`: nothing, and the connection is closed; `hang`: nothing.

    `drips`: its body comes byte by byte, at intervals of so many seconds, and does not end.
    """

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: bool = False
    drips: float = 0.0


class HookServer:
    """Answers 204 until `says` has another idea. Used as a context manager. With `identity` it speaks TLS."""

    def __init__(self, identity: ssl.SSLContext | None = None) -> None:
        self._identity = identity
        self.says: Callable[[Post], Answer] = lambda post: Answer()  # noqa: ARG005 (each of them)
        self._posts: list[tuple[Post, Answer]] = []
        self._lock = threading.Lock()
        self.ending = threading.Event()

    def __enter__(self) -> "HookServer":
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if self._identity is not None:
            plain = self._server.socket
            self._server.socket = self._identity.wrap_socket(plain, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "http" if self._identity is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}/notifications"

    def posts(self) -> list[Post]:
        """Everything that came, in order."""
        with self._lock:
            return [post for post, _ in self._posts]

    def taken(self) -> list[Post]:
        """What was answered with 2xx, or would have been but for the connection."""
        with self._lock:
            return [post for post, answer in self._posts if 200 <= answer.status <= 299]

    def receive(self, post: Post) -> Answer:
        """Keep it and say what to answer."""
        answer = self.says(post)
        with self._lock:
            self._posts.append((post, answer))
        return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what some tests want."""


def _handler(server: HookServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            content = self.rfile.read(size)
            if len(content) < size:  # its sender was killed: that is no request
                self.close_connection = True
                return
            body = content.decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.receive(Post(headers, body))
            if answer.hang:
                server.ending.wait(_HANG_SECONDS)
            if answer.hang or answer.drop:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "1000" if answer.drips else "0")
            self.end_headers()
            while answer.drips and not server.ending.wait(answer.drips):
                self.wfile.write(b".")

        def log_message(self, *args: object) -> None:
            """Tests look at what came."""

    return Handler


@contextlib.contextmanager
def hook_server(identity: ssl.SSLContext | None = None) -> Iterator[HookServer]:
    """A server for the time of a test."""
    with HookServer(identity) as server:
        yield server
