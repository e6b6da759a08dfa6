"""Logging to stderr, and the check that our generic package names are ours."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import sys
from pathlib import Path
from typing import Final, Literal

import structlog
from structlog.typing import Processor

from ops import OperationError

DISTRIBUTION = "ticketflow"
PACKAGES = ("schemas", "workflow", "consumers", "producers", "simulator", "ops")

STARTS: Final = "ops.starts"
"""The logger of the lines that say where a program is reached. `up` reads them, so they come at any level."""

# At INFO these tell of every connection and job; at DEBUG kafka-python prints its passwords, too.
_NOISY = ("kafka", "apscheduler")


def configure_logging(level: str = "info", log_format: Literal["auto", "console", "json"] = "auto") -> None:
    """Send our logs and those of libraries to stderr: JSON lines, or for people on a terminal.

    Call it once, at start. `level`: debug, info, warning or error.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    readable = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        structlog.processors.StackInfoRenderer(),
    ]
    render: list[Processor] = (
        # Without local variables: they hold tickets, and so people's data.
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    for name in _NOISY:
        least = logging.INFO if threshold == logging.DEBUG else logging.WARNING
        logging.getLogger(name).setLevel(max(threshold, least))
    logging.getLogger(STARTS).setLevel(min(threshold, logging.INFO))
    # It warns of every illegal transition, for which there is a dead letter.
    logging.getLogger("transitions").setLevel(logging.ERROR)


def check_package_names() -> None:
    """Refuse to run when one of our generic package names is imported from elsewhere.

    Raises:
        OperationError: a sentence that names the package and where it comes from.
    """
    ours = Path(__file__).resolve().parent.parent
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        places = list(spec.submodule_search_locations or ()) if spec else []
        if Path(places[0] if places else "").resolve() != ours / package:
            raise OperationError(
                f"The package {package!r} is not ticketflow's own but {_owner(package, places)}'s: install "
                "ticketflow into an environment of its own."
            )


def _owner(package: str, places: list[str]) -> str:
    others = set(importlib.metadata.packages_distributions().get(package, ())) - {DISTRIBUTION}
    return sorted(others)[0] if others else (places[0] if places else "nobody")
