"""Lines of text out of marked-up paragraphs and tables."""

import re
from dataclasses import dataclass, field

# No-break spaces are text, not layout.
_HTML_SPACE = re.compile(r"[ \t\n\r\f]+")


@dataclass(slots=True)
class _Level:
    lines: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)


class LineBuilder:
    """Collects text in document order: a paragraph is a line, a table row is a line with a tab between its cells.

    A cell with several paragraphs keeps its line breaks, so that a template whose cells hold whole sections still reads
    as lines.
    """

    def __init__(self) -> None:
        self._levels = [_Level()]
        self._rows: list[list[str]] = []

    def write(self, text: str) -> None:
        """Add text to the current line."""
        self._levels[-1].current.append(text)

    def write_collapsed(self, text: str) -> None:
        """Add text whose white space means no more than one space, as in HTML."""
        current = self._levels[-1].current
        collapsed = _HTML_SPACE.sub(" ", text)
        if not current or current[-1].endswith((" ", "\n", "\t")):
            collapsed = collapsed.lstrip(" ")
        if collapsed:
            current.append(collapsed)

    def end_line(self, *, keep_blank: bool = False) -> None:
        """End the current line; a blank one counts only with ``keep_blank``."""
        level = self._levels[-1]
        line = "".join(level.current).strip(" \n")
        if line or keep_blank:
            level.lines.append(line)
        level.current = []

    def open_row(self) -> None:
        """Begin a table row."""
        self.end_line()
        self._rows.append([])

    def close_row(self) -> None:
        """End a table row; one without text leaves no line."""
        line = "\t".join(self._rows.pop()).rstrip()
        if line:
            self._levels[-1].lines.append(line)

    def open_level(self) -> None:
        """Begin a cell or a text box: what is written until it is closed stands apart from the line around it."""
        self._levels.append(_Level())

    def close_cell(self) -> None:
        """End a cell; outside of a row its lines stand for themselves."""
        lines = self._close_level()
        if self._rows:
            self._rows[-1].append("\n".join(lines).strip("\n"))
        else:
            self._levels[-1].lines.extend(lines)

    def close_box(self) -> None:
        """End a text box: its lines stand before the paragraph that holds it."""
        self._levels[-2].lines.extend(self._close_level())

    def text(self) -> str:
        """Return all lines, without blank ones at both ends."""
        self.end_line()
        return "\n".join(self._levels[-1].lines).strip("\n")

    def _close_level(self) -> list[str]:
        self.end_line()
        return self._levels.pop().lines
