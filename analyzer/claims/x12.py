"""X12 837 professional and institutional interchanges to billed lines.

pyx12 cuts the interchange into segments and checks its envelopes. Which loop a segment belongs to follows from its
place among HL, CLM, SBR and LX; the rest of the implementation guides (005010X222, 005010X223) is for validators.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import pyx12.errors
from pyx12.segment import Segment
from pyx12.x12file import X12Reader

from analyzer.claims.table import read_code, read_place
from analyzer.errors import NoteError
from analyzer.readers.encoding import bad_encoding, open_text
from analyzer.readers.limits import Limits
from analyzer.readers.records import Source
from analyzer.readers.values import read_date, read_integer, read_modifiers, read_name, read_number
from analyzer.types import BilledLine, ClaimForm, ClaimLine, Failure

SUFFIXES = (".837", ".edi", ".x12", ".837p", ".837i")
_SIGNATURE = b"ISA"
_MARK = b"\xef\xbb\xbf"
_CLAIM = "837"
# What pyx12 raises on a broken interchange: IndexError where a trailer closes nothing.
_X12_ERRORS = (
    pyx12.errors.X12Error, pyx12.errors.EngineError, pyx12.errors.X12PathError, IndexError, ValueError, TypeError,
)  # fmt: skip
_ENVELOPE = ("isa", "gs", "st")  # kinds of pyx12's errors that say that something is missing or cut
# Code source 235, claim filing indicator: programmes whose payers have other names. The rest keep their names.
_PROGRAMMES: Mapping[str, str] = {"MA": "Medicare", "MB": "Medicare", "MC": "Medicaid"}
_HCPCS = "HC"  # qualifier of a procedure code of HCPCS, which CPT is a part of
_DIAGNOSIS_QUALIFIERS = ("ABK", "ABF", "BK", "BF")  # principal and other diagnoses, ICD-10-CM and ICD-9-CM
_REPLACEMENT, _VOID = ("6", "7"), "8"  # claim frequency codes


def looks_like_x12(stream: BinaryIO) -> bool:
    """Whether a file begins as an interchange does; the stream is left at its start."""
    head = stream.read(len(_MARK) + len(_SIGNATURE))
    stream.seek(0)
    return head.removeprefix(_MARK).startswith(_SIGNATURE)


@dataclass(slots=True)
class _Party:
    """The subscriber, or the patient, of the claims that follow."""

    member_id: str = ""
    is_dependent: bool = False
    payer: str = ""
    programme: str = ""


@dataclass(slots=True)
class _Service:
    """One service line as far as it was read, with the segment that it stands in."""

    segment: Segment | None = None
    row: int = 0
    dates: str = ""
    clinician: str = ""


@dataclass(slots=True)
class _Claim:
    """One claim as far as it was read."""

    id: str
    place: str
    is_place: bool
    frequency: str
    party: _Party
    clinician: str = ""
    record_number: str = ""
    dates: str = ""
    diagnoses: list[str] = field(default_factory=list)
    is_other_payer: bool = False
    services: list[_Service] = field(default_factory=list)


def read_x12(stream: BinaryIO, source: Source, limits: Limits, remarks: list[str]) -> Iterator[BilledLine | Failure]:
    """Yield the lines of every claim, in the order of the interchange.

    A claim that replaces or voids one before it, by the same claim number, takes its place. Lines without a procedure
    code, which institutional claims have, are left out. Both are counted in ``remarks``.

    Parameters
    ----------
    remarks : list of str
        Takes a sentence on what was left out.

    Raises
    ------
    NoteError
        When the file is no 837 interchange, or a damaged one.
    """
    failures: list[Failure] = []
    try:
        with open_text(stream) as lines:
            claims = _read_claims(X12Reader(lines), source, failures)
    except UnicodeError:
        raise bad_encoding() from None  # the cause quotes the text
    except _X12_ERRORS:
        raise NoteError("corrupt-file", "not an X12 interchange of version 4010 or 5010, or a damaged one") from None
    standing = _standing(claims)
    n_uncoded = 0
    for claim in standing:
        for service in claim.services:
            found = _procedure(service)
            if found is None:
                n_uncoded += 1
            else:
                yield _to_line(claim, service, *found, source, limits)
    yield from failures
    if len(standing) < len(claims):
        remarks.append(f"Claims left out because they are void or were replaced: {len(claims) - len(standing):,}.")
    if n_uncoded:
        remarks.append(f"Lines left out because they have no procedure code: {n_uncoded:,}.")


def _standing(claims: Sequence[_Claim]) -> list[_Claim]:
    """Return the claims that are neither void nor replaced by a later one with the same number, in their order."""
    last: dict[str, int] = {}
    gone: set[int] = set()
    for index, claim in enumerate(claims):
        if claim.frequency in (*_REPLACEMENT, _VOID) and claim.id in last:
            gone.add(last[claim.id])
        if claim.frequency == _VOID:
            gone.add(index)
        else:
            last[claim.id] = index
    return [claim for index, claim in enumerate(claims) if index not in gone]


def _read_claims(reader: X12Reader, source: Source, failures: list[Failure]) -> list[_Claim]:
    claims: list[_Claim] = []
    party = _Party()
    claim: _Claim | None = None
    is_skipped = False
    n_transactions = 0
    for segment in reader:
        name = segment.get_seg_id()
        if name == "ST":
            n_transactions += 1
            is_skipped = _value(segment, 1) != _CLAIM
            claim, party = None, _Party()
            if is_skipped:
                found = "a transaction of another kind"
                error = NoteError("wrong-format", f"expected 837 transactions, found {found}")
                failures.append(source.failure(error, reader.get_cur_line()))
        elif is_skipped or name == "SE":
            claim = None
        elif name == "HL":
            claim = None
            party = _Party() if _value(segment, 3) != "23" else replace(party, member_id="", is_dependent=True)
        elif name == "CLM":
            claim = _Claim(
                id=_value(segment, 1),
                place=_value(segment, 5, 1),
                is_place=_value(segment, 5, 2) == "B",
                frequency=_value(segment, 5, 3),
                party=party,
            )
            claims.append(claim)
        elif claim is not None:
            _read_of_claim(claim, name or "", segment, reader.get_cur_line())
        else:
            _read_of_party(party, name or "", segment)
    errors = reader.pop_errors()
    reader.cleanup()
    if any(kind in _ENVELOPE for kind, *_ in [*errors, *reader.pop_errors()]):
        error = NoteError(
            "control-totals", "the file's own counts do not fit what it holds: claims may be missing from it or cut"
        )
        failures.append(source.failure(error, reader.get_cur_line()))
    if not n_transactions:
        raise NoteError("wrong-format", "the interchange holds no transaction")
    return claims


def _read_of_party(party: _Party, name: str, segment: Segment) -> None:
    """Take in a segment of loops 2000B to 2010BB, or 2000C and 2010CA."""
    if name == "SBR":
        party.programme = _value(segment, 9)
    elif name == "NM1":
        role = _value(segment, 1)
        if role == ("QC" if party.is_dependent else "IL"):
            party.member_id = _value(segment, 9)
        elif role == "PR":
            party.payer = _value(segment, 3)


def _read_of_claim(claim: _Claim, name: str, segment: Segment, row: int) -> None:
    """Take in a segment of loops 2300 to 2430."""
    service = claim.services[-1] if claim.services else None
    if name == "LX":
        claim.services.append(_Service(row=row))
    elif name == "SBR":
        claim.is_other_payer = True  # loop 2320: who else pays, whose providers are not asked for
    elif name in ("SV1", "SV2") and service is not None:
        service.segment, service.row = segment, row
    elif name == "DTP":
        if service is not None and _value(segment, 1) == "472":
            service.dates = _value(segment, 3)
        elif service is None and _value(segment, 1) in ("434", "472"):
            claim.dates = _value(segment, 3)
    elif name == "NM1" and _value(segment, 1) == "82":
        if service is not None:
            service.clinician = _value(segment, 9)
        elif not claim.is_other_payer:
            claim.clinician = _value(segment, 9)
    elif name == "REF" and _value(segment, 1) == "EA" and service is None:
        claim.record_number = _value(segment, 2)
    elif name == "HI":
        for index in range(1, len(segment) + 1):
            if _value(segment, index, 1) in _DIAGNOSIS_QUALIFIERS:
                claim.diagnoses.append(_dotted(_value(segment, index, 2)))


def _procedure(service: _Service) -> tuple[Segment, int] | None:
    """Return the segment of a service and the position in it of the procedure, which must be a code of HCPCS."""
    if service.segment is None:
        return None
    at = 1 if service.segment.get_seg_id() == "SV1" else 2
    is_coded = _value(service.segment, at, 1) == _HCPCS and _value(service.segment, at, 2) != ""
    return (service.segment, at) if is_coded else None


def _to_line(
    claim: _Claim, service: _Service, segment: Segment, at: int, source: Source, limits: Limits
) -> BilledLine | Failure:
    is_professional = at == 1
    origin = source.origin(service.row)
    # SV1 has the charge, its unit and the quantity right after the procedure, and so has SV2.
    charge, basis, quantity = (_value(segment, at + step) for step in (1, 2, 3))
    place = (_value(segment, 5) or (claim.place if claim.is_place else "")) if is_professional else ""
    pointers = _values(segment, 7) if is_professional else ()
    try:
        day = read_date("date_of_service", _single_day(service.dates or claim.dates), limits)
        if day is None:
            raise NoteError("missing-field", "the line has no `date_of_service`", field="date_of_service")
        patient_ids = tuple(dict.fromkeys(filter(None, (claim.record_number, claim.party.member_id, claim.id))))
        if not patient_ids:
            raise NoteError("missing-field", "the claim has no `patient_id`", field="patient_id")
        line = ClaimLine(
            code=read_code("code", _value(segment, at, 2), limits),
            units=read_integer("units", quantity if basis != "MJ" else "", limits),
            modifiers=read_modifiers("modifiers", list(filter(None, _values(segment, at)[2:6])), limits),
            minutes=read_integer("minutes", quantity if basis == "MJ" else "", limits),
            charge=read_number("charge", charge, limits),
            claim_id=read_name("claim_id", claim.id, limits),
            clinician_id=read_name("clinician_id", service.clinician or claim.clinician, limits),
            date_of_service=day,
            place_of_service=read_place("place_of_service", place, limits),
            diagnoses=_pointed(claim.diagnoses, pointers),
            form=ClaimForm.PROFESSIONAL if is_professional else ClaimForm.INSTITUTIONAL,
            origin=origin,
        )
        payer = _PROGRAMMES.get(claim.party.programme) or read_name("payer", claim.party.payer, limits)
    except NoteError as error:
        return source.failure(error, service.row)
    return BilledLine(line, patient_ids, day, origin, payer)


def _single_day(dates: str) -> str:
    """Return the day of a date, or of a period that begins and ends on it."""
    first, _, last = dates.partition("-")
    if last and first != last:
        raise NoteError(
            "date-range", "the line spans several days, so that it belongs to no one note", field="date_of_service"
        )
    return first


def _pointed(diagnoses: Sequence[str], pointers: Sequence[str]) -> tuple[str, ...]:
    """Return the diagnoses that a line points at by their places from 1; all of them where it points at none."""
    places = [int(pointer) for pointer in pointers if pointer.isdecimal()]
    pointed = tuple(diagnoses[place - 1] for place in places if 0 < place <= len(diagnoses))
    return pointed or tuple(diagnoses)


def _dotted(code: str) -> str:
    """Write a diagnosis code with its dot, which transactions leave out."""
    return f"{code[:3]}.{code[3:]}" if len(code) > 3 and "." not in code else code


def _values(segment: Segment, index: int) -> tuple[str, ...]:
    """Return the components of an element, counted from 1; none where the segment is shorter."""
    if index > len(segment):
        return ()
    return tuple(component.value.strip() for component in segment.elements[index - 1].elements)


def _value(segment: Segment, index: int, component: int = 1) -> str:
    values = _values(segment, index)
    return values[component - 1] if component <= len(values) else ""
