"""What goes in and out of the service, as pydantic checks it and OpenAPI describes it."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from analyzer.types import CueChange, CueLevel, Dimension, Kind, Label, Level, Status, Verdict

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _check_iso_date(value: object) -> object:
    """Refuse what pydantic would take for a date too, such as seconds since 1970."""
    if type(value) is date:
        return value
    if isinstance(value, str) and _ISO_DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("iso_date", "expected a date as YYYY-MM-DD")


IsoDate = Annotated[date, BeforeValidator(_check_iso_date)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Code = Annotated[str, Field(min_length=1, max_length=200)]
_Scalar = Annotated[str, Field(max_length=2000)] | bool | int | float | None


class _Input(BaseModel):
    """What a caller sends: an unknown field is an error, and no type is guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Output(BaseModel):
    """What the service answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# In


class ClaimLineRecord(_Input):
    """One line of the claim."""

    code: _Code
    units: int | None = Field(None, ge=0, le=999)
    modifiers: list[Annotated[str, Field(pattern="^[0-9A-Za-z]{2}$")]] = Field([], max_length=10)
    minutes: int | None = Field(None, ge=0, le=1440)
    charge: float | None = Field(None, ge=0, le=1_000_000, description="US dollars, for all units")
    allowed: float | None = Field(None, ge=0, le=1_000_000, description="US dollars that the payer allows")
    claim_id: _Name | None = None
    clinician_id: _Name | None = None
    date_of_service: IsoDate | None = None
    place_of_service: _Name | None = None
    diagnoses: list[_Code] = Field([], max_length=50)
    form: Literal["professional", "institutional"] | None = None


class PlanOfCareRecord(_Input):
    """What the record says of the plan of care."""

    start: IsoDate | None = None
    certified_through: IsoDate | None = None
    goals: list[Annotated[str, Field(min_length=1, max_length=2000)]] = Field([], max_length=100)
    is_certified: bool | None = None
    has_signed_order: bool | None = None
    sent_on: IsoDate | None = None


class NoteRecord(_Input):
    """A note and what the record says around it. Only ``text`` is needed; other fields of yours are handed through."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[str, _Scalar] = Field(init=False)

    text: str = Field(
        min_length=1,
        pattern=r"\S",
        description="The note; every offset of the answer is a character position in it, half-open.",
    )
    id: _Name | None = Field(None, description="Your name for the note; the answer and the audit trail repeat it.")
    patient_id: _Name | None = None
    clinician_id: _Name | None = None
    credential: _Name | None = None
    payer: _Name | None = None
    date_of_service: IsoDate | None = None
    setting: _Name | None = None
    age_years: float | None = Field(None, ge=0, le=130)
    cpt: _Code | None = None
    minutes: int | None = Field(None, ge=0, le=1440)
    place_of_service: _Name | None = None
    diagnoses: list[_Code] = Field([], max_length=50)
    claim_lines: list[ClaimLineRecord] = Field([], max_length=100)
    plan_of_care: PlanOfCareRecord | None = None
    ytd_pt_slp_allowed: float | None = Field(None, ge=0, le=10_000_000)
    treatment_days_since_report: int | None = Field(None, ge=0, le=1000)
    extra: dict[Annotated[str, Field(min_length=1, max_length=200)], _Scalar] = Field(
        {}, max_length=50, description="Fields of your own, handed through to the answer as those beside it are."
    )


class FhirDocument(BaseModel):
    """A FHIR R4 resource that holds one note; what Cuewise does not read of it is passed over."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    resourceType: Literal["DocumentReference", "Composition", "ClinicalImpression"]  # noqa: N815 - FHIR's name


def _kind_of(body: object) -> str | None:
    if isinstance(body, BaseModel):
        return "fhir" if isinstance(body, FhirDocument) else "record"
    if isinstance(body, dict):
        return "fhir" if "resourceType" in body else "record"
    return None


NoteBody = Annotated[
    Annotated[NoteRecord, Tag("record")] | Annotated[FhirDocument, Tag("fhir")], Discriminator(_kind_of)
]
"""A note as a caller sends it: a record, or a FHIR resource."""


# Out


class Span(_Output):
    """Character positions, half-open."""

    start: int
    end: int


class MeasureAnswer(Span):
    """A quantity as written."""

    value: float
    unit: str
    total: float | None
    upper: float | None


class TechniqueAnswer(Span):
    """A named technique."""

    name: str
    area: str


class ComparisonAnswer(Span):
    """Two measures that are compared."""

    before: MeasureAnswer | None
    after: MeasureAnswer | None


class LabelAnswer(Span):
    """What words of a segment show, and what says so."""

    label: Label
    probability: float
    cue_type: list[str] | None = None
    cue_level: CueLevel | None = None
    cue_level_upper: CueLevel | None = None
    cue_change: CueChange | None = None
    measures: list[MeasureAnswer] | None = None
    techniques: list[TechniqueAnswer] | None = None
    comparison: ComparisonAnswer | None = None
    goal: str | None = None
    source: str
    lexicon_probability: float | None
    model_probability: float | None
    unclear: bool | None = None


class SegmentAnswer(Span):
    """A sentence or line that carries a label."""

    labels: list[LabelAnswer]


class FindingAnswer(Span):
    """A complaint of a rule; ``fix`` is text to consider, and states no clinical fact."""

    code: str
    level: Level
    title: str
    message: str
    fix: str
    source: str
    status: Status | None = Field(None, description="``preview`` where the rule's precision is not yet proven")
    claim_lines: list[int] | None = None
    charge_at_risk: float | None = None


class CodeAnswer(_Output):
    """A code that the text supports."""

    code: str
    title: str
    probability: float | None
    billable: bool
    evidence: list[Span]
    advice: str


class NotRunAnswer(_Output):
    """A check that could not run, and why."""

    check: str
    reason: str


class VersionsAnswer(_Output):
    """What the answer was made with."""

    cuewise: str
    lexicons: str
    model: str | None
    icd10cm: str | None


class ClaimLineAnswer(_Output):
    """A claim line, with where it stands."""

    code: str
    units: int | None = None
    modifiers: list[str] | None = None
    minutes: int | None = None
    charge: float | None = None
    allowed: float | None = None
    claim_id: str | None = None
    clinician_id: str | None = None
    place_of_service: str | None = None
    diagnoses: list[str] | None = None
    form: str | None = None
    file: str | None = None
    row: int | None = None


class AmountAnswer(_Output):
    """A yearly amount that was added up from claims."""

    amount: float | None
    computed_from: str


class Analysis(_Output):
    """What Cuewise says of one note."""

    id: str
    status: Literal["ok"]
    patient_id: str | None = None
    clinician_id: str | None = None
    date_of_service: date | None = None
    kind: Kind
    verdict: Verdict
    score: float = Field(ge=0, le=100)
    unskilled_probability: float | None
    verdict_probability: float | None
    unclear: bool
    unclear_wrong: float | None
    rubric: dict[Dimension, Annotated[int, Field(ge=0, le=2)]]
    segments: list[SegmentAnswer]
    findings: list[FindingAnswer]
    icd10: list[CodeAnswer] = Field(max_length=10)
    not_run: list[NotRunAnswer]
    versions: VersionsAnswer
    claim_lines: list[ClaimLineAnswer] | None = None
    ytd_pt_slp_allowed: AmountAnswer | None = None
    charge: float | None = None
    charge_at_risk: float | None = None
    extra: dict[str, Any] | None = None


class RuleAnswer(_Output):
    """A rule: what its findings complain about."""

    code: str
    name: str
    family: str
    level: Level
    status: Status
    since: str
    title: str
    why: str
    sources: list[str]
    payers: list[str]
    valid_from: date | None
    valid_to: date | None
    known_limits: str


class SourceAnswer(_Output):
    """Where a rule comes from."""

    id: str
    title: str
    publisher: str
    section: str
    address: str
    effective: str
    read: str
    certainty: str


class RuleInFull(RuleAnswer):
    """A rule with its sources, and notes on which it speaks and stays silent; ``[[ ]]`` marks the words."""

    cited: list[SourceAnswer]
    fires: list[str]
    silent: list[str]


class RuleList(_Output):
    """The rules that run, by code."""

    rules: list[RuleAnswer]


class WindowAnswer(_Output):
    """Days on which a code may be used, both included; no end where it is still valid."""

    start: date = Field(alias="from")
    end: date | None = Field(alias="to")


class OfferAnswer(_Output):
    """A code to consider instead."""

    code: str
    title: str


class ExclusionAnswer(_Output):
    """Another code that a note of the tabular list excludes."""

    code: str
    note: str
    note_sits_at: str


class CodeInFull(_Output):
    """A code of ICD-10-CM as it stands on a date of service."""

    typed: str
    code: str
    title: str
    standing: Literal["valid", "not_valid_on_date", "not_billable", "who_only", "date_not_covered"]
    date: IsoDate | None = Field(description="The date of service; none asks for the newest release.")
    release: str
    billable: bool
    valid: list[WindowAnswer]
    advice: str
    successors: list[OfferAnswer]
    area: str | None
    role: str | None
    unspecified: bool | None
    conditions: str
    remarks: str
    code_first: str
    use_additional: str
    code_also: str
    synonyms: list[str]
    excludes1: list[ExclusionAnswer]
    excludes2: list[ExclusionAnswer]


class FieldProblem(_Output):
    """A field that is not as expected."""

    field: str | None
    message: str


class ProblemAnswer(_Output):
    """What is wrong with a request (RFC 9457). It repeats nothing of the request."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    field: str | None = None
    errors: list[FieldProblem] | None = None
    request_id: str | None = None


class Health(_Output):
    """Whether the process lives."""

    status: Literal["ok"]


class Readiness(_Output):
    """Whether it can answer; ``lacks`` says what is missing."""

    status: Literal["ready", "not_ready"]
    lacks: list[str]
    versions: VersionsAnswer
