"""CSV and XLSX: one row a note, and for workbooks the findings, the evidence and a summary beside it."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from io import BytesIO
from typing import BinaryIO, TextIO

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from analyzer.report.money import note_money
from analyzer.report.record import escape_separators, extra_record, plain
from analyzer.report.summary import Summary, distinct_findings, split_results, summarise
from analyzer.report.words import (
    count_contacts,
    describe_evidence,
    describe_line,
    encodable,
    is_whole_note,
    load_words,
    plural,
)
from analyzer.types import ClaimLine, ClaimsMatch, CodeSuggestion, Dimension, Failure, Report, Result, UnmatchedLine

Value = str | int | float | bool | date | None

_NOTE_COLUMNS = (
    "id",
    "status",
    "verdict",
    "score",
    "unskilled_probability",
    "unclear",
    "kind",
    *(f"rating_{dimension.value}" for dimension in Dimension),
    "finding_count",
    "finding_codes",
    "finding_titles",
    "icd10",
    "not_run",
    "charge",
    "charge_at_risk",
    "claim_lines",
    "patient_id",
    "clinician_id",
    "date_of_service",
    "file",
    "row",
    "error_code",
    "error_message",
    "error_field",
)
_FINDING_COLUMNS = (
    "id", "clinician_id", "date_of_service", "code", "level", "status", "title", "words", "message", "fix", "source",
    "start", "end",
)  # fmt: skip
_CLAIM_COLUMNS = (
    "status", "id", "claim_id", "patient_id", "date_of_service", "clinician_id", "code", "units", "modifiers",
    "minutes", "charge", "allowed", "place_of_service", "reason", "file", "row",
)  # fmt: skip
_EVIDENCE_COLUMNS = (
    "id", "label", "words", "details", "probability", "lexicon_probability", "model_probability", "unclear", "source",
    "start", "end",
)  # fmt: skip

# Spreadsheets take a cell that begins with one of these for a formula, in their fullwidth forms too, and some skip
# white space before it (OWASP, CSV injection).
_FORMULA_START = re.compile(r"[\s\u200b\u2060\ufeff]*[=+\-@＝＋－＠−﹢﹣﹦﹫]|[\t\r]")

# What XML 1.0 has no form for. Such characters are taken out of workbook cells, and the summary sheet counts the cells.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

_CELL_LIMIT = 32_767  # characters in a cell, counted as UTF-16 (Excel specifications and limits)
_ROW_LIMIT = 1_048_576  # rows in a sheet, the header included (same source)
_COLUMN_LIMIT = 16_384  # columns in a sheet (same source)
_CUT_MARK = " … [cut: longer than a cell can hold]"
_EXACT_INT = 10**15  # spreadsheets keep 15 digits; a longer number is an identifier
_WIDTHS = {
    "id": 18, "status": 9, "verdict": 11, "score": 8, "unskilled_probability": 12, "kind": 16, "finding_codes": 26,
    "finding_titles": 60, "icd10": 20, "not_run": 24, "patient_id": 14, "clinician_id": 14, "date_of_service": 14,
    "file": 24, "row": 7, "error_code": 20, "error_message": 50, "error_field": 16, "code": 10, "level": 10,
    "title": 44, "words": 60, "message": 60, "fix": 60, "source": 30, "start": 8, "end": 8, "label": 14,
    "details": 40, "probability": 11, "unclear": 9, "what": 34, "value": 16, "note": 90, "charge": 12, "allowed": 12,
    "charge_at_risk": 14, "claim_lines": 28, "claim_id": 16, "units": 8, "modifiers": 14, "minutes": 9, "reason": 60,
}  # fmt: skip
_DEFAULT_WIDTH = 16
_MONEY_FORMAT = "#,##0.00"
_WRAPPED = frozenset({"finding_titles", "error_message", "title", "words", "message", "fix", "details", "note"})
_FORMATS = (
    dict.fromkeys(("unskilled_probability", "probability", "lexicon_probability", "model_probability"), "0.00")
    | {"share": "0%"}
    | dict.fromkeys(("charge", "allowed", "charge_at_risk"), _MONEY_FORMAT)
)


def write_csv(results: Iterable[Result], output: TextIO, claims: ClaimsMatch | None = None) -> None:
    """Write one row a note as the results come, and last one for each claim line without a note.

    The columns are fixed before the first result is seen, so that handed-through columns share one, ``extra``, as JSON.
    """
    # With this line end the module also quotes a cell that holds a bare CR, which it otherwise leaves to split the row.
    writer = csv.writer(output, lineterminator="\r\n")
    writer.writerow([*_NOTE_COLUMNS, "extra"])
    for result in results:
        writer.writerow([_csv_cell(value) for value in (*_note_row(result), _pack_extra(result))])
    for unmatched in claims.unmatched_lines if claims else ():
        writer.writerow([_csv_cell(value) for value in (*_unmatched_row(unmatched), None)])


def write_xlsx(results: Iterable[Result], output: BinaryIO, claims: ClaimsMatch | None = None) -> None:
    """Write a workbook with the sheets Notes, Findings, Evidence and Summary, and Claims where there are some.

    Notes stand in the order of the input. A sheet that is full goes on in a second one of the same name with a number.
    Handed-through columns come last, each under its own name; where a sheet cannot hold as many, they share one,
    ``extra``, as JSON. The workbook is complete before the first byte is written, so that a reader who leaves early
    stops one plain write.
    """
    results = list(results)
    reports, failures = split_results(results)
    ordered = [result for result in results if not isinstance(result, Failure)]
    extra_names = tuple(dict.fromkeys(name for result in results for name, _ in _extra_of(result)))
    is_packed = len(_NOTE_COLUMNS) + len(extra_names) > _COLUMN_LIMIT
    book = _Book()
    if is_packed:
        columns: tuple[str, ...] = (*_NOTE_COLUMNS, "extra")
        rows: Iterator[tuple[Value, ...]] = ((*_note_row(result), _pack_extra(result)) for result in results)
    else:
        columns = (*_NOTE_COLUMNS, *(f"{name} (input)" if name in _NOTE_COLUMNS else name for name in extra_names))
        rows = ((*_note_row(result), *_extra_cells(result, extra_names)) for result in results)
    book.add_sheet("Notes", columns, rows)
    book.add_sheet("Findings", _FINDING_COLUMNS, (row for report in ordered for row in _finding_rows(report)))
    book.add_sheet("Evidence", _EVIDENCE_COLUMNS, (row for report in ordered for row in _evidence_rows(report)))
    if claims is not None:
        book.add_sheet("Claims", _CLAIM_COLUMNS, _claim_rows(ordered, claims))
    summary = [*_summary_rows(summarise(reports, failures)), *_match_rows(claims)]
    if is_packed:
        remark = f"A sheet holds {_COLUMN_LIMIT:,} columns, so that all of these share one, extra, as JSON."
        summary.append(("Columns handed through", len(extra_names), None, remark))
    if book.cells_without_controls:
        remark = "Control characters that a workbook cannot hold were left out of them; CSV and JSON Lines keep them."
        summary.append(("Cells with characters left out", book.cells_without_controls, None, remark))
    book.add_sheet("Summary", ("what", "value", "share", "note"), summary)
    content = BytesIO()
    book.save(content)
    rest = content.getbuffer()
    while rest:  # an unbuffered stream may take a part, and says how much
        rest = rest[output.write(rest) or len(rest) :]


def neutralise(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would take for a formula.

    Examples
    --------
    >>> neutralise("=1+1"), neutralise("  @SUM(A1)"), neutralise("A-17")
    ("'=1+1", "'  @SUM(A1)", 'A-17')
    """
    return f"'{text}" if _FORMULA_START.match(text) else text


def _csv_cell(value: Value) -> Value:
    if isinstance(value, str):
        return neutralise(encodable(value))
    return value.isoformat() if isinstance(value, date) else value


def _extra_of(result: Result) -> tuple[tuple[str, object], ...]:
    return result.extra if isinstance(result, Failure) else result.note.extra


def _pack_extra(result: Result) -> str | None:
    """Return all handed-through columns as one line of JSON."""
    extra = _extra_of(result)
    return escape_separators(json.dumps(extra_record(extra), ensure_ascii=False)) if extra else None


def _codes(suggestions: Sequence[CodeSuggestion]) -> str:
    """Codes that may stand on a claim; where none is so likely, the first one with a question mark."""
    likely = [suggestion.code for suggestion in suggestions if suggestion.is_likely]
    return "; ".join(likely) or (f"{suggestions[0].code} ?" if suggestions else "")


def _note_row(result: Result) -> tuple[Value, ...]:
    """Return the values of ``_NOTE_COLUMNS``."""
    if isinstance(result, Failure):
        origin = result.origin
        blanks = (None,) * (_NOTE_COLUMNS.index("file") - 2)
        place = (origin.file, origin.row) if origin else (None, None)
        return (result.id, "error", *blanks, *place, result.code, result.message, result.field)
    note, findings, money = result.note, distinct_findings(result), note_money(result)
    ratings = {rating.dimension: rating.rating for rating in result.ratings}
    return (
        note.id,
        "ok",
        result.verdict.value,
        result.score,
        result.unskilled_probability,
        result.is_verdict_unclear,
        result.kind.value,
        *(ratings.get(dimension) for dimension in Dimension),
        len(result.findings),
        "; ".join(finding.code for finding in findings),
        "; ".join(finding.title for finding in findings),
        _codes(result.icd10),
        "; ".join(entry.check for entry in result.not_run),
        money.charge if money else None,
        money.at_risk if money else None,
        "; ".join(map(describe_line, note.claim_lines)) or None,
        note.patient_id,
        note.clinician_id,
        note.date_of_service,
        note.origin.file if note.origin else None,
        note.origin.row if note.origin else None,
        None,
        None,
        None,
    )


def _unmatched_row(unmatched: UnmatchedLine) -> tuple[Value, ...]:
    """Return the values of ``_NOTE_COLUMNS`` for a claim line that belongs to no note."""
    billed = unmatched.billed
    values: dict[str, Value] = {
        "id": billed.line.claim_id or str(billed.origin),
        "status": "unmatched_claim",
        "charge": billed.line.charge,
        "claim_lines": describe_line(billed.line),
        "patient_id": billed.patient_ids[0],
        "clinician_id": billed.line.clinician_id,
        "date_of_service": billed.date_of_service,
        "file": billed.origin.file,
        "row": billed.origin.row,
        "error_message": unmatched.reason,
    }
    return tuple(values.get(column) for column in _NOTE_COLUMNS)


def _claim_rows(reports: Iterable[Report], claims: ClaimsMatch) -> Iterator[tuple[Value, ...]]:
    """Yield the lines with their notes, the lines without one, the notes without a line."""
    for report in reports:
        note = report.note
        for line in note.claim_lines:
            if line.origin is not None:
                yield _line_cells("joined", note.id, note.patient_id, line, None)
    for unmatched in claims.unmatched_lines:
        billed = unmatched.billed
        yield _line_cells("no note", None, billed.patient_ids[0], billed.line, unmatched.reason)
    for left in claims.unmatched_notes:
        place = (left.origin.file, left.origin.row) if left.origin else (None, None)
        values = ("no claim", left.id, None, left.patient_id, left.date_of_service)
        yield (*values, *(None,) * (_CLAIM_COLUMNS.index("reason") - len(values)), left.reason, *place)


def _line_cells(
    status: str, note_id: str | None, patient_id: str | None, line: ClaimLine, reason: str | None
) -> tuple[Value, ...]:
    return (
        status,
        note_id,
        line.claim_id,
        patient_id,
        line.date_of_service,
        line.clinician_id,
        line.code,
        line.units,
        " ".join(line.modifiers) or None,
        line.minutes,
        line.charge,
        line.allowed,
        line.place_of_service,
        reason,
        line.origin.file if line.origin else None,
        line.origin.row if line.origin else None,
    )


def _match_rows(claims: ClaimsMatch | None) -> Iterator[tuple[Value, ...]]:
    if claims is None:
        return
    words = load_words()
    lines, notes = len(claims.unmatched_lines), len(claims.unmatched_notes)
    yield "Claim lines read", claims.lines, None, claims.file
    yield "Claim lines without a note", lines, lines / claims.lines if claims.lines else None, words.claims
    yield "Notes without a claim line", notes, notes / claims.notes if claims.notes else None, None
    for remark in claims.remarks:
        yield "Claims", None, None, remark


def _extra_cells(result: Result, names: tuple[str, ...]) -> Iterator[Value]:
    extra = dict(_extra_of(result))
    for name in names:
        value = extra.get(name)
        if isinstance(value, datetime) and value.tzinfo is not None:  # a workbook has no time zones
            yield value.isoformat()
        elif value is None or isinstance(value, str | bool | int | date):
            yield value
        else:
            flat = plain(value)
            yield flat if flat is None or isinstance(flat, str | float) else json.dumps(flat, ensure_ascii=False)


def _finding_rows(report: Report) -> Iterator[tuple[Value, ...]]:
    words, note = load_words(), report.note
    for finding in report.findings:
        quote = "(the whole note)" if is_whole_note(report, finding) else note.text[finding.start : finding.end]
        yield (
            note.id,
            note.clinician_id,
            note.date_of_service,
            finding.code,
            words.levels[finding.level],
            finding.status.value,
            finding.title,
            quote,
            finding.message,
            finding.fix,
            finding.source,
            finding.start,
            finding.end,
        )


def _evidence_rows(report: Report) -> Iterator[tuple[Value, ...]]:
    for label in report.evidence:
        quote = report.note.text[label.start : label.end]
        details = describe_evidence(label) or None
        yield (
            report.note.id,
            label.label.value,
            quote,
            details,
            label.probability,
            label.lexicon_probability,
            label.model_probability,
            label.is_unclear,
            label.source,
            label.start,
            label.end,
        )


def _summary_rows(summary: Summary) -> Iterator[tuple[Value, ...]]:
    words = load_words()
    notes, judged = summary.notes, summary.judged
    yield "What a score is", None, None, f"{words.score} {words.caveat}"
    yield "Notes audited", notes, None, None
    yield "Records that could not be read", summary.failures, None, None
    for verdict, count in summary.verdicts.items():
        term = words.verdicts[verdict]
        yield f"Verdict: {term.name}", count, count / judged if judged else None, term.meaning
    if judged < notes:
        reason = f"{count_contacts(summary.unjudged)}. {words.not_judged.meaning} Shares are of the judged notes."
        yield "Notes not judged", notes - judged, None, reason
    yield "Median score", summary.median_score, None, None
    yield "Mean score", None if summary.mean_score is None else round(summary.mean_score, 1), None, None
    for entry in summary.bins:
        label = f"Score {entry.low} up to {entry.high}" + ("" if entry.high == 100 else ", not included")
        yield label, entry.count, entry.count / judged if judged else None, None
    for finding in summary.findings:
        yield f"Finding {finding.code}: notes", finding.notes, finding.notes / notes, finding.title
    if summary.money:
        money = summary.money
        yield (
            "Charges billed, in US dollars",
            money.charge,
            None,
            f"On the claim lines of {plural(money.notes, 'note')}.",
        )
        yield "Charges at risk, in US dollars", money.at_risk, _share(money.at_risk, money.charge), words.money
        for rule in money.rules:
            yield f"At risk by {rule.code}, in US dollars", rule.at_risk, _share(rule.at_risk, money.charge), rule.title
        if money.lines_without:
            yield "Claim lines without a charge", money.lines_without, None, "They are in none of these amounts."
    for check in summary.not_run:
        yield f"Did not run: {check.check}", check.notes, check.notes / notes, check.reason
    for versions in summary.versions:
        parts = [f"Cuewise {versions.cuewise}", f"lexicons {versions.lexicons}"]
        parts += [f"model {versions.model}"] if versions.model else []
        parts += [f"ICD-10-CM {versions.icd10cm}"] if versions.icd10cm else []
        yield "Made with", None, None, ", ".join(parts)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


class _Book:
    """A workbook being written row by row, with the count of cells that lost characters XML cannot hold."""

    def __init__(self) -> None:
        self.cells_without_controls = 0
        self._book = Workbook(write_only=True)

    def add_sheet(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
        """Add a sheet with a frozen header, filters and sensible widths; a full one is continued in another."""
        remaining = iter(rows)
        part, is_full = 1, True
        while is_full:
            is_full = self._add_part(title if part == 1 else f"{title} {part}", columns, remaining)
            part += 1

    def save(self, output: BinaryIO) -> None:
        """Write the workbook out."""
        self._book.save(output)

    def _add_part(self, title: str, columns: Sequence[str], rows: Iterator[Sequence[Value]]) -> bool:
        """Write rows until they end or the sheet is full, and say whether it is full."""
        sheet = self._book.create_sheet(title)
        sheet.freeze_panes = "B2"
        for index, column in enumerate(columns, 1):
            sheet.column_dimensions[get_column_letter(index)].width = _WIDTHS.get(column, _DEFAULT_WIDTH)
        header = [self._make_cell(sheet, "", column) for column in columns]
        for cell in header:
            cell.font = Font(bold=True, color="FFFFFF")
            cell.fill = PatternFill("solid", fgColor="0B4F57")
            cell.alignment = Alignment(vertical="center", wrap_text=True)
        sheet.append(header)
        count = 1
        while count < _ROW_LIMIT:
            row = next(rows, None)
            if row is None:
                break
            sheet.append([self._make_cell(sheet, name, value) for name, value in zip(columns, row, strict=True)])
            count += 1
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{count}"
        return count == _ROW_LIMIT

    def _make_cell(self, sheet: object, column: str, value: Value) -> WriteOnlyCell:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT_INT:
            value = str(value)
        if isinstance(value, date) and value.year < 1900:  # the first year that a workbook's dates know
            value = value.isoformat()
        if not isinstance(value, str):
            cell = WriteOnlyCell(sheet, value=value)
            if column in _FORMATS:
                cell.number_format = _FORMATS[column]
            elif isinstance(value, datetime):
                cell.number_format = "yyyy-mm-dd hh:mm"
            elif isinstance(value, date):
                cell.number_format = "yyyy-mm-dd"
            cell.alignment = Alignment(vertical="top")
            return cell
        text, removed = _NOT_XML.subn("", value)
        self.cells_without_controls += bool(removed)
        text = _cut(text)
        cell = WriteOnlyCell(sheet, value=text)
        cell.data_type = "s"  # a string whatever it begins with, also when someone edits the cell
        cell.quotePrefix = bool(_FORMULA_START.match(text))
        cell.alignment = Alignment(vertical="top", wrap_text=column in _WRAPPED)
        return cell


def _cut(text: str) -> str:
    """Cut text that is too long for a cell, and say so in it."""
    if len(text) * 2 <= _CELL_LIMIT or len(text.encode("utf-16-le")) <= 2 * _CELL_LIMIT:
        return text
    room = 2 * (_CELL_LIMIT - len(_CUT_MARK))
    return text.encode("utf-16-le")[:room].decode("utf-16-le", "ignore") + _CUT_MARK
