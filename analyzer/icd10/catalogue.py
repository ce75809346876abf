"""What ICD-10-CM codes exist, on which days they may be used, and which exclude each other.

Two tables: the codes that speech-language pathology uses, with their notes and conditions, and the complete list, which
is read only when a code outside of the first is asked for. ``code_tables/build.py`` writes both.
"""

import gzip
import re
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache, cached_property
from itertools import product
from types import MappingProxyType

from analyzer.errors import LexiconError
from analyzer.lexicon import fail, one_of, read_bytes, rows, settings_of

Window = tuple[date, date | None]

_FULL_LIST = "icd10/icd10cm.tsv.gz"
_FULL_COLUMNS = "code\ttitle\tis_complete\tvalid_from\tvalid_to"
_CODE_COLUMNS = (
    "code",
    "title",
    "area",
    "role",
    "tier",
    "is_unspecified",
    "valid_from",
    "valid_to",
    "synonyms",
    "conditions",
    "remarks",
    "code_first",
    "use_additional",
    "code_also",
    "source",
)
_MOST_OFFERS = 5
_LONGEST = 7  # characters of a code, without its dot


class Standing(StrEnum):
    """Whether a code may be used on a date of service, or what stands against it."""

    VALID = "valid"
    NOT_VALID_ON_DATE = "not_valid_on_date"
    NOT_BILLABLE = "not_billable"
    WHO_ONLY = "who_only"
    UNKNOWN = "unknown"
    DATE_NOT_COVERED = "date_not_covered"


@dataclass(frozen=True, slots=True)
class Code:
    """A code or a category of ICD-10-CM.

    Parameters
    ----------
    title : str
        As in the tabular list; empty where it could not be read.
    windows : tuple of (date, date or None)
        The days, both included, on which it is a complete code; none for a category. They are clipped to the covered
        days, and the end is None for a code that is still valid.
    area, role, tier : optional
        Of the codes that speech-language pathology uses; None for all others.
    synonyms : tuple of str
        How clinicians write it.
    conditions, remarks : str
        When to use it, and what to mind.
    code_first, use_additional, code_also : str
        Notes of the tabular list. ``[R41.84] ...`` stands at that category and holds for what is below it.
    """

    code: str
    title: str
    windows: tuple[Window, ...]
    area: str | None = None
    role: str | None = None
    tier: int | None = None
    is_unspecified: bool = False
    synonyms: tuple[str, ...] = ()
    conditions: str = ""
    remarks: str = ""
    code_first: str = ""
    use_additional: str = ""
    code_also: str = ""

    @property
    def is_billable(self) -> bool:
        """Whether it is a complete code on some covered day; a category is not."""
        return self.windows != ()

    def is_valid_on(self, day: date) -> bool:
        """Whether it is a complete code on a day, which must be a covered one."""
        return any(start <= day and (end is None or day <= end) for start, end in self.windows)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A note of the tabular list at ``sits_at``, at or above ``code``, that excludes ``other``."""

    code: str
    other: str
    note: str
    sits_at: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A code as it was typed, and what is to be said of it.

    Parameters
    ----------
    code : str
        As it should have been typed.
    title : str
        Empty where the code is unknown.
    successors : tuple of str
        Codes to offer in its place, valid on the day; the first one is the default. They are offered, never put in.
    advice : str
        What is wrong, and what to ask; empty for a valid code.
    """

    typed: str
    code: str
    standing: Standing
    title: str = ""
    successors: tuple[str, ...] = ()
    advice: str = ""


@dataclass(frozen=True, slots=True)
class _Foreign:
    """A code of the WHO's ICD-10 that ICD-10-CM does not have."""

    meaning: str
    offers: tuple[str, ...]
    reason: str


def normalize(typed: str) -> str:
    """Return a code as the tabular list writes it, whatever its case, dots, blanks and trailing marks.

    Examples
    --------
    >>> normalize("i69320"), normalize(" R47.01* "), normalize("R13.")
    ('I69.320', 'R47.01', 'R13')
    """
    letters = re.sub(r"[^A-Z0-9]", "", typed.upper())
    return f"{letters[:3]}.{letters[3:]}" if len(letters) > 3 else letters


# Letters typed for digits and the other way round.
_MISREAD = {"O": "0", "I": "1", "L": "1", "S": "5", "Z": "2", "B": "8"}
_MISTAKEN = {"0": "O", "1": "I", "5": "S", "2": "Z", "8": "B"}
_CODE_LIKE = re.compile(
    r"(?:[A-Z][0-9OIL]|QA)[0-9A-Z]"  # the category
    r"(?:\s?[.,]\s?[0-9A-Z]{1,5}|[0-9A-Z]{1,5}|\s[0-9][0-9A-Z]{0,4})?"
    r"|1[0-9]{2}(?:\s?[.,]\s?[0-9A-Z]{1,4}|[0-9]{1,4})"  # a 1 for the letter I
)


def looks_like_code(typed: str) -> bool:
    """Whether someone who typed this meant a code, right or misspelled, and not words of a note.

    Examples
    --------
    >>> [looks_like_code(typed) for typed in ("I69320", "g20", "R47.O1", "aphasia", "AOS", "h/o CVA")]
    [True, True, True, False, False, False]
    """
    typed = typed.strip().upper().rstrip("*†.,- ")
    return _CODE_LIKE.fullmatch(typed) is not None and any(char.isdigit() for char in typed[:4])


class _FullList:
    """Every code and category, as sorted lines that are taken apart only when they are asked for."""

    def __init__(self, first_day: date) -> None:
        try:
            text = gzip.decompress(read_bytes(_FULL_LIST)).decode("utf-8")
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise LexiconError(f"lexicons/{_FULL_LIST}: {type(error).__name__}") from error
        header, *self._lines = text.removesuffix("\n").split("\n")
        if header != _FULL_COLUMNS:
            raise fail(_FULL_LIST, 1, f"columns must be {_FULL_COLUMNS!r}; found {header!r}")
        self._first_day = first_day

    def get(self, code: str) -> Code | None:
        """Return a code or category, or None where it is in no release that is covered."""
        place = bisect_left(self._lines, f"{code}\t")
        if place == len(self._lines) or not self._lines[place].startswith(f"{code}\t"):
            return None
        return self._read(place)

    def below(self, code: str) -> Iterator[Code]:
        """Yield what is below a category, in order."""
        beginning = f"{code}." if len(code) == 3 else code
        for place in range(bisect_left(self._lines, beginning), len(self._lines)):
            if not self._lines[place].startswith(beginning):
                return
            if not self._lines[place].startswith(f"{code}\t"):
                yield self._read(place)

    def _read(self, place: int) -> Code:
        line = place + 2
        fields = self._lines[place].split("\t")
        if len(fields) != len(_FULL_COLUMNS.split("\t")):
            raise fail(_FULL_LIST, line, "expected 5 fields")
        code, title, is_complete, start, end = fields
        one_of(_FULL_LIST, line, "is_complete", is_complete, {"0", "1"})
        window = _window(_FULL_LIST, line, start, end, self._first_day)
        return Code(code, title, (window,) if is_complete == "1" else ())


class Catalogue:
    """ICD-10-CM on the days that are covered. Use :func:`load_catalogue`.

    Attributes
    ----------
    release : str
        The newest release in it, such as ``FY2027``.
    first_day, last_day : date
        The days it answers for; about others it says nothing.
    slp : mapping of str to Code
        The codes that speech-language pathology uses, in order.
    """

    def __init__(self) -> None:
        settings = settings_of("icd10/release.toml")
        try:
            self.release: str = settings["release"]
            self.first_day: date = settings["first_day"]
            self.last_day: date = settings["last_day"]
        except KeyError as error:
            raise LexiconError(f"lexicons/icd10/release.toml: {error.args[0]} is missing") from error
        self.slp: Mapping[str, Code] = MappingProxyType(_read_codes(self.first_day))

    def get(self, code: str) -> Code | None:
        """Return a code or category as the tabular list writes it, or None where no covered release has it."""
        return self.slp.get(code) or self._full.get(code)

    def children(self, header: str, day: date | None = None) -> tuple[Code, ...]:
        """Return the codes below a category that are valid on a day, in order.

        Parameters
        ----------
        header : str
            As the tabular list writes it.
        day : date, optional
            A covered day; the newest release where it is not given.
        """
        day = day or self.last_day
        return tuple(self.slp.get(code.code, code) for code in self._full.below(header) if code.is_valid_on(day))

    def valid_until(self, code: str, day: date | None = None) -> date | None:
        """Return the last day on which a code could be used, or None where that day is not past.

        Parameters
        ----------
        code : str
            As the tabular list writes it.
        day : date, optional
            The date of service; the newest release where it is not given.

        Examples
        --------
        >>> load_catalogue().valid_until("G35", date(2025, 10, 1))
        datetime.date(2025, 9, 30)
        """
        found = self.get(code)
        day = day or self.last_day
        if found is None or found.is_valid_on(day):
            return None
        return max((end for _, end in found.windows if end is not None and end < day), default=None)

    def excludes1(self, code: str, other: str) -> Exclusion | None:
        """Return the note that forbids two codes of :attr:`slp` together, in either order, or None.

        The ban does not hold for two conditions that are clearly unrelated.
        """
        return self._exclusion("1", code, other)

    def excludes2(self, code: str, other: str) -> Exclusion | None:
        """Return the note that two codes of :attr:`slp` are not part of each other; both may be reported."""
        return self._exclusion("2", code, other)

    def check(self, typed: str, day: date | None = None) -> Checked:
        """Say whether a code may be used on a date of service.

        Parameters
        ----------
        typed : str
            A code in any spelling.
        day : date, optional
            The date of service; where it is not given, the newest release is asked, never today's date.

        Returns
        -------
        Checked

        Examples
        --------
        >>> catalogue = load_catalogue()
        >>> catalogue.check("i69320").standing
        <Standing.VALID: 'valid'>
        >>> catalogue.check("G35", date(2026, 11, 22)).successors[0]
        'G35.D'
        """
        name = normalize(typed)
        if name in self._foreign:
            return self._check_foreign(typed, name, day)
        code = self.get(name)
        if code is None:
            return self._check_unknown(typed, name, day)
        if day is not None and not self.first_day <= day <= self.last_day:
            advice = f"The tables cover {self.first_day} to {self.last_day} ({self.release})."
            return Checked(typed, name, Standing.DATE_NOT_COVERED, code.title, (), advice)
        day = day or self.last_day
        if code.is_valid_on(day):
            return Checked(typed, name, Standing.VALID, code.title)
        is_category = bool(self.children(name, day))
        standing = Standing.NOT_BILLABLE if is_category else Standing.NOT_VALID_ON_DATE
        offers, reason = self._offers(code, day)
        advice = " ".join(filter(None, (_problem(code, day, is_category), reason)))
        return Checked(typed, name, standing, code.title, offers, advice)

    # Parts that are read when they are needed

    @cached_property
    def _full(self) -> _FullList:
        return _FullList(self.first_day)

    @cached_property
    def _exclusions(self) -> Mapping[tuple[str, str, str], Exclusion]:
        file = "icd10/excludes.csv"
        found: dict[tuple[str, str, str], Exclusion] = {}
        for line, row in rows(file, ("code", "other", "type", "note_sits_at", "note")):
            kind = one_of(file, line, "type", row["type"], {"1", "2"})
            for column in ("code", "other"):
                if row[column] not in self.slp:
                    raise fail(file, line, f"{column} {row[column]!r} is not in codes.csv")
            exclusion = Exclusion(row["code"], row["other"], row["note"], row["note_sits_at"])
            key = (kind, row["code"], row["other"])
            if key not in found or _nearness(exclusion) > _nearness(found[key]):
                found[key] = exclusion
        return found

    @cached_property
    def _successors(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """Code to the codes to offer where it cannot be used, each with what to ask; default first."""
        file = "icd10/successors.csv"
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        for line, row in rows(file, ("code", "offer", "reason", "source")):
            listed = found.get(row["code"], ())
            if row["offer"] in [offer for offer, _ in listed]:
                raise fail(file, line, "duplicate offer")
            self._check_offer(file, line, row["offer"])
            found[row["code"]] = (*listed, (row["offer"], row["reason"]))
        return found

    @cached_property
    def _predecessors(self) -> Mapping[str, str]:
        """New code to the code that it is a part of, for the days before it."""
        return {offer: code for code, offers in self._successors.items() for offer, _ in offers}

    @cached_property
    def _foreign(self) -> Mapping[str, _Foreign]:
        file = "icd10/who_only.csv"
        found: dict[str, _Foreign] = {}
        for line, row in rows(file, ("code", "meaning", "offers", "reason", "source")):
            if row["code"] in found:
                raise fail(file, line, "duplicate code")
            offers = tuple(filter(None, row["offers"].split("; ")))
            for offer in offers:
                self._check_offer(file, line, offer)
            found[row["code"]] = _Foreign(row["meaning"], offers, row["reason"])
        return found

    # How an answer is found

    def _check_offer(self, file: str, line: int, offer: str) -> None:
        if offer not in self.slp and self._full.get(offer) is None:
            raise fail(file, line, f"there is no code {offer!r}")

    def _exclusion(self, kind: str, code: str, other: str) -> Exclusion | None:
        return self._exclusions.get((kind, code, other)) or self._exclusions.get((kind, other, code))

    def _is_valid(self, name: str, day: date) -> bool:
        code = self.get(name)
        return code is not None and code.is_valid_on(day)

    def _offers(self, code: Code, day: date) -> tuple[tuple[str, ...], str]:
        """Codes that are valid on the day in place of one that is not, and what to ask."""
        listed = [pair for pair in self._successors.get(code.code, ()) if self._is_valid(pair[0], day)]
        if listed:
            return tuple(offer for offer, _ in listed[:_MOST_OFFERS]), _sentence(listed[0][1])
        earlier = self._predecessors.get(code.code)
        if earlier is not None and self._is_valid(earlier, day):
            return (earlier,), _sentence(f"until then {earlier}")
        below = self.children(code.code, day)
        ranked = sorted(below, key=lambda child: (child.tier is None, child.tier or 0, child.code))
        return tuple(child.code for child in ranked[:_MOST_OFFERS]), ""

    def _check_foreign(self, typed: str, name: str, day: date | None) -> Checked:
        foreign = self._foreign[name]
        advice = f"A code of the WHO's ICD-10 that ICD-10-CM does not have. {_sentence(foreign.reason)}".strip()
        offers = tuple(offer for offer in foreign.offers if self._is_valid(offer, self._covered(day)))
        return Checked(typed, name, Standing.WHO_ONLY, foreign.meaning, offers, advice)

    def _check_unknown(self, typed: str, name: str, day: date | None) -> Checked:
        offers = self._corrections(name, self._covered(day))
        question = f" Was {offers[0]} meant?" if len(offers) == 1 else " Was one of these meant?" if offers else ""
        advice = f"ICD-10-CM does not have this code, up to {self.release}.{question}"
        return Checked(typed, name, Standing.UNKNOWN, "", offers, advice)

    def _covered(self, day: date | None) -> date:
        return day if day is not None and self.first_day <= day <= self.last_day else self.last_day

    def _corrections(self, name: str, day: date) -> tuple[str, ...]:
        """Codes that are valid on the day and may have been meant, likeliest first."""
        letters = name.replace(".", "")[: _LONGEST + 1]
        found = self._meant(_misread(letters), day)
        for slips in (_swapped(letters), _shortened(letters)):  # looked for among the codes that the field uses
            found = found or [code for code in self._meant(slips, day) if code in self.slp]
        if not found:
            known = (normalize(letters[:end]) for end in range(len(letters) - 1, 2, -1))
            nearest = next((start for start in known if self.get(start) is not None), None)
            found = self._meant((nearest,), day) if nearest else []
        return tuple(found[:_MOST_OFFERS])

    def _meant(self, guesses: Iterable[str], day: date) -> list[str]:
        """Return those of some guesses that are valid on the day, and what to offer for the others; each once."""
        found: dict[str, None] = {}
        for guess in guesses:
            code = self.get(guess)
            if code is not None:
                found.update(dict.fromkeys((guess,) if code.is_valid_on(day) else self._offers(code, day)[0]))
        return list(found)


def _misread(letters: str) -> Iterator[str]:
    """Yield what may stand there when letters were typed for digits or the other way round."""
    return (normalize("".join(chars)) for chars in product(*map(_readings, range(len(letters)), letters)))


def _swapped(letters: str) -> Iterator[str]:
    """Yield the spellings with two neighbours swapped."""
    for place in range(len(letters) - 1):
        yield normalize(letters[:place] + letters[place + 1] + letters[place] + letters[place + 2 :])


def _shortened(letters: str) -> Iterator[str]:
    """Yield the spellings with one character less, from the end."""
    for place in reversed(range(len(letters))):
        yield normalize(letters[:place] + letters[place + 1 :])


def _readings(place: int, char: str) -> tuple[str, ...]:
    """What may have been meant by a character: the first one is always a letter."""
    if place == 0:
        return (_MISTAKEN.get(char, char),)
    return (char, _MISREAD[char]) if char in _MISREAD else (char,)


def _problem(code: Code, day: date, is_category: bool) -> str:
    """Say why a code cannot be used on a day."""
    started = [start for start, _ in code.windows if start > day]
    ended = [end for _, end in code.windows if end is not None and end < day]
    if started:
        return f"Valid from {min(started)}."
    if is_category:
        until = f"Valid until {max(ended)}; now a" if ended else "A"
        return f"{until} category: a code below it is needed."
    return f"Valid until {max(ended)}." if ended else "No code of this category is valid on that day."


def _sentence(reason: str) -> str:
    return f"{reason[0].upper()}{reason[1:]}." if reason else ""


def _nearness(exclusion: Exclusion) -> tuple[bool, int]:
    """How near to the code a note stands: blocks such as R40-R46 are farthest, longer names are nearer."""
    return "-" not in exclusion.sits_at, len(exclusion.sits_at)


def _window(file: str, line: int, start: str, end: str, first_day: date) -> Window:
    try:
        window = date.fromisoformat(start) if start else first_day, date.fromisoformat(end) if end else None
    except ValueError as error:
        raise fail(file, line, "a date is not written as 2025-10-01") from error
    if window[1] is not None and window[1] < window[0]:
        raise fail(file, line, "valid_to is before valid_from")
    return window


def _read_codes(first_day: date) -> dict[str, Code]:
    file = "icd10/codes.csv"
    found: dict[str, Code] = {}
    for line, row in rows(file, _CODE_COLUMNS):
        if row["code"] in found:
            raise fail(file, line, "duplicate code")
        if normalize(row["code"]) != row["code"] or not row["title"]:
            raise fail(file, line, "code or title is not as in the tabular list")
        found[row["code"]] = Code(
            code=row["code"],
            title=row["title"],
            windows=(_window(file, line, row["valid_from"], row["valid_to"], first_day),),
            area=row["area"],
            role=row["role"],
            tier=int(one_of(file, line, "tier", row["tier"], {"1", "2", "3"})),
            is_unspecified=one_of(file, line, "is_unspecified", row["is_unspecified"], {"yes", "no"}) == "yes",
            synonyms=tuple(filter(None, row["synonyms"].split("; "))),
            conditions=row["conditions"],
            remarks=row["remarks"],
            code_first=row["code_first"],
            use_additional=row["use_additional"],
            code_also=row["code_also"],
        )
    return found


@cache
def load_catalogue() -> Catalogue:
    """Read the codes that speech-language pathology uses, once a process; the rest is read when it is needed.

    Returns
    -------
    Catalogue

    Raises
    ------
    LexiconError
        For a table that is not what it should be; the message names file and line. Tables that are read later raise it
        later.

    Examples
    --------
    >>> load_catalogue().slp["R47.01"].title
    'Aphasia'
    """
    return Catalogue()
