"""The process between us and the broker's Java: it outlives us just long enough to end the broker.

It is run as a file of its own with the standard library only, so that it starts at once and stays small.
We hold the other end of its standard input, and the kernel closes that whatever way we end, kill -9
included. Should it be killed itself, Linux kills the Java with it.

Arguments: the file to remove when the broker ends, the file for the broker's output, the file descriptor
that Java keeps open (the lock on the data), the seconds that a clean end may take, then Java's command.
It prints Java's process id on one line, and ends with Java's exit status.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with(parent: int) -> Callable[[], None] | None:
    """Return what a child runs before its program so that it is killed when `parent` ends (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the kernel knew that we want to hear of it
            os._exit(1)

    return prepare


def end(child: "subprocess.Popen[bytes]", note: str, grace_seconds: float) -> None:
    """Let nobody find the broker any more, ask it to end, and kill it when it does not."""
    with suppress(FileNotFoundError):
        os.unlink(note)
    child.terminate()
    try:
        child.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        child.kill()


def main() -> int:
    """Run the broker until it ends, until our starter ends, or until we are told to end it."""
    note, output, lock, grace_seconds, *command = sys.argv[1:]
    with open(output, "wb") as console:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            pass_fds=(int(lock),),
            preexec_fn=die_with(os.getpid()),
        )
    os.close(int(lock))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with suppress(BrokenPipeError):
        print(child.pid, flush=True)

    def watch_starter() -> None:
        while os.read(0, 1):
            pass
        stop.set()

    def watch_child() -> None:
        child.wait()
        stop.set()

    for watch in (watch_starter, watch_child):
        threading.Thread(target=watch, daemon=True).start()
    stop.wait()
    end(child, note, float(grace_seconds))
    status = child.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    # Not sys.exit: a thread that waits for standard input must not hold up the end.
    os._exit(main())
