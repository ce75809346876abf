"""HTML and XHTML to lines of text."""

import re

from lxml import etree

from analyzer.errors import NoteError
from analyzer.readers.encoding import check_is_text
from analyzer.readers.lines import LineBuilder

_BLOCKS = frozenset(
    (
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt",
        "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr",
        "legend", "li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "ul",
    )
)  # fmt: skip
_PROLOG = re.compile(
    r"\s*(?:<\?xml[^>]{0,500}>\s*)?<!DOCTYPE[^>\[]{0,500}(?:\[[^\]]{0,5000}\])?[^>]{0,500}>", re.IGNORECASE
)
_HIDDEN = frozenset(("head", "script", "style", "template", "title", "noscript"))
_CELLS = frozenset(("td", "th"))


def to_lines(markup: str) -> str:
    """Return the text of an HTML or XHTML fragment or document: blocks as lines, a tab between the cells of a row.

    Nothing is fetched and no entity is expanded but the named characters of HTML. An empty fragment gives "".

    Examples
    --------
    >>> to_lines("<div><p>S: tired &amp; hoarse</p><p>O: 8/10</p></div>")
    'S: tired & hoarse\\nO: 8/10'
    """
    if not markup.strip():
        return ""
    check_is_text(markup)
    # The HTML parser reads XHTML too. It knows no entities but its own, and takes declarations of others for text.
    if prolog := _PROLOG.match(markup):
        markup = markup[prolog.end() :]
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=False, recover=True
    )
    try:
        root = etree.fromstring(markup.encode(), parser)
    except etree.LxmlError as error:
        raise NoteError("bad-markup", "the HTML cannot be read") from error
    return "" if root is None else _collect(root)


def _collect(root: etree._Element) -> str:
    lines = LineBuilder()
    hidden_depth = preformatted_depth = 0

    def write(text: str | None) -> None:
        if text and not hidden_depth:
            if preformatted_depth:
                lines.write(text)
            else:
                lines.write_collapsed(text)

    for event, element in etree.iterwalk(root, events=("start", "end")):
        tag = element.tag
        if event == "start":
            hidden_depth += tag in _HIDDEN
            preformatted_depth += tag in ("pre", "textarea")
            if tag in _BLOCKS:
                lines.end_line()
            elif tag == "br":
                lines.end_line(keep_blank=True)
            elif tag == "tr":
                lines.open_row()
            elif tag in _CELLS:
                lines.open_level()
            elif tag == "input":
                write(_check_box(element))
            write(element.text)
        else:
            if tag in _BLOCKS:
                lines.end_line()
            elif tag == "tr":
                lines.close_row()
            elif tag in _CELLS:
                lines.close_cell()
            hidden_depth -= tag in _HIDDEN
            preformatted_depth -= tag in ("pre", "textarea")
            write(element.tail)
    return lines.text()


def _check_box(element: etree._Element) -> str:
    if element.get("type", "").lower() not in ("checkbox", "radio"):
        return ""
    return "☐ " if element.get("checked") is None else "☒ "
