"""CDS Hooks 2.0 (https://cds-hooks.hl7.org/2.0/): discovery, services, feedback.

``cds_services.toml`` lists the services. 200 without cards means "looked, nothing to say": where a note could not be
had the answer is 412, and nothing is ever fetched from a client's FHIR server.
"""

from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends, FastAPI, Path, Request, Security
from fastapi.responses import JSONResponse
from prometheus_client import Counter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import String, func, select
from sqlalchemy.orm import Mapped, mapped_column

from analyzer.errors import NoteError
from analyzer.readers.fhir import read_resource
from analyzer.readers.limits import Limits
from analyzer.readers.records import Records, Source
from analyzer.rules import RULES
from analyzer.types import Failure, Note, Report
from api.auth import Caller, address_of, bearer, identify, require
from api.bodies import JsonRoute
from api.cards import OVERVIEW, Card, Service, code_of, load_services, make_cards, unread_card
from api.cds_clients import Client, KeysError, TokenError, Verifier
from api.database import Base, Moment
from api.errors import Problem, of_note_error, problems
from api.rest import to_versions
from api.service import Service as RunningService
from api.service import ServiceDep, service_of

router = APIRouter(tags=["CDS Hooks"], route_class=JsonRoute)

EXTENSION = "org.cuewise.analysis"
"""The name under which an answer says what was looked at, also where there are no cards."""

_NOT_HAD = ("attachment-not-fetched", "empty-text", "no-note")  # what is 412: there is no text to read
_MAX_FEEDBACK = 1000
_OTHER = "other"
_RESOURCES = ("note", "draftOrders")  # of a context; all else in it is text


class FeedbackRow(Base):
    """What became of a card. The clinician's own words are not kept: they may speak of the patient."""

    __tablename__ = "cds_feedback"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    received: Mapped[datetime] = mapped_column(Moment())
    happened: Mapped[datetime] = mapped_column(Moment())
    service: Mapped[str] = mapped_column(String(100), index=True)
    card: Mapped[str] = mapped_column(String(36))
    rule: Mapped[str | None] = mapped_column(String(6))
    outcome: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(40))
    has_comment: Mapped[bool]
    who: Mapped[str] = mapped_column(String(200))


class CdsRequest(BaseModel):
    """What a CDS client sends. Fields that are not named here are passed over, as the specification foresees."""

    model_config = ConfigDict(extra="ignore")

    hook: str = Field(max_length=100, examples=["org.cuewise.note-sign"])
    hookInstance: UUID = Field(examples=["d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"])  # noqa: N815 - the specification's
    fhirServer: str | None = Field(default=None, max_length=2000)  # noqa: N815
    fhirAuthorization: dict[str, Any] | None = Field(  # noqa: N815
        default=None, description="Taken and dropped: nothing is fetched."
    )
    context: dict[str, Any]
    prefetch: dict[str, Any] | None = None


class Coding(BaseModel):
    """A coded reason."""

    model_config = ConfigDict(extra="ignore")

    code: str = Field(max_length=200)
    system: str | None = Field(default=None, max_length=500)
    display: str | None = Field(default=None, max_length=1000)


class OverrideReason(BaseModel):
    """Why a card was set aside."""

    model_config = ConfigDict(extra="ignore")

    reason: Coding | None = None
    userComment: str | None = Field(  # noqa: N815 - the specification's
        default=None, max_length=100_000, description="Not kept; only that there was one."
    )


class AcceptedSuggestion(BaseModel):
    """A suggestion that was accepted."""

    model_config = ConfigDict(extra="ignore")

    id: UUID


class Feedback(BaseModel):
    """What became of one card."""

    model_config = ConfigDict(extra="ignore")

    card: UUID
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: AwareDatetime  # noqa: N815 - the specification's
    acceptedSuggestions: list[AcceptedSuggestion] = Field(default=[], max_length=100)  # noqa: N815
    overrideReason: OverrideReason | None = None  # noqa: N815


class FeedbackRequest(BaseModel):
    """What became of some cards."""

    model_config = ConfigDict(extra="ignore")

    feedback: list[Feedback] = Field(min_length=1, max_length=_MAX_FEEDBACK)


class CdsService(BaseModel):
    """A service, as discovery names it."""

    hook: str
    title: str
    description: str
    id: str
    prefetch: dict[str, str] | None = None
    usageRequirements: str  # noqa: N815


class CdsServices(BaseModel):
    """What discovery answers."""

    services: list[CdsService]


class CardModel(BaseModel):
    """A card; it has no suggestions, since Cuewise writes into no record."""

    uuid: UUID
    summary: str = Field(max_length=139)
    detail: str
    indicator: Literal["info", "warning", "critical"]
    source: dict[str, Any]
    overrideReasons: list[Coding]  # noqa: N815
    links: list[dict[str, str]] | None = None


class CdsResponse(BaseModel):
    """Cards, and what was looked at."""

    cards: list[CardModel]
    extension: dict[str, Any]


class FeedbackCount(BaseModel):
    """How often cards of a rule had an outcome."""

    service: str
    rule: str | None
    outcome: str
    reason: str | None
    count: int


class _Desk:
    """What the CDS services of one app have at hand: trusted clients and counters."""

    def __init__(self, service: RunningService) -> None:
        clients = [Client(issuer, jwks) for issuer, jwks in service.settings.cds_issuers.items()]
        self.verifier = Verifier(clients, service.database) if clients else None
        self.cards = Counter(
            "cuewise_cds_cards",
            "Cards given, by service and rule.",
            ("service", "rule"),
            registry=service.metrics.registry,
        )
        self.feedback = Counter(
            "cuewise_cds_feedback",
            "Feedback received, by service, rule, outcome and reason.",
            ("service", "rule", "outcome", "reason"),
            registry=service.metrics.registry,
        )


@contextmanager
def lifespan(app: FastAPI) -> Iterator[None]:
    """Make what the CDS services have at hand; the app enters it when it starts."""
    app.state.cds_desk = _Desk(app.state.service)
    yield


def _desk(request: Request) -> _Desk:
    desk: _Desk = request.app.state.cds_desk
    return desk


DeskDep = Annotated[_Desk, Depends(_desk)]


def base_url(request: Request) -> str:
    """Return the address under which callers see the service, without a slash at the end."""
    public = service_of(request).settings.public_url
    return (public or str(request.base_url)).rstrip("/")


def _caller(request: Request, desk: DeskDep, by_header: Annotated[object, Security(bearer)]) -> Caller:
    """Return who calls: a trusted client by its signed token where clients are configured, else as everywhere.

    Raises
    ------
    Problem
        401 for a token that is not good, 503 where a client's keys cannot be had.
    """
    scheme, _, written = request.headers.get("authorization", "").partition(" ")
    if desk.verifier is None:
        return identify(request, "analyze")
    service = service_of(request)
    if scheme.lower() == "bearer" and written.count(".") != 2:
        return identify(request, "analyze")  # an API token will do too
    try:
        if scheme.lower() != "bearer":
            raise TokenError("Send a signed JSON Web Token as Authorization: Bearer.")
        issuer = desk.verifier.verify(written.strip(), *_audiences(request))
    except TokenError as error:
        service.limiter.check(f"refused:{address_of(request)}")
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "client-not-known",
            "The CDS client is not known.",
            detail=str(error),
            headers={"WWW-Authenticate": 'Bearer realm="cuewise-cds", error="invalid_token"'},
        ) from None
    except KeysError as error:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "client-keys",
            "The CDS client cannot be checked at present.",
            detail=str(error),
            headers={"Retry-After": "60"},
        ) from None
    service.limiter.check(f"cds:{issuer}")
    caller = request.state.caller = Caller(f"cds:{issuer}"[:200], frozenset({"analyze"}))
    return caller


def _audiences(request: Request) -> list[str]:
    """Return what a token may be meant for: the endpoint, and for feedback the service that it is about, too."""
    settings = service_of(request).settings
    if settings.cds_audience:
        return [settings.cds_audience]
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    endpoint = base_url(request) + path
    return [endpoint, endpoint.removesuffix("/feedback")]


CallerDep = Annotated[Caller, Depends(_caller)]
ServiceId = Annotated[str, Path(max_length=100, examples=["cuewise-note-sign"])]


_PROBLEMS = problems(401, 403, 429, 503)
_BODY_PROBLEMS = {**_PROBLEMS, **problems(400, 404, 413, 415, 422, 504)}
_NOT_HAD_ANSWER = problems(404)[404] | {"description": "The note could not be had."}


@router.get("/cds-services", response_model_exclude_none=True, responses=_PROBLEMS, summary="List the CDS services")
def discover(caller: CallerDep) -> CdsServices:
    """List the CDS services."""
    return CdsServices(
        services=[
            CdsService(
                hook=service.hook,
                title=service.title,
                description=service.description,
                id=service.id,
                prefetch=dict(service.prefetch) or None,
                usageRequirements=service.usage,
            )
            for service in load_services().by_id.values()
        ]
    )


@router.post(
    "/cds-services/{service_id}",
    response_model=CdsResponse,
    responses={**_BODY_PROBLEMS, 412: _NOT_HAD_ANSWER},
    summary="Cards about the notes of a request",
)
def call(
    service_id: ServiceId,
    asked: Annotated[CdsRequest, Body()],
    request: Request,
    caller: CallerDep,
    service: ServiceDep,
    desk: DeskDep,
) -> JSONResponse:
    """Read the notes of a request and answer with cards."""
    offered = _find(service_id)
    _check(offered, asked)
    base = base_url(request)
    if not _applies(offered, asked):
        return JSONResponse({"cards": [], "extension": {EXTENSION: {"notes": [], "applies": False}}})
    notes, failures = _read(offered, asked, service.settings.max_chars)
    reports: list[Report] = []
    for note in notes:
        with service.slots, service.metrics.analysis_seconds.time():
            report = service.analyzer.analyze(note)
        service.metrics.analyzed(report)
        reports.append(report)
    cards = [
        card
        for report in reports
        for card in make_cards(report, base_url=base, name=_name(report.note) if len(notes) > 1 or failures else None)
    ]
    if failures:
        cards.append(unread_card([failure.code for failure in failures], base))
    for card in cards:
        desk.cards.labels(service_id, code_of(str(card["uuid"]))).inc()
    patient = asked.context.get("patientId")
    service.audit.record(
        caller.who,
        "cds.call",
        {
            "service": service_id,
            "hook_instance": str(asked.hookInstance),
            "patient_id": patient if isinstance(patient, str) else None,
            "note_ids": " ".join(report.note.id for report in reports),
        },
        to_versions(reports[0].versions),
    )
    return JSONResponse({"cards": cards, "extension": {EXTENSION: _extension(reports, failures)}})


@router.post("/cds-services/{service_id}/feedback", responses=_BODY_PROBLEMS, summary="Tell what became of cards")
def give_feedback(
    service_id: ServiceId,
    given: Annotated[FeedbackRequest, Body()],
    caller: CallerDep,
    service: ServiceDep,
    desk: DeskDep,
) -> dict[str, int]:
    """Take note of what became of cards. Comments are dropped; rule, outcome and reason are counted."""
    _find(service_id)
    now = datetime.now(UTC)
    rows = [
        FeedbackRow(
            received=now,
            happened=feedback.outcomeTimestamp,
            service=service_id,
            card=str(feedback.card),
            rule=code_of(str(feedback.card)),
            outcome=feedback.outcome,
            reason=_reason(feedback),
            has_comment=bool(feedback.overrideReason and feedback.overrideReason.userComment),
            who=caller.who,
        )
        for feedback in given.feedback
    ]
    with service.database.session() as session:
        session.add_all(rows)
        service.audit.record(
            caller.who, "cds.feedback", {"service": service_id, "cards": str(len(rows))}, session=session
        )
    known = {OVERVIEW, *(rule.code for rule in RULES)}
    for row in rows:
        rule = row.rule if row.rule in known else _OTHER  # an id that someone made up makes no new row of metrics
        desk.feedback.labels(service_id, rule, row.outcome, row.reason or "").inc()
    return {"received": len(rows)}


@router.get("/v1/cds-feedback", responses=problems(401, 403, 429), summary="Count feedback")
def count_feedback(service: ServiceDep, caller: Annotated[Caller, Depends(require("read"))]) -> list[FeedbackCount]:
    """Count feedback by service, rule, outcome and reason: which rules clinicians set aside, and why."""
    columns = (FeedbackRow.service, FeedbackRow.rule, FeedbackRow.outcome, FeedbackRow.reason)
    with service.database.reading() as session:
        found = session.execute(select(*columns, func.count()).group_by(*columns).order_by(*columns)).all()
    return [
        FeedbackCount(service=name, rule=rule, outcome=outcome, reason=reason, count=count)
        for name, rule, outcome, reason, count in found
    ]


def _find(service_id: str) -> Service:
    offered = load_services().by_id.get(service_id)
    if offered is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no-such-service", "There is no such CDS service.")
    return offered


def _check(offered: Service, asked: CdsRequest) -> None:
    if asked.hook != offered.hook:
        raise _invalid("wrong-hook", f"This service is for the hook {offered.hook}.", "hook")
    # Clients that leave out ids which the hook requires are known; nothing here needs them but the audit trail.
    for field in offered.context:
        value = asked.context.get(field)
        if value is not None and not isinstance(value, dict if field in _RESOURCES else str):
            raise _invalid(
                "bad-context", f"{field} of the context does not have the type that the hook gives it.", "context"
            )
    if offered.applies_to_orders and asked.context.get("draftOrders") is None:
        raise _invalid("bad-context", "The hook's context must have draftOrders.", "context")


def _invalid(code: str, detail: str, field: str) -> Problem:
    title = "The request is not as expected."
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, code, title, detail=detail, field=field)


def _reason(feedback: Feedback) -> str | None:
    """Return the code of a reason that we offered, and of any other only that it is another: it may be typed in."""
    if feedback.overrideReason is None or feedback.overrideReason.reason is None:
        return None
    reason, services = feedback.overrideReason.reason, load_services()
    is_ours = reason.system == services.reasons_system and reason.code in services.override_reasons
    return reason.code if is_ours else _OTHER


def _applies(offered: Service, asked: CdsRequest) -> bool:
    if not offered.applies_to_orders:
        return True
    entries = asked.context["draftOrders"].get("entry")
    resources = (
        [entry.get("resource") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    )
    return any(
        isinstance(resource, dict) and resource.get("resourceType") in offered.applies_to_orders
        for resource in resources
    )


def _read(offered: Service, asked: CdsRequest, max_chars: int) -> tuple[list[Note], list[Failure]]:
    """Return the notes of a request, and those that cannot be read beside them.

    Raises
    ------
    Problem
        412 where no note could be had, 422 where none can be read or there are too many.
    """
    places: Mapping[str, Mapping[str, Any]] = {"context": asked.context, "prefetch": asked.prefetch or {}}
    found: list[Note | Failure] = []
    for place in offered.notes:
        part, _, name = place.partition(".")
        resource = places[part].get(name)
        if isinstance(resource, dict) and resource:
            found = list(_read_notes(resource, place, max_chars))
            break
    most = load_services().max_notes
    if len(found) > most:
        raise _invalid("too-many-notes", f"At most {most} notes are read in one request.", "prefetch")
    notes = [result for result in found if isinstance(result, Note)]
    failures = [result for result in found if isinstance(result, Failure)]
    if notes:
        return notes, failures
    unread = next((failure for failure in failures if failure.code not in _NOT_HAD), None)
    if unread is not None:
        raise of_note_error(NoteError(unread.code, unread.message, field=unread.field))
    raise Problem(
        HTTPStatus.PRECONDITION_FAILED,
        failures[0].code if failures else "no-note",
        "The note could not be had.",
        detail=f"It is expected in {' or '.join(offered.notes)}, with its text inside. {offered.usage}",
    )


def _read_notes(resource: dict[str, Any], place: str, max_chars: int) -> Iterator[Note | Failure]:
    records = Records(Source(place, "note"), Limits(max_note_chars=max_chars))
    try:
        yield from read_resource(resource, records, None)
    except NoteError as error:  # of the resource as a whole
        yield records.source.failure(error)


def _name(note: Note) -> str:
    return f"note {note.id}" + (f" of {note.date_of_service}" if note.date_of_service else "")


def _extension(reports: list[Report], failures: list[Failure]) -> Card:
    return {
        "notes": [
            {
                "id": report.note.id,
                "kind": report.kind.value,
                "judged": report.is_judged,
                "verdict": report.verdict.value,
                "score": report.score,
                "findings": [finding.code for finding in report.findings],
                "not_run": [check.check for check in report.not_run],
            }
            for report in reports
        ],
        "not_read": dict(Tally(failure.code for failure in failures)),
        "versions": to_versions(reports[0].versions),
    }
