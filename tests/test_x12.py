"""X12 837P and 837I interchanges to billed lines. Every interchange here is made up.

Places of values follow the implementation guides 005010X222 (professional) and 005010X223 (institutional).
"""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer.claims import ClaimsFile, read_claims
from analyzer.errors import NoteError
from analyzer.types import BilledLine, ClaimForm, ClaimLine, Failure, Origin

PROFESSIONAL, INSTITUTIONAL = "005010X222A1", "005010X223A2"
SUBSCRIBER = (
    "HL*2*1*22*0",
    "SBR*P*18*******CI",
    "NM1*IL*1*DOE*PAT****MI*M-100",
    "DMG*D8*19500101*F",
    "NM1*PR*2*EXAMPLE HEALTH PLAN*****PI*00001",
)
CLAIM = "CLM*C-1*180***11:B:1*Y*A*Y*Y"
DIAGNOSES = "HI*ABK:I69320*ABF:R4702"
SERVICE = ("LX*1", "SV1*HC:92507:GN:KX*180*UN*1***1:2", "DTP*472*D8*20260304")


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path, monkeypatch):
    """Paths in the tests are relative, as users give them."""
    monkeypatch.chdir(tmp_path)


def interchange(*body, version=PROFESSIONAL, kind="837", end="~\n", element="*", component=":"):
    """Wrap the segments of a transaction, from its subscriber on, in envelopes whose counts fit."""
    head = (
        f"ST*{kind}*0001*{version}",
        "BHT*0019*00*1*20260312*1200*CH",
        "NM1*41*2*EXAMPLE CLINIC*****46*123",
        "NM1*40*2*EXAMPLE HEALTH PLAN*****46*00001",
        "HL*1**20*1",
        "NM1*85*2*EXAMPLE CLINIC*****XX*1234567893",
    )
    isa = "ISA*00*          *00*          *ZZ*CLINIC         *ZZ*PAYER          *260312*1200*^*00501*000000001*0*T*:"
    segments = (
        isa,
        f"GS*HC*CLINIC*PAYER*20260312*1200*1*X*{version}",
        *head,
        *body,
        f"SE*{len(head) + len(body) + 1}*0001",
        "GE*1*1",
        "IEA*1*000000001",
    )
    return "".join(segment + end for segment in segments).replace("*", element).replace(":", component)


def claim(*more, claim=CLAIM, services=SERVICE, subscriber=SUBSCRIBER):
    return (*subscriber, claim, DIAGNOSES, *more, *services)


def read(content, name="claims.837"):
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_claims(name)


def only(*body, **options):
    """Return the one billed line of an interchange."""
    (billed,) = read(interchange(*body, **options)).lines
    return billed


def test_service_of_a_professional_claim_is_a_billed_line():
    origin = Origin("claims.837", 18)  # the segment SV1; the interchange header is the first
    assert read(interchange(*claim("NM1*82*1*SMITH*ANN****XX*1987654321"))) == ClaimsFile(
        "claims.837",
        lines=(
            BilledLine(
                ClaimLine(
                    code="92507",
                    units=1,
                    modifiers=("GN", "KX"),
                    charge=180.0,
                    claim_id="C-1",
                    clinician_id="1987654321",
                    date_of_service=date(2026, 3, 4),
                    place_of_service="11",
                    diagnoses=("I69.320", "R47.02"),
                    form=ClaimForm.PROFESSIONAL,
                    origin=origin,
                ),
                ("M-100", "C-1"),
                date(2026, 3, 4),
                origin,
                "EXAMPLE HEALTH PLAN",
            ),
        ),
    )


def test_service_of_an_institutional_claim_is_a_billed_line():
    billed = only(
        *claim(
            "NM1*71*1*JONES*KIM****XX*1112223334",
            claim="CLM*C-1*180***74:A:1**A*Y*Y",
            services=("LX*1", "SV2*0440*HC:92507:GN*180*UN*1", "DTP*472*D8*20260304"),
        ),
        version=INSTITUTIONAL,
    )
    assert billed.line == ClaimLine(
        code="92507",
        units=1,
        modifiers=("GN",),
        charge=180.0,
        claim_id="C-1",
        date_of_service=date(2026, 3, 4),
        diagnoses=("I69.320", "R47.02"),
        form=ClaimForm.INSTITUTIONAL,
        origin=Origin("claims.837", 18),
    )


@pytest.mark.parametrize(
    "options",
    [
        {"end": "~"},
        {"end": "~\r\n"},
        {"end": "\n"},
        {"element": "|"},
        {"component": ">"},
    ],
)
def test_separators_are_those_of_the_interchange(options):
    assert only(*claim(), **options).line.modifiers == ("GN", "KX")


@pytest.mark.parametrize("name", ["claims.837", "claims.edi", "claims.txt", "claims"])
def test_interchange_is_known_by_its_first_letters(name):
    assert len(read(interchange(*claim()), name).lines) == 1


def test_byte_order_mark_is_skipped():
    assert len(read(b"\xef\xbb\xbf" + interchange(*claim()).encode()).lines) == 1


@pytest.mark.parametrize(
    ("service", "field", "value"),
    [
        ("SV1*HC:92507:GN*180*UN*1*12**1", "place_of_service", "12"),  # of the line, before that of the claim
        ("SV1*HC:92507:GN*180*UN*1***2", "diagnoses", ("R47.02",)),
        ("SV1*HC:92507:GN*180*UN*1***2:1", "diagnoses", ("R47.02", "I69.320")),
        ("SV1*HC:92507:GN*180*UN*1", "diagnoses", ("I69.320", "R47.02")),
        ("SV1*HC:97129:GN:59:95:KX:A TEXT*180*UN*1", "modifiers", ("GN", "59", "95", "KX")),
        ("SV1*HC:92507*180*UN*1", "modifiers", ()),
        ("SV1*HC:92507*180.50*UN*2", "charge", 180.5),
        ("SV1*HC:92507*180*MJ*45", "minutes", 45),
        ("SV1*HC:92507*180*MJ*45", "units", None),
    ],
)
def test_value_of_a_service(service, field, value):
    services = ("LX*1", service, "DTP*472*D8*20260304")
    assert getattr(only(*claim(services=services)).line, field) == value


@pytest.mark.parametrize(
    ("indicator", "payer"),
    [("MB", "Medicare"), ("MA", "Medicare"), ("MC", "Medicaid"), ("CI", "EXAMPLE HEALTH PLAN")],
)
def test_programme_of_the_filing_indicator_goes_before_the_name_of_its_contractor(indicator, payer):
    subscriber = tuple(segment.replace("*CI", f"*{indicator}") for segment in SUBSCRIBER)
    assert only(*claim(subscriber=subscriber)).payer == payer


def test_other_payer_of_a_claim_is_not_its_payer_and_its_providers_not_the_clinician():
    other = (
        "SBR*S*18*******MB",
        "NM1*IL*1*DOE*PAT****MI*OTHER-1",
        "NM1*PR*2*OTHER PLAN*****PI*00002",
        "NM1*82*1*OTHER*ANN****XX*1000000000",
    )
    billed = only(*claim("NM1*82*1*SMITH*ANN****XX*1987654321", *other))
    assert (billed.payer, billed.patient_ids, billed.line.clinician_id) == (
        "EXAMPLE HEALTH PLAN",
        ("M-100", "C-1"),
        "1987654321",
    )


def test_clinician_of_a_line_goes_before_that_of_the_claim():
    services = (*SERVICE, "NM1*82*1*BROWN*LEE****XX*1555555555")
    billed = only(*claim("NM1*82*1*SMITH*ANN****XX*1987654321", services=services))
    assert billed.line.clinician_id == "1555555555"


def test_medical_record_number_is_the_best_name_of_the_patient():
    assert only(*claim("REF*EA*MRN-7")).patient_ids == ("MRN-7", "M-100", "C-1")


def test_member_number_is_that_of_the_subscriber_and_not_of_a_dependent():
    dependent = (*SUBSCRIBER, "HL*3*2*23*0", "PAT*19", "NM1*QC*1*DOE*KID")
    billed = only(*claim(subscriber=dependent))
    assert (billed.patient_ids, billed.payer) == (("C-1",), "EXAMPLE HEALTH PLAN")


def test_subscribers_do_not_share_what_is_theirs():
    second = ("HL*3*1*22*0", "SBR*P*18*******MB", "NM1*IL*1*ROE*SAM****MI*M-200", "NM1*PR*2*MEDICARE*****PI*00003")
    content = interchange(*claim(), *claim(subscriber=second, claim=CLAIM.replace("C-1", "C-2")))
    assert [(billed.patient_ids, billed.payer) for billed in read(content).lines] == [
        (("M-100", "C-1"), "EXAMPLE HEALTH PLAN"),
        (("M-200", "C-2"), "Medicare"),
    ]


def test_every_service_of_a_claim_is_a_line():
    services = (*SERVICE, "LX*2", "SV1*HC:92526:GN*150*UN*1***1", "DTP*472*D8*20260305")
    lines = read(interchange(*claim(services=services))).lines
    assert [(billed.line.code, billed.date_of_service) for billed in lines] == [
        ("92507", date(2026, 3, 4)),
        ("92526", date(2026, 3, 5)),
    ]


def test_period_of_one_day_is_that_day():
    services = (*SERVICE[:2], "DTP*472*RD8*20260304-20260304")
    assert only(*claim(services=services)).date_of_service == date(2026, 3, 4)


def test_statement_of_one_day_dates_lines_without_a_date():
    billed = only(*claim("DTP*434*RD8*20260304-20260304", services=SERVICE[:2]))
    assert billed.date_of_service == date(2026, 3, 4)


@pytest.mark.parametrize(
    ("services", "code", "field"),
    [
        ((*SERVICE[:2], "DTP*472*RD8*20260304-20260331"), "date-range", "date_of_service"),
        (SERVICE[:2], "missing-field", "date_of_service"),
        ((*SERVICE[:2], "DTP*472*D8*2026"), "bad-date", "date_of_service"),
        (("LX*1", "SV1*HC:92507*much*UN*1", SERVICE[2]), "wrong-type", "charge"),
        (("LX*1", "SV1*HC:92507*180*UN*1.5", SERVICE[2]), "wrong-type", "units"),
        (("LX*1", "SV1*HC:9250*180*UN*1", SERVICE[2]), "bad-code", "code"),
    ],
)
def test_bad_service_names_its_segment_and_field_and_the_others_go_on(services, code, field):
    good = claim(claim=CLAIM.replace("C-1", "C-2"))
    claims = read(interchange(*claim(services=services), *good))
    assert [billed.line.claim_id for billed in claims.lines if not isinstance(billed, Failure)] == ["C-2"]
    assert [(failure.code, failure.field, failure.origin.row) for failure in claims.failures] == [(code, field, 17)]


@pytest.mark.parametrize("frequency", ["6", "7"])
def test_replacement_takes_the_place_of_the_claim_with_its_number(frequency):
    corrected = claim(
        claim=f"CLM*C-1*180***11:B:{frequency}", services=("LX*1", "SV1*HC:92526:GN*150*UN*1", SERVICE[2])
    )
    claims = read(interchange(*claim(), *corrected))
    assert [billed.line.code for billed in claims.lines] == ["92526"]
    assert claims.remarks == ("Claims left out because they are void or were replaced: 1.",)


def test_void_claim_and_what_it_voids_are_left_out():
    claims = read(interchange(*claim(), *claim(claim="CLM*C-1*180***11:B:8")))
    assert claims == ClaimsFile(
        "claims.837", (), remarks=("Claims left out because they are void or were replaced: 2.",)
    )


def test_replacement_of_a_claim_that_is_not_there_stands_for_itself():
    claims = read(interchange(*claim(claim="CLM*C-1*180***11:B:7")))
    assert (len(claims.lines), claims.remarks) == (1, ())


def test_lines_without_a_procedure_code_are_left_out_and_counted():
    services = ("LX*1", "SV2*0250**80*UN*1", "LX*2", "SV2*0440*HC:92507:GN*180*UN*1", "DTP*472*D8*20260304")
    claims = read(interchange(*claim(services=services), version=INSTITUTIONAL))
    assert [billed.line.code for billed in claims.lines] == ["92507"]
    assert claims.remarks == ("Lines left out because they have no procedure code: 1.",)


def test_transaction_of_another_kind_is_a_failure():
    claims = read(interchange("LX*1", kind="835"))
    assert [(failure.code, failure.origin.row) for failure in claims.failures] == [("wrong-format", 3)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: text.index("SE*")],
        lambda text: text.replace("HI*ABK:I69320*ABF:R4702~\n", ""),
        lambda text: text.replace("IEA*1*", "IEA*2*"),
    ],
)
def test_interchange_that_is_cut_says_so_beside_its_lines(damage):
    claims = read(damage(interchange(*claim())))
    assert (len(claims.lines), [failure.code for failure in claims.failures]) == (1, ["control-totals"])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("ISA*too short~", "corrupt-file"),
        ("Not an interchange at all.", "corrupt-file"),
        (interchange(*claim())[:106], "wrong-format"),
        (interchange(*claim()).replace("*00501*", "*00999*"), "corrupt-file"),
        (interchange(*claim()).replace("GS*", "IEA*", 1), "corrupt-file"),
    ],
)
def test_file_that_is_no_interchange_is_an_error_without_its_content(content, code):
    with pytest.raises(NoteError) as error:
        read(content)
    assert (error.value.code, "CLINIC" in str(error.value)) == (code, False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_interchange_gives_lines_failures_or_an_error(data):
    text = interchange(*claim())
    at = data.draw(st.integers(106, len(text)))
    text = (
        text[:at] + data.draw(st.text("*:~^HLSVCMISEGT18 \n", max_size=12)) + text[at + data.draw(st.integers(0, 9)) :]
    )
    try:
        claims = read(text)
    except NoteError:
        return
    assert {type(billed) for billed in claims.lines} <= {BilledLine}
