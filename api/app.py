"""The app: one analyzer loaded when it starts, the routes of every part, one way to say what is wrong."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from analyzer.engine import Analyzer
from analyzer.types import Note
from api import batches, cds_hooks, pages, rest
from api.audit import AuditTrail
from api.auth import Tokens
from api.database import Database
from api.errors import add_handlers
from api.limits import RateLimiter, Slots
from api.metrics import Metrics
from api.middleware import Envelope, Gate
from api.migrations import upgrade
from api.schemas import ProblemAnswer
from api.service import Service
from api.settings import Settings, load_settings

_LOG = logging.getLogger(__name__)
_FIRST = "Named 12/20 pictures with min phonemic cues, up from 8/20."
_PARTS = (rest, batches, cds_hooks, pages)
_OTHER_THREADS = 16  # for what does not analyse, beside those that analyse or wait for it
DESCRIPTION = (
    "Reads speech-language pathology session notes the way a payer's medical reviewer does. A fix is text to "
    "consider: Cuewise never writes into a record and states no clinical fact. Nothing here is legal or coding advice."
)


def create_app(analyzer: Analyzer | None = None, settings: Settings | None = None) -> FastAPI:
    """Make the service's app.

    Parameters
    ----------
    analyzer : Analyzer, optional
        Loaded when the app starts where it is not given.
    settings : Settings, optional
        Read from file and environment where they are not given.
    """
    chosen = settings or load_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        threads = anyio.to_thread.current_default_thread_limiter()
        threads.total_tokens = chosen.analyses_at_once + chosen.max_waiting + _OTHER_THREADS
        with ExitStack() as stack:
            await run_in_threadpool(_start, app, chosen, analyzer, stack)
            yield
            _LOG.info("stopping")

    app = FastAPI(
        title="Cuewise",
        version=_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts of other servers
        redoc_url=None,
        # A trace of the framework's own could hold what an exception quotes.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.settings = chosen
    app.state.lacks = [_lack_of_database, *filter(None, (getattr(part, "lack", None) for part in _PARTS))]
    for part in _PARTS:
        app.include_router(part.router)
    add_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(Gate, settings=chosen)
    app.add_middleware(Envelope, settings=chosen)
    if chosen.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=chosen.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"],
            expose_headers=["Location", "Retry-After", "X-Request-ID"],
        )
    app.openapi = _openapi_of(app)  # type: ignore[method-assign]  # how FastAPI wants it replaced
    return app


def _start(app: FastAPI, settings: Settings, analyzer: Analyzer | None, stack: ExitStack) -> None:
    """Make what the service has at hand, and let the parts start; the stack ends them in the other order."""
    database = Database(settings.resolved_database_url)
    stack.callback(database.close)
    upgrade(database)
    audit = AuditTrail(database)
    stack.callback(audit.close)
    loaded = analyzer or Analyzer.load(
        preview=settings.preview,
        payer=settings.payer,
        config=settings.config,
        max_chars=settings.max_chars,
        model=settings.model,
    )
    app.state.service = Service(
        settings=settings,
        analyzer=loaded,
        database=database,
        audit=audit,
        tokens=Tokens(database),
        limiter=RateLimiter(settings.requests_per_minute, settings.request_burst),
        slots=Slots(settings.analyses_at_once, settings.max_waiting, settings.request_timeout_s),
        metrics=Metrics(),
        versions=loaded.analyze(Note(_FIRST)).versions,  # what is read on first use is read now
    )
    for part in _PARTS:
        part_lifespan: Callable[[FastAPI], Any] | None = getattr(part, "lifespan", None)
        if part_lifespan is not None:
            stack.enter_context(part_lifespan(app))


def _version() -> str:
    try:
        return version("cuewise")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"


def _lack_of_database(app: FastAPI) -> str | None:
    service: Service = app.state.service
    try:
        with service.database.reading() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return "The database does not answer."
    return None


def _openapi_of(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return what makes the OpenAPI document, once; its examples are answers of this very analyzer."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=_TAGS,
            )
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            problem = ProblemAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= problem.pop("$defs")
            schemas["ProblemAnswer"] = problem
            service: Service | None = getattr(app.state, "service", None)
            if service is not None:
                rest.add_examples(schema, service)
            app.openapi_schema = schema
        return app.openapi_schema

    return openapi


_TAGS = [
    {"name": "notes", "description": "One note at a time, while the clinician waits"},
    {"name": "batches", "description": "Many notes, worked off in order"},
    {"name": "cds-hooks", "description": "CDS Hooks 2.0"},
    {"name": "rules", "description": "What findings complain about"},
    {"name": "icd10", "description": "ICD-10-CM by date of service"},
    {"name": "health", "description": "Whether the service is well"},
]
