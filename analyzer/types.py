"""Frozen values that cross modules: a note, its segments, hits and labels, findings, the report.

Positions everywhere are character offsets into the original note text, half-open: ``note.text[start:end]`` is the
quote.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class Label(StrEnum):
    """What a segment shows: eleven kinds of evidence, then three of weak documentation (annotation guide 1, 2)."""

    INTERVENTION = "intervention"
    CUEING = "cueing"
    RESPONSE = "response"
    MEASURE = "measure"
    PROGRESS = "progress"
    REASONING = "reasoning"
    GOAL = "goal"
    FUNCTION = "function"
    NECESSITY = "necessity"
    TRAINING = "training"
    PLAN = "plan"
    DRILL = "drill"
    GENERIC = "generic"
    PASSIVE = "passive"


WEAK_LABELS = (Label.DRILL, Label.GENERIC, Label.PASSIVE)


class Section(StrEnum):
    """Where in a note a segment stands; ``BODY`` where the note has no headings."""

    HEADER = "header"
    SUBJECTIVE = "subjective"
    OBJECTIVE = "objective"
    INTERVENTION = "intervention"
    ASSESSMENT = "assessment"
    PLAN = "plan"
    GOALS = "goals"
    EDUCATION = "education"
    BODY = "body"


class Kind(StrEnum):
    """What kind of note it is (annotation guide 4)."""

    TREATMENT = "treatment"
    EVALUATION = "evaluation"
    PROGRESS_REPORT = "progress_report"
    DISCHARGE = "discharge"
    GROUP = "group"
    SCREENING = "screening"
    NO_SHOW = "no_show"
    OTHER = "other"


UNJUDGED_KINDS = (Kind.NO_SHOW, Kind.SCREENING, Kind.OTHER)
"""Not the record of a treatment session, so that a verdict on them has no weight (annotation guide 5)."""


class Verdict(StrEnum):
    """How a payer's medical reviewer would judge the note alone, worst first."""

    UNSKILLED = "unskilled"
    AT_RISK = "at_risk"
    SKILLED = "skilled"


class Dimension(StrEnum):
    """The seven dimensions of the rubric (annotation guide 4)."""

    INTERVENTION = "intervention"
    CUEING = "cueing"
    RESPONSE = "response"
    MEASURABLE_PROGRESS = "measurable_progress"
    CLINICAL_REASONING = "clinical_reasoning"
    GOAL_FUNCTION = "goal_function"
    PLAN = "plan"


class Assertion(StrEnum):
    """Whether a mention was done today; everything but ``PRESENT`` is not evidence (annotation guide 3)."""

    PRESENT = "present"
    PLANNED = "planned"
    CONDITIONAL = "conditional"
    HISTORICAL = "historical"
    NEGATED = "negated"
    GOAL = "goal"
    OTHER_PERSON = "other_person"
    UNTICKED = "unticked"


class CueLevel(StrEnum):
    """How much help was given or needed, least first."""

    INDEPENDENT = "independent"
    MODIFIED_INDEPENDENT = "modified_independent"
    SUPERVISION = "supervision"
    MINIMAL = "min"
    MODERATE = "mod"
    MAXIMAL = "max"
    TOTAL = "total"


class CueChange(StrEnum):
    """Direction in which help changed within the session."""

    FADED = "faded"
    INCREASED = "increased"


class Level(StrEnum):
    """How serious a finding is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Status(StrEnum):
    """``STABLE`` once measured precision on the reference notes is at least 0.9, until then ``PREVIEW``."""

    STABLE = "stable"
    PREVIEW = "preview"


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """One line of the claim: a CPT code and what was billed under it."""

    code: str
    units: int | None = None
    modifiers: tuple[str, ...] = ()
    minutes: int | None = None
    charge: float | None = None


@dataclass(frozen=True, slots=True)
class PlanOfCare:
    """What the record says of the plan of care."""

    start: date | None = None
    certified_through: date | None = None
    goals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a note came from: the file's name and the row in it.

    ``row`` counts from 1: the line of a CSV, JSON Lines or NDJSON file, the sheet row of a workbook, the data row of a
    Parquet file, the entry of a FHIR Bundle. None for a file that holds one note.
    """

    file: str
    row: int | None = None

    def __str__(self) -> str:
        return self.file if self.row is None else f"{self.file}:{self.row}"


@dataclass(frozen=True, slots=True)
class Note:
    """A session note and the optional fields of its record.

    Parameters
    ----------
    text : str
        The note as given; every offset in a report points into it.
    id : str
        The caller's name for the note.
    cpt : str, optional
        The code billed, for callers without claim lines.
    minutes : int, optional
        Total treatment minutes.
    extra : tuple of (str, object)
        Unknown columns of the input record, handed through.
    """

    text: str
    id: str = ""
    patient_id: str | None = None
    clinician_id: str | None = None
    credential: str | None = None
    payer: str | None = None
    date_of_service: date | None = None
    setting: str | None = None
    age_years: float | None = None
    cpt: str | None = None
    minutes: int | None = None
    place_of_service: str | None = None
    diagnoses: tuple[str, ...] = ()
    claim_lines: tuple[ClaimLine, ...] = ()
    plan_of_care: PlanOfCare | None = None
    ytd_pt_slp_allowed: float | None = None
    extra: tuple[tuple[str, object], ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that could not be read or analysed. It holds no note text."""

    code: str
    message: str
    id: str = ""
    field: str | None = None
    origin: Origin | None = None
    extra: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """One sentence, bullet, table row or template line of a note.

    Parameters
    ----------
    index : int
        Position among the note's segments, from 0.
    start, end : int
        Offsets without surrounding white space.
    section : Section
        The section it stands in.
    body_start : int
        Offset after a bullet, number, check box or section heading on the same line; ``start`` where there is none.
    is_unticked : bool
        The line is a check box that was left empty.
    is_heading : bool
        The segment is nothing but a heading.
    """

    index: int
    start: int
    end: int
    section: Section
    body_start: int
    is_unticked: bool = False
    is_heading: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity as written, typed.

    Parameters
    ----------
    value : float
        The number; for ``x of y`` the count of successes.
    unit : str
        ``ratio``, ``percent``, ``s``, ``dB`` and so on; the units of ``measures.csv``.
    total : float, optional
        Opportunities, for a ratio or a rating scale.
    upper : float, optional
        The upper end where a range was written; then ``value`` is the lower.
    """

    start: int
    end: int
    value: float
    unit: str
    total: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Cue:
    """Cues or assistance as written: types, level (or both ends of a range), direction of change.

    ``types`` are those of ``cue_types.csv``, sorted and without repetition; ``level_upper`` is set for a range.
    """

    start: int
    end: int
    types: tuple[str, ...] = ()
    level: CueLevel | None = None
    level_upper: CueLevel | None = None
    change: CueChange | None = None


@dataclass(frozen=True, slots=True)
class Technique:
    """A named technique with the area of practice it belongs to."""

    start: int
    end: int
    name: str
    area: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values of the same thing, the earlier and the later one, as written."""

    start: int
    end: int
    before: Measure | None
    after: Measure | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One label of one segment, with the words that carry it and where it comes from.

    Parameters
    ----------
    source : str
        ``lexicon:FILE/ROW`` or ``model:NAME``, or ``logic:REASON`` where the label follows from others.
    probability : float, optional
        Calibrated probability; None where nothing calibrated exists for it.
    lexicon_probability, model_probability : float, optional
        What the label rests on: its probability by the lexicons alone and by the encoder alone, not calibrated.
    is_unclear : bool
        The margin is so thin that a person should look.
    """

    label: Label
    segment: int
    start: int
    end: int
    source: str
    probability: float | None = None
    cues: tuple[Cue, ...] = ()
    measures: tuple[Measure, ...] = ()
    techniques: tuple[Technique, ...] = ()
    comparison: Comparison | None = None
    goal: str | None = None
    lexicon_probability: float | None = None
    model_probability: float | None = None
    is_unclear: bool = False


@dataclass(frozen=True, slots=True)
class Rating:
    """One dimension of the rubric: its rating 0 to 2, its share of the score, the segments it rests on."""

    dimension: Dimension
    rating: int
    weight: float
    segments: tuple[int, ...] = ()

    @property
    def points(self) -> float:
        """Share of the score: weight × rating / 2."""
        return self.weight * self.rating / 2


@dataclass(frozen=True, slots=True)
class Reading:
    """A note as read: what rules look at, so that they import no other module for it."""

    note: Note
    kind: Kind
    segments: tuple[Segment, ...]
    evidence: tuple[Evidence, ...]
    ratings: tuple[Rating, ...]
    score: float
    verdict: Verdict
    unskilled_probability: float | None
    labels: tuple[frozenset[Label], ...]

    def labels_of(self, segment: Segment) -> frozenset[Label]:
        """Return the labels of a segment."""
        return self.labels[segment.index]

    def with_label(self, *labels: Label) -> tuple[Evidence, ...]:
        """Return the evidence that carries one of the labels, in the order of the text."""
        return tuple(e for e in self.evidence if e.label in labels)

    def rating(self, dimension: Dimension) -> int:
        """Return the rating of a dimension, 0 to 2."""
        return next(r.rating for r in self.ratings if r.dimension is dimension)


@dataclass(frozen=True, slots=True)
class Finding:
    """A complaint of a rule about a note: the words, what is wrong, and what to consider writing.

    ``start`` and ``end`` span the whole note where something is missing from it.
    """

    code: str
    level: Level
    title: str
    start: int
    end: int
    message: str
    fix: str
    source: str
    status: Status = Status.STABLE


@dataclass(frozen=True, slots=True)
class CodeSuggestion:
    """An ICD-10-CM code that the text supports."""

    code: str
    title: str
    probability: float | None
    billable: bool
    evidence: tuple[tuple[int, int], ...] = ()
    advice: str = ""


@dataclass(frozen=True, slots=True)
class NotRun:
    """A check that could not run, and why: silence is a claim."""

    check: str
    reason: str


@dataclass(frozen=True, slots=True)
class Versions:
    """What a report was made with."""

    cuewise: str
    lexicons: str
    model: str | None = None
    icd10cm: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything Cuewise says of one note. ``evidence`` is ordered by position, ``findings`` worst first.

    ``is_verdict_unclear`` says that the margin of the verdict is thin and a person should look; ``unclear_wrong`` is
    then the share of verdicts so marked that annotators did not give, measured on validation notes.
    """

    note: Note
    kind: Kind
    verdict: Verdict
    score: float
    unskilled_probability: float | None
    ratings: tuple[Rating, ...]
    segments: tuple[Segment, ...]
    evidence: tuple[Evidence, ...]
    findings: tuple[Finding, ...]
    versions: Versions
    icd10: tuple[CodeSuggestion, ...] = ()
    not_run: tuple[NotRun, ...] = field(default=())
    verdict_probability: float | None = None
    is_verdict_unclear: bool = False
    unclear_wrong: float | None = None

    @property
    def is_judged(self) -> bool:
        """Whether verdict and score have weight: not for a no-show, a screening or another contact."""
        return self.kind not in UNJUDGED_KINDS


Result = Report | Failure
"""What comes back for each record, in order: a report, or why there is none."""
