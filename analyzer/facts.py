"""What the text of a note says of the record around it: minutes, times, dates, who signed, how the session was given.

Tables: ``lexicons/facts/``. Rules compare these facts with the claim and the record; nothing is concluded here.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from analyzer.assertion import Context
from analyzer.lexicon import AREAS, Lexicons, Pattern, compile_pattern, fail, one_of, rows
from analyzer.scan import Disjoint, Found, Scanner
from analyzer.segment import Segmentation, fold
from analyzer.types import (
    Assertion,
    Basis,
    Clock,
    Credential,
    DateRole,
    Facts,
    Minutes,
    Note,
    Said,
    Section,
    Segment,
    Signature,
    SignatureState,
    WrittenDate,
)

_FOLDER = "facts"
SAID = (
    "caregiver-training",
    "consent",
    "device",
    "device-training",
    "evaluation",
    "evaluation-word",
    "group",
    "in-person",
    "individual",
    "missed",
    "other-discipline",
    "patient-absent",
    "patient-present",
    "relative-by-video",
    "separate",
    "supervised",
    "telehealth",
    "treatment",
)
"""The facts of ``said.csv``."""

_TIMES = frozenset({"span", "begin", "finish", "not", *DateRole})
_SIGNATURES = frozenset({*SignatureState, "second", "second-blank", "not"})
_OPENING = 3  # segments at the top, where a note says when, how and how long
_SERVICES = frozenset(
    {"caregiver", "device", "evaluation", "group", "individual", "speech", "swallowing", "timed", "treatment"}
)
_OTHER_DISCIPLINE = frozenset({"GO", "GP", "CO", "CQ"})  # modifiers of lines that are not of this discipline
_CODE_LENGTH = 5  # of a procedure code, without the modifiers that may follow it
_SHORTEST, _LONGEST = 4, 240  # minutes of a session
_OPENING_MINUTES = range(10, 121)
_APART = 4  # segments between "time in" and "time out"
_NAME = 60  # characters of a name, with degrees, before the credential
_LONG_SEGMENT = 140  # characters; a longer opening segment tells of the session and does not head it
_DIGITS = re.compile(r"[0-9]+")
_HOURS = {"half": 30, "1/2": 30, "three": 45, "3/4": 45}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PLANNED = frozenset({Assertion.GOAL, Assertion.PLANNED, Assertion.CONDITIONAL, Assertion.HISTORICAL})


class FactReader:
    """Reads the facts of segmented notes; made once from the lexicons, shared by all notes.

    Parameters
    ----------
    lexicons : Lexicons
        For the classes that patterns name, and for number words.

    Raises
    ------
    LexiconError
        When a table of ``lexicons/facts/`` is damaged; the message names file and line.
    """

    def __init__(self, lexicons: Lexicons) -> None:
        self._numbers: dict[str, int] = {word: round(n) for word, n in lexicons.settings["numbers"].items()}
        self._diagnoses = tuple(_diagnoses())
        self._services = dict(_services())
        self._scan = Scanner(tables(lexicons))

    def __call__(self, note: Note, segmentation: Segmentation, context: Context) -> Facts:
        """Read the facts of one note.

        Parameters
        ----------
        note : Note
            For the fields that words are compared with: credential and diagnoses.
        segmentation : Segmentation
        context : Context
            Says what is planned, negated or history.

        Returns
        -------
        Facts
        """
        found = self._scan(segmentation)
        areas = tuple(_said(found["areas"], segmentation, context))
        return Facts(
            said=tuple(_said(found["said"], segmentation, context)),
            areas=areas,
            minutes=tuple(self._minutes(found["minutes"], segmentation, areas, context)),
            clocks=tuple(_clocks(found["times"], segmentation, context)),
            dates=tuple(_dates(found["times"], segmentation)),
            signatures=tuple(_signatures(found["signatures"], found["credentials"], segmentation)),
            record_credential=self._credential(note.credential),
            diagnosis_areas=tuple((code, self._areas_of(code)) for code in _diagnosis_codes(note)),
            billed=tuple((code, self._services.get(code, frozenset())) for code in _billed_codes(note)),
        )

    def _credential(self, written: str | None) -> Credential | None:
        if not written or not written.strip():
            return None
        segmentation = _one_line(written)
        found = self._scan(segmentation)["credentials"]
        kinds = [kind for kind, _, _ in _credentials(found)]
        return _author(kinds)

    def _areas_of(self, code: str) -> tuple[str, ...]:
        return next((areas for pattern, areas in self._diagnoses if fnmatchcase(code, pattern)), ())

    def _minutes(
        self, found: Sequence[Found], segmentation: Segmentation, areas: Sequence[Said], context: Context
    ) -> Iterable[Minutes]:
        taken = Disjoint()
        kept: list[Minutes] = []
        order = {basis: number for number, basis in enumerate(_MINUTES_FIRST)}
        for one in sorted(found, key=lambda one: (order[one.row.value], one.start, -one.end)):
            value = self._value(one.groups.get("minutes", ""))
            if taken.touches(one.start, one.end):
                continue
            if one.row.value == "not":
                taken.add(one.start, one.end)
                continue
            if value is None or not _SHORTEST <= value <= _LONGEST:
                continue
            if context.assess(one.segment, one.start, one.end) in _PLANNED and one.row.value != Basis.TOTAL:
                continue
            basis = Basis(one.row.value)
            named = {said.fact for said in areas if one.start <= said.start and said.end <= one.end}
            area = named.pop() if len(named) == 1 else ""
            if basis is Basis.AREA and not area:
                continue
            if basis is Basis.OPENING and not _opens(segmentation, one, value):
                continue
            taken.add(one.start, one.end)
            kept.append(
                Minutes(
                    value,
                    basis,
                    one.segment,
                    one.start,
                    _trimmed(segmentation, one),
                    code=one.groups.get("code", ""),
                    area=area,
                )
            )
        return sorted(kept, key=lambda minutes: minutes.start)

    def _value(self, written: str) -> int | None:
        """Minutes as a number: digits, number words, or a part of an hour."""
        words = written.replace("-", " ").split()
        if not words:
            return None
        if words[-1].startswith("hour") or words[-1] in ("h", "hr", "hrs", "1h", "1hr"):
            first = words[0]
            if first in _HOURS:
                return _HOURS[first]
            return 60 * (self._value(" ".join(words[:-1])) or 1)
        if len(words) == 1 and _DIGITS.fullmatch(words[0]):
            return int(words[0])
        if not all(word in self._numbers for word in words):
            return None
        return sum(self._numbers[word] for word in words)


_MINUTES_FIRST = ("not", Basis.TOTAL, Basis.UNTIMED, Basis.TIMED, Basis.CODE, Basis.AREA, Basis.OPENING)


def tables(lexicons: Lexicons) -> dict[str, tuple[Pattern, ...]]:
    """Read the pattern tables of facts.

    Parameters
    ----------
    lexicons : Lexicons
        For the classes that patterns name.

    Returns
    -------
    dict of str to tuple of Pattern
        By table, rows in the order of the file.
    """
    allowed: Mapping[str, frozenset[str]] = {
        "areas": frozenset(AREAS),
        "credentials": frozenset(Credential),
        "minutes": frozenset({*Basis, "not"}),
        "said": frozenset(SAID),
        "signatures": _SIGNATURES,
        "times": _TIMES,
    }
    return {table: tuple(_patterns(table, values, lexicons.classes)) for table, values in allowed.items()}


def _patterns(table: str, values: frozenset[str], classes: Mapping[str, str]) -> Iterable[Pattern]:
    file = f"{_FOLDER}/{table}.csv"
    names: set[str] = set()
    for line, row in rows(file, ("name", "says", "pattern", "example", "near_miss", "source")):
        if row["name"] in names:
            raise fail(file, line, f"duplicate name {row['name']!r}")
        names.add(row["name"])
        for needed in ("name", "pattern", "example", "near_miss"):
            if not row[needed]:
                raise fail(file, line, f"empty {needed}")
        yield Pattern(
            file=f"{_FOLDER}/{table}",
            name=row["name"],
            value=one_of(file, line, "says", row["says"], values),
            weight=1.0,
            expression=compile_pattern(file, line, row["pattern"], classes),
            example=row["example"],
            near_miss=row["near_miss"],
            source=row["source"],
        )


def _diagnoses() -> Iterable[tuple[str, tuple[str, ...]]]:
    """Codes, ``?`` for any character and ``*`` for any others, and the areas that treatment of them is in."""
    file = f"{_FOLDER}/diagnoses.csv"
    seen: set[str] = set()
    for line, row in rows(file, ("codes", "areas", "source")):
        if row["codes"] in seen:
            raise fail(file, line, f"duplicate codes {row['codes']!r}")
        seen.add(row["codes"])
        areas = tuple(row["areas"].split())
        for area in areas:
            one_of(file, line, "areas", area, frozenset(AREAS))
        yield row["codes"], areas


def _services() -> Iterable[tuple[str, frozenset[str]]]:
    """Procedure codes with what a note must show for each."""
    file = f"{_FOLDER}/services.csv"
    seen: set[str] = set()
    for line, row in rows(file, ("code", "shows", "source")):
        if row["code"] in seen:
            raise fail(file, line, f"duplicate code {row['code']!r}")
        seen.add(row["code"])
        shows = frozenset(row["shows"].split())
        for service in shows:
            one_of(file, line, "shows", service, _SERVICES)
        yield row["code"], shows


def _diagnosis_codes(note: Note) -> tuple[str, ...]:
    """Return the diagnoses of record and claim, upper case and with their dot, each once."""
    written = (*note.diagnoses, *(code for line in note.claim_lines for code in line.diagnoses))
    plain = (code.strip().upper().replace(".", "") for code in written)
    return tuple(dict.fromkeys(f"{code[:3]}.{code[3:]}" if code[3:] else code for code in plain if code))


def _billed_codes(note: Note) -> tuple[str, ...]:
    """Return the codes billed, in the order of the lines; empty for a line of another discipline."""
    written = [
        "" if _OTHER_DISCIPLINE & {modifier.strip().upper() for modifier in line.modifiers} else line.code
        for line in note.claim_lines
    ]
    return tuple(code.strip().upper()[:_CODE_LENGTH] for code in written or ([note.cpt] if note.cpt else []))


def _said(found: Iterable[Found], segmentation: Segmentation, context: Context) -> Iterable[Said]:
    said = [
        Said(
            fact=one.row.value,
            segment=one.segment,
            start=one.start,
            end=_trimmed(segmentation, one),
            row=one.row.id,
            assertion=context.assess(one.segment, one.start, one.end),
            value=one.groups.get("value", ""),
        )
        for one in found
    ]
    return sorted(said, key=lambda one: (one.start, -one.end, one.fact))


def _trimmed(segmentation: Segmentation, found: Found) -> int:
    """Return where the words of a match end, without the blank or mark that shows that they do."""
    return found.start + len(segmentation.folded[found.start : found.end].rstrip(" \n.,;:|("))


def _opens(segmentation: Segmentation, found: Found, value: int) -> bool:
    """Whether minutes stand where a note says how long the session was: in its head, or as a line of their own."""
    segment = segmentation.segments[found.segment]
    if value not in _OPENING_MINUTES:
        return False
    if segment.section is Section.HEADER or segment.end - segment.start <= found.end - found.start + 2:
        return True
    return found.segment < _OPENING and segment.end - segment.start <= _LONG_SEGMENT


def _time(written: str) -> int | None:
    """Minutes after midnight of a time such as ``9:05`` or ``1400``."""
    digits = written.replace(":", "").replace(".", "").strip()
    if not _DIGITS.fullmatch(digits) or not 3 <= len(digits) <= 4:
        return None
    hours, minutes = int(digits[:-2]), int(digits[-2:])
    return hours * 60 + minutes if hours < 24 and minutes < 60 else None


def _clocks(found: Iterable[Found], segmentation: Segmentation, context: Context) -> Iterable[Clock]:
    rows_of = {says: [one for one in found if one.row.value == says] for says in ("span", "begin", "finish", "not")}
    taken = Disjoint()
    for one in rows_of["not"]:
        if not taken.touches(one.start, one.end):
            taken.add(one.start, one.end)
    clocks: list[Clock] = []

    def keep(begin: Found, finish: Found) -> None:
        a, b = _time(begin.groups.get("begin", "")), _time(finish.groups.get("finish", ""))
        start, end = begin.start, finish.end
        if a is None or b is None or taken.touches(start, end):
            return
        clock = Clock(a, b, begin.segment, start, end)
        if _SHORTEST < clock.minutes <= _LONGEST:
            taken.add(start, end)
            clocks.append(clock)

    for one in sorted(rows_of["span"], key=lambda one: (one.start, -one.end)):
        segment = segmentation.segments[one.segment]
        is_head = one.segment < _OPENING or segment.section is Section.HEADER or one.row.name.startswith("labelled")
        if is_head and context.assess(one.segment, one.start, one.end) not in _PLANNED:
            keep(one, one)
    for begin in rows_of["begin"]:
        later = [one for one in rows_of["finish"] if one.start >= begin.end and one.segment - begin.segment <= _APART]
        if later:
            keep(begin, min(later, key=lambda one: one.start))
    return sorted(clocks, key=lambda clock: clock.start)


def _dates(found: Iterable[Found], segmentation: Segmentation) -> Iterable[WrittenDate]:
    taken = Disjoint()
    dates: list[WrittenDate] = []
    roles = list(DateRole)
    usable = [one for one in found if one.row.value in frozenset(DateRole)]
    for one in sorted(usable, key=lambda one: (roles.index(DateRole(one.row.value)), one.start, -one.end)):
        role = DateRole(one.row.value)
        if taken.touches(one.start, one.end):
            continue
        segment = segmentation.segments[one.segment]
        if role is DateRole.OPENING and (one.segment >= _OPENING or one.start != segment.start):
            continue  # a label stands before it: "DOB: 3/5/2016"
        month, day = _month(one.groups.get("month", "")), int(one.groups.get("day", "0"))
        if not (1 <= month <= 12 and 1 <= day <= 31):
            continue
        year = int(one.groups["year"]) if one.groups.get("year") else None
        if year is not None and year < 100:
            year += 2000
        taken.add(one.start, one.end)
        dates.append(WrittenDate(month, day, year, role, one.segment, one.start, _trimmed(segmentation, one)))
    return sorted(dates, key=lambda date: date.start)


def _month(written: str) -> int:
    if _DIGITS.fullmatch(written):
        return int(written)
    return _MONTHS.index(written[:3]) + 1 if written[:3] in _MONTHS else 0


def _credentials(found: Iterable[Found]) -> list[tuple[Credential, int, int]]:
    """Credentials without those that are a part of a longer one: ``SLP`` in ``SLP-CF``."""
    taken = Disjoint()
    kept = []
    for one in sorted(found, key=lambda one: (one.start - one.end, one.start)):
        if not taken.touches(one.start, one.end):
            taken.add(one.start, one.end)
            kept.append((Credential(one.row.value), one.start, one.end))
    return sorted(kept, key=lambda each: each[1])


def _author(kinds: Sequence[Credential]) -> Credential | None:
    """What a person with these credentials is: the one that limits most, since ``BA, SLP student`` is a student."""
    limits = (Credential.STUDENT, Credential.ASSISTANT, Credential.FELLOW, Credential.SLP, Credential.OTHER_DISCIPLINE)
    return next((kind for kind in limits if kind in kinds), None)


def _signatures(
    found: Sequence[Found], credentials: Iterable[Found], segmentation: Segmentation
) -> Iterable[Signature]:
    others = Disjoint()
    for one in found:
        if one.row.value == "not" and not others.touches(one.start, one.end):
            others.add(one.start, one.end)
    written = _credentials(credentials)
    taken = Disjoint()
    signatures: list[Signature] = []
    order = ("second-blank", "second", SignatureState.BLANK, SignatureState.SIGNED, SignatureState.NAMED)
    usable = [one for one in found if one.row.value != "not"]
    for one in sorted(usable, key=lambda one: (order.index(one.row.value), one.start, -one.end)):
        if others.touches(one.start, one.end) or taken.touches(one.start, one.end):
            continue
        taken.add(one.start, one.end)
        line_end = segmentation.text.find("\n", one.end)
        last = len(segmentation.text) if line_end < 0 else line_end  # "Signed L. Moe, CCC-SLP" is two sentences
        kinds = tuple(
            dict.fromkeys(kind for kind, a, b in written if one.start <= a and b <= min(last, one.end + _NAME))
        )
        is_second = one.row.value in ("second", "second-blank")
        if one.row.value == "second-blank":
            state = SignatureState.BLANK
        else:
            state = SignatureState.SIGNED if is_second else SignatureState(one.row.value)
        signatures.append(Signature(state, one.segment, one.start, one.end, kinds, is_second))
    return sorted(signatures, key=lambda signature: signature.start)


def _one_line(text: str) -> Segmentation:
    """A field of the record as a text of one segment."""
    line = fold(text).replace("\n", " ")
    return Segmentation(text, (Segment(0, 0, len(text), Section.HEADER, 0),), line)
