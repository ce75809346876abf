"""Many notes at once: sent and accepted, worked off in order by other processes, read when they are done."""

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from analyzer.report import write
from analyzer.types import Result
from api.auth import Caller, require
from api.bodies import JsonRoute
from api.convert import json_bytes
from api.errors import Problem, problems
from api.fhir import write_bundle
from api.intake import Upload, read_batch, read_upload
from api.limits import Slots
from api.logs import request_id
from api.migrations import is_current
from api.rest import to_versions
from api.service import Service, ServiceDep
from api.store import Batch, BatchGoneError, KeyReusedError, NoSuchBatchError, State, Store
from api.work import BatchCollector, Workforce, open_store

router = APIRouter(route_class=JsonRoute)

_INTAKES_AT_ONCE = 2  # uploads that are read at the same time: each may take some hundred megabytes
_WHOLE_AT_ONCE = 1  # answers that are made whole before their first byte can go
_WHOLE_WAITING = 4  # those that may wait for it, each in a thread of its own
_TOGETHER = 64  # results that are written in one piece
_PIECE_BYTES = 1 << 18
_ID_CHARS = 200  # of a note's id in the audit trail; what is longer is none, and may be anything

Format = Literal["jsonl", "csv", "xlsx", "html", "fhir"]
_TYPES: dict[str, str] = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
    "fhir": "application/fhir+json",
}
_SUFFIXES = {"fhir": "json"}
_WHOLE = ("xlsx", "html")  # they begin with a summary of all results


class BatchAnswer(BaseModel):
    """A batch: how far it is, and how long it is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    state: State = Field(description="Results of every note are there once it is `done`")
    notes: int = Field(description="Notes that were sent, with rows that could not be read")
    done: int = Field(description="Notes that have a result")
    failed: int = Field(description="Those of them whose result is an error")
    keep_text: bool = Field(description="Whether results hold the notes' text")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime = Field(description="When its results are deleted, and its notes if they are still there")
    results: str = Field(description="Where the results are")


class BatchList(BaseModel):
    """Batches, newest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batches: list[BatchAnswer]
    next: str | None = Field(description="What to give as `before` for the batches after these; null where none are")


@dataclass(frozen=True, slots=True)
class Batches:
    """What the routes work with; ``app.state.batches``.

    Parameters
    ----------
    intakes : Slots
        For those who send a batch.
    whole : Whole
        For those who take results in a format that is made whole.
    """

    store: Store
    workforce: Workforce
    intakes: Slots
    whole: "Whole"


class Whole:
    """Lets one answer be made whole at a time: the results of 10,000 notes are large.

    It is entered while the answer is sent, when it is too late to turn anyone away; so ask :meth:`check` before.
    """

    def __init__(self) -> None:
        self._free = threading.Semaphore(_WHOLE_AT_ONCE)
        self._lock = threading.Lock()
        self._inside = 0

    def check(self) -> None:
        """Turn a caller away while too many are waiting.

        Raises
        ------
        Problem
            503.
        """
        if self._inside > _WHOLE_WAITING:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                "Too many results are being written.",
                detail="Try again in a minute, or take jsonl, csv or fhir.",
                headers={"Retry-After": "60"},
            )

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
        self._free.acquire()

    def __exit__(self, *_: object) -> None:
        self._free.release()
        with self._lock:
            self._inside -= 1


@contextmanager
def lifespan(app: FastAPI) -> Iterator[None]:
    """Open the store and look after the workers for as long as the app runs."""
    service: Service = app.state.service
    settings = service.settings
    store = open_store(settings, service.database)
    workforce = Workforce(settings, store)
    app.state.batches = Batches(
        store,
        workforce,
        Slots(_INTAKES_AT_ONCE, settings.max_waiting, settings.request_timeout_s),
        Whole(),
    )
    service.metrics.registry.register(BatchCollector(store, workforce))
    workforce.start()
    try:
        yield
    finally:
        workforce.stop(timeout_s=settings.shutdown_timeout_s)


def lack(app: FastAPI) -> str | None:
    """Say why batches cannot be worked off, for ``/readyz``."""
    service: Service = app.state.service
    if not is_current(service.database):
        return "The database has not the tables of this version."
    batches: Batches = app.state.batches
    return None if batches.workforce.is_kept else "The workers are not looked after."


def batches_of(request: Request) -> Batches:
    """Return what a request's app works with."""
    batches: Batches = request.app.state.batches
    return batches


BatchesDep = Annotated[Batches, Depends(batches_of)]
CallerDep = Annotated[Caller, Depends(require("batch"))]
BatchId = Annotated[
    str, Path(alias="id", pattern="^bat_[A-Za-z0-9_-]{24}$", description="As the answer to POST has it")
]

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON, JSON Lines, or a file of any kind that `cuewise audit` reads; as the body, or in a form.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["notes"],
                    "additionalProperties": False,
                    "properties": {
                        "notes": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 10_000,
                            "items": {"$ref": "#/components/schemas/NoteRecord"},
                        }
                    },
                },
                "example": {"notes": [{"id": "A-17", "text": "Named 12/20 with min phonemic cues, up from 8/20."}]},
            },
            "application/x-ndjson": {
                "schema": {"type": "string", "description": "A record a line"},
                "example": '{"id": "A-17", "text": "Named 12/20 with min phonemic cues, up from 8/20."}\n',
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


@router.post(
    "/v1/batches",
    status_code=HTTPStatus.ACCEPTED,
    response_model=BatchAnswer,
    responses=problems(400, 401, 403, 408, 409, 413, 415, 422, 429, 503, 504),
    openapi_extra=_BODY,
    tags=["batches"],
    summary="Send a batch",
)
def create_batch(
    service: ServiceDep,
    batches: BatchesDep,
    caller: CallerDep,
    upload: Annotated[Upload, Depends(read_upload)],
    keep_text: Annotated[
        bool, Query(description="Keep the notes' text, encrypted, with the results; HTML then shows it")
    ] = False,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="Sent again with the same batch, it gives the batch that there is, and no second one",
        ),
    ] = None,
) -> Response:
    """Accept up to 10,000 notes. They are worked off in order, batch after batch.

    A row that cannot be read is a result of its own and stops no other. Text is kept encrypted until it is worked off.
    """
    with batches.intakes:
        records = read_batch(upload, service.settings)

        def enter(session: Session, batch: Batch) -> None:
            ids = {
                "batch": batch.id,
                "notes": str(batch.notes),
                "note_ids": json_bytes([record.id[:_ID_CHARS] for record in records]).decode(),
                "request": request_id(),
            }
            service.audit.record(caller.who, "batch.create", ids, to_versions(service.versions), session=session)

        try:
            batch, is_new = batches.store.accept(
                caller.who,
                records,
                content=upload.suffix.encode() + upload.content,
                idempotency_key=idempotency_key,
                keep_text=keep_text,
                also=enter,
            )
        except KeyReusedError:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "This idempotency key was used for another batch.",
            ) from None
    batches.workforce.wake()
    headers = {"Location": f"/v1/batches/{batch.id}"} | ({} if is_new else {"Idempotent-Replayed": "true"})
    return _answer(_to_answer(batch), HTTPStatus.ACCEPTED, headers)


@router.get(
    "/v1/batches",
    response_model=BatchList,
    responses=problems(401, 403, 404, 422, 429),
    tags=["batches"],
    summary="List your batches",
)
def list_batches(
    batches: BatchesDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[str | None, Query(pattern="^bat_[A-Za-z0-9_-]{24}$", description="Only older ones")] = None,
) -> Response:
    """List batches, newest first: those of the token, and with the scope admin everyone's."""
    with _telling():
        found = batches.store.list(_owner(caller), limit=limit + 1, before=before)
    shown = found[:limit]
    following = shown[-1].id if len(found) > limit else None
    return _answer({"batches": [_to_answer(batch) for batch in shown], "next": following})


@router.get(
    "/v1/batches/{id}",
    response_model=BatchAnswer,
    responses=problems(401, 403, 404, 422, 429),
    tags=["batches"],
    summary="See how far a batch is",
)
def get_batch(batches: BatchesDep, caller: CallerDep, batch_id: BatchId) -> Response:
    """Say how far a batch is."""
    with _telling():
        return _answer(_to_answer(batches.store.get(batch_id, _owner(caller))))


@router.delete(
    "/v1/batches/{id}",
    response_model=BatchAnswer,
    responses=problems(401, 403, 404, 422, 429),
    tags=["batches"],
    summary="Cancel a batch, or delete its results",
)
def delete_batch(service: ServiceDep, batches: BatchesDep, caller: CallerDep, batch_id: BatchId) -> Response:
    """Cancel a batch that is not done: its notes are deleted at once, results that are there are kept.

    Of one that is done, or was cancelled, the results are deleted.
    """
    with _telling():
        batch = batches.store.delete(batch_id, _owner(caller))
    service.audit.record(caller.who, "batch.delete", {"batch": batch.id, "request": request_id()})
    return _answer(_to_answer(batch))


@router.get(
    "/v1/batches/{id}/results",
    response_class=Response,
    responses={
        200: {"description": "The results", "content": {kind.partition(";")[0]: {} for kind in _TYPES.values()}},
        **problems(401, 403, 404, 409, 410, 422, 429, 503),
    },
    tags=["batches"],
    summary="Take the results",
)
def get_results(
    service: ServiceDep,
    batches: BatchesDep,
    caller: CallerDep,
    batch_id: BatchId,
    format: Annotated[Format, Query(description="`fhir` is a Bundle of DetectedIssue resources")] = "jsonl",
    partial: Annotated[bool, Query(description="Take what there is, of a batch that is not done")] = False,
) -> Response:
    """Give one result a note, in the order of the notes; JSON Lines hold what `POST /v1/notes:analyze` answers."""
    if format in _WHOLE:
        batches.whole.check()
    with _telling():
        batch = batches.store.get(batch_id, _owner(caller))
        if batch.state != State.DONE and batch.state != State.EXPIRED and not partial:
            raise _not_done(batch)
        results = batches.store.results(batch_id, _owner(caller))
    service.audit.record(caller.who, "batch.results", {"batch": batch.id, "format": format, "request": request_id()})
    name = f"cuewise-{batch.id}.{_SUFFIXES.get(format, format)}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cuewise-Results": f"{batch.done}/{batch.notes}",
    }
    pieces = _WRITERS[format](results, batch, batches)
    return StreamingResponse(pieces, headers=headers, media_type=_TYPES[format])


def _write_rows(format: str) -> Callable[[Iterator[Result], Batch, Batches], Iterator[bytes]]:
    """Return what writes a format that has a row a note, some rows at a time."""

    def pieces(results: Iterator[Result], batch: Batch, batches: Batches) -> Iterator[bytes]:
        head = _written([], format)
        yield head
        while some := list(islice(results, _TOGETHER)):
            yield _written(some, format)[len(head) :]

    return pieces


def _write_whole(format: str) -> Callable[[Iterator[Result], Batch, Batches], Iterator[bytes]]:
    """Return what writes a format that cannot be written piece by piece."""

    def pieces(results: Iterator[Result], batch: Batch, batches: Batches) -> Iterator[bytes]:
        with batches.whole:
            content = memoryview(_written(results, format))
        for start in range(0, len(content), _PIECE_BYTES):
            yield bytes(content[start : start + _PIECE_BYTES])

    return pieces


def _write_fhir(results: Iterator[Result], batch: Batch, batches: Batches) -> Iterator[bytes]:
    pieces = write_bundle(results, batch_id=batch.id)
    while some := list(islice(pieces, _TOGETHER)):
        yield "".join(some).encode("ascii")


def _written(results: Iterable[Result], format: str) -> bytes:
    output = io.BytesIO()
    write(results, format, output)
    return output.getvalue()


_WRITERS: dict[str, Callable[[Iterator[Result], Batch, Batches], Iterator[bytes]]] = {
    "jsonl": _write_rows("jsonl"),
    "csv": _write_rows("csv"),
    "xlsx": _write_whole("xlsx"),
    "html": _write_whole("html"),
    "fhir": _write_fhir,
}


def _owner(caller: Caller) -> str | None:
    """Return whose batches a caller sees: everyone's with the scope admin."""
    return None if caller.may("admin") else caller.who


@contextmanager
def _telling() -> Iterator[None]:
    """Turn what the store says into problems."""
    try:
        yield
    except NoSuchBatchError:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-batch", "There is no such batch.") from None
    except BatchGoneError:
        raise Problem(HTTPStatus.GONE, "batch-expired", "The results of this batch were deleted.") from None


def _not_done(batch: Batch) -> Problem:
    if batch.state is State.CANCELLED:
        return Problem(
            HTTPStatus.CONFLICT,
            "batch-cancelled",
            "The batch was cancelled.",
            detail=f"{batch.done:,} of {batch.notes:,} notes have a result; partial=true gives them.",
        )
    return Problem(
        HTTPStatus.CONFLICT,
        "batch-not-done",
        "The batch is not done yet.",
        detail=f"{batch.done:,} of {batch.notes:,} notes have a result; partial=true gives them.",
        headers={"Retry-After": "2"},
    )


def _to_answer(batch: Batch) -> dict[str, object]:
    def moment(value: datetime | None) -> str | None:
        return None if value is None else value.isoformat(timespec="milliseconds")

    return {
        "id": batch.id,
        "state": batch.state.value,
        "notes": batch.notes,
        "done": batch.done,
        "failed": batch.failed,
        "keep_text": batch.keep_text,
        "created_at": moment(batch.created_at),
        "started_at": moment(batch.started_at),
        "finished_at": moment(batch.finished_at),
        "expires_at": moment(batch.expires_at),
        "results": f"/v1/batches/{batch.id}/results",
    }


def _answer(body: object, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    return Response(json_bytes(body), status, headers, "application/json")
