"""Word documents to text.

The XML is read directly: python-docx leaves out content controls, tracked insertions, text boxes and check boxes, and
clinics' templates are made of these.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import BinaryIO
from zipfile import ZipFile

from lxml import etree

from analyzer.errors import NoteError
from analyzer.readers.archives import ZIP_ERRORS, open_archive
from analyzer.readers.limits import Limits
from analyzer.readers.lines import LineBuilder
from analyzer.readers.records import Records, Source
from analyzer.types import Failure, Note

# Deleted and moved-away text, field codes, and the copy of a drawing for programs that do not know it.
_LEFT_OUT = frozenset(("del", "moveFrom", "instrText", "delText", "delInstrText", "Fallback"))
# Characters of the Wingdings font that templates use for check boxes; Word stores them in the private use area.
_WINGDINGS = {0x6F: "☐", 0xA8: "☐", 0x71: "☐", 0xFD: "☒", 0x78: "☒", 0xFE: "☑", 0xFC: "✓", 0xFB: "✗"}


def read_word(stream: BinaryIO, source: Source, limits: Limits) -> Iterator[Note | Failure]:
    """Yield the one note of a ``.docx``: page headers, body, foot- and endnotes, page footers."""
    text = word_text(stream, limits)
    yield Records(source, limits).read(("text",), (text,), None)


def word_text(stream: BinaryIO, limits: Limits) -> str:
    """Return the text of a Word document, paragraphs and tables in document order.

    Raises
    ------
    NoteError
        ``wrong-format``, ``corrupt-file`` or another code of :func:`open_archive`.
    """
    with open_archive(stream, limits) as archive:
        main_part = _find_main_part(archive)
        root = _parse(archive, main_part)
        if _name(root) != "document":
            raise NoteError("wrong-format", "expected a Word document, found another kind of Office file")
        parts = _relations(archive, main_part)
        headers = _texts(archive, root, parts, "headerReference")
        footers = _texts(archive, root, parts, "footerReference")
        notes = [
            _collect(_parse(archive, part))
            for kind in ("footnotes", "endnotes")
            for part_kind, part in parts.values()
            if part_kind == kind
        ]
        return "\n".join(text for text in (*headers, _collect(root), *notes, *footers) if text)


def _find_main_part(archive: ZipFile) -> str:
    for kind, target in _relations(archive, "").values():
        if kind == "officeDocument":
            return target
    raise NoteError("wrong-format", "expected a Word document, found another kind of archive")


def _relations(archive: ZipFile, part: str) -> Mapping[str, tuple[str, str]]:
    """Return the parts that a part refers to: relationship id to kind and name."""
    folder, name = posixpath.split(part)
    path = posixpath.join(folder, "_rels", f"{name}.rels")
    if path not in archive.namelist():
        return {}
    return {
        relation.get("Id", ""): (
            posixpath.basename(relation.get("Type", "")),
            posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/"),
        )
        for relation in _parse(archive, path)
        if relation.get("TargetMode") != "External"
    }


def _parse(archive: ZipFile, part: str) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(archive.read(part), parser)
    except (etree.LxmlError, *ZIP_ERRORS) as error:
        raise NoteError("corrupt-file", "the document is damaged: a part of it is missing or not XML") from error


def _texts(archive: ZipFile, root: etree._Element, parts: Mapping[str, tuple[str, str]], kind: str) -> list[str]:
    """Return the texts of the headers or footers in use, each once: first and later pages often repeat one."""
    names = [
        parts[value][1]
        for reference in root.iter(f"{{*}}{kind}")
        for key, value in reference.attrib.items()
        if etree.QName(key).localname == "id" and value in parts
    ]
    texts = [_collect(_parse(archive, name)) for name in dict.fromkeys(names)]
    return list(dict.fromkeys(text for text in texts if text))


def _collect(root: etree._Element) -> str:
    lines = LineBuilder()
    left_out_depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        name = _name(element)
        if name in _LEFT_OUT and not _is_property(element):
            left_out_depth += 1 if event == "start" else -1
        elif left_out_depth:
            continue
        elif event == "start":
            _open(lines, name, element)
        else:
            _close(lines, name, element)
    return lines.text()


def _open(lines: LineBuilder, name: str, element: etree._Element) -> None:
    if name == "tr":
        lines.open_row()
    elif name in ("tc", "txbxContent"):
        lines.open_level()
    elif name == "tab" and _name(element.getparent()) == "r":
        lines.write("\t")
    elif name in ("br", "cr"):
        lines.write("\n")
    elif name == "noBreakHyphen":
        lines.write("\u2011")
    elif name == "sym":
        lines.write(_symbol(_attribute(element, "char")))
    elif name == "checkBox" and _name(element.getparent()) == "ffData":
        lines.write("☒ " if _is_checked(element) else "☐ ")


def _close(lines: LineBuilder, name: str, element: etree._Element) -> None:
    if name == "t":
        lines.write(element.text or "")
    elif name == "p":
        lines.end_line(keep_blank=True)
    elif name == "tc":
        lines.close_cell()
    elif name == "tr":
        lines.close_row()
    elif name == "txbxContent":
        lines.close_box()


def _symbol(code: str) -> str:
    try:
        point = int(code, 16)
    except ValueError:
        return "\ufffd"
    return _WINGDINGS.get(point & 0xFF, "\ufffd") if 0xF000 <= point <= 0xF0FF else "\ufffd"


def _is_checked(box: etree._Element) -> bool:
    """Whether a form field's box is ticked: by the user, or else by default."""
    states = {_name(child): _attribute(child, "val") for child in box}
    return states.get("checked", states.get("default", "0")) not in ("0", "false", "off")


def _is_property(element: etree._Element) -> bool:
    """Whether a mark of deletion only tells that a paragraph's end or a row was deleted: it holds no text."""
    parent = element.getparent()
    return parent is not None and _name(parent) in ("rPr", "trPr")


def _name(element: etree._Element) -> str:
    name: str = etree.QName(element).localname
    return name


def _attribute(element: etree._Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if etree.QName(key).localname == name), "")
