import json

import pytest
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from analyzer.errors import ConfigError, ModelError, NoteError
from api.errors import Problem, problem_response, to_problem

MARKER = "Zebrawood"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NoteError("bad-date", "expected a date", field="date_of_service"), 422, "bad-date"),
        (NoteError("file-too-large", "the attachment has 9 bytes; the limit is 1"), 413, "file-too-large"),
        (ModelError(f"{MARKER}.npz is missing"), 503, "model"),
        (ConfigError(f"{MARKER}.toml: wrong"), 500, "internal"),
        (ValueError(MARKER), 500, "internal"),
        (OperationalError(MARKER, {"text": MARKER}, ValueError(MARKER)), 503, "database"),
        (HTTPException(400, MARKER), 400, "bad-body"),
        (HTTPException(404, MARKER), 404, "not-found"),
        (HTTPException(405, MARKER, {"Allow": "GET"}), 405, "method-not-allowed"),
    ],
)
def test_each_exception_has_a_status_and_a_code_and_is_not_repeated(error, status, code):
    response = problem_response(to_problem(error))
    told = json.loads(response.body)
    assert (response.status_code, told["status"], told["code"], told["type"]) == (
        status,
        status,
        code,
        f"urn:cuewise:problem:{code}",
    )
    assert MARKER not in response.body.decode()


def test_a_note_error_keeps_its_words_and_its_field():
    told = json.loads(problem_response(to_problem(NoteError("bad-date", "expected a date", field="dos"))).body)
    assert (told["title"], told["detail"], told["field"]) == ("The note cannot be read.", "Expected a date", "dos")


def test_headers_go_with_the_answer():
    response = problem_response(Problem(429, "too-many-requests", "Too many.", headers={"Retry-After": "3"}))
    assert (response.headers["retry-after"], response.media_type) == ("3", "application/problem+json")


def test_fields_at_fault_are_listed():
    problem = Problem(422, "invalid-request", "Not as expected.", errors=[("text", "missing"), (None, "unknown")])
    assert json.loads(problem_response(problem).body)["errors"] == [
        {"field": "text", "message": "missing"},
        {"field": None, "message": "unknown"},
    ]
