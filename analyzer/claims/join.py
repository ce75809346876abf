"""Billed lines to the notes that they bill, by patient and date; and what is left on either side."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from analyzer.claims.files import ClaimsFile
from analyzer.claims.yeartodate import amounts_before
from analyzer.types import BilledLine, ClaimsMatch, Failure, Note, UnmatchedLine, UnmatchedNote

NO_PATIENT = "The note has no patient_id."
NO_DATE = "The note has no date_of_service."
NO_LINE = "No claim line is of this patient and date."
NO_FIT = "The lines of this patient and date are of another clinician, discipline or note."
UNKNOWN_PATIENT = "No note is of this patient."
UNKNOWN_DATE = "No note of this patient is of this date."
OTHER_CLINICIAN = "The notes of this patient and date are by other clinicians."
OTHER_DISCIPLINE = "The line is billed under a plan of occupational or physical therapy."
SEVERAL = "Several notes are of this patient and date, and neither clinician nor code tells which one it bills."

_SPEECH = "GN"
_OTHER_PLANS = frozenset({"GO", "GP"})


@dataclass(frozen=True, slots=True)
class _Place:
    """A note and its position among the records."""

    index: int
    note: Note


def join_claims(records: Iterable[Note | Failure], claims: ClaimsFile) -> tuple[list[Note | Failure], ClaimsMatch]:
    """Give every note the claim lines that bill it, and what was allowed before them in the year.

    A line belongs to a note of the same patient and date. Where the line's clinician writes notes of this caseload,
    the note must be theirs. Where several notes fit, the clinician decides, then the code that the notes' own records
    name; lines that are alike go to as many notes in their order. What is still open is left unmatched: a guess would
    be a false alarm. Lines of the file replace those of the note's own record; payer, place of service and diagnoses
    are filled in where the record has none, and so is the year-to-date amount, marked with what it was added up from.

    Parameters
    ----------
    records : iterable of Note or Failure
        All of them are held.
    claims : ClaimsFile

    Returns
    -------
    list of Note or Failure
        As many as there were, in their order.
    ClaimsMatch
    """
    records = list(records)
    places = [_Place(index, record) for index, record in enumerate(records) if isinstance(record, Note)]
    patients = {_fold(place.note.patient_id) for place in places} - {""}
    keys = [_patient_key(billed, patients) for billed in claims.lines]
    note_of, unmatched = _match(places, claims.lines, keys)
    joined = _join(records, claims.lines, keys, note_of)
    matched_notes = set(note_of.values())
    with_lines = {(key, billed.date_of_service) for key, billed in zip(keys, claims.lines, strict=True)}
    left = tuple(
        UnmatchedNote(
            id=place.note.id,
            patient_id=place.note.patient_id,
            date_of_service=place.note.date_of_service,
            origin=place.note.origin,
            reason=_why_unmatched(place.note, with_lines),
        )
        for place in places
        if place.index not in matched_notes
    )
    match = ClaimsMatch(
        file=claims.file,
        lines=len(claims.lines),
        matched_lines=len(note_of),
        notes=len(places),
        matched_notes=len(matched_notes),
        unmatched_lines=tuple(unmatched),
        unmatched_notes=left,
        remarks=claims.remarks,
    )
    return joined, match


def _fold(id: str | None) -> str:
    """Return an id as it is compared: case and blanks at its ends tell no patients apart."""
    return (id or "").strip().casefold()


def _patient_key(billed: BilledLine, patients: set[str]) -> str:
    """Return the name of the patient that the notes know, or the claim's best one."""
    ids = [_fold(id) for id in billed.patient_ids]
    return next((id for id in ids if id in patients), ids[0])


def _match(
    places: Sequence[_Place], lines: Sequence[BilledLine], keys: Sequence[str]
) -> tuple[dict[int, int], list[UnmatchedLine]]:
    """Return the index of the note for each line that has one, and the lines that have none."""
    by_day: dict[tuple[str, date | None], list[_Place]] = defaultdict(list)
    for place in places:
        by_day[_fold(place.note.patient_id), place.note.date_of_service].append(place)
    patients = {patient for patient, _ in by_day}
    clinicians = {_fold(place.note.clinician_id) for place in places} - {""}
    note_of: dict[int, int] = {}
    reasons: dict[int, str] = {}
    open_: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, (billed, key) in enumerate(zip(lines, keys, strict=True)):
        that_day = by_day.get((key, billed.date_of_service), ())
        if not that_day:
            reasons[number] = UNKNOWN_DATE if key in patients else UNKNOWN_PATIENT
            continue
        fitting, reason = _fitting(billed, that_day, clinicians)
        if len(fitting) == 1:
            note_of[number] = fitting[0].index
        elif fitting:
            open_[tuple(place.index for place in fitting)].append(number)
        else:
            reasons[number] = reason
    for indices, numbers in open_.items():
        # As many lines that are alike as there are notes: whichever goes where, every note gets the same.
        are_alike = len({_likeness(lines[number]) for number in numbers}) == 1
        if are_alike and len(numbers) == len(indices):
            note_of |= dict(zip(numbers, indices, strict=True))
        else:
            reasons |= dict.fromkeys(numbers, SEVERAL)
    return note_of, [UnmatchedLine(lines[number], reasons[number]) for number in sorted(reasons)]


def _fitting(billed: BilledLine, that_day: Sequence[_Place], clinicians: set[str]) -> tuple[Sequence[_Place], str]:
    """Return the notes of a day that a line may bill, and why it is none where there is none."""
    clinician = _fold(billed.line.clinician_id)
    plans = set(billed.line.modifiers)
    if clinician in clinicians:  # the claims and the notes name clinicians alike
        that_day = [place for place in that_day if _fold(place.note.clinician_id) in (clinician, "")]
        theirs = [place for place in that_day if place.note.clinician_id]
        that_day = theirs or that_day
        if not that_day:
            return (), OTHER_CLINICIAN
    elif plans & _OTHER_PLANS and _SPEECH not in plans:
        return (), OTHER_DISCIPLINE
    if len(that_day) > 1:
        named = [place for place in that_day if billed.line.code in _codes(place.note)]
        return named or [place for place in that_day if not _codes(place.note)] or that_day, ""
    return that_day, ""


def _codes(note: Note) -> set[str]:
    """Return the codes that a note's own record names."""
    return {line.code for line in note.claim_lines} | ({note.cpt} if note.cpt else set())


def _likeness(billed: BilledLine) -> tuple[object, ...]:
    line = billed.line
    return line.code, line.units, line.modifiers, line.minutes, line.charge, line.allowed, line.place_of_service


def _join(
    records: Sequence[Note | Failure],
    lines: Sequence[BilledLine],
    keys: Sequence[str],
    note_of: Mapping[int, int],
) -> list[Note | Failure]:
    numbers_of: dict[int, list[int]] = defaultdict(list)
    for number in sorted(note_of):
        numbers_of[note_of[number]].append(number)
    before = amounts_before(lines, keys, frozenset(note_of))
    joined = list(records)
    for index, numbers in numbers_of.items():
        note = records[index]
        if not isinstance(note, Note):
            continue
        first = lines[numbers[0]]
        spent = before[numbers[0]] if note.ytd_pt_slp_allowed is None else None
        joined[index] = replace(
            note,
            claim_lines=tuple(lines[number].line for number in numbers),
            payer=note.payer or first.payer,
            place_of_service=note.place_of_service or first.line.place_of_service,
            diagnoses=note.diagnoses or tuple(dict.fromkeys(code for n in numbers for code in lines[n].line.diagnoses)),
            ytd_pt_slp_allowed=note.ytd_pt_slp_allowed if spent is None else spent.amount,
            ytd_basis=note.ytd_basis if spent is None else spent.basis,
        )
    return joined


def _why_unmatched(note: Note, with_lines: set[tuple[str, date]]) -> str:
    if not _fold(note.patient_id):
        return NO_PATIENT
    if note.date_of_service is None:
        return NO_DATE
    is_billed = (_fold(note.patient_id), note.date_of_service) in with_lines
    return NO_FIT if is_billed else NO_LINE
