"""Logging, and the check that our package names are ours."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from ops import OperationError
from ops.logs import PACKAGES, STARTS, check_package_names, configure_logging


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


def test_logs_are_json_lines_on_stderr_when_it_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Our logs and those of libraries are one JSON object a line, on stderr alone."""
    configure_logging()
    structlog.get_logger("ops").info("started", ticket="T-1")
    logging.getLogger("library").warning("careful: %s", 1)
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert [(line["event"], line["level"]) for line in lines] == [
        ("started", "info"),
        ("careful: 1", "warning"),
    ]
    assert lines[0]["ticket"] == "T-1"


def test_where_a_program_is_reached_is_told_at_any_level(capsys: pytest.CaptureFixture[str]) -> None:
    """`up` reads it there, so it comes although only errors are wanted."""
    configure_logging("error")
    structlog.get_logger("ops").info("left out")
    structlog.get_logger(STARTS).info("worker started")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["worker started"]


def test_the_client_never_logs_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """Even at debug kafka-python's own debug lines, which show passwords, are left out."""
    configure_logging("debug")
    logging.getLogger("kafka.admin.client").debug("Starting with configuration: hunter2")
    assert capsys.readouterr().err == ""


def test_a_refused_transition_is_told_by_its_dead_letter_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """What the state machine itself says of illegal transitions is left out."""
    configure_logging()
    logging.getLogger("transitions.core").warning("Can't trigger event created from state CLOSED!")
    assert capsys.readouterr().err == ""


def test_local_variables_are_not_in_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback in the log shows code, never the values it worked on."""
    configure_logging(log_format="console")
    try:
        phone = "+7 900 " + "000-00-00"
        raise RuntimeError(f"broken after {len(phone)} characters")
    except RuntimeError:
        structlog.get_logger("ops").exception("a bug")
    err = capsys.readouterr().err
    assert "RuntimeError" in err
    assert "000-00-00" not in err


def test_our_packages_are_ours() -> None:
    """In this environment nothing shadows the generic names."""
    check_package_names()


def test_a_shadowed_package_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package of our name from elsewhere stops the start with a sentence that names it."""
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] in PACKAGES and "ops" not in name]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(
        OperationError, match=r"The package 'schemas' is not ticketflow's own .* of its own\.$"
    ):
        check_package_names()
