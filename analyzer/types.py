"""Frozen values that cross modules: a note, its segments, hits and labels, findings, the report.

Positions everywhere are character offsets into the original note text, half-open: ``note.text[start:end]`` is the
quote.
"""

from collections.abc import Mapping
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
class Origin:
    """Where a note came from: the file's name and the row in it.

    ``row`` counts from 1: the line of a CSV, JSON Lines or NDJSON file, the sheet row of a workbook, the data row of a
    Parquet file, the entry of a FHIR Bundle, the segment of an X12 interchange. None for a file that holds one note.
    """

    file: str
    row: int | None = None

    def __str__(self) -> str:
        return self.file if self.row is None else f"{self.file}:{self.row}"


class ClaimForm(StrEnum):
    """What a claim was written on: CMS-1500 or 837P, UB-04 or 837I."""

    PROFESSIONAL = "professional"
    INSTITUTIONAL = "institutional"


class AmountBasis(StrEnum):
    """What a year-to-date amount was added up from: what payers allowed, or charges where a line does not say that."""

    ALLOWED = "allowed"
    CHARGE = "charge"


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """One line of the claim: a CPT code and what was billed under it.

    Parameters
    ----------
    modifiers : tuple of str
        Two characters each, upper case.
    charge, allowed : float, optional
        US dollars: what was billed for all units, and what the payer allows for them.
    clinician_id : str, optional
        Who rendered the service, as the claim says.
    diagnoses : tuple of str
        Those that the line points at, in the claim's order; all of the claim where it points at none.
    origin : Origin, optional
        Where the line stands in a claims file; None when it came with the note's own record.
    """

    code: str
    units: int | None = None
    modifiers: tuple[str, ...] = ()
    minutes: int | None = None
    charge: float | None = None
    allowed: float | None = None
    claim_id: str | None = None
    clinician_id: str | None = None
    date_of_service: date | None = None
    place_of_service: str | None = None
    diagnoses: tuple[str, ...] = ()
    form: ClaimForm | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class BilledLine:
    """A line of a claims file: what was billed, for whom, and where it stands in the file.

    Parameters
    ----------
    patient_ids : tuple of str
        Names that the claim has for the patient, best first; a transaction may hold the record number, the member
        number and the number of the account.
    """

    line: ClaimLine
    patient_ids: tuple[str, ...]
    date_of_service: date
    origin: Origin
    payer: str | None = None


@dataclass(frozen=True, slots=True)
class UnmatchedLine:
    """A line of a claims file that belongs to none of the notes, and why."""

    billed: BilledLine
    reason: str


@dataclass(frozen=True, slots=True)
class UnmatchedNote:
    """A note without a line in the claims file, and why."""

    id: str
    patient_id: str | None
    date_of_service: date | None
    origin: Origin | None
    reason: str


@dataclass(frozen=True, slots=True)
class ClaimsMatch:
    """What became of a claims file: how much of it belongs to the notes, and what does not.

    Parameters
    ----------
    file : str
        The file as the caller gave it.
    lines, matched_lines : int
        Lines that could be read, and those that belong to a note.
    notes, matched_notes : int
        Notes that could be read, and those that have a line.
    remarks : tuple of str
        What was left out of the file on purpose, such as voided claims.
    """

    file: str
    lines: int
    matched_lines: int
    notes: int
    matched_notes: int
    unmatched_lines: tuple[UnmatchedLine, ...] = ()
    unmatched_notes: tuple[UnmatchedNote, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanOfCare:
    """What the record says of the plan of care.

    Parameters
    ----------
    start : date, optional
        The first day of treatment under it; a day of evaluation counts.
    certified_through : date, optional
        The last day that a signed certification covers.
    is_certified : bool, optional
        Whether a physician or other practitioner who may certify has signed; None where the record does not say.
    has_signed_order : bool, optional
        Whether a signed and dated order or referral is on file.
    sent_on : date, optional
        The day on which the plan was sent to that practitioner, where there is proof of it.
    """

    start: date | None = None
    certified_through: date | None = None
    goals: tuple[str, ...] = ()
    is_certified: bool | None = None
    has_signed_order: bool | None = None
    sent_on: date | None = None


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
    ytd_pt_slp_allowed : float, optional
        What was allowed for physical and speech therapy together in the calendar year before this note's lines.
    extra : tuple of (str, object)
        Unknown columns of the input record, handed through.
    ytd_basis : AmountBasis, optional
        What ``ytd_pt_slp_allowed`` was added up from where it was computed from the claims given; None where the
        record gave it.
    treatment_days_since_report : int, optional
        Days of treatment or evaluation since the last progress report, or since the episode began, with this one.
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
    ytd_basis: AmountBasis | None = None
    treatment_days_since_report: int | None = None


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
        Offsets without surrounding white space, and without the number of a list item.
    section : Section
        The section it stands in.
    body_start : int
        Offset after a bullet, check box or section heading on the same line; ``start`` where there is none.
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


class Certainty(StrEnum):
    """How a note speaks of a disease or disorder; only what is certain or history may be coded (outpatient)."""

    CERTAIN = "certain"
    HISTORY = "history"
    UNCERTAIN = "uncertain"
    NEGATED = "negated"
    RESOLVED = "resolved"
    FAMILY = "family"
    OTHER_SUBJECT = "other-subject"


CODABLE = frozenset({Certainty.CERTAIN, Certainty.HISTORY})
"""What may be coded for an outpatient; what a person has had before may be the cause of what is treated now."""


class Strength(StrEnum):
    """Whether a disorder is named, a deficit is described, or a test, diet or material points at the area."""

    STATED = "stated"
    SIGN = "sign"
    CUE = "cue"


@dataclass(frozen=True, slots=True)
class Mention:
    """Words that speak of a disease, a disorder, a deficit or a fact that codes depend on.

    Parameters
    ----------
    concept : str
        An ICD-10-CM code where the words have one code whatever else the note says, else a name such as ``stroke``.
    row : str
        The lexicon row that found it.
    """

    concept: str
    strength: Strength
    certainty: Certainty
    segment: int
    start: int
    end: int
    row: str


@dataclass(frozen=True, slots=True)
class TypedCode:
    """An ICD-10-CM code that is written in the note or stands in its record.

    Parameters
    ----------
    code : str
        As normalised: upper case, with its dot.
    title : str
        Empty where the code is not known.
    standing : str
        ``valid``, or what is wrong with it on the date of service.
    successors : tuple of str
        Codes to consider in its place.
    advice : str
        What to ask or look up.
    start, end : int, optional
        Where it stands in the text; None when it comes from the record's ``diagnoses``.
    role : str
        ``treating``, ``symptom``, ``manifest``, ``etiology``, ``status``, ``history``, ``encounter`` or ``social`` for
        a code of the speech-language pathology set, else empty.
    support : float
        How probable the code is by the words of the note alone, were it not typed.
    better : tuple of str
        Codes of the same disorder that the words support better, best first: a more specific one, or the one for the
        cause that is documented.
    certainty : Certainty, optional
        How the note speaks of it in words, where it does; the strongest claim counts.
    area : str
        What it is about, such as ``voice``, for a code of the speech-language pathology set, else empty.
    covers : tuple of str
        Other areas that are treated under it.
    valid_until : date, optional
        The last day on which it could be used, where that day is past.
    mentions : tuple of Mention
        The words that name it, which ``certainty`` is the strongest claim of.
    """

    code: str
    title: str
    standing: str
    successors: tuple[str, ...] = ()
    advice: str = ""
    start: int | None = None
    end: int | None = None
    role: str = ""
    is_unspecified: bool = False
    support: float = 0.0
    better: tuple[str, ...] = ()
    certainty: Certainty | None = None
    area: str = ""
    covers: tuple[str, ...] = ()
    valid_until: date | None = None
    mentions: tuple[Mention, ...] = ()


LIKELY_CODE = 0.4
"""Probability from which codes are taken to stand on one claim."""


@dataclass(frozen=True, slots=True)
class CodeSuggestion:
    """An ICD-10-CM code that the text supports, with the words that do.

    Parameters
    ----------
    billable : bool
        False for a category, given where no code below it is supported.
    advice : str
        What the note would have to say for a more specific code, and how the code is sequenced.
    role, area : str
        As of a :class:`TypedCode`.
    """

    code: str
    title: str
    probability: float | None
    billable: bool
    evidence: tuple[tuple[int, int], ...] = ()
    advice: str = ""
    role: str = ""
    area: str = ""
    is_unspecified: bool = False

    @property
    def is_likely(self) -> bool:
        """Whether it may stand on a claim; what is less probable is an alternative."""
        return self.billable and (self.probability or 0.0) >= LIKELY_CODE


@dataclass(frozen=True, slots=True)
class CodeConflict:
    """Two codes that an Excludes1 note forbids together; ``note`` is its text and ``sits_at`` where it stands."""

    code: str
    other: str
    note: str
    sits_at: str


@dataclass(frozen=True, slots=True)
class CodeOrder:
    """A code that the tabular list wants before another; ``is_missing`` where it is not among the typed codes."""

    first: str
    then: str
    reason: str
    is_missing: bool


@dataclass(frozen=True, slots=True)
class Coding:
    """What the note says of diagnoses.

    Parameters
    ----------
    mentions : tuple of Mention
    typed : tuple of TypedCode
        In the order of the text, then of the record.
    suggestions : tuple of CodeSuggestion
        Best first.
    conflicts : tuple of CodeConflict
        Pairs of typed codes that exclude each other.
    orders : tuple of CodeOrder
        Typed codes that stand in the wrong order, or without the code that must come before them.
    supported : tuple of CodeSuggestion
        What the words alone support, were no code typed; best first.
    """

    mentions: tuple[Mention, ...] = ()
    typed: tuple[TypedCode, ...] = ()
    suggestions: tuple[CodeSuggestion, ...] = ()
    conflicts: tuple[CodeConflict, ...] = ()
    orders: tuple[CodeOrder, ...] = ()
    supported: tuple[CodeSuggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """Words that state something of the record: a group, a video visit, a missed visit, an area that was treated.

    Parameters
    ----------
    fact : str
        What is stated; the facts of ``lexicons/facts/said.csv``, or an area of ``areas.csv``.
    value : str
        What the words add, such as the size of a group.
    assertion : Assertion
        Only what is ``PRESENT`` is said of this session.
    row : str
        The lexicon row that found it.
    """

    fact: str
    segment: int
    start: int
    end: int
    row: str
    assertion: Assertion = Assertion.PRESENT
    value: str = ""


class Basis(StrEnum):
    """What minutes in a note are the minutes of."""

    TOTAL = "total"
    TIMED = "timed"
    UNTIMED = "untimed"
    CODE = "code"
    AREA = "area"
    OPENING = "opening"


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minutes of treatment as written.

    Parameters
    ----------
    basis : Basis
        ``OPENING`` for minutes in the first or last line without a word that says of what; most often the total.
    code : str
        The procedure code that they were written for, with ``CODE``.
    area : str
        The disorder area that they were spent on, where the same words name just one; one of ``areas.csv``.
    """

    value: int
    basis: Basis
    segment: int
    start: int
    end: int
    code: str = ""
    area: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """Times at which a session began and ended, in minutes after midnight, as written."""

    begin: int
    finish: int
    segment: int
    start: int
    end: int

    @property
    def minutes(self) -> int:
        """Length of the session; a time without am or pm that seems to run backwards passes noon."""
        length = self.finish - self.begin
        return length if length > 0 else length + 12 * 60


class DateRole(StrEnum):
    """What a date in a note is the date of."""

    SERVICE = "service"
    SIGNATURE = "signature"
    OPENING = "opening"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date as written, month before day; ``year`` is None where none was written.

    ``OPENING`` is a date in the first lines without a word that says of what; most often the date of service.
    ``OTHER`` is any date that is plainly one: with its year, or with its month in letters.
    """

    month: int
    day: int
    year: int | None
    role: DateRole
    segment: int
    start: int
    end: int

    def may_be(self, day: date) -> bool:
        """Whether it can be that day."""
        return (self.month, self.day) == (day.month, day.day) and self.year in (None, day.year)


class Credential(StrEnum):
    """What a person who wrote or signed a note is."""

    SLP = "slp"
    FELLOW = "fellow"
    ASSISTANT = "assistant"
    STUDENT = "student"
    OTHER_DISCIPLINE = "other_discipline"


class SignatureState(StrEnum):
    """Whether a note's text shows its author's signature."""

    SIGNED = "signed"
    NAMED = "named"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Signature:
    """A line that says who wrote or signed the note.

    Parameters
    ----------
    state : SignatureState
        ``NAMED`` where a line gives a provider and does not say that it was signed, ``BLANK`` for an empty line or a
        draft.
    credentials : tuple of Credential
        As written on it, without repetition.
    is_second : bool
        A supervisor's line: a co-signature.
    """

    state: SignatureState
    segment: int
    start: int
    end: int
    credentials: tuple[Credential, ...] = ()
    is_second: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What the text of a note says of the record around it: minutes, times, dates, who signed, how it was given.

    Parameters
    ----------
    said, areas : tuple of Said
        Facts and disorder areas that words speak of, in the order of the text like all that follows.
    record_credential : Credential, optional
        What the record's ``credential`` stands for; None where it is missing or not known.
    diagnosis_areas : tuple of (str, tuple of str)
        The diagnoses of record and claim with the areas that treatment of them is in; none for a cause or a code not
        known.
    billed : tuple of (str, frozenset of str)
        The code of each claim line, or the note's one code, with what a note must show for it; see
        ``lexicons/facts/services.csv``.
    """

    said: tuple[Said, ...] = ()
    areas: tuple[Said, ...] = ()
    minutes: tuple[Minutes, ...] = ()
    clocks: tuple[Clock, ...] = ()
    dates: tuple[WrittenDate, ...] = ()
    signatures: tuple[Signature, ...] = ()
    record_credential: Credential | None = None
    diagnosis_areas: tuple[tuple[str, tuple[str, ...]], ...] = ()
    billed: tuple[tuple[str, frozenset[str]], ...] = ()

    def of(self, *facts: str) -> tuple[Said, ...]:
        """Return what is said today of some facts."""
        return tuple(said for said in self.said if said.fact in facts and said.assertion is Assertion.PRESENT)

    def says(self, *facts: str) -> bool:
        """Whether one of some facts is said of this session."""
        return bool(self.of(*facts))

    def mentions(self, *facts: str) -> bool:
        """Whether words speak of one of some facts at all: today, planned, of someone else."""
        return any(said.fact in facts for said in self.said)

    def lines_of(self, *services: str) -> tuple[int, ...]:
        """Return the positions of the claim lines for which a note must show all of some services."""
        return tuple(at for at, (_, shown) in enumerate(self.billed) if shown.issuperset(services))

    @property
    def stated_minutes(self) -> int | None:
        """Minutes that the text plainly gives as the session's: labelled, by its times, or by code; else None."""
        by_basis = {basis: [m.value for m in self.minutes if m.basis is basis] for basis in Basis}
        if by_basis[Basis.TOTAL]:
            return max(by_basis[Basis.TOTAL])
        if by_basis[Basis.TIMED] and by_basis[Basis.UNTIMED]:
            return max(by_basis[Basis.TIMED]) + max(by_basis[Basis.UNTIMED])
        if self.clocks:
            return sum(clock.minutes for clock in self.clocks)
        for basis in (Basis.UNTIMED, Basis.TIMED):
            if by_basis[basis]:
                return max(by_basis[basis])
        return sum(by_basis[Basis.CODE]) or None

    @property
    def total_minutes(self) -> int | None:
        """As :attr:`stated_minutes`, or the minutes that head the note, or those of its areas together."""
        opening = max((m.value for m in self.minutes if m.basis is Basis.OPENING), default=0)
        return self.stated_minutes or opening or sum(m.value for m in self.minutes if m.area) or None

    @property
    def timed_minutes(self) -> int | None:
        """Timed-code treatment minutes that the text states as such; None where it states none."""
        return max((m.value for m in self.minutes if m.basis is Basis.TIMED), default=None)

    def minutes_of_code(self, code: str) -> int | None:
        """Minutes written for a procedure code; None where none are."""
        found = [m.value for m in self.minutes if m.code == code]
        return sum(found) if found else None

    @property
    def minutes_by_area(self) -> tuple[tuple[str, int], ...]:
        """Minutes by disorder area, areas sorted: what timed codes for each area will be counted by."""
        found: dict[str, int] = {}
        for m in self.minutes:
            if m.area:
                found[m.area] = found.get(m.area, 0) + m.value
        return tuple(sorted(found.items()))

    @property
    def signer(self) -> Signature | None:
        """The author's line: signed before named before blank."""
        first = [signature for signature in self.signatures if not signature.is_second]
        return min(first, key=lambda s: (list(SignatureState).index(s.state), not s.credentials), default=None)


class UnitBasis(StrEnum):
    """What one unit of a procedure stands for.

    ``QUARTER`` codes count 15 minutes and share the minutes of the day; ``BLOCK`` codes count their own minutes;
    ``PERIOD`` codes count a month, 30 days or an episode, ``EACH`` codes what was used, such as questionnaires.
    """

    UNTIMED = "untimed"
    QUARTER = "quarter"
    BLOCK = "block"
    PERIOD = "period"
    EACH = "each"


class Service(StrEnum):
    """What is done under a procedure."""

    TREATMENT = "treatment"
    GROUP = "group"
    EVALUATION = "evaluation"
    SCREENING = "screening"
    CAREGIVER_TRAINING = "caregiver-training"
    MONITORING = "monitoring"
    TECHNOLOGY = "technology"
    OTHER = "other"


class Therapy(StrEnum):
    """Whether Medicare takes a procedure for outpatient therapy; ``UNKNOWN`` where no list was read."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """Whose service a procedure is: speech-language pathology's own, shared, or another discipline's."""

    OWN = "own"
    SHARED = "shared"
    OTHER = "other"


class TimedUnits(StrEnum):
    """How minutes become units of 15-minute codes: over all of them together, or each code by itself."""

    TOGETHER = "together"
    EACH_CODE = "each-code"


@dataclass(frozen=True, slots=True)
class Procedure:
    """A procedure code as it stands on a date of service, under a short label of our own.

    Parameters
    ----------
    area : str
        The area of disorder, for codes that are billed by area; else empty.
    unit_minutes : int, optional
        Minutes of one unit; None for codes that do not count minutes.
    first_from : int, optional
        Minutes of the session from which the first unit counts; for an add-on code they include those of its primary.
    repeats : bool
        Whether more minutes make more units of the same code.
    takes_gn_only : bool
        Medicare takes the code under a speech-language pathology plan of care alone.
    medicare_status : str
        Status letter of the fee schedule, such as ``A`` or ``B``; empty where it was not read.
    is_facility_barred : bool
        An independent therapist is not paid for it in a hospital.
    """

    code: str
    label: str
    service: Service
    basis: UnitBasis
    unit_minutes: int | None
    first_from: int | None
    repeats: bool
    therapy: Therapy
    scope: Scope
    area: str = ""
    takes_gn_only: bool = False
    medicare_status: str = ""
    is_facility_barred: bool = False


@dataclass(frozen=True, slots=True)
class CodePair:
    """Two codes of one day of which the second is denied.

    ``with_modifier`` says whether a modifier may allow both; ``with_modifier_in_hospital`` the same for the claims of
    hospital outpatient departments.
    """

    first: str
    second: str
    with_modifier: bool
    with_modifier_in_hospital: bool


@dataclass(frozen=True, slots=True)
class DailyLimit:
    """The most units of a code that are payable on one day; ``is_absolute`` where no appeal changes it."""

    units: int
    is_absolute: bool


@dataclass(frozen=True, slots=True)
class Deletion:
    """A code that exists no more: its last day, and why."""

    code: str
    last_day: date
    reason: str


@dataclass(frozen=True, slots=True)
class CodeTables:
    """The billing tables as they are valid on a date of service.

    Without a date they hold nothing, but for ``deletions``, ``modifiers`` and ``places``, which then hold every row.

    Parameters
    ----------
    procedures, daily_limits : mapping of str
        By code.
    deletions : mapping of str to Deletion
        By code; a code that is deleted later is there too.
    add_ons : mapping of str to frozenset of str
        Add-on code to the primaries that it may stand with.
    pairs : mapping of frozenset of str to CodePair
        By the two codes.
    never_together : frozenset of frozenset of str
        Pairs that one clinician may not report on one day, whatever the modifiers.
    modifiers : mapping of str to frozenset of str
        Group of modifiers, such as ``pair`` or ``telehealth``, to its members.
    places : mapping of str to frozenset of str
        Group of places of service, such as ``hospital`` or ``telehealth``, to its codes.
    telehealth_codes : frozenset of str
        Codes that Medicare pays for by telehealth.
    gaps : mapping of str to str
        Tables that do not speak for the date, with the reason; all of them where there is no date.
    """

    procedures: Mapping[str, Procedure]
    deletions: Mapping[str, Deletion]
    daily_limits: Mapping[str, DailyLimit]
    add_ons: Mapping[str, frozenset[str]]
    pairs: Mapping[frozenset[str], CodePair]
    never_together: frozenset[frozenset[str]]
    modifiers: Mapping[str, frozenset[str]]
    places: Mapping[str, frozenset[str]]
    telehealth_codes: frozenset[str]
    gaps: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Policy:
    """What the payer, the clinic and the date of service make of the rules.

    Parameters
    ----------
    payer : str
        The pack that the note is judged by.
    is_payer_known : bool
        False where the record names a payer that no pack knows, so that it is judged by what holds for every payer.
    lineage : tuple of str
        The pack and those that it extends, nearest first.
    levels : mapping of str to Level
        Rules that run for this payer, with their level; a rule that is off is missing.
    turned_off : frozenset of str
        Rules that would run but for the clinic's settings.
    tables : CodeTables
    kx_threshold, review_threshold : float, optional
        US dollars for physical and speech therapy together in the calendar year; None where not known.
    timed_units : TimedUnits
    needs_habilitative_modifier : bool
        Whether the payer wants 96 or 97 on every line.
    telehealth_through : date, optional
        The last day on which telehealth is allowed; None where the payer sets no end.
    certification_days, certification_due_days : int
        The longest interval that a certification covers, and the days in which the first is due.
    report_days : int
        The treatment days in which a progress report is due.
    """

    payer: str
    is_payer_known: bool
    lineage: tuple[str, ...]
    levels: Mapping[str, Level]
    turned_off: frozenset[str]
    tables: CodeTables
    kx_threshold: float | None
    review_threshold: float | None
    timed_units: TimedUnits
    needs_habilitative_modifier: bool
    telehealth_through: date | None
    certification_days: int
    certification_due_days: int
    report_days: int

    def runs(self, code: str) -> bool:
        """Whether a rule runs for this payer."""
        return code in self.levels


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
    coding: Coding = Coding()
    facts: Facts = Facts()
    policy: Policy | None = None

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

    ``start`` and ``end`` span the whole note where something is missing from it. ``lines`` are the positions of the
    claim lines that it is about, from 0; none where it is about the note, and so about every line.
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
    lines: tuple[int, ...] = ()


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
    facts: Facts = Facts()
    verdict_probability: float | None = None
    is_verdict_unclear: bool = False
    unclear_wrong: float | None = None

    @property
    def is_judged(self) -> bool:
        """Whether verdict and score have weight: not for a no-show, a screening or another contact."""
        return self.kind not in UNJUDGED_KINDS


Result = Report | Failure
"""What comes back for each record, in order: a report, or why there is none."""
