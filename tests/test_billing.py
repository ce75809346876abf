"""Billing rules: boundaries, contradictions between sources as they were settled, and what is said not to have run."""

from datetime import date

import pytest

from analyzer.engine import Analyzer
from analyzer.policy import load_policies, tables
from analyzer.rules.lines import line_of
from analyzer.rules.units import quarter_units
from analyzer.types import Level, Note, NotRun, PlanOfCare

TEXT = "Aphasia treatment with semantic feature analysis."
DAY = date(2026, 5, 4)


@pytest.fixture(scope="module")
def billing():
    return Analyzer.load(model="lexicons", raises=True)


@pytest.fixture
def codes(billing):
    """Return a function that gives the codes of the findings on a claim that the record alone decides."""

    def find(*lines, on=DAY, text=TEXT, analyzer=billing, **fields):
        report = analyzer.analyze(Note(text, date_of_service=on, claim_lines=lines, **fields))
        return [f.code for f in report.findings if f.code[:3] == "BIL" and int(f.code[3:]) < 41]

    return find


@pytest.fixture
def reasons(billing):
    """Return a function that gives why some rule did not run on a record."""

    def find(rule, *lines, on=DAY, analyzer=billing, **fields):
        report = analyzer.analyze(Note(TEXT, date_of_service=on, claim_lines=lines, **fields))
        return [check.reason for check in report.not_run if rule in check.check.split()]

    return find


GN = "GN"


# Tables, as the sources give them


@pytest.mark.parametrize(
    ("minutes", "units"),
    [(0, 0), (7, 0), (8, 1), (22, 1), (23, 2), (37, 2), (38, 3), (52, 3), (53, 4), (67, 4), (68, 5), (82, 5), (97, 6)],
)
def test_eight_minute_rule_is_that_of_the_manual(minutes, units):
    assert quarter_units(minutes) == units


@pytest.mark.parametrize(
    ("code", "units", "is_absolute"),
    [
        ("92507", 1, False),
        ("92508", 1, False),
        ("92521", 1, True),
        ("92526", 1, True),
        ("92608", 4, False),
        ("92627", 6, False),
        ("96105", 3, False),
        ("96125", 2, False),
        ("97129", 1, True),
        ("97130", 7, False),
        ("97535", 8, False),
        ("97551", 2, False),
        ("98981", 3, False),
    ],
)
def test_daily_limit_is_that_of_the_file(code, units, is_absolute):
    limit = load_policies().at(None, DAY).tables.daily_limits[code]
    assert (limit.units, limit.is_absolute) == (units, is_absolute)


NO_EDIT = [
    *(("92507", code) for code in ("92521", "92522", "92523", "92524", "92526", "96105", "96125", "92610", "92626")),
    *(("92526", code) for code in ("92610", "92521", "92522", "92523", "92524", "97129")),
    *(("92521", code) for code in ("92522", "92523", "92524")),
    *(("92524", code) for code in ("92522", "92523")),
]


@pytest.mark.parametrize(("one", "other"), NO_EDIT)
def test_pair_without_an_edit_is_payable_on_one_day(codes, one, other):
    assert frozenset((one, other)) not in load_policies().at(None, DAY).tables.pairs
    assert sorted({"BIL010", "BIL011", "BIL013"} & set(codes(line_of(one, 1, GN), line_of(other, 1, GN)))) == []


PAIRS = [(row.value.first, row.value.second, row.value.with_modifier) for row in tables.shipped_rows()["pairs"]]


@pytest.mark.parametrize(("first", "second", "helps"), PAIRS)
def test_every_pair_of_the_file_is_complained_of(codes, first, second, helps):
    found = codes(line_of(first, 1, GN), line_of(second, 1, GN), payer="Aetna")
    assert [code for code in found if code in ("BIL010", "BIL011")] == ["BIL011" if helps else "BIL010"]


@pytest.mark.parametrize(("first", "second", "helps"), PAIRS)
@pytest.mark.parametrize("modifier", ["59", "XE", "XS", "XP", "XU"])
def test_modifier_helps_where_the_indicator_says_so(codes, first, second, helps, modifier):
    found = codes(line_of(first, 1, GN), line_of(second, 1, GN, modifier), payer="Aetna")
    assert [code for code in found if code in ("BIL010", "BIL011")] == ([] if helps else ["BIL010"])


@pytest.mark.parametrize("primary", ["92507", "92508", "97129", "97110", "97112", "97150", "97530", "97533", "97535"])
def test_virtual_reality_stands_beside_each_of_its_primaries(codes, primary):
    assert "BIL017" not in codes(line_of(primary, 1, GN), line_of("0770T", 1, GN))


@pytest.mark.parametrize(
    ("add_on", "primary"),
    [
        ("92608", "92607"),
        ("92618", "92605"),
        ("92627", "92626"),
        ("97130", "97129"),
        ("97551", "97550"),
        ("96113", "96112"),
        ("98981", "98980"),
    ],
)
def test_add_on_code_needs_its_primary(codes, add_on, primary):
    assert "BIL017" in codes(line_of(add_on, 1, GN))
    assert "BIL017" not in codes(line_of(primary, 1, GN), line_of(add_on, 1, GN))


# Contradictions, each settled against the reading that was wrong


def test_speech_treatment_is_not_charged_by_time(codes):
    assert codes(line_of("92507", 1, GN, minutes=60), ytd_pt_slp_allowed=None) == []
    assert codes(line_of("92507", 4, GN, minutes=60)) == ["BIL001"]


def test_swallowing_is_a_treatment_of_its_own_beside_speech(codes):
    assert codes(line_of("92507", 1, GN), line_of("92526", 1, GN)) == []
    assert load_policies().at(None, DAY).tables.procedures["92526"].label == (
        "treatment of swallowing or oral feeding function"
    )


def test_evaluation_is_not_included_in_treatment_and_not_denied_beside_it(codes):
    assert codes(line_of("92507", 1, GN), line_of("92521", 1, GN)) == []


@pytest.mark.parametrize(("code", "word"), [("92521", "fluency"), ("92524", "voice")])
def test_fluency_and_voice_are_evaluated_under_codes_of_their_own(code, word):
    assert load_policies().at(None, DAY).tables.procedures[code].label.split()[0] == word


def test_group_is_a_code_of_its_own_and_no_modifier_of_individual_treatment(codes):
    assert codes(line_of("92508", 1, GN)) == []
    assert codes(line_of("92508", 1, GN), line_of("92507", 1, GN)) == ["BIL011"]


def test_device_training_beside_speech_treatment_needs_a_modifier(codes):
    assert codes(line_of("92609", 1, GN), line_of("92507", 1, GN)) == ["BIL011"]


def test_cognition_beside_speech_is_one_clinicians_error_and_two_disciplines_right(codes):
    assert codes(line_of("92507", 1, GN), line_of("97129", 1, GN, "59")) == ["BIL013"]
    assert codes(line_of("92507", 1, GN), line_of("97129", 1, "GO", "59")) == []


def test_aural_rehabilitation_codes_are_unpaid_by_medicare_alone(codes):
    assert codes(line_of("92633", 1, GN)) == ["BIL027"]
    assert codes(line_of("92633", 1), payer="Aetna") == []


@pytest.mark.parametrize(
    ("on", "found"),
    [(date(2026, 12, 31), []), (date(2027, 1, 1), ["BIL002"])],
)
@pytest.mark.parametrize("payer", [None, "Medicaid", "school", "Commercial", "Aetna"])
def test_speech_treatment_ends_with_2026_for_every_payer(codes, on, found, payer):
    assert codes(line_of("92507", 1, GN, "96"), on=on, payer=payer) == found


def test_deletion_is_said_with_its_reason_and_source(billing):
    report = billing.analyze(Note(TEXT, date_of_service=date(2027, 1, 1), cpt="92507"))
    (finding,) = (finding for finding in report.findings if finding.code == "BIL002")
    assert (finding.level, finding.message) == (
        Level.ERROR,
        "92507 was last valid on 2026-12-31: replaced by timed codes for each area of disorder (fluency, speech "
        "sounds, language, voice), whose numbers are not known yet.",
    )
    assert finding.source[:40] == "growwithcoral.com, legalclarity.org, gaw"


def test_discipline_modifier_is_medicares_wish_alone(codes):
    assert codes(line_of("92507", 1)) == ["BIL003"]
    assert codes(line_of("92507", 1), payer="Medicaid") == []


def test_modifiers_of_other_disciplines_do_not_belong_on_speech_lines(codes):
    for modifiers in (("GN", "GP"), ("GN", "GO"), ("GN", "CQ"), ("GN", "CO")):
        assert codes(line_of("92507", 1, *modifiers)) == ["BIL004"]


def test_review_threshold_holds_until_2028_and_is_no_more_than_information(codes, billing):
    report = billing.analyze(
        Note(TEXT, date_of_service=DAY, claim_lines=(line_of("92507", 1, GN, "KX"),), ytd_pt_slp_allowed=3000.01)
    )
    assert [(f.code, f.level) for f in report.findings if f.code == "BIL007"] == [("BIL007", Level.INFO)]


def test_further_unit_of_auditory_evaluation_is_fifteen_minutes(codes):
    assert codes(line_of("92626", 1, minutes=60), line_of("92627", 2, minutes=30)) == []
    assert codes(line_of("92626", 1, minutes=60), line_of("92627", 1, minutes=30)) == ["BIL019"]


def test_progress_report_is_due_by_treatment_days_and_not_by_calendar_days(billing):
    plan = PlanOfCare(start=date(2026, 3, 2), certified_through=date(2026, 5, 30))
    for days, found in ((10, []), (11, ["DOC036"])):
        report = billing.analyze(Note(TEXT, date_of_service=DAY, plan_of_care=plan, treatment_days_since_report=days))
        assert [finding.code for finding in report.findings if finding.code == "DOC036"] == found


# How payers count minutes


@pytest.mark.parametrize(("payer", "found"), [("Medicare", []), ("Aetna", ["BIL018"])])
def test_medicare_adds_minutes_over_codes_and_others_do_not(codes, payer, found):
    lines = (line_of("97533", 0, GN, minutes=7), line_of("97535", 1, GN, minutes=7))
    assert codes(*lines, payer=payer) == found


@pytest.mark.parametrize(
    ("code", "minutes", "add_on", "further"),
    [
        ("97129", 8, "97130", 23),
        ("92607", 31, "92608", 76),
        ("92626", 31, "92627", 68),
        ("97550", 16, "97551", 38),
        ("96112", 31, "96113", 76),
        ("92605", 31, "92618", 76),
    ],
)
def test_first_and_further_units_begin_at_their_minute(codes, code, minutes, add_on, further):
    timing = {"BIL018", "BIL019"}

    def found(*lines, total):
        return sorted(timing & set(codes(*lines, minutes=total, payer="Aetna")))

    one, two = line_of(code, 1), (line_of(code, 1), line_of(add_on, 1))
    assert (found(one, total=minutes - 1), found(one, total=minutes)) == (["BIL018"], [])
    assert (found(one, total=further - 1), found(one, total=further)) == ([], ["BIL019"])
    assert (found(*two, total=further - 1), found(*two, total=further)) == (["BIL018"], [])


# What cannot be checked


def test_note_without_a_claim_says_so_once_for_all_rules(billing):
    reasons = [check.reason for check in billing.analyze(Note(TEXT)).not_run]
    assert reasons.count("The record has no claim_lines.") == 1
    assert len(reasons) == len(set(reasons))


def test_unknown_payer_is_said(billing):
    report = billing.analyze(Note(TEXT, payer="Aetna"))
    assert report.not_run[0] == NotRun(
        "payer", "No pack knows the record's payer; only the rules that hold for every payer ran."
    )


@pytest.mark.parametrize("payer", [None, "Medicare", "Medicaid"])
def test_known_payer_is_not_remarked_on(billing, payer):
    assert [check for check in billing.analyze(Note(TEXT, payer=payer)).not_run if check.check == "payer"] == []


PROCEDURES_GAP = (
    "The table of procedures ends on 2026-12-31. The numbers and figures of the codes for 2027 are not known yet."
)


@pytest.mark.parametrize(
    ("rule", "lines", "fields", "reason"),
    [
        ("BIL001", (), {}, "The record has no claim_lines."),
        ("BIL001", (line_of("92507", 1, GN),), {"on": None}, "The record has no date_of_service."),
        ("BIL001", (line_of("92507", None, GN),), {}, "A claim line has no units."),
        ("BIL001", (line_of("99213", 1, GN),), {}, "The table of procedures does not hold 99213."),
        ("BIL001", (line_of("92526", 2, GN),), {"on": date(2027, 1, 4)}, PROCEDURES_GAP),
        ("BIL002", (), {}, "The record has no claim_lines and no cpt."),
        ("BIL003", (line_of("96105", 1),), {}, "Whether 96105 is outpatient therapy is not in the tables."),
        ("BIL005", (line_of("92507", 1, GN),), {}, "The record has no ytd_pt_slp_allowed."),
        (
            "BIL005",
            (line_of("92507", 1, GN),),
            {"ytd_pt_slp_allowed": 2400.0},
            "A claim line has no charge and no allowed amount.",
        ),
        (
            "BIL005",
            (line_of("92507", 1, GN),),
            {"on": date(2027, 1, 4), "ytd_pt_slp_allowed": 2400.0},
            "The threshold of physical and speech therapy together is not known for 2027.",
        ),
        (
            "BIL006",
            (line_of("92507", 1, GN),),
            {"on": date(2018, 1, 4), "ytd_pt_slp_allowed": 2400.0},
            "The threshold of physical and speech therapy together is not known for 2018.",
        ),
        (
            "BIL007",
            (line_of("92507", 1, GN),),
            {"on": date(2028, 1, 4), "ytd_pt_slp_allowed": 2400.0},
            "The threshold of targeted medical review is not known for 2028.",
        ),
        (
            "BIL010",
            (line_of("92507", 1, GN),),
            {"on": date(2024, 6, 30)},
            "The table of code pairs does not reach back before 2024-07-01.",
        ),
        (
            "BIL011",
            (line_of("92526", 1, GN),),
            {"on": date(2027, 1, 1)},
            "The table of code pairs ends on 2026-12-31. The release of 2024, third quarter, is the newest here.",
        ),
        ("BIL018", (line_of("97129", 1, GN),), {}, "A timed claim line has no minutes."),
        (
            "BIL029",
            (line_of("92507", 1, GN, "95"),),
            {},
            "The list of codes that Medicare pays for by telehealth is not here; the codes were not held against it.",
        ),
        ("BIL037", (line_of("92507", 1, GN),), {}, "A claim line has no place_of_service."),
        ("DOC034", (), {}, "The record has no plan_of_care."),
        (
            "DOC034",
            (),
            {"plan_of_care": PlanOfCare(goals=("x",))},
            "The plan_of_care has neither certified_through nor start.",
        ),
        (
            "DOC035",
            (),
            {"plan_of_care": PlanOfCare(start=date(2026, 1, 5))},
            "The plan_of_care does not say is_certified.",
        ),
        (
            "DOC035",
            (),
            {"plan_of_care": PlanOfCare(start=date(2026, 1, 5), is_certified=False)},
            "The plan_of_care does not say has_signed_order.",
        ),
        ("DOC036", (), {}, "The record has no treatment_days_since_report."),
    ],
)
def test_what_a_rule_lacks_is_said(reasons, rule, lines, fields, reason):
    assert reasons(rule, *lines, **fields) == [reason]


def test_lines_that_can_be_read_are_checked_beside_those_that_cannot(codes, reasons):
    lines = (line_of("92507", 2, GN), line_of("92526", None, GN))
    assert codes(*lines) == ["BIL001"]
    assert reasons("BIL001", *lines) == ["A claim line has no units."]


def test_complete_claim_leaves_no_claim_rule_out(billing):
    note = Note(
        TEXT,
        date_of_service=DAY,
        claim_lines=(line_of("92507", 1, GN, charge=90.0, place="11"),),
        ytd_pt_slp_allowed=400.0,
        plan_of_care=PlanOfCare(start=date(2026, 4, 20), certified_through=date(2026, 6, 30)),
        treatment_days_since_report=3,
    )
    report = billing.analyze(note)
    left = {code for check in report.not_run for code in check.check.split()}
    ours = {"BIL0" + str(number).zfill(2) for number in range(1, 41)} | {"DOC034", "DOC035", "DOC036"}
    assert sorted(left & ours) == []
    assert [f.code for f in report.findings if f.code in ours] == []


def test_finding_names_the_lines_that_it_is_about(billing):
    lines = (line_of("92526", 1, GN), line_of("92507", 2, GN))
    report = billing.analyze(Note(TEXT, date_of_service=DAY, claim_lines=lines))
    assert [(f.code, f.lines) for f in report.findings if f.code == "BIL001"] == [("BIL001", (1,))]


# Settings of a clinic, and codes of 2027


@pytest.fixture
def clinic(tmp_path):
    """Return a function that loads an analyzer with a clinic's settings."""

    def load(text, **others):
        for name, content in others.items():
            (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
        path = tmp_path / "clinic.toml"
        path.write_text(text, encoding="utf-8")
        return Analyzer.load(model="lexicons", raises=True, config=path)

    return load


def test_rule_that_is_turned_off_is_silent_and_said(clinic, codes, reasons):
    analyzer = clinic("[rules]\nBIL001 = 'off'\n")
    assert codes(line_of("92507", 2, GN), analyzer=analyzer) == []
    assert reasons("BIL001", line_of("92507", 2, GN), analyzer=analyzer) == ["Turned off in the clinic's settings."]


def test_level_of_the_settings_is_that_of_the_finding(clinic):
    analyzer = clinic("[rules]\nBIL001 = 'info'\n")
    report = analyzer.analyze(Note(TEXT, date_of_service=DAY, claim_lines=(line_of("92507", 2, GN),)))
    assert [(f.code, f.level) for f in report.findings if f.code == "BIL001"] == [("BIL001", Level.INFO)]


def test_threshold_of_the_settings_is_applied(clinic, codes):
    analyzer = clinic("[thresholds]\nkx_pt_slp = { 2027 = 2550 }\n[tables.procedures]\n" + RELEASE, p=NEW_CODES)
    lines = (line_of("9X001", 1, GN, charge=100.0, minutes=30),)
    assert codes(*lines, on=date(2027, 3, 1), ytd_pt_slp_allowed=2450.01, analyzer=analyzer) == ["BIL005"]
    assert codes(*lines, on=date(2027, 3, 1), ytd_pt_slp_allowed=2450.0, analyzer=analyzer) == []


RELEASE = "file = 'p.csv'\nfrom = 2027-01-01\nto = 2027-12-31\n"
COLUMNS = (
    "code,label,service,basis,unit_minutes,first_from,repeats,therapy,area,scope,gn_only,medicare_status,"
    "facility_barred,from,to,source\n"
)
# Invented numbers: the true ones are not known. Thirty minutes for one area of disorder, then fifteen more.
NEW_CODES = COLUMNS + (
    "9X001,speech sounds,treatment,block,30,16,no,always,speech_sounds,own,no,A,no,2027-01-01,2027-12-31,invented\n"
    "9X002,speech sounds further,treatment,block,15,38,yes,always,speech_sounds,own,no,A,no,2027-01-01,2027-12-31,x\n"
    "9X003,fluency,treatment,block,30,16,no,always,fluency,own,no,A,no,2027-01-01,2027-12-31,invented\n"
)
NEW_ADD_ONS = "add_on,primary,from,to,source\n9X002,9X001,2027-01-01,2027-12-31,invented\n"


@pytest.fixture
def year_2027(clinic):
    return clinic(
        f"[tables.procedures]\n{RELEASE}[tables.add_ons]\nfile = 'a.csv'\nfrom = 2027-01-01\nto = 2027-12-31\n",
        p=NEW_CODES,
        a=NEW_ADD_ONS,
    )


@pytest.mark.parametrize(
    ("lines", "minutes", "found"),
    [
        (("9X001",), 15, ["BIL018"]),
        (("9X001",), 16, []),
        (("9X001", "9X002"), 37, ["BIL018"]),
        (("9X001", "9X002"), 38, []),
        (("9X001",), 38, ["BIL019"]),
    ],
)
def test_codes_of_2027_count_minutes_by_the_midpoint(year_2027, codes, lines, minutes, found):
    billed = [line_of(code, 1, GN) for code in lines]
    assert codes(*billed, on=date(2027, 3, 1), minutes=minutes, analyzer=year_2027) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Speech sounds: 20 minutes. Fluency: 16 minutes. Modelled /r/ and easy onset.", []),
        ("Speech sounds: 20 minutes. Fluency: 15 minutes. Modelled /r/ and easy onset.", ["BIL020"]),
    ],
)
def test_codes_of_2027_count_the_minutes_of_each_area_in_the_note(year_2027, codes, text, found):
    lines = (line_of("9X001", 1, GN), line_of("9X003", 1, GN))
    assert codes(*lines, on=date(2027, 3, 1), text=text, analyzer=year_2027) == found


def test_settings_hold_in_worker_processes_too(clinic):
    lines = (line_of("92507", 2, GN),)
    note = Note(TEXT, date_of_service=DAY, claim_lines=lines)
    analyzer = clinic("[rules]\nBIL001 = 'off'\n")
    alone = analyzer.analyze(note)
    policies = analyzer._policies
    worker = Analyzer._with(analyzer._rules, policies, 100_000, "lexicons", 1)
    assert worker.analyze(note) == alone
