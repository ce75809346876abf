"""What goes wrong, as ``application/problem+json`` (RFC 9457). Nothing of a request is ever repeated in it."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from analyzer.errors import AnalyzerError, ModelError, NoteError
from api.logs import describe, request_id

_LOG = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:cuewise:problem:"
_MOST_ERRORS = 20  # of a body in which everything is wrong


class Problem(HTTPException):
    """An answer that says what is wrong.

    Parameters
    ----------
    status : int
    code : str
        Stable name of the problem in kebab-case, such as ``note-too-long``.
    title : str
        What is wrong, in words that are the same each time.
    detail : str, optional
        What to do about it; fixed words and numbers of ours, never anything of the request.
    errors : sequence of (str or None, str)
        Field and message, where several fields are at fault.
    headers : mapping, optional
        Of the answer, such as ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        *,
        detail: str | None = None,
        field: str | None = None,
        errors: Sequence[tuple[str | None, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, title, dict(headers or {}))
        self.code = code
        self.title = title
        self.explanation = detail
        self.field = field
        self.errors = tuple(errors)


def problem_response(problem: Problem) -> Response:
    """Return the answer that tells of a problem."""
    members: dict[str, object] = {
        "type": f"{_TYPE}{problem.code}",
        "title": problem.title,
        "status": problem.status_code,
        "code": problem.code,
    }
    if problem.explanation:
        members["detail"] = problem.explanation
    if problem.field:
        members["field"] = problem.field
    if problem.errors:
        members["errors"] = [{"field": field, "message": message} for field, message in problem.errors]
    if asked := request_id():
        members["request_id"] = asked
    content = json.dumps(members, ensure_ascii=False).encode()
    return Response(content, problem.status_code, problem.headers, MEDIA_TYPE)


def of_note_error(error: NoteError) -> Problem:
    """Return the problem of a note that cannot be read: 422, and 413 where it is too large."""
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if error.code == "file-too-large" else HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = error.message[:1].upper() + error.message[1:]
    return Problem(status, error.code, "The note cannot be read.", detail=sentence, field=error.field)


def internal_problem() -> Problem:
    """Return what is said of a fault of ours."""
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal",
        "Cuewise failed on this request.",
        detail="Nothing of it was kept. Please report this with the request_id.",
    )


def to_problem(error: Exception) -> Problem:
    """Return the problem that an exception is told as; one that nobody expected is logged, without its message."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, NoteError):
        return of_note_error(error)
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    if isinstance(error, HTTPException):
        return _of_status(error)
    if isinstance(error, ModelError):
        _LOG.error("the model cannot be used: %s", describe(error))
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "model", "The model cannot be used at present.")
    if isinstance(error, SQLAlchemyError):
        _LOG.error("the database cannot be used: %s", describe(error))
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "database", "The database cannot be used at present.")
    _LOG.error("a request failed: %s", describe(error))
    return internal_problem()


def _of_status(error: HTTPException) -> Problem:
    """Return a problem for what the framework refuses; its own words may repeat what was sent."""
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.BAD_REQUEST:
        return Problem(status, "bad-body", "The body cannot be read.", headers=error.headers)
    code = status.phrase.lower().replace(" ", "-").replace("'", "")
    return Problem(status, code, f"{status.phrase}.", headers=error.headers)


# What pydantic says of these kinds of error holds nothing of the input, but for limits and names of types of ours.
_SAFE_KINDS = frozenset(
    {
        "missing",
        "extra_forbidden",
        "string_type",
        "string_too_short",
        "string_too_long",
        "string_pattern_mismatch",
        "int_type",
        "int_from_float",
        "int_parsing",
        "float_type",
        "float_parsing",
        "bool_type",
        "bool_parsing",
        "list_type",
        "dict_type",
        "too_long",
        "too_short",
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "finite_number",
        "literal_error",
        "enum",
        "model_attributes_type",
        "model_type",
    }
)
_OTHER_WORDS = {
    "json_invalid": "not valid JSON",
    "extra_forbidden": "there is no such field",
    "missing": "this field is missing",
    "model_attributes_type": "expected an object",
    "model_type": "expected an object",
    "union_tag_not_found": "expected a record, or a FHIR resource that holds a note",
    "iso_date": "expected a date as YYYY-MM-DD",
}


def _of_validation(error: RequestValidationError) -> Problem:
    errors = error.errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return Problem(HTTPStatus.BAD_REQUEST, "bad-json", "The body is not valid JSON.")
    told = [(_field(each["loc"], each["type"]), _message(each)) for each in errors[:_MOST_ERRORS]]
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "The request is not as expected.", errors=told)


def _field(loc: Iterable[object], kind: str) -> str | None:
    """Return the way to a field, without what the caller may have made up: a name that we do not know."""
    place, *rest = map(str, loc)
    if place != "body":  # the name of a parameter, which a route has given
        return ".".join([place, *rest])
    if kind == "extra_forbidden":
        rest = rest[:-1]
    return ".".join(part for part in rest if part.isdigit() or part in _field_names()) or None


@cache
def _field_names() -> frozenset[str]:
    """Return the names of the fields of every model of ours."""
    models, names = [BaseModel], set[str]()
    while models:
        model = models.pop()
        models += model.__subclasses__()
        if model.__module__.startswith("api."):
            names |= {name for own, field in model.model_fields.items() for name in (own, field.alias) if name}
    return frozenset(names)


def _message(error: Mapping[str, object]) -> str:
    kind = str(error["type"])
    if kind in _OTHER_WORDS:
        return _OTHER_WORDS[kind]
    return str(error["msg"]) if kind in _SAFE_KINDS else "not as expected"


def add_handlers(app: FastAPI) -> None:
    """Let an app tell every exception as a problem."""

    async def handle(request: Request, error: Exception) -> Response:
        return problem_response(to_problem(error))

    for kind in (AnalyzerError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handle)


_PHRASES = {
    400: "The body cannot be read.",
    401: "An API token is needed.",
    403: "The token may not do this.",
    404: "There is no such thing.",
    408: "The body came too slowly.",
    409: "Not in the state that it is in.",
    406: "It does not come in this form.",
    410: "It is no more.",
    412: "The note could not be had.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The request, or the note, is not as expected.",
    429: "Too many requests.",
    503: "Not at present.",
    504: "It took too long.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, object]]:
    """Return what OpenAPI says of the problems that a route may answer with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    return {status: {"description": _PHRASES[status], "content": content} for status in statuses}
