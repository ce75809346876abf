import io
import json
import logging

import pytest

from api.logs import REQUEST_ID, JsonFormatter, _PlainFormatter, describe, set_up_logs, with_fields

MARKER = "zebrawood"


def fail():
    raise ValueError(MARKER)


PLACE = f"ValueError in test_logs.py, line {fail.__code__.co_firstlineno + 1}"


def record_of(exc_info=None, **extra):
    record = logging.LogRecord("api.x", logging.WARNING, __file__, 1, "a %s", ("word",), exc_info)
    record.__dict__ |= extra
    return record


def test_a_line_is_json_with_fields_of_its_own():
    line = json.loads(JsonFormatter().format(record_of(**with_fields(status=200, route="/v1/rules"))))
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "warning", "logger": "api.x", "message": "a word", "status": 200, "route": "/v1/rules"}


def test_a_line_names_the_request():
    token = REQUEST_ID.set("r-1")
    try:
        assert json.loads(JsonFormatter().format(record_of()))["request_id"] == "r-1"
    finally:
        REQUEST_ID.reset(token)


@pytest.mark.parametrize("formatter", [JsonFormatter(), _PlainFormatter()])
def test_an_exception_is_told_without_its_message(formatter):
    try:
        fail()
    except ValueError as error:
        line = formatter.format(record_of((ValueError, error, error.__traceback__)))
    assert (MARKER in line, PLACE in line) == (False, True)


def test_describe_names_the_innermost_place():
    with pytest.raises(ValueError, match=MARKER) as caught:
        fail()
    assert describe(caught.value) == PLACE


def test_a_line_stays_one_line():
    record = logging.LogRecord("x", logging.INFO, "", 1, "a\nb\u2028c", (), None)
    assert len(JsonFormatter().format(record).splitlines()) == 1


@pytest.fixture
def restored():
    """Put the logs of the process back as they were."""
    root = logging.getLogger()
    names = ("uvicorn", "uvicorn.error", "uvicorn.access", "sqlalchemy", "alembic", "asyncio", "multipart", "httpx")
    loggers = [root, *map(logging.getLogger, (*names, "python_multipart"))]
    before = [(logger, logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    yield
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate
    logging.captureWarnings(False)


def test_every_logger_writes_to_the_stream_but_the_one_that_writes_paths(restored):
    stream = io.StringIO()
    set_up_logs("info", stream)
    logging.getLogger("api.x").info("one")
    logging.getLogger("api.x").debug("two")
    logging.getLogger("uvicorn.error").info("three")
    logging.getLogger("uvicorn.access").info("four")
    logging.getLogger("sqlalchemy.engine").info("five")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["one", "three"]
