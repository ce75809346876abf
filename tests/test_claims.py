"""Claims files to billed lines, lines to notes, and what was spent before them in the year."""

import csv
import io
import re
import time
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer.claims import ClaimsFile, join_claims, read_claims
from analyzer.claims.join import (
    NO_DATE,
    NO_FIT,
    NO_LINE,
    NO_PATIENT,
    OTHER_CLINICIAN,
    OTHER_DISCIPLINE,
    SEVERAL,
    UNKNOWN_DATE,
    UNKNOWN_PATIENT,
)
from analyzer.claims.table import ALIASES
from analyzer.errors import NoteError
from analyzer.readers import Limits
from analyzer.types import (
    AmountBasis,
    BilledLine,
    ClaimForm,
    ClaimLine,
    ClaimsMatch,
    Failure,
    Note,
    Origin,
    UnmatchedNote,
)

HEADER = "patient_id,date_of_service,code"
DAY = date(2026, 3, 4)


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path, monkeypatch):
    """Paths in the tests are relative, as users give them."""
    monkeypatch.chdir(tmp_path)


def read(content, name="claims.csv", **limits):
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_claims(name, limits=Limits(**limits))


def read_row(columns, row):
    """Read one line of a table that has the required columns and some more."""
    (billed,) = read(f"{HEADER},{columns}\nP-1,2026-03-04,92507,{row}\n").lines
    return billed


def table(*rows):
    """Write a workbook, which keeps the types of its cells."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


# Tables


def test_row_of_a_table_is_a_billed_line():
    content = (
        "claim_id,patient_id,clinician_id,payer,date_of_service,code,units,modifiers,minutes,charge,allowed,"
        "place_of_service,diagnoses,form\n"
        'C-9,P-1,S-1,Medicare,2026-03-04,92507,1,GN KX,45,180.00,92.10,11,"R47.01, I69.320",professional\n'
    )
    origin = Origin("claims.csv", 2)
    assert read(content) == ClaimsFile(
        "claims.csv",
        lines=(
            BilledLine(
                ClaimLine(
                    code="92507",
                    units=1,
                    modifiers=("GN", "KX"),
                    minutes=45,
                    charge=180.0,
                    allowed=92.1,
                    claim_id="C-9",
                    clinician_id="S-1",
                    date_of_service=DAY,
                    place_of_service="11",
                    diagnoses=("R47.01", "I69.320"),
                    form=ClaimForm.PROFESSIONAL,
                    origin=origin,
                ),
                ("P-1",),
                DAY,
                origin,
                "Medicare",
            ),
        ),
    )


@pytest.mark.parametrize(
    ("columns", "row", "field", "value"),
    [
        ("Claim Number", "77", "claim_id", "77"),
        ("Rendering NPI", "1987654321", "clinician_id", "1987654321"),
        ("Qty", "2", "units", 2),
        ("Billed Amount", '"$1,180.50"', "charge", 1180.5),
        ("Allowed Amount", "92.10", "allowed", 92.1),
        ("POS", "3", "place_of_service", "03"),
        ("POS", "11", "place_of_service", "11"),
        ("Mod", "gn:59", "modifiers", ("GN", "59")),
        ("Mod1,Mod2,Mod3,Mod4", "GN,KX,,95", "modifiers", ("GN", "KX", "95")),
        ("dx1,dx2", "R47.01,I69.320", "diagnoses", ("R47.01", "I69.320")),
        ("Claim Type", "UB-04", "form", ClaimForm.INSTITUTIONAL),
        ("Claim Type", "CMS-1500", "form", ClaimForm.PROFESSIONAL),
        ("Claim Type", "837P", "form", ClaimForm.PROFESSIONAL),
    ],
)
def test_column_is_known_by_other_names(columns, row, field, value):
    assert getattr(read_row(columns, row).line, field) == value


def test_required_columns_are_known_by_the_names_of_billing_exports():
    (billed,) = read("MRN;DOS;CPT\nP-1;03/04/2026;92507\n").lines
    assert (billed.patient_ids, billed.date_of_service, billed.line.code) == (("P-1",), DAY, "92507")


def test_workbook_may_hold_codes_and_modifiers_as_numbers():
    content = table(
        ["Billing export"],
        ["patient_id", "date_of_service", "code", "modifiers", "charge"],
        [118, datetime(2026, 3, 4), 92507, 59, 180],
    )
    (billed,) = read(content, "claims.xlsx").lines
    assert (billed.patient_ids, billed.origin) == (("118",), Origin("claims.xlsx", 3))
    assert (billed.line.code, billed.line.modifiers, billed.line.charge) == ("92507", ("59",), 180.0)


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ("P-1,soon,92507,1,GN,150", "bad-date", "date_of_service"),
        ("P-1,,92507,1,GN,150", "missing-field", "date_of_service"),
        (",2026-03-04,92507,1,GN,150", "missing-field", "patient_id"),
        ("P-1,2026-03-04,,1,GN,150", "missing-field", "code"),
        ("P-1,2026-03-04,9250,1,GN,150", "bad-code", "code"),
        ("P-1,2026-03-04,92507-GN,1,GN,150", "bad-code", "code"),
        ("P-1,2026-03-04,92507,one,GN,150", "wrong-type", "units"),
        ("P-1,2026-03-04,92507,1.5,GN,150", "wrong-type", "units"),
        ("P-1,2026-03-04,92507,1,GNKX,150", "bad-modifier", "modifiers"),
        ("P-1,2026-03-04,92507,1,GN,-150", "out-of-range", "charge"),
        ("P-1,2026-03-04,92507,1,GN", "bad-row", None),
    ],
)
def test_bad_row_names_row_and_field_and_the_others_go_on(row, code, field):
    good = "P-2,2026-03-05,92526,1,GN,150"
    claims = read(f"{HEADER},units,modifiers,charge\n{good}\n{row}\n{good}\n")
    assert [billed.origin.row for billed in claims.lines] == [2, 4]
    assert [(failure.code, failure.field, failure.origin) for failure in claims.failures] == [
        (code, field, Origin("claims.csv", 3))
    ]


def test_failure_quotes_nothing_of_the_row():
    (failure,) = read(f"{HEADER}\nP-1,Zebrawood,92507\n").failures
    assert "Zebrawood" not in repr(failure)


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        ("patient_id,date_of_service,charge\n", "claims.csv", "missing-field"),
        ("text\nSeen today.\n", "claims.csv", "missing-field"),
        (b"PK\x03\x04", "claims.xlsx", "corrupt-file"),
        (b"PK\x03\x04", "claims.csv", "not-text"),
        ("{}", "claims.json", "unsupported-format"),
    ],
)
def test_file_that_holds_no_claims_is_an_error(content, name, code):
    with pytest.raises(NoteError) as error:
        read(content, name)
    assert error.value.code == code


def test_missing_column_is_named():
    with pytest.raises(NoteError) as error:
        read("patient_id,date_of_service,charge\n")
    assert error.value.field == "code"


def test_file_over_the_limit_is_an_error():
    with pytest.raises(NoteError) as error:
        read(f"{HEADER}\n", max_file_bytes=10)
    assert error.value.code == "file-too-large"


def test_table_without_rows_has_no_lines():
    assert read(f"{HEADER}\n") == ClaimsFile("claims.csv", ())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), min_size=3, max_size=3))
def test_any_cells_give_a_line_or_a_failure(cells):
    rows = io.StringIO()
    csv.writer(rows).writerows([HEADER.split(","), cells])
    claims = read(rows.getvalue())
    assert len(claims.lines) + len(claims.failures) == any(cell.strip() for cell in cells)


# Joining


def line(code="92507", *modifiers, clinician=None, charge=None, allowed=None, units=1, **fields):
    return ClaimLine(
        code, units, modifiers, charge=charge, allowed=allowed, clinician_id=clinician, date_of_service=DAY, **fields
    )


def bill(what=None, *, patient="P-1", day=DAY, row=2, payer=None):
    ids = patient if isinstance(patient, tuple) else (patient,)
    return BilledLine(what or line("92507", "GN"), ids, day, Origin("claims.csv", row), payer)


def note(id="N-1", *, patient_id="P-1", day=DAY, **fields):
    return Note("Seen today.", id, patient_id=patient_id, date_of_service=day, **fields)


def join(notes, *billed):
    return join_claims(notes, ClaimsFile("claims.csv", billed))


def codes_of(records):
    return [[entry.code for entry in record.claim_lines] for record in records]


def reasons(match):
    return [unmatched.reason for unmatched in match.unmatched_lines]


def test_line_goes_to_the_note_of_its_patient_and_date():
    notes = [note("A"), note("B", day=date(2026, 3, 5)), note("C", patient_id="P-2")]
    joined, match = join(notes, bill(patient="p-2 "), bill())
    assert codes_of(joined) == [["92507"], [], ["92507"]]
    assert match == ClaimsMatch(
        file="claims.csv",
        lines=2,
        matched_lines=2,
        notes=3,
        matched_notes=2,
        unmatched_notes=(UnmatchedNote("B", "P-1", date(2026, 3, 5), None, NO_LINE),),
    )


def test_all_lines_of_a_day_go_to_its_only_note_in_the_order_of_the_file():
    joined, _ = join([note()], bill(line("92523", "GN")), bill(line("92507", "GN")))
    assert codes_of(joined) == [["92523", "92507"]]


def test_records_stay_as_many_and_in_their_order():
    failure = Failure("empty-text", "the note is empty", "X")
    joined, match = join([failure, note()], bill())
    assert (joined[0], joined[1].id, match.notes) == (failure, "N-1", 1)


def test_lines_of_the_file_replace_those_of_the_record():
    joined, _ = join([note(claim_lines=(ClaimLine("92526"),))], bill())
    assert codes_of(joined) == [["92507"]]


def test_record_without_payer_place_and_diagnoses_takes_those_of_the_claim():
    billed = bill(line("92507", "GN", place_of_service="11", diagnoses=("R47.01",)), payer="Medicare")
    (joined,), _ = join([note()], billed)
    assert (joined.payer, joined.place_of_service, joined.diagnoses) == ("Medicare", "11", ("R47.01",))


def test_record_keeps_its_own_payer_place_and_diagnoses():
    billed = bill(line("92507", "GN", place_of_service="11", diagnoses=("R47.01",)), payer="Medicare")
    (joined,), _ = join([note(payer="Aetna", place_of_service="12", diagnoses=("F80.2",))], billed)
    assert (joined.payer, joined.place_of_service, joined.diagnoses) == ("Aetna", "12", ("F80.2",))


@pytest.mark.parametrize(
    ("notes", "billed", "reason"),
    [
        ([note()], bill(patient="P-2"), UNKNOWN_PATIENT),
        ([note()], bill(day=date(2026, 3, 5)), UNKNOWN_DATE),
        ([note(clinician_id="S-1"), note("B", clinician_id="S-2", day=date(2026, 3, 5))],
         bill(line(clinician="S-2")), OTHER_CLINICIAN),
        ([note()], bill(line("97129", "GO")), OTHER_DISCIPLINE),
        ([note()], bill(line("97110", "GP")), OTHER_DISCIPLINE),
        ([note(), note("B")], bill(), SEVERAL),
    ],
)  # fmt: skip
def test_line_without_a_note_says_why(notes, billed, reason):
    joined, match = join(notes, billed)
    assert (reasons(match), codes_of(joined)) == ([reason], [[] for _ in notes])


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (note(patient_id=None), NO_PATIENT),
        (note(day=None), NO_DATE),
        (note(day=date(2026, 3, 5)), NO_LINE),
        (note(), NO_FIT),
    ],
)
def test_note_without_a_line_says_why(own, reason):
    _, match = join([own], bill(line("97110", "GO")))
    assert [unmatched.reason for unmatched in match.unmatched_notes] == [reason]


def test_clinician_decides_between_notes_of_one_day():
    notes = [note("A", clinician_id="S-1"), note("B", clinician_id="S-2")]
    joined, _ = join(notes, bill(line("92507", "GN", clinician="s-2")), bill(line("92523", "GN", clinician="S-1")))
    assert codes_of(joined) == [["92523"], ["92507"]]


def test_clinician_that_the_notes_name_otherwise_does_not_keep_a_line_away():
    # An 837 names the clinician by NPI, the notes by a number of the clinic.
    joined, _ = join([note(clinician_id="S-1")], bill(line("92507", "GN", clinician="1987654321")))
    assert codes_of(joined) == [["92507"]]


def test_line_under_another_plan_goes_to_a_note_of_its_own_clinician():
    # GP on a speech-language pathologist's line is what rules are to find, so that it must reach them.
    joined, _ = join([note(clinician_id="S-1")], bill(line("92507", "GP", clinician="S-1")))
    assert codes_of(joined) == [["92507"]]


def test_code_decides_between_notes_of_one_day():
    notes = [note("A", cpt="92523"), note("B", cpt="92507")]
    joined, _ = join(notes, bill(line("92507", "GN")), bill(line("92523", "GN")))
    assert codes_of(joined) == [["92523"], ["92507"]]


def test_line_goes_to_the_only_note_whose_record_names_no_other_code():
    joined, _ = join([note("A", cpt="92523"), note("B")], bill(line("92507", "GN")))
    assert codes_of(joined) == [[], ["92507"]]


def test_alike_lines_go_to_as_many_notes():
    joined, match = join([note("A"), note("B")], bill(row=2), bill(row=3))
    assert ([entry.claim_lines for entry in joined], reasons(match)) == (
        [(line("92507", "GN"),), (line("92507", "GN"),)], []
    )  # fmt: skip


def test_lines_that_differ_are_not_guessed_between_notes():
    joined, match = join([note("A"), note("B")], bill(line("92507", "GN")), bill(line("92523", "GN")))
    assert (codes_of(joined), reasons(match)) == ([[], []], [SEVERAL, SEVERAL])


def test_patient_is_known_by_any_name_of_the_claim():
    joined, _ = join([note(patient_id="MRN-7")], bill(patient=("MEMBER-1", "MRN-7")))
    assert codes_of(joined) == [["92507"]]


def test_no_claims_leave_every_note_without_a_line():
    joined, match = join([note()])
    assert (joined, match.unmatched_notes) == ([note()], (UnmatchedNote("N-1", "P-1", DAY, None, NO_LINE),))


# Year to date


def spent(*billed, notes=None):
    """Join lines to notes of their dates, and return what each note then says was allowed before it."""
    days = dict.fromkeys((entry.patient_ids[0], entry.date_of_service) for entry in billed)
    notes = notes or [note(str(number), patient_id=patient, day=day) for number, (patient, day) in enumerate(days)]
    joined, _ = join(notes, *billed)
    return [(record.ytd_pt_slp_allowed, record.ytd_basis) for record in joined]


def visit(day, allowed=None, *modifiers, charge=None, **fields):
    return bill(line("92507", *(modifiers or ("GN",)), allowed=allowed, charge=charge), day=day, **fields)


ALLOWED, CHARGE = AmountBasis.ALLOWED, AmountBasis.CHARGE
FIRST, SECOND, THIRD = date(2026, 1, 5), date(2026, 1, 7), date(2026, 1, 9)


def test_amounts_are_added_up_by_date_and_not_by_the_order_of_the_file():
    assert spent(visit(THIRD, 30.0), visit(FIRST, 10.0), visit(SECOND, 20.5)) == [
        (30.5, ALLOWED), (0.0, ALLOWED), (10.0, ALLOWED)
    ]  # fmt: skip


def test_amount_is_that_before_the_first_line_of_a_note():
    assert spent(visit(FIRST, 10.0), visit(FIRST, 20.0), visit(SECOND, 30.0)) == [(0.0, ALLOWED), (30.0, ALLOWED)]


def test_year_begins_anew():
    # MBPM and BBA 2018: the counter is of a calendar year.
    assert spent(visit(date(2025, 12, 31), 2000.0), visit(date(2026, 1, 1), 90.0)) == [(0.0, ALLOWED), (0.0, ALLOWED)]


def test_patients_have_counters_of_their_own():
    assert spent(visit(FIRST, 10.0), visit(SECOND, 20.0, patient="P-2")) == [(0.0, ALLOWED), (0.0, ALLOWED)]


def test_physical_therapy_counts_and_occupational_therapy_does_not():
    billed = [visit(FIRST, 100.0, "GP"), visit(SECOND, 50.0, "GO"), visit(THIRD, 90.0)]
    assert spent(*billed, notes=[note(day=THIRD)]) == [(100.0, ALLOWED)]


@pytest.mark.parametrize(
    ("code", "amount"),
    [
        ("92507", 100.0),  # billed with GN elsewhere
        ("99213", 0.0),  # an office visit, which no line bills under a plan of therapy
    ],
)
def test_line_without_a_plan_counts_where_its_code_is_one_of_therapy(code, amount):
    before = bill(line(code, allowed=100.0), day=FIRST)
    assert spent(before, visit(SECOND, 90.0), notes=[note(day=SECOND)]) == [(amount, ALLOWED)]


def test_line_without_a_plan_counts_where_it_is_of_a_note():
    assert spent(bill(line("92507", allowed=100.0), day=FIRST), bill(line("92526", allowed=1.0), day=SECOND)) == [
        (0.0, ALLOWED), (100.0, ALLOWED)
    ]  # fmt: skip


def test_charge_stands_in_for_a_missing_allowed_amount_and_is_marked():
    assert spent(visit(FIRST, charge=180.0), visit(SECOND, 90.0, charge=180.0), visit(THIRD, 90.0)) == [
        (0.0, ALLOWED), (180.0, CHARGE), (270.0, CHARGE)
    ]  # fmt: skip


def test_amount_is_not_known_after_a_line_without_one():
    assert spent(visit(FIRST), visit(SECOND, 90.0)) == [(0.0, ALLOWED), (None, None)]


def test_lines_of_another_payer_do_not_count():
    billed = [
        visit(FIRST, 100.0, payer="Aetna"),
        visit(SECOND, 90.0, payer="Medicare"),
        visit(THIRD, 90.0, payer="MEDICARE"),
    ]
    assert spent(*billed) == [(0.0, ALLOWED), (0.0, ALLOWED), (90.0, ALLOWED)]


def test_amount_of_the_record_is_kept():
    assert spent(visit(FIRST, 10.0), visit(SECOND, 90.0), notes=[note(day=SECOND, ytd_pt_slp_allowed=2400.0)]) == [
        (2400.0, None)
    ]


def test_cents_do_not_drift():
    days = [date(2026, 1, day) for day in range(1, 12)]
    assert spent(*(visit(day, 0.1) for day in days))[-1] == (1.0, ALLOWED)


def test_ten_thousand_lines_are_joined_to_ten_thousand_notes_in_seconds():
    rows = [(f"P-{number % 500}", date.fromordinal(DAY.toordinal() + number // 500)) for number in range(10_000)]
    notes = [note(str(number), patient_id=patient, day=day) for number, (patient, day) in enumerate(rows)]
    body = "\n".join(f"{patient},{day},92507,1,GN,180.00,92.10" for patient, day in rows)
    began = time.perf_counter()
    claims = read(f"{HEADER},units,modifiers,charge,allowed\n{body}\n")
    _, match = join_claims(notes, claims)
    assert (match.matched_lines, match.matched_notes, match.unmatched_lines) == (10_000, 10_000, ())
    assert time.perf_counter() - began < 10


# What the documentation says


def test_documented_columns_are_those_that_are_read():
    page = (Path(__file__).parents[1] / "docs" / "claims.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    numbered = {name for name in ALIASES if name[-1].isdigit()}
    documented = {names(row[0])[0]: names(row[1]) for row in rows if " to " not in row[0]}
    assert documented == {name: list(others) for name, others in ALIASES.items() if name not in numbered}
    assert {
        f"{names(row[0])[0][:-1]}{number}" for row in rows if " to " in row[0] for number in range(1, 5)
    } == numbered


def names(cell):
    return re.findall(r"`([^`]+)`", cell)
