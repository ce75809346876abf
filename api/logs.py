"""Structured logs: one JSON object a line, with the request's id, and never anything that was sent."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

REQUEST_ID: ContextVar[str | None] = ContextVar("cuewise_request_id", default=None)
_FIELDS = "cuewise_fields"  # what a record carries beside its message


def request_id() -> str | None:
    """Return the id of the request that is being answered; None outside of one."""
    return REQUEST_ID.get()


def describe(error: BaseException) -> str:
    """Return the type of an exception and where it was raised, without its message: that may quote a note.

    Examples
    --------
    >>> describe(ValueError("the text of a note"))
    'ValueError at an unknown place'
    """
    traceback = error.__traceback__
    if traceback is None:
        return f"{type(error).__name__} at an unknown place"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    file = Path(traceback.tb_frame.f_code.co_filename).name
    return f"{type(error).__name__} in {file}, line {traceback.tb_lineno}"


def with_fields(**values: object) -> dict[str, dict[str, object]]:
    """Return what goes into ``extra`` of a logging call, so that values stand in fields of their own."""
    return {_FIELDS: values}


class JsonFormatter(logging.Formatter):
    """Writes a log record as one line of JSON; of an exception only type and place."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if asked := request_id():
            line["request_id"] = asked
        line |= getattr(record, _FIELDS, {})
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True, default=str)


class _PlainFormatter(logging.Formatter):
    """The same for a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        error = record.exc_info[1] if record.exc_info else None
        told = f" ({describe(error)})" if error else ""
        seconds = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        return f"{seconds} {record.levelname.lower():<7} {record.getMessage()}{told}"


def set_up_logs(level: str, stream: TextIO | None = None) -> None:
    """Send every log of the process to a stream, as JSON unless it is a terminal; standard error if none is given."""
    chosen = stream or sys.stderr
    handler = logging.StreamHandler(chosen)
    handler.setFormatter(_PlainFormatter() if chosen.isatty() else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # Its lines hold paths and queries; ours name the route.
    logging.getLogger("uvicorn.access").handlers.clear()
    logging.getLogger("uvicorn.access").propagate = False
    for name in ("sqlalchemy", "alembic", "asyncio", "multipart", "python_multipart", "httpx", "httpx2"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))  # in detail they write what passes by
