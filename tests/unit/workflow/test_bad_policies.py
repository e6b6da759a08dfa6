"""The bad policies of `tests/bad_policies`: each is refused with exactly what its first lines say.

A file begins with a comment for each problem, `# LINE: sentence`, and one that says what is wrong in it. A
folder holds two versions that do not go together; its own path is FOLDER in the sentences.
"""

import re
from pathlib import Path

import pytest

from ops import policies
from workflow.policy_file import PolicyError

FOLDER = Path(__file__).parents[2] / "bad_policies"
BAD = sorted(FOLDER.iterdir())
_FINDING = re.compile(r"# ([0-9]+): (.+)")


def expected(path: Path) -> list[str]:
    """What `policy check` is to print, by the comments at the head of the files."""
    found = []
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        for line in file.read_text(encoding="utf-8").splitlines():
            finding = _FINDING.fullmatch(line)
            if finding is None:
                break
            found.append(f"{file}:{finding[1]}: {finding[2].replace('FOLDER', str(path))}")
    return found


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_a_bad_policy_is_refused_with_line_and_reason(path: Path) -> None:
    """A worker that loads it and `policy check` refuse it alike, with these findings and no other."""
    assert expected(path)
    for read in (policies.load, policies.reviewed):
        with pytest.raises(PolicyError) as caught:
            read(path)
        assert [str(problem) for problem in caught.value.problems] == expected(path)


def test_there_are_enough_of_them() -> None:
    """At least sixty ways to get a policy wrong, each bad in a way of its own."""
    firsts = {"".join(each.split(": ", 1)[1] for each in expected(path)) for path in BAD}
    assert len(BAD) >= 60
    assert len(firsts) >= 55
