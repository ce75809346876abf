"""Note text to sections and segments, with exact offsets into the text as given.

Nothing is changed in place. What later stages match on is a folded copy of the same length (:func:`fold`), in which the
words of a segment stand on one line of their own, unticked boxes are blank, and a leading bullet, goal label or section
heading stands on the line before; so an offset in the copy is an offset in the note, and ``^`` is where content begins.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

import re2

from analyzer.lexicon import Lexicons
from analyzer.types import Section, Segment

_LOOKALIKE = {
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "“": '"', "”": '"', "„": '"', "″": '"', "«": '"', "»": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "•": "*", "·": "*", "‣": "*", "▪": "*",
    "●": "*", "○": "*", "◦": "*", "■": "*", "×": "x", "✕": "x", "→": ">", "➔": ">", "⇒": ">", "↑": "^", "↓": "_",
    "≥": ">", "≤": "<", "≈": "~", "½": "\x11", "⅓": "\x12", "¼": "\x13", "⅔": "\x14", "¾": "\x15", "…": ".",
    "µ": "u", "ß": "s", "ø": "o", "Ø": "o", "æ": "a", "Æ": "a", "œ": "o", "ł": "l", "ı": "i", "＋": "+", "％": "%",
    "☑": "\x01", "☒": "\x01", "✓": "\x01", "✔": "\x01", "✅": "\x01",
    "☐": "\x02", "□": "\x02", "❏": "\x02", "▢": "\x02",
}  # fmt: skip
# Fractions and boxes become control characters that patterns can name; \x1a stands for anything else.
_NEWLINES = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


class _Fold(dict[int, str]):
    """One character in, one ASCII character out, worked out when first met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if char in _LOOKALIKE:
            folded = _LOOKALIKE[char]
        elif char in _NEWLINES:
            folded = "\n"
        elif char.isspace():
            folded = " "
        elif code < 128:
            folded = char.lower() if code >= 32 else "\x1a"
        else:
            base = unicodedata.normalize("NFKD", char)[0]
            folded = base.lower() if base.isascii() and base.isprintable() else "\x1a"
        self[code] = folded
        return folded


_FOLD = _Fold()


def fold(text: str) -> str:
    """Fold a text to lower-case ASCII, character for character.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Of the same length, so that offsets agree; an empty text gives an empty string.

    Examples
    --------
    >>> fold("Café – 70 %")
    'cafe - 70 %'
    """
    return text.translate(_FOLD)


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The segments of a text and the folded copy that patterns are matched on.

    Parameters
    ----------
    segments : tuple of Segment
        In order, without overlap.
    folded : str
        As long as the text; each segment on one line, everything between segments is a line end.
    """

    text: str
    segments: tuple[Segment, ...]
    folded: str


_BULLET = re.compile(r"(?:[-*>~+]+|o(?=\s)|(\(?\d{1,2}[.)]|[a-h][.)]))[ \t]+")
_GOAL_LABEL = re.compile(
    r"(?:(?:(?:short|long)[- ]term )?(?:goals?|stgs?|ltgs?|stos?|ltos?|g|iep goals?) ?(?:area )?#?\d{1,2}[a-d]?"
    r"(?:[.,/-]\d{1,2})?(?: ?\([^()\n]{1,60}\))? ?(?:[:.)=>-]+|(?= ))"
    # shorter words need a mark: "ST 45 min" and "Target 5 words" are no goals
    r"|(?:gs|obj(?:ective)?s?|st|lt|target) ?#?\d{1,2}[a-d]?(?: ?\([^()\n]{1,60}\))? ?[:.)=>-]+) ?"
)
_LABEL = re.compile(r"([a-z][a-z0-9 /&(),'.+-]{0,48}?) ?(?::+|(?<=[a-z]) - | ?>+)[ -]*")
_LETTER = re.compile(r"([SOAPDIRE])(?:[:/)]|\.(?=[ \t])|[ \t][-–—][ \t]|[ \t]?=)[ \t]*")
_INLINE_LETTER = re.compile(r"(?<=[\s.;])(?:[SOAPDIR]|S/O|A/P):(?=[ \t])")
_STOP = re.compile(r"(?<![.!?])[.!?]++[\"')\]]*+(?=\s)")
_WORD_BEFORE = re.compile(r"[^\s(\[\"']+$")
_INITIALS = re.compile(r"[A-Z](?:\.[A-Z])+")
_LIST_LETTERS = frozenset("abcdefgh")
_BOX = re.compile(r"\[[ _]?\]|\[[x*\x01]\]|[\x01\x02]|\([ _]\)|(?<![a-z0-9])\(x\)")
_TERMINAL = re.compile(r"[.!?:;][\"')\]]*$")
_WRAP_BETWEEN = (50, 132)  # widths at which mail programs and record systems wrap lines
_LEAST_FILLED = 2
_LONG_WORDS = 26  # an unpunctuated stretch longer than this is dictation
_VERY_LONG_WORDS = 60


class Segmenter:
    """Splits notes into typed segments; made once from the lexicons, shared by all notes."""

    def __init__(self, lexicons: Lexicons) -> None:
        self._headings = {row.heading: row.section for row in lexicons.headings}
        # Long headings first, so that "plan of care" wins over "plan".
        words = sorted((h for h in self._headings if len(h) > 2), key=len, reverse=True)
        self._inline = re2.compile((r"(?:[.;|\])] *| {2,})(" + "|".join(map(re.escape, words)) + r") ?:").encode())
        stops = {row.abbreviation.casefold().strip(".") for row in lexicons.abbreviations if row.stops}
        self._stops = frozenset(stops)
        self._never_ends = frozenset(lexicons.settings["segmentation"]["never_ends"])
        self._subordinators = frozenset(lexicons.settings["segmentation"]["subordinators"])
        self._breaks = tuple(re2.compile(row.expression.encode()) for row in lexicons.breaks)

    def __call__(self, text: str) -> Segmentation:
        """Segment a text.

        Parameters
        ----------
        text : str
            A note, as given.

        Returns
        -------
        Segmentation
            A text without words gives no segments.
        """
        folded = fold(text)
        spans: list[tuple[int, int, bool]] = []  # start, end, starts a line
        for start, end in self._lines(text, folded):
            for number, (a, b) in enumerate(self._sentences(text, folded, start, end)):
                spans.append((a, b, number == 0))
        return self._typed(text, folded, spans)

    def _lines(self, text: str, folded: str) -> list[tuple[int, int]]:
        """Lines without outer white space; wrapped lines joined again."""
        lines: list[tuple[int, int]] = []
        position, blank = 0, True
        texts = folded.split("\n")
        width = _wrap_width([line.rstrip(" ") for line in texts])
        for line in texts:
            stripped = line.strip(" ")
            if not stripped:
                # "\r\n" folds to two line ends; only a line with nothing between is an empty one
                blank = blank or not (position and text[position - 1 : position + 1] == "\r\n")
            else:
                start = position + line.index(stripped[0])
                end = start + len(stripped)
                if width and lines and not blank and self._continues(text, folded, lines[-1], start, end, width):
                    lines[-1] = (lines[-1][0], end)
                else:
                    lines.append((start, end))
                blank = False
            position += len(line) + 1
        return lines

    def _continues(self, text: str, folded: str, last: tuple[int, int], start: int, end: int, width: int) -> bool:
        """Whether a line goes on from the last one: wrapped lines are filled as far as the next word allows."""
        line_start = folded.rfind("\n", last[0], last[1]) + 1 or last[0]
        if not _is_filled(folded[line_start : last[1]], folded[start:end], width):
            return False
        if _BULLET.match(folded, start) or _BOX.match(folded, start):
            return False
        if _GOAL_LABEL.match(folded, start) or self._heading(text, folded, start, end)[0] is not None:
            return False
        if text[start].islower() or text[start] in "(&,;":
            return not _TERMINAL.search(folded, line_start, last[1]) or folded[last[1] - 1] == ";"
        # An upper-case start continues only a line that plainly breaks off.
        return folded[last[1] - 1] in ",-&/(" or folded[line_start : last[1]].rsplit(" ", 1)[-1] in _BREAKS_OFF

    def _sentences(self, text: str, folded: str, start: int, end: int) -> list[tuple[int, int]]:
        cuts = {start, end}
        for match in _STOP.finditer(folded, start, end):
            if self._ends_sentence(text, folded, start, match):
                cuts.add(match.end())
        cuts.update(match.start() for match in _INLINE_LETTER.finditer(text, start, end))
        line = folded[start:end].encode()
        for match in self._inline.finditer(line):
            at = start + match.start(1)
            if at > start and text[at].isupper():
                cuts.add(at)
        spans = []
        for a, b in pairwise(sorted(cuts)):
            while a < b and folded[a] in " \n":
                a += 1
            while b > a and folded[b - 1] in " \n":
                b -= 1
            if a < b:
                spans.extend(self._thoughts(folded, a, b))
        return spans

    def _ends_sentence(self, text: str, folded: str, start: int, match: re.Match[str]) -> bool:
        after = match.end()
        while after < len(folded) and folded[after] in " \n":
            after += 1
        if after >= len(folded):
            return True
        following, stop = text[after], match.group()
        before = _WORD_BEFORE.search(folded, max(start, match.start() - 24), match.start())
        word = before.group().strip(".") if before else ""
        is_upper = following.isupper()
        if stop.startswith("."):
            if len(stop.rstrip("\"')]")) > 1:  # an ellipsis trails off
                return is_upper
            written = text[match.start() - len(word) : match.start()]
            if word in self._never_ends or written == "St" or _INITIALS.fullmatch(written):
                return False
            goal = _GOAL_LABEL.match(folded, start)
            if goal and goal.end() >= match.end():
                return False  # "Goal 2. Names pictures": a label, as a list number is
            if len(word) == 1 and word.isalpha() and text[match.start() - 1].isupper():
                # an initial, unless it is a side or a unit that ends the sentence ("too far R. Wife drove")
                initial = match.start() - 1
                earlier = text[max(start, initial - 24) : initial].rstrip()
                return word in "rlfcdi" and earlier[-1:].islower() and is_upper
            if (word.isdigit() or word in _LIST_LETTERS) and before is not None and before.start() == start:
                return False  # a list number or letter
            if word in self._stops:
                return is_upper
        return is_upper or stop[-1] not in "\"')]"  # the sentence goes on after what was quoted

    def _thoughts(self, folded: str, start: int, end: int) -> list[tuple[int, int]]:
        """Split a long unpunctuated stretch, as dictation gives it, where a new thought begins."""
        words = folded[start:end].split()
        marks = sum(folded.count(mark, start, end) for mark in ",;:")
        if len(words) <= (_VERY_LONG_WORDS if marks else _LONG_WORDS) or marks * 20 > len(words):
            return [(start, end)]
        line = folded[start:end].replace("\n", " ").encode()
        cuts = sorted({start + match.start() for pattern in self._breaks for match in pattern.finditer(line)})
        spans, a = [], start
        for cut in cuts:
            earlier = folded[max(a, cut - 24) : cut].split()
            is_clause = bool(earlier) and earlier[-1] in self._subordinators
            if not is_clause and folded.count(" ", a, cut) >= 4 and folded.count(" ", cut, end) >= 3:
                spans.append((a, len(folded[a:cut].rstrip(" \n")) + a))
                a = cut
        return [*spans, (a, end)]

    def _heading(self, text: str, folded: str, start: int, end: int) -> tuple[Section | None, int]:
        """The section that a heading at ``start`` opens, and where content begins; (None, start) without one."""
        letter = _LETTER.match(text, start, end)
        if letter:
            return self._headings[letter[1].lower()], letter.end()
        label = _LABEL.match(folded, start, end)
        if label:
            section = self._headings.get(label[1].strip(" .-").replace("\n", " "))
            if section is not None:
                return section, label.end()
        whole = folded[start:end].strip(" .:-*#=_")
        if whole in self._headings and len(whole) > 1:
            return self._headings[whole], end
        return None, start

    def _typed(self, text: str, folded: str, spans: list[tuple[int, int, bool]]) -> Segmentation:
        lines = ["\n"] * len(text)
        segments: list[Segment] = []
        current = Section.BODY
        for start, end, starts_line in spans:
            bullet = _BULLET.match(folded, start, end)
            body = start
            if bullet and starts_line and bullet.end() < end:
                body = bullet.end()
                if bullet[1]:  # the number of a list item belongs to the list, not to what the item says
                    start = body
            section, after = self._heading(text, folded, body, end)
            own = current
            if section is not None:
                own = section
                body = after
                if section is not Section.HEADER:  # a header field types its own line only
                    current = section
            elif starts_line and current is Section.HEADER:
                own = Section.BODY
            goal = _GOAL_LABEL.match(folded, body, end)
            if goal and goal.end() < end:
                body = goal.end()
            content = folded[start:end].replace("\n", " ")
            content, is_unticked = _untick(content)
            lines[start:end] = content
            # The prefix stands on a line of its own; there is room for the line end in its last character.
            if body > start and body < end:
                lines[body - 1] = "\n" if content[body - 1 - start] in " :.)-" else lines[body - 1]
            segments.append(
                Segment(
                    index=len(segments),
                    start=start,
                    end=end,
                    section=own,
                    body_start=min(body, end),
                    is_unticked=is_unticked,
                    is_heading=body >= end,
                )
            )
        return Segmentation(text=text, segments=tuple(segments), folded="".join(lines))


def _is_filled(line: str, following: str, width: int) -> bool:
    """Whether the next word would not have found room."""
    return len(line) + 1 + len(following.split(maxsplit=1)[0]) > width - 2


def _wrap_width(lines: list[str]) -> int:
    """The width at which a text was wrapped; 0 where its lines end at will.

    The longest line of any text is filled; a text was wrapped where half of its lines are that do not end a paragraph.
    """
    width = max(map(len, lines), default=0)
    if not _WRAP_BETWEEN[0] <= width <= _WRAP_BETWEEN[1]:
        return 0
    filled = [_is_filled(line, after, width) for line, after in pairwise(lines) if line and after.strip()]
    return width if sum(filled) >= max(_LEAST_FILLED, len(filled) / 2) else 0


_BREAKS_OFF = frozenset(
    {"a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with", "w/"}
)


def _untick(line: str) -> tuple[str, bool]:
    """Blank the unticked items of a line of check boxes; say whether nothing was ticked."""
    boxes = list(_BOX.finditer(line))
    if not boxes:
        return line, False
    is_ticked = [("x" in box.group() or "\x01" in box.group() or "*" in box.group()) for box in boxes]
    lead = line[: boxes[0].start()].strip()
    # "verbal [x] tactile [ ]": the box follows its item when nothing follows the last box and no label leads.
    follows = bool(lead) and not lead.endswith(":") and not line[boxes[-1].end() :].strip(" .")
    blanked = list(line)
    starts = [box.start() for box in boxes] + [len(line)]
    for number, (box, ticked) in enumerate(zip(boxes, is_ticked, strict=True)):
        if follows:
            a, b = (boxes[number - 1].end() if number else 0), box.end()
        else:
            a, b = box.start(), starts[number + 1]
        if ticked:
            blanked[box.start() : box.end()] = " " * (box.end() - box.start() - 1) + ","
        else:
            blanked[a:b] = " " * (b - a)
    return "".join(blanked), not any(is_ticked)
