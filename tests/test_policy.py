"""Payer packs, a clinic's settings and the billing tables: who is judged by what, on which date of service."""

import pickle
import shutil
from datetime import date
from pathlib import Path

import pytest

from analyzer import lexicon
from analyzer.errors import ConfigError, LexiconError
from analyzer.lexicon import load_lexicons
from analyzer.policy import load_policies, packs, tables
from analyzer.policy.toml import line_of
from analyzer.rules import RULES
from analyzer.types import Level, TimedUnits

DAY = date(2026, 5, 4)
FOLDER = Path(lexicon.__file__).parent / "lexicons"
CODES_OF_MEDICARE = sorted(rule.code for rule in RULES if rule.payers == ("medicare-b",))


@pytest.fixture
def settle(tmp_path):
    """Return a function that writes a clinic's settings, and other files beside them, and loads the policies."""

    def write(text, **others):
        for name, content in others.items():
            (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
        path = tmp_path / "clinic.toml"
        path.write_text(text, encoding="utf-8")
        return load_policies(config=path)

    return write


# Payers


@pytest.mark.parametrize(
    ("payer", "pack"),
    [
        (None, ("medicare-b", True)),
        ("", ("medicare-b", True)),
        ("  ", ("medicare-b", True)),
        ("Medicare", ("medicare-b", True)),
        ("MEDICARE PART B", ("medicare-b", True)),
        ("medicare-b", ("medicare-b", True)),
        ("Medicare Advantage", ("medicare-b", True)),
        ("Medicaid", ("medicaid", True)),
        ("School-Based", ("school", True)),
        ("Commercial", ("commercial-habilitative", True)),
        ("Self-pay", ("other", True)),
        ("Aetna", ("other", False)),
    ],
)
def test_payer_is_judged_by_its_pack(payer, pack):
    assert load_policies().pack_of(payer) == pack


def test_payer_of_the_run_judges_every_note():
    assert load_policies(payer="Medicaid").pack_of("Medicare") == ("medicaid", True)


def test_payer_of_the_run_must_be_known():
    with pytest.raises(ConfigError, match=r"^no payer is called 'Aetna'; expected one of commercial-habilitative, "):
        load_policies(payer="Aetna")


def test_pack_extends_to_the_root():
    assert load_policies().at("school", DAY).lineage == ("school", "medicaid", "other")


@pytest.mark.parametrize("payer", ["Medicaid", "school", "commercial-habilitative", "Aetna"])
def test_rules_of_medicare_do_not_run_for_others(payer):
    assert sorted(load_policies().at(payer, DAY).levels.keys() & set(CODES_OF_MEDICARE)) == []


def test_all_rules_of_medicare_run_for_medicare():
    assert [code for code in CODES_OF_MEDICARE if not load_policies().at("Medicare", DAY).runs(code)] == []


@pytest.mark.parametrize(
    ("payer", "code", "level"),
    [
        ("Medicare", "BIL011", Level.ERROR),
        ("Medicaid", "BIL011", Level.WARNING),
        ("school", "BIL011", Level.WARNING),
        ("Medicaid", "BIL033", Level.INFO),
        ("Aetna", "BIL011", Level.ERROR),
        ("Medicare", "BIL038", None),
        ("Commercial", "BIL038", Level.WARNING),
    ],
)
def test_pack_sets_the_level_of_a_rule(payer, code, level):
    assert load_policies().at(payer, DAY).levels.get(code) == level


@pytest.mark.parametrize(
    ("payer", "counting"),
    [("Medicare", TimedUnits.TOGETHER), ("Medicaid", TimedUnits.EACH_CODE), ("Aetna", TimedUnits.EACH_CODE)],
)
def test_payers_count_timed_units_in_their_own_way(payer, counting):
    assert load_policies().at(payer, DAY).timed_units is counting


def test_figures_of_medicare_are_those_of_the_manual():
    policy = load_policies().at("Medicare", DAY)
    assert (
        policy.telehealth_through,
        policy.certification_days,
        policy.certification_due_days,
        policy.report_days,
    ) == (date(2027, 12, 31), 90, 30, 10)


def test_policies_travel_to_another_process(settle):
    policies = settle("[rules]\nBIL015 = 'off'\n")
    assert pickle.loads(pickle.dumps(policies)).at(None, DAY) == policies.at(None, DAY)


# Thresholds by year


@pytest.mark.parametrize(
    ("year", "amount"),
    [
        (2018, None),
        (2019, 2040.0),
        (2020, 2080.0),
        (2021, 2110.0),
        (2022, 2150.0),
        (2023, 2230.0),
        (2024, 2330.0),
        (2025, 2410.0),
        (2026, 2480.0),
        (2027, None),
    ],
)
@pytest.mark.parametrize("day", [(1, 1), (12, 31)])
def test_threshold_holds_for_its_calendar_year(year, amount, day):
    assert load_policies().at(None, date(year, *day)).kx_threshold == amount


@pytest.mark.parametrize(
    ("day", "amount"),
    [
        (date(2017, 12, 31), None),
        (date(2018, 1, 1), 3000.0),
        (date(2027, 12, 31), 3000.0),
        (date(2028, 1, 1), None),
    ],
)
def test_review_threshold_holds_from_2018_to_2027(day, amount):
    assert load_policies().at(None, day).review_threshold == amount


def test_without_a_date_there_are_no_tables():
    policy = load_policies().at(None, None)
    assert (policy.tables.procedures, policy.tables.pairs, policy.kx_threshold) == ({}, {}, None)
    assert set(policy.tables.gaps.values()) == {"The record has no date_of_service."}


# A clinic's settings


def test_rule_is_turned_off_for_everyone(settle):
    policies = settle("[rules]\nBIL015 = 'off'\n")
    for payer in ("Medicare", "Medicaid", "Aetna"):
        policy = policies.at(payer, DAY)
        assert (policy.runs("BIL015"), policy.turned_off) == (False, frozenset({"BIL015"}))


def test_level_for_everyone_changes_it_only_where_the_rule_runs(settle):
    policies = settle("[rules]\nBIL003 = 'warning'\n")
    assert policies.at("Medicare", DAY).levels["BIL003"] is Level.WARNING
    assert not policies.at("Medicaid", DAY).runs("BIL003")


def test_rule_is_set_by_its_name_too(settle):
    assert settle("[rules]\nidle-pair-modifier = 'error'\n").at(None, DAY).levels["BIL015"] is Level.ERROR


def test_payers_of_a_rule_are_set(settle):
    policies = settle("[rules]\nBIL003 = { level = 'info', payers = ['medicaid'] }\n")
    assert [policies.at(payer, DAY).levels.get("BIL003") for payer in ("Medicaid", "school", "Medicare")] == [
        Level.INFO,
        Level.INFO,
        None,
    ]


def test_state_extends_medicaid_and_says_what_differs(settle):
    policies = settle(
        "[rules]\nBIL011 = 'info'\n"
        "[payers.springfield]\nextends = 'medicaid'\naliases = ['Springfield Medicaid']\n"
        "[payers.springfield.rules]\nBIL011 = 'error'\nBIL003 = 'error'\n"
        "[payers.springfield.settings]\ntimed_units = 'together'\n"
    )
    policy = policies.at("springfield medicaid", DAY)
    assert (policy.payer, policy.lineage) == ("springfield", ("springfield", "medicaid", "other"))
    assert (policy.levels["BIL011"], policy.levels["BIL010"], policy.levels["BIL003"]) == (
        Level.ERROR,
        Level.WARNING,
        Level.ERROR,
    )
    assert policy.timed_units is TimedUnits.TOGETHER
    assert policies.at("Medicaid", DAY).levels["BIL011"] is Level.INFO


def test_shipped_pack_is_changed_in_place(settle):
    policies = settle("[payers.medicare-b]\naliases = ['Palmetto']\n[payers.medicare-b.settings]\nreport_days = 8\n")
    policy = policies.at("Palmetto", DAY)
    assert (policy.payer, policy.report_days, policy.certification_days) == ("medicare-b", 8, 90)


def test_threshold_of_a_year_is_set(settle):
    policies = settle("[thresholds]\nkx_pt_slp = { 2027 = 2550 }\n")
    assert [policies.at(None, date(year, 1, 4)).kx_threshold for year in (2026, 2027, 2028)] == [2480.0, 2550.0, None]


def test_default_payer_is_set(settle):
    assert settle("payer = 'medicaid'\n").at(None, DAY).payer == "medicaid"


def test_end_of_telehealth_is_set(settle):
    policies = settle("[settings]\ntelehealth_through = 2029-12-31\n")
    assert policies.at(None, DAY).telehealth_through == date(2029, 12, 31)


def test_example_of_a_clinics_settings_is_valid():
    path = Path(__file__).parents[1] / "docs" / "clinic.toml"
    assert load_policies(config=path).pack_of("SMC") == ("springfield-medicaid", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rules\n", "clinic.toml: Expected ']' at the end of a table declaration (at line 1, column 7)"),
        ("a = 1\na = 2\n", "clinic.toml: Cannot overwrite a value (at line 2, column 6)"),
        (
            "\n\nrule = 1\n",
            "clinic.toml, line 3: unknown key 'rule'; "
            "expected one of payer, rules, settings, thresholds, payers, tables",
        ),
        ("[rules]\n# none\nBIL999 = 'off'\n", "line 3: there is no rule 'BIL999'; all of them: cuewise rules"),
        ("[rules]\nBIL001 = 'of'\n", "line 2: unknown level 'of'; expected one of error, info, off, warning"),
        ("[rules]\nBIL001 = 3\n", "line 2: unknown level 3; expected one of error, info, off, warning"),
        ("[rules]\nBIL001 = 'off'\nuntimed-code-in-units = 'info'\n", "line 3: BIL001 is set twice"),
        ("[rules]\nBIL001 = { payers = [] }\n", "line 2: level is missing"),
        (
            "[rules]\nBIL001 = { level = 'info', for = [] }\n",
            "line 2: unknown key 'for'; expected one of level, payers",
        ),
        (
            "[rules]\n\nBIL001 = { level = 'info', payers = ['medicair'] }\n",
            "line 3: no payer is called medicair; "
            "expected some of commercial-habilitative, medicaid, medicare-b, other, school",
        ),
        (
            "[payers.x.rules]\nBIL001 = { level = 'info', payers = ['medicaid'] }\n",
            "line 2: a payer's own rules name no payers",
        ),
        ("[settings]\nreport_days = 0\n", "line 2: report_days must be above zero, found 0"),
        ("[settings]\nreport_days = '10'\n", "line 2: report_days must be a whole number, found a text"),
        ("[settings]\nreport_days = true\n", "line 2: report_days must be a whole number, found true or false"),
        (
            "[settings]\ntimed_units = 'cpt'\n",
            "line 2: unknown timed_units 'cpt'; expected one of each-code, together",
        ),
        (
            "[settings]\ntelehealth_through = '2029'\n",
            "line 2: telehealth_through must be a date such as 2027-12-31, found a text",
        ),
        (
            "[settings]\nhabilitative_modifier = 1\n",
            "line 2: habilitative_modifier must be true or false, found a number",
        ),
        ("[thresholds]\nkx = { 2027 = 1 }\n", "line 2: unknown key 'kx'; expected one of kx_pt_slp, review_pt_slp"),
        ("[thresholds]\nkx_pt_slp = 2550\n", "line 2: kx_pt_slp must be a table, found a number"),
        ("[thresholds.kx_pt_slp]\n27 = 2550\n", "line 2: '27' is not a year"),
        ("[thresholds.kx_pt_slp]\n2027 = 'x'\n", "line 2: 2027 must be an amount in US dollars, found a text"),
        ("payers = 3\n", "line 1: payers must be a table, found a number"),
        ("payer = 'me'\n", "line 1: unknown payer 'me'; expected one of "),
        ("[payers.x]\nextends = 'y'\n", "line 2: unknown extends 'y'; expected one of "),
        ("[payers.x]\nextends = 'x'\n", "line 2: x extends itself"),
        ("[payers.x]\naliases = [\n  'ok',\n  3,\n]\n", "line 2: aliases must be a list of texts"),
        ("[tables.pears]\nfile = 'a'\n", "line 1: unknown key 'pears'; expected one of "),
        ("[tables.pairs]\nfile = 'a.csv'\n", "line 1: pairs needs file, from and to"),
        (
            "[tables.pairs]\nfile = 'a.csv'\nfrom = 2027-01-01\nto = 2026-01-01\n",
            "line 4: to lies before from",
        ),
        (
            "[tables.pairs]\nfile = 'a.csv'\nfrom = 2027-01-01\nto = 2027-12-31\n",
            "line 2: a.csv cannot be read: No such file or directory",
        ),
    ],
)
def test_mistake_in_the_settings_names_the_line(settle, text, message):
    with pytest.raises(ConfigError) as caught:
        settle(text)
    assert str(caught.value)[: len(message)] == message or message in str(caught.value)
    assert str(caught.value).startswith("clinic.toml")


def test_settings_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "clinic.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"^clinic\.toml is not UTF-8 text$"):
        load_policies(config=path)


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1\n", ("a",), 1),
        ("# x\n\n[t]\n# y\nb = 2\n", ("t", "b"), 5),
        ("[t]\nb = '''\none\ntwo'''\nc = 1\n", ("t", "b"), 2),
        ("[t]\nb = '''\none\ntwo'''\nc = 1\n", ("t", "c"), 5),
        ("a.b.c = 1\na.b.d = 2\n", ("a", "b", "d"), 2),
        ("[x.y]\nk = 1\n[x.z]\nk = 1\n", ("x", "z"), 3),
        ("[x]\nk = { a = 1, b = 2 }\n", ("x", "k", "b"), 2),
        ("[x]\nk = 1\n", ("x", "missing"), 1),
    ],
)
def test_line_of_a_key_is_found_in_any_style(text, path, line):
    assert line_of(text, path) == line


# Tables


PROCEDURE = (
    "code,label,service,basis,unit_minutes,first_from,repeats,therapy,area,scope,gn_only,medicare_status,"
    "facility_barred,from,to,source\n"
)
PAIRS = "first,second,indicator,hospital_indicator,from,to,source\n"


def test_clinics_table_speaks_for_its_dates(settle):
    policies = settle(
        "[tables.pairs]\nfile = 'p.csv'\nfrom = 2027-01-01\nto = 2027-03-31\n",
        p=PAIRS + "92526,92610,1,1,2027-01-01,2027-03-31,CMS 2027 Q1\n",
    )
    january, april = (policies.at(None, date(2027, month, 4)).tables for month in (1, 4))
    assert (list(january.pairs), "pairs" in january.gaps) == ([frozenset({"92526", "92610"})], False)
    assert (april.pairs, "pairs" in april.gaps) == ({}, True)


def test_clinics_row_counts_in_place_of_ours(settle):
    policies = settle(
        "[tables.daily_limits]\nfile = 'm.csv'\nfrom = 2026-01-01\nto = 2026-12-31\n",
        m="code,units,mai,from,to,source\n96105,5,3,2026-01-01,2026-12-31,CMS 2026\n",
    )
    assert policies.at(None, DAY).tables.daily_limits["96105"].units == 5
    assert policies.at(None, date(2025, 5, 5)).tables.daily_limits["96105"].units == 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("code\n", "p.csv, line 1: columns must be first,second,"),
        (PAIRS + "92526,92610,1\n", "p.csv, line 2: expected 7 fields"),
        (PAIRS + "92526,92610,2,1,2027-01-01,,x\n", "p.csv, line 2: unknown indicator '2'; expected one of 0, 1"),
        (PAIRS + "92526,92610,1,1,1/1/27,,x\n", "p.csv, line 2: from is not a date as YYYY-MM-DD"),
        (PAIRS + "92526,92610,1,1,2027-01-01,2026-01-01,x\n", "p.csv, line 2: to lies before from"),
        (PAIRS + "92526,92610,1,1,2027-01-01,,\n", "p.csv, line 2: empty source"),
        (PAIRS + ",92610,1,1,2027-01-01,,x\n", "p.csv, line 2: empty first"),
        (PAIRS + "a,b,1,1,2027-01-01,,x\nb,a,1,1,2027-06-01,,x\n", "p.csv, line 3: duplicate row for the same dates"),
        (PAIRS + '"a,b,1,1,2027-01-01,,x\n', "p.csv, line 2: "),
    ],
)
def test_mistake_in_a_clinics_table_names_file_and_line(settle, rows, message):
    with pytest.raises(ConfigError) as caught:
        settle("[tables.pairs]\nfile = 'p.csv'\nfrom = 2027-01-01\nto = 2027-12-31\n", p=rows)
    assert str(caught.value)[: len(message)] == message


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a copy of the lexicons that the reader reads instead of them."""
    copy = tmp_path / "lexicons"
    shutil.copytree(FOLDER, copy)
    monkeypatch.setattr(lexicon, "_FOLDER", copy)
    return copy


@pytest.mark.parametrize("name", sorted(tables.FORMS))
def test_shipped_table_refuses_an_unknown_source(folder, name):
    form = tables.FORMS[name]
    path = folder / "billing" / form.files[0]
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1:] = [",".join([*"x" * (len(form.all_columns) - 1), "hearsay"])]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(LexiconError, match=rf"^lexicons/billing/{form.files[0]}, line 2: unknown source 'hearsay'; "):
        tables.shipped_rows.__wrapped__()


def test_shipped_pack_with_a_mistake_is_refused_with_its_line(folder):
    path = folder / "billing" / "payers" / "school.toml"
    path.write_text(path.read_text(encoding="utf-8") + "[rules]\nBIL999 = 'off'\n", encoding="utf-8")
    with pytest.raises(
        LexiconError, match=r"^lexicons/billing/payers/school\.toml, line \d+: there is no rule 'BIL999'"
    ):
        packs.read_packs(RULES)


@pytest.mark.parametrize("file", ["billing/procedures.csv", "billing/releases.toml", "billing/payers/school.toml"])
def test_hash_of_the_lexicons_changes_with_a_billing_file(folder, file):
    before = load_lexicons.__wrapped__().hash
    path = folder / file
    path.write_bytes(path.read_bytes() + b"\n# reviewed\n")
    with pytest.MonkeyPatch.context():
        assert load_lexicons.__wrapped__().hash != before


@pytest.mark.parametrize("name", sorted(tables.FORMS))
def test_every_row_lies_within_what_its_table_speaks_for(name):
    release = tables.releases().get(name)
    rows = tables.shipped_rows()[name]
    last = release.last if release else date.max
    assert [row.key for row in rows if release and (row.first < release.first or (row.last or last) > last)] == []


def test_file_of_the_codes_for_2027_is_there_and_empty():
    text = (FOLDER / "billing" / "procedures_2027.csv").read_text(encoding="utf-8")
    assert text == PROCEDURE


def test_file_of_the_codes_for_2027_is_read(folder):
    path = folder / "billing" / "procedures_2027.csv"
    row = "9X001,speech sounds,treatment,block,30,16,no,always,speech_sounds,own,no,A,no,2027-01-01,,cpt-2027-slp\n"
    path.write_text(PROCEDURE + row, encoding="utf-8")
    found = [row.key for row in tables.shipped_rows.__wrapped__()["procedures"] if row.first == date(2027, 1, 1)]
    assert found == ["9X001"]
