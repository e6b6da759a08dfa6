"""Replays as tests need them: of files, or of lines to files that are open already."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

from ops.cli_replay import DEFAULT_BATCH
from ops.policies import load
from ops.replay import Written, until_instant, write
from ops.replay_events import Files, from_lines
from ops.replay_player import Player, Summary
from workflow.policy import Policies


def replay(
    events: Sequence[Path], policy: Path | None, until: str, out: Path, batch: int = DEFAULT_BATCH
) -> Summary:
    """What the command does with files."""
    end, policies = until_instant(until), load(policy)
    return write(Files(events), policies, end, out, batch)


class Run:
    """A replay of lines to files that are open already."""

    def __init__(self, policies: Policies, files: Mapping[str, IO[bytes]], batch: int) -> None:
        self._player = Player(policies, Written(files), batch)

    def feed(self, lines: Iterator[bytes]) -> Iterator[int]:
        """See `Player.feed`."""
        return self._player.feed(from_lines(lines))

    def finish(self, until: datetime) -> Summary:
        """Fire what is due before `until`, write the states, and say what was done."""
        for _ in self._player.fire(until):
            pass
        return self._player.end()
