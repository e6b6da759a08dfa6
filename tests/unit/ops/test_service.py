"""How our long-running processes are told to end."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from consumers.log import Unavailable
from ops.service import Stop, Stopped, until_told
from tests.support.hooks import SECRET
from tests.support.processes import ROOT

LONG_SECONDS = 300.0
"""What a connection to a silent cluster is given: nobody waits for that."""
PATIENCE_SECONDS = 60.0

PATIENT = {
    "TICKETFLOW_REQUEST_TIMEOUT_SECONDS": str(LONG_SECONDS),
    "TICKETFLOW_TRANSACTION_TIMEOUT_SECONDS": str(LONG_SECONDS + 1),
    "TICKETFLOW_SESSION_TIMEOUT_SECONDS": str(LONG_SECONDS + 2),
    "TICKETFLOW_MAX_POLL_INTERVAL_SECONDS": str(3 * LONG_SECONDS),
}
ROUTES = {
    "TICKETFLOW_NOTIFIER_SMTP_HOST": "localhost",
    "TICKETFLOW_NOTIFIER_SMTP_FROM": "support@example.org",
    "TICKETFLOW_NOTIFIER_WEBHOOK_URL": "http://127.0.0.1:9/",
    "TICKETFLOW_NOTIFIER_WEBHOOK_SECRET": SECRET,
}


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A cluster that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_SECONDS)
        yield server


@pytest.mark.parametrize("command", ["worker", "exporter", "notifier"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_waits_for_a_silent_cluster_ends_at_once_when_told(
    command: str, number: signal.Signals, silent: socket.socket
) -> None:
    """It was asked to end, so it has not failed: status 0 and no sentence, long before the time-out."""
    address = f"127.0.0.1:{silent.getsockname()[1]}"
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.cli", command],
        cwd=ROOT,
        env={**os.environ, **PATIENT, **ROUTES, "TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS": address},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with silent.accept()[0]:
            process.send_signal(number)
            _, said = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert "does not answer" not in said
    assert f"{command} ended" in said


def test_a_signal_raises_only_where_that_leaves_nothing_half_done() -> None:
    """Outside `interrupting` it sets the flag, and the loop comes to its end."""
    with until_told(None) as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        with pytest.raises(Stopped), stop.interrupting():
            raise AssertionError("a request that came before ends it before it begins")


def test_who_is_told_to_end_has_not_failed() -> None:
    """Stopped ends the body of `until_told` in order; the next signal has the handler of before again."""
    before = signal.getsignal(signal.SIGTERM)
    reached = False
    with until_told(None) as stop, stop.interrupting():
        signal.raise_signal(signal.SIGTERM)
        reached = True
    assert (stop.requested, reached) == (True, False)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.timeout(60)  # it would wait for ever
def test_a_wait_is_interrupted_that_the_signal_itself_has_not_interrupted() -> None:
    """Another thread takes the signal, as if it had come in the moment in which the wait began."""

    def takes_it() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    with until_told(None) as stop, stop.interrupting():
        threading.Timer(0.1, takes_it).start()
        threading.Event().wait()
    assert stop.requested


def test_a_failure_after_the_request_is_of_interest_to_nobody() -> None:
    """A client that swallows what the signal raised fails a little later, and that is no failure then."""
    stop = Stop()

    def swallows_and_fails() -> None:
        with suppress(Stopped):
            stop.signalled(signal.SIGTERM, None)
        raise Unavailable("nobody answers")

    with pytest.raises(Stopped), stop.interrupting():
        swallows_and_fails()


def test_a_failure_without_a_request_is_one() -> None:
    """Who was not told to end hears what is wrong."""
    with pytest.raises(Unavailable), Stop().interrupting():
        raise Unavailable("nobody answers")
