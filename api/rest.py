"""The routes of one note, of the rules and of ICD-10-CM, and what tells whether the service is well."""

import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import date
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from analyzer.catalogue import rule_record
from analyzer.errors import NoteError
from analyzer.icd10.catalogue import Standing, load_catalogue, looks_like_code
from analyzer.icd10.record import to_code_record
from analyzer.lexicon import load_lexicons
from analyzer.policy import load_policies
from analyzer.rules import RETIRED, RULES
from analyzer.rules.rule import Rule
from analyzer.types import Level, Note, Report, Versions
from api.auth import Caller, require
from api.bodies import JsonRoute
from api.convert import json_bytes, read_note, to_response, to_rule_in_full
from api.errors import Problem, problems
from api.logs import request_id
from api.metrics import MEDIA_TYPE as METRICS_TYPE
from api.schemas import (
    Analysis,
    CodeInFull,
    Health,
    IsoDate,
    NoteBody,
    Readiness,
    RuleInFull,
    RuleList,
)
from api.service import Service, ServiceDep

router = APIRouter(route_class=JsonRoute)


def _answer(record: object) -> Response:
    return Response(json_bytes(record), media_type="application/json")


# Notes


@router.post(
    "/v1/notes:analyze",
    response_model=Analysis,
    response_model_exclude_unset=True,
    responses=problems(400, 401, 403, 413, 415, 422, 429, 503, 504),
    tags=["notes"],
    summary="Analyse one note",
)
def analyze_note(
    body: NoteBody, service: ServiceDep, caller: Annotated[Caller, Depends(require("analyze"))]
) -> Response:
    """Analyse one note: a record, or a FHIR R4 DocumentReference, Composition or ClinicalImpression.

    Nothing of the note is kept. The audit trail keeps who asked, the ids of note and patient, and the versions.
    """
    written = body.model_dump(exclude_unset=True)
    note = read_note(written, max_chars=service.settings.max_chars)
    return _answer(to_response(analyze(service, note, caller.who)))


def analyze(service: Service, note: Note, who: str, *, action: str = "note.analyze") -> Report:
    """Analyse one note now: wait for a free place, count it, and enter it in the audit trail before it is answered.

    Parameters
    ----------
    who : str
        Of ``Caller``.
    action : str
        How the trail names it.

    Raises
    ------
    NoteError
        For a note that cannot be analysed.
    Problem
        503 when too many are waiting.
    """
    ids = {"note": note.id, "patient": note.patient_id, "request": request_id()}
    with service.slots:
        began = time.perf_counter()
        try:
            report = service.analyzer.analyze(note)
        except NoteError:
            service.audit.record(who, f"{action}.refused", ids)
            raise
        service.metrics.analysis_seconds.observe(time.perf_counter() - began)
    service.audit.record(who, action, ids, to_versions(report.versions))
    service.metrics.analyzed(report)
    return report


def to_versions(versions: Versions) -> dict[str, str | None]:
    """Return versions by name."""
    return {
        "cuewise": versions.cuewise,
        "lexicons": versions.lexicons,
        "model": versions.model,
        "icd10cm": versions.icd10cm,
    }


# Rules


def _levels(service: Service) -> Iterator[tuple[Rule, Level]]:
    """Yield the rules that run here, with the level they have by the service's own settings."""
    policies = load_policies(payer=service.settings.payer, config=service.settings.config)
    is_set = service.settings.payer is not None or service.settings.config is not None
    pack = policies.pack_of(None)[0] if is_set else None
    for rule in RULES:
        level = rule.level if pack is None else policies.level(rule, pack)
        if level is not None:
            yield rule, level


@router.get(
    "/v1/rules",
    response_model=RuleList,
    responses=problems(401, 403, 422, 429),
    tags=["rules"],
    summary="List the rules",
)
def list_rules(
    service: ServiceDep,
    caller: Annotated[Caller, Depends(require("read"))],
    family: Annotated[
        str | None, Query(pattern="^[A-Z]{3}$", description="Only this family: the letters codes begin with")
    ] = None,
    level: Annotated[Level | None, Query(description="Only findings of this level")] = None,
) -> Response:
    """List what findings complain about, by code."""
    chosen = [
        rule_record(rule, found)
        for rule, found in _levels(service)
        if (family is None or rule.family == family) and (level is None or found == level)
    ]
    return _answer({"rules": chosen})


@router.get(
    "/v1/rules/{code}",
    response_model=RuleInFull,
    responses=problems(401, 403, 404, 410, 422, 429),
    tags=["rules"],
    summary="One rule in full",
)
def get_rule(
    service: ServiceDep,
    caller: Annotated[Caller, Depends(require("read"))],
    code: Annotated[str, Path(max_length=80, description="Its code or its name")],
) -> Response:
    """Give a rule's reason and sources, and notes on which it speaks and stays silent."""
    if code.upper() in RETIRED:
        raise Problem(HTTPStatus.GONE, "retired-rule", "The rule is retired.", detail=RETIRED[code.upper()])
    levels = {rule.code: level for rule, level in _levels(service)}
    rule = next((rule for rule in RULES if code.upper() == rule.code or code.lower() == rule.name), None)
    if rule is None:
        raise Problem(
            HTTPStatus.NOT_FOUND, "unknown-rule", "There is no such rule.", detail="GET /v1/rules lists them all."
        )
    return _answer(to_rule_in_full(rule, levels.get(rule.code, rule.level), load_lexicons().sources))


# ICD-10-CM


@router.get(
    "/v1/icd10/{code}",
    response_model=CodeInFull,
    responses=problems(401, 403, 404, 422, 429),
    tags=["icd10"],
    summary="Look up an ICD-10-CM code",
)
def get_code(
    service: ServiceDep,
    caller: Annotated[Caller, Depends(require("read"))],
    code: Annotated[str, Path(max_length=16, description="In any spelling: I69.320, i69320")],
    date: Annotated[IsoDate | None, Query(description="The date of service; the newest release without it")] = None,
) -> Response:
    """Say whether a code may be used on a date of service, and what to consider instead of one that may not."""
    return _answer(_look_up(code, date))


def _look_up(code: str, day: date | None) -> dict[str, object]:
    if not looks_like_code(code):
        raise _unknown_code("Expected a code of ICD-10-CM, such as R47.01.")
    catalogue = load_catalogue()
    checked = catalogue.check(code.strip(), day)
    if checked.standing is Standing.UNKNOWN:
        raise _unknown_code(" ".join([checked.advice, ", ".join(checked.successors)]).strip())
    return to_code_record(checked, catalogue, day)


def _unknown_code(detail: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "unknown-code", "ICD-10-CM does not have this code.", detail=detail)


# Health


@router.get("/healthz", response_model=Health, tags=["health"], summary="Whether the process lives")
async def tell_health() -> Response:
    """Answer, even while every thread is at work: which is why this one is no plain function."""
    return _answer({"status": "ok"})


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not ready"}},
    tags=["health"],
    summary="Whether the service can answer",
)
def tell_readiness(request: Request, service: ServiceDep) -> Response:
    """Say what is missing for it to answer, if anything is."""
    told = filter(None, (lack(request.app) for lack in request.app.state.lacks))
    lacks = list(islice(told, 1))  # what is asked later may need what is asked first
    body = {
        "status": "not_ready" if lacks else "ready",
        "lacks": lacks,
        "versions": to_versions(service.versions),
    }
    return Response(json_bytes(body), 503 if lacks else 200, media_type="application/json")


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {}}}, **problems(401, 403, 429)},
    response_class=Response,
    tags=["health"],
    summary="Metrics for Prometheus",
)
def tell_metrics(service: ServiceDep, caller: Annotated[Caller, Depends(require("read"))]) -> Response:
    """Give counts and durations; none of them holds anything that was sent."""
    return Response(service.metrics.write(), media_type=METRICS_TYPE)


# Examples


EXAMPLE = {
    "id": "A-17",
    "text": (
        "STG 2: Named 14/20 (70%) pictured nouns given min phonemic cues, up from 8/20 on 5/4. "
        "SFA used to build retrieval. Needed to order meals at home. Continue POC."
    ),
    "date_of_service": "2026-05-11",
    "cpt": "92507",
    "minutes": 45,
    "diagnoses": ["I69.320"],
}
"""The note that OpenAPI shows."""
_EXAMPLE_CODE = ("i69320", date(2026, 5, 11))


def add_examples(schema: dict[str, Any], service: Service) -> None:
    """Put examples into an OpenAPI document: what this analyzer answers now, so that they stay true."""
    document = {
        "resourceType": "DocumentReference",
        "id": EXAMPLE["id"],
        "status": "current",
        "subject": {"reference": "Patient/p-1"},
        "date": EXAMPLE["date_of_service"],
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain",
                    "data": b64encode(str(EXAMPLE["text"]).encode()).decode("ascii"),
                }
            }
        ],
    }
    note = read_note(EXAMPLE)
    analysis = to_response(service.analyzer.analyze(note))
    rule, level = next(_levels(service))
    paths = schema["paths"]
    content = paths["/v1/notes:analyze"]["post"]["requestBody"]["content"]
    content["application/json"]["examples"] = {
        "record": {"summary": "A record", "value": EXAMPLE},
        "fhir": {"summary": "A FHIR DocumentReference", "value": document},
    }
    content["application/fhir+json"] = {"schema": {"$ref": "#/components/schemas/FhirDocument"}, "example": document}
    answers = {
        ("/v1/notes:analyze", "post"): analysis,
        ("/v1/rules", "get"): {"rules": [rule_record(rule, level)]},
        ("/v1/rules/{code}", "get"): to_rule_in_full(rule, level, load_lexicons().sources),
        ("/v1/icd10/{code}", "get"): _look_up(*_EXAMPLE_CODE),
        ("/healthz", "get"): {"status": "ok"},
        ("/readyz", "get"): {"status": "ready", "lacks": [], "versions": to_versions(service.versions)},
    }
    for (path, method), answer in answers.items():
        paths[path][method]["responses"]["200"]["content"]["application/json"]["example"] = answer
    _set_example(paths["/v1/rules/{code}"]["get"], "code", rule.code)
    _set_example(paths["/v1/icd10/{code}"]["get"], "code", _EXAMPLE_CODE[0])
    _set_example(paths["/v1/icd10/{code}"]["get"], "date", _EXAMPLE_CODE[1].isoformat())


def _set_example(operation: dict[str, Any], name: str, value: str) -> None:
    next(each for each in operation["parameters"] if each["name"] == name)["example"] = value
