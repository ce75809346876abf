"""The pages that people see: a note pasted and read, a file of notes dropped and watched, the rules.

Rendered here, with nothing from any other server. The paste works without JavaScript.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi import Path as PathPart
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analyzer import report as report_package
from analyzer.catalogue import FAMILIES, mark_example
from analyzer.errors import NoteError
from analyzer.lexicon import load_lexicons
from analyzer.policy import load_policies
from analyzer.readers.limits import Limits
from analyzer.readers.records import Records, Source
from analyzer.report.highlight import Piece, cut_text
from analyzer.report.words import encodable, is_whole_note, load_words, number, percent, plural
from analyzer.rules import RULES
from analyzer.types import WEAK_LABELS, Failure, Finding, Label, Note, Report
from api.auth import TOKEN_COOKIE, Caller, identify, limit
from api.cards import shorten
from api.errors import Problem, of_note_error
from api.rest import analyze
from api.service import Service, ServiceDep

router = APIRouter(include_in_schema=False)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
"""The Content-Security-Policy of every page: nothing from elsewhere, nothing inline, nothing sent elsewhere."""

_HERE = Path(__file__).parent
_REPORT = Path(report_package.__file__).parent / "templates"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_QUOTE = 240
_FIELDS = ("text", "date_of_service", "payer", "diagnoses", "cpt", "minutes")
_NOT_ENTERED: Mapping[str, str] = dict.fromkeys(_FIELDS, "")
_FOR_A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    digest: str
    media_type: str


@dataclass(frozen=True, slots=True)
class _View:
    """A report as the page shows it: findings with their number and, where they are about words, those words."""

    report: Report
    pieces: tuple[Piece, ...]
    findings: tuple[tuple[int, Finding, str | None], ...]
    labels: tuple[tuple[Label, int], ...]


@router.get("/", dependencies=[Depends(limit)])
def first_page(request: Request, service: ServiceDep) -> Response:
    """Show the form for a note and the place to drop a file; first a token is asked for where tokens are in use."""
    if _caller(request, "analyze") is None:
        return _page(request, "sign_in.html.j2", problem=None)
    return _index(request, service)


@router.post("/")
def read_pasted(
    request: Request,
    service: ServiceDep,
    text: Annotated[str, Form()] = "",
    date_of_service: Annotated[str, Form()] = "",
    payer: Annotated[str, Form()] = "",
    diagnoses: Annotated[str, Form()] = "",
    cpt: Annotated[str, Form()] = "",
    minutes: Annotated[str, Form()] = "",
) -> Response:
    """Read a pasted note and show what was found in it. Nothing of it is kept."""
    caller = _caller(request, "analyze")
    if caller is None:
        sign_in = Problem(HTTPStatus.UNAUTHORIZED, "unauthorized", "Please sign in again; nothing was read.")
        return _page(request, "sign_in.html.j2", problem=_said(sign_in), status=sign_in.status_code)
    entered = dict(zip(_FIELDS, (text, date_of_service, payer, diagnoses, cpt, minutes), strict=True))
    entered["text"] = text.replace("\r\n", "\n")  # forms send every line's end so, whatever was typed
    try:
        note = _to_note(entered, service.settings.max_chars)
        report = analyze(service, note, caller.who, action="page.analyze")
    except NoteError as error:
        return _index(request, service, entered=entered, problem=of_note_error(error))
    except Problem as problem:
        return _index(request, service, entered=entered, problem=problem)
    return _index(request, service, entered=entered, view=_view(report))


@router.post("/sign-in", dependencies=[Depends(limit)])
def sign_in(request: Request, service: ServiceDep, token: Annotated[str, Form()] = "") -> Response:
    """Keep a token in a cookie that only this service gets, and no script."""
    token = token.strip()
    if service.tokens.find(token) is None:
        problem = Problem(HTTPStatus.UNAUTHORIZED, "unauthorized", "This token is not known, or no longer good.")
        service.limiter.check(f"refused:{request.client.host if request.client else ''}")
        return _page(request, "sign_in.html.j2", problem=_said(problem), status=problem.status_code)
    answer = RedirectResponse(f"{_root(request)}/", HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        TOKEN_COOKIE,
        token,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path=f"{_root(request)}/",
    )
    return answer


@router.post("/sign-out", dependencies=[Depends(limit)])
def sign_out(request: Request) -> Response:
    """Forget the token."""
    answer = RedirectResponse(f"{_root(request)}/", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(TOKEN_COOKIE, path=f"{_root(request)}/")
    return answer


@router.get("/rules", dependencies=[Depends(limit)])
def list_rules(request: Request) -> Response:
    """Show every rule, by family."""
    by_family = groupby(sorted(RULES, key=lambda rule: rule.code), key=lambda rule: rule.code[:3])
    families = [(family, FAMILIES[family], list(rules)) for family, rules in by_family]
    return _page(request, "rules.html.j2", families=families)


@router.get("/rules/{code}", dependencies=[Depends(limit)])
def show_rule(request: Request, code: Annotated[str, PathPart(max_length=20)]) -> Response:
    """Show a rule with its reason, sources and examples: where the links of CDS Hooks cards lead."""
    rule = next((rule for rule in RULES if rule.code == code.upper()), None)
    if rule is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no-such-rule", "There is no such rule.")
    sources = load_lexicons().sources
    return _page(
        request,
        "rule.html.j2",
        rule=rule,
        sources=[sources[id] for id in rule.sources],
        fires=[mark_example(example) for example in rule.fires],
        silent=[mark_example(example) for example in rule.silent],
    )


@router.get("/assets/{digest}/{name}", dependencies=[Depends(limit)])
def asset(digest: str, name: str) -> Response:
    """Return style, script or icon; an address names the content, so that browsers may keep it."""
    found = _assets().get(name)
    if found is None or found.digest != digest:
        raise Problem(HTTPStatus.NOT_FOUND, "not-found", "There is no such file.")
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": _FOR_A_YEAR})


def _caller(request: Request, scope: str) -> Caller | None:
    """Return who calls; None where a token is needed first."""
    try:
        return identify(request, scope)
    except Problem as problem:
        if problem.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return None
        raise


def _to_note(entered: Mapping[str, str], max_chars: int) -> Note:
    filled = {name: value for name, value in entered.items() if value.strip() or name == "text"}
    records = Records(Source("the page", "pasted"), Limits(max_note_chars=max_chars))
    read = records.read(tuple(filled), tuple(filled.values()), None)
    if isinstance(read, Failure):
        raise NoteError(read.code, read.message, field=read.field)
    return read


def _view(report: Report) -> _View:
    text = report.note.text
    counts = Counter(evidence.label for evidence in report.evidence)
    return _View(
        report=report,
        pieces=cut_text(report),
        findings=tuple(
            (
                position,
                finding,
                None if is_whole_note(report, finding) else shorten(text[finding.start : finding.end], _QUOTE),
            )
            for position, finding in enumerate(report.findings, 1)
        ),
        labels=tuple((label, counts[label]) for label in Label if counts[label]),
    )


def _index(
    request: Request,
    service: Service,
    *,
    entered: Mapping[str, str] = _NOT_ENTERED,
    view: _View | None = None,
    problem: Problem | None = None,
) -> Response:
    return _page(
        request,
        "index.html.j2",
        status=problem.status_code if problem else HTTPStatus.OK,
        headers=problem.headers if problem else None,
        entered=entered,
        view=view,
        problem=_said(problem) if problem else None,
        max_chars=service.settings.max_chars,
        max_notes=service.settings.max_batch_notes,
        payers=_payers(service.settings.config),
        weak_labels=WEAK_LABELS,
        has_token=TOKEN_COOKIE in request.cookies,
    )


@cache
def _payers(config: Path | None) -> tuple[str, ...]:
    """Return the names of the payers that have rules of their own."""
    return tuple(load_policies(config=config).payers)


def _said(problem: Problem) -> dict[str, str | None]:
    return {"title": problem.title, "detail": problem.explanation}


def _page(
    request: Request,
    template: str,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    root = _root(request)
    page = (
        _environment()
        .get_template(template)
        .render(
            root=root,
            words=load_words(),
            assets={name: f"{root}/assets/{asset.digest}/{name}" for name, asset in _assets().items()},
            **values,
        )
    )
    sent = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-store",
        # Without any referrer browsers give a form's origin as "null", and the service could not tell its own pages.
        "Referrer-Policy": "same-origin",
        **(headers or {}),
    }
    return HTMLResponse(encodable(page), status, sent)


def _root(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([_HERE / "templates", _REPORT]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent, "plural": plural}
    return environment


@cache
def _assets() -> Mapping[str, _Asset]:
    """Read the files that pages refer to: ours, and the style of the report."""
    paths = {path.name: path for path in sorted((_HERE / "assets").iterdir())} | {"report.css": _REPORT / "page.css"}
    found = {}
    for name, path in paths.items():
        content = path.read_bytes()
        found[name] = _Asset(content, hashlib.sha256(content).hexdigest()[:16], _TYPES[path.suffix])
    return found
