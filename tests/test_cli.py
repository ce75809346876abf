import csv
import io
import json
import logging
import os
import pty
import random
import select
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from analyzer import report
from analyzer.catalogue import mark_example
from analyzer.cli import FORMATS, cli
from analyzer.errors import LexiconError, NoteError
from analyzer.rules import RULES
from analyzer.rules.rule import example
from analyzer.types import Level, Status

CUEWISE = [sys.executable, "-m", "analyzer.cli"]
MARKER = "Zebrawood"
# What a reviewer sees at once: practice that anyone could lead, and a session that has every part of the rubric.
DRILL = "Practiced /r/ words 50x. Tolerated tx well. Continue POC."
SKILLED = (
    "STG 2: Named 14/20 (70%) pictured nouns given min phonemic cues, up from 8/20 on 5/4. "
    "SFA used to build retrieval. Errors were semantic paraphasias, which suggests a breakdown at lexical access. "
    "Self-corrected 3 of 6 errors. "
    "Needed to order meals at home. Next session fade to a carrier phrase with 2 s delay."
)
NO_SHOW = "No show. Patient did not attend the scheduled session and did not call. Will reschedule."


def run(*args, input=None):
    return CliRunner().invoke(cli, [str(arg) for arg in args], input=input)


def run_process(*args, input=b"", **options):
    return subprocess.run([*CUEWISE, *map(str, args)], input=input, capture_output=True, check=False, **options)


def records_of(output):
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def notes(tmp_path):
    """Make a folder with a drill note and a skilled one."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "drill.txt").write_text(DRILL)
    (folder / "skilled.txt").write_text(SKILLED)
    return folder


# Formats and where they go


def test_formats_are_those_of_the_report():
    assert report.FORMATS == FORMATS


def test_table_is_the_default_in_a_pipe_with_nothing_on_standard_error(notes):
    done = run_process("audit", notes)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"drill" in done.stdout
    assert b"2 notes audited" in done.stdout


def test_jsonl_holds_one_record_a_note_in_order(notes):
    done = run_process("audit", notes, "--format", "jsonl")
    assert (done.returncode, done.stderr) == (0, b"")
    records = records_of(done.stdout)
    assert [(record["id"], record["status"]) for record in records] == [("drill", "ok"), ("skilled", "ok")]
    assert [record["verdict"] for record in records] == ["unskilled", "skilled"]


def test_csv_on_standard_output_parses(notes):
    rows = list(csv.reader(io.StringIO(run("audit", notes, "--format", "csv").stdout)))
    assert [row[0] for row in rows] == [rows[0][0], "drill", "skilled"]


def test_workbook_goes_into_a_pipe_as_bytes(notes):
    done = run_process("audit", notes, "--format", "xlsx")
    assert done.returncode == 0
    assert openpyxl.load_workbook(io.BytesIO(done.stdout)).sheetnames


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("report.jsonl", b'{"id": "drill"'),
        ("report.ndjson", b'{"id": "drill"'),
        ("report.xlsx", b"PK"),
        ("report.html", b"<!DOCTYPE html>"),
        ("report.HTM", b"<!DOCTYPE html>"),
        ("report.csv", b"id,status,"),
    ],
)
def test_format_follows_from_the_suffix_of_the_output(notes, tmp_path, name, begins):
    result = run("audit", notes, "--output", tmp_path / name)
    content = (tmp_path / name).read_bytes()
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"Wrote {tmp_path / name} (2 notes).\n"
    assert content[: len(begins)].lower() == begins.lower()


def test_format_that_is_given_goes_before_the_suffix(notes, tmp_path):
    assert run("audit", notes, "--format", "jsonl", "--output", tmp_path / "report.txt").exit_code == 0
    assert [record["id"] for record in records_of((tmp_path / "report.txt").read_text())] == ["drill", "skilled"]


@pytest.mark.parametrize("name", ["report", "report.pdf", "report.json"])
def test_suffix_that_says_no_format_is_wrong_usage(notes, tmp_path, name):
    result = run("audit", notes, "--output", tmp_path / name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the name says no format" in result.stderr
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("output", "message"), [("notes", "is a folder"), ("nowhere/report.html", "there is no folder")]
)
def test_output_that_cannot_be_written_is_wrong_usage(notes, tmp_path, output, message):
    result = run("audit", notes, "--output", tmp_path / output)
    assert result.exit_code == 2
    assert message in result.stderr


def test_output_that_is_also_input_is_refused_and_kept(notes):
    result = run("audit", notes / "drill.txt", "--output", notes / "drill.txt")
    assert (result.exit_code, (notes / "drill.txt").read_text()) == (2, DRILL)


def test_output_of_an_earlier_run_inside_the_folder_is_not_audited(notes):
    first = run("audit", notes, "--output", notes / "report.jsonl")
    second = run("audit", notes, "--output", notes / "report.jsonl")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert [record["id"] for record in records_of((notes / "report.jsonl").read_text())] == ["drill", "skilled"]
    assert sorted(path.name for path in notes.iterdir()) == ["drill.txt", "report.jsonl", "skilled.txt"]


def test_output_that_breaks_off_leaves_the_earlier_file_and_no_other(notes, tmp_path, monkeypatch):
    output = tmp_path / "report.jsonl"
    output.write_text("earlier")

    def fail(results, format, to, claims=None):
        to.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "write", fail)
    result = run("audit", notes, "--output", output)
    assert (result.exit_code, result.stderr) == (2, f"Error: {output} cannot be written: No space left on device.\n")
    assert output.read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "report.jsonl"]


def test_output_may_be_a_device(notes):
    assert run("audit", notes, "--format", "jsonl", "--output", os.devnull).exit_code == 0
    assert not Path(os.devnull).is_file()


def test_same_notes_give_the_same_bytes_in_one_process_and_in_two(write_lines):
    texts = (DRILL, SKILLED, NO_SHOW, "")
    path = write_lines("notes.jsonl", [{"id": f"N{i}", "text": texts[i % 4]} for i in range(200)])
    one = run_process("audit", path, "--format", "jsonl")
    two = run_process("audit", path, "--format", "jsonl", "--jobs", "2")
    assert (one.returncode, two.returncode) == (3, 3)
    assert one.stdout == two.stdout
    assert len(one.stdout.splitlines()) == 200
    assert one.stderr == two.stderr


# Standard input


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (DRILL, ["stdin"]),
        ("".join(json.dumps({"id": id, "text": DRILL}) + "\n" for id in ("A", "B")), ["A", "B"]),
    ],
)
def test_standard_input_is_a_note_or_records(content, ids):
    done = run_process("audit", "-", "--format", "jsonl", input=content.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert [record["id"] for record in records_of(done.stdout)] == ids


def test_standard_input_twice_is_wrong_usage():
    assert run("audit", "-", "-", input=DRILL).exit_code == 2


# Exit statuses


def test_bad_row_gives_status_3_and_the_other_notes(write_lines):
    path = write_lines(
        "notes.jsonl",
        [
            {"id": "A", "text": DRILL},
            {"id": "B", "text": f"{MARKER} {DRILL}", "date_of_service": "yesterday"},
            {"id": "C"},
            {"id": "D", "text": SKILLED},
        ],
    )
    done = run_process("audit", path, "--format", "jsonl")
    records = records_of(done.stdout)
    assert done.returncode == 3
    assert [(record["id"], record["status"]) for record in records] == [
        ("A", "ok"),
        ("B", "error"),
        ("C", "error"),
        ("D", "ok"),
    ]
    assert (records[1]["error"]["row"], records[1]["error"]["field"]) == (2, "date_of_service")
    lines = done.stderr.decode().splitlines()
    assert lines[0] == "2 records could not be read:"
    assert [line.split(": ")[0] for line in lines[1:]] == [
        f"  {path}:2, field date_of_service",
        f"  {path}:3, field text",
    ]


def test_table_names_what_could_not_be_read_once(write_lines):
    done = run_process("audit", write_lines("notes.jsonl", [{"id": "A", "text": DRILL}, {"id": "B", "text": 7}]))
    assert (done.returncode, done.stderr) == (3, b"1 record could not be read.\n")
    assert b"1 record could not be read" in done.stdout


def test_long_list_of_failures_is_cut_and_counted(write_lines):
    result = run("audit", write_lines("notes.jsonl", [{"id": str(i)} for i in range(25)]), "--format", "jsonl")
    lines = result.stderr.splitlines()
    assert (lines[0], len(lines), lines[-1]) == ("25 records could not be read:", 12, "  and 15 more")


@pytest.mark.parametrize(("limit", "status"), [(0, 0), (1, 1), (100, 1)])
def test_note_below_the_limit_gives_status_1(notes, limit, status):
    (notes / "skilled.txt").unlink()  # the drill note has a score of 0, which is not below 0
    assert run("audit", notes, "--fail-under", limit).exit_code == status


def test_status_1_is_explained_on_standard_error(notes):
    done = run_process("audit", notes, "--format", "jsonl", "--fail-under", "50")
    assert (done.returncode, done.stderr) == (1, b"1 of 2 judged notes scored less than 50.\n")


def test_no_show_does_not_count_below_the_limit(tmp_path):
    (tmp_path / "noshow.txt").write_text(NO_SHOW)
    assert run("audit", tmp_path / "noshow.txt", "--fail-under", "50").exit_code == 0


def test_count_below_the_limit_is_of_the_judged_notes(notes):
    (notes / "noshow.txt").write_text(NO_SHOW)
    result = run("audit", notes, "--format", "jsonl", "--fail-under", "50")
    assert (result.exit_code, result.stderr) == (1, "1 of 2 judged notes scored less than 50.\n")


def test_unread_note_weighs_more_than_a_low_score(write_lines):
    path = write_lines("notes.jsonl", [{"id": "A", "text": DRILL}, {"id": "B"}])
    assert run("audit", path, "--fail-under", "50").exit_code == 3


@pytest.mark.parametrize(
    "args",
    [
        ["audit"],
        ["audit", "--format", "pdf", "{notes}"],
        ["audit", "--fail-under", "101", "{notes}"],
        ["audit", "--jobs", "0", "{notes}"],
        ["audit", "{notes}/missing.txt"],
        ["unknown"],
        ["explain"],
        ["rules", "--level", "grave"],
        ["evaluate", "{notes}/missing.jsonl"],
        ["evaluate", "{notes}/drill.txt"],
    ],
)
def test_wrong_usage_gives_status_2_and_no_output(notes, args):
    result = run(*[arg.replace("{notes}", str(notes)) for arg in args])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")


@pytest.mark.parametrize("command", ["sweep"])
def test_command_of_a_later_version_is_refused(command):
    assert run(command).exit_code == 2


def test_training_outside_of_a_checkout_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("train")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "at the top of a checkout" in result.stderr


def test_training_hands_its_options_through(monkeypatch):
    called = []

    class Done:
        returncode = 5

    monkeypatch.setattr("subprocess.run", lambda command, check: called.append(command[1:]) or Done)
    monkeypatch.chdir(Path(report.__file__).parents[2])
    assert run("train", "--device", "cuda", "--help").exit_code == 5
    assert called == [["-m", "training_data.train", "--device", "cuda", "--help"]]


@pytest.mark.parametrize(("model", "expected"), [("encoder", "encoder-1"), ("lexicons", None)])
def test_model_that_reads_is_chosen(notes, model, expected):
    result = run("audit", notes / "drill.txt", "--format", "jsonl", "--model", model)
    assert [record["versions"]["model"] for record in records_of(result.stdout)] == [expected]


def test_path_that_is_missing_among_others_is_a_failure_in_its_place(notes):
    result = run("audit", notes / "missing.txt", notes / "drill.txt", "--format", "jsonl")
    assert result.exit_code == 3
    assert [record["status"] for record in records_of(result.stdout)] == ["error", "ok"]


# What goes wrong


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (LexiconError("lexicons/cues.csv, line 3: stray"), 2, "Error: lexicons/cues.csv, line 3: stray\n"),
        (NoteError("bad", "what was expected"), 3, "Error: what was expected\n"),
        (OSError(28, "No space left on device"), 2, "Error: Reading or writing failed: No space left on device.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
    ],
)
def test_error_is_a_message_and_a_status_without_a_traceback(notes, monkeypatch, error, status, message):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("analyzer.engine.Analyzer.load", fail)
    result = run("audit", notes)
    assert (result.exit_code, result.stdout, result.stderr) == (status, "", message)


def test_bug_of_ours_is_reported_by_its_place_without_its_message(notes, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyError(MARKER)

    monkeypatch.setattr("analyzer.engine.Analyzer.load", fail)
    result = run("audit", notes)
    assert result.exit_code == 70
    assert result.stderr.startswith("Error: Internal error: KeyError in test_cli.py, line ")
    assert MARKER not in result.stderr


BAD = {
    "row.jsonl": json.dumps({"id": "A", "text": f"{MARKER} said no.", "minutes": f"{MARKER} long"}),
    "broken.jsonl": f'{{"id": "A", "text": "{MARKER}',
    "long.txt": f"{MARKER} {'word ' * 30_000}",
    "latin.csv": f'id,text\nA,"{MARKER}',
    "bundle.json": json.dumps({"resourceType": "Bundle", "entry": [{"resource": f"{MARKER}"}]}),
    "array.json": json.dumps([{"id": "A", "text": [MARKER]}]),
    "fake.xlsx": MARKER,
    "fake.docx": MARKER,
    "fake.parquet": MARKER,
    "unknown.rtf": MARKER,
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("format", ["table", "jsonl"])
def test_note_text_never_reaches_standard_error_or_a_log(tmp_path, caplog, name, format):
    caplog.set_level(logging.DEBUG)
    (tmp_path / name).write_text(BAD[name])
    result = run("audit", tmp_path / name, "--format", format)
    assert result.exit_code == 3
    assert MARKER not in result.stderr
    assert MARKER not in result.stdout
    assert MARKER not in caplog.text


def test_bad_reference_line_is_named_without_its_text(write_lines):
    path = write_lines("gold.jsonl", [{"id": "A", "text": MARKER, "segments": [{"start": 0, "end": MARKER}]}])
    result = run("evaluate", path)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "Error: line 1: segments[0].end: expected a whole number, found text\n"


def test_control_characters_of_a_name_do_not_reach_the_terminal(tmp_path):
    (tmp_path / "a\x1b[31m.rtf").write_text("x")
    result = run("audit", tmp_path, "--format", "jsonl")
    assert (result.exit_code, "\x1b" in result.stderr) == (3, False)


def test_reader_that_leaves_the_pipe_early_hears_no_complaint(write_lines):
    path = write_lines("notes.jsonl", [{"id": str(i), "text": SKILLED} for i in range(100)])
    with subprocess.Popen(
        [*CUEWISE, "audit", path, "--format", "jsonl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline().startswith(b'{"id": "0"')
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 141)


def test_output_without_unicode_ends_no_run(notes):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = run_process("audit", notes, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert run_process("rules", "--format", "json", env=environment).returncode == 0


def test_workbook_of_which_a_reader_takes_the_first_bytes_ends_quietly(write_lines):
    noise = random.Random(0)  # does not compress, so that the workbook is larger than what a pipe holds
    path = write_lines(
        "notes.jsonl", [{"id": str(i), "text": DRILL, "n": noise.randbytes(900).hex()} for i in range(200)]
    )
    with subprocess.Popen(
        [*CUEWISE, "audit", path, "--format", "xlsx"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.read(2) == b"PK"
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 141)


# Terminals


def run_on_terminal(*args, stdin=None, stdout=None, wait_for=b"", then=None):
    """Run on a pseudo-terminal; streams that are given are not on it. Return exit status and what the terminal saw."""
    master, slave = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    process = subprocess.Popen(
        [*CUEWISE, *map(str, args)],
        stdin=slave if stdin is None else stdin,
        stdout=slave if stdout is None else stdout,
        stderr=slave,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a run in the background ignores it
    )
    os.close(slave)
    seen, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([master], [], [], 1)[0]:
            try:
                seen += os.read(master, 65536)
            except OSError:  # the other end is closed
                break
        if then is not None and wait_for in seen:
            then(process)
            then = None
    status = process.wait(timeout=60)
    os.close(master)
    return status, seen.decode()


def test_workbook_is_not_sent_to_a_terminal(notes):
    status, seen = run_on_terminal("audit", notes, "--format", "xlsx")
    assert status == 2
    assert "A workbook cannot be shown on a terminal; give --output FILE.xlsx." in seen


def test_progress_shows_on_a_terminal_and_stays_out_of_the_output(notes, tmp_path):
    with (tmp_path / "out.jsonl").open("wb") as out:
        status, seen = run_on_terminal("audit", notes, "--format", "jsonl", stdout=out)
    assert (status, "Auditing" in seen) == (0, True)
    assert [record["id"] for record in records_of((tmp_path / "out.jsonl").read_text())] == ["drill", "skilled"]


def test_progress_does_not_stand_between_lines_that_the_terminal_shows(notes):
    status, seen = run_on_terminal("audit", notes, "--format", "jsonl")
    assert (status, "Auditing" in seen) == (0, False)
    assert [record["id"] for record in records_of(seen)] == ["drill", "skilled"]


def test_interrupt_ends_with_one_line_and_status_130():
    status, seen = run_on_terminal(
        "audit", "-", wait_for=b"press Ctrl-D", then=lambda process: process.send_signal(signal.SIGINT)
    )
    assert (status, seen.splitlines()[-1], "Traceback" in seen) == (130, "Interrupted.", False)


# Rules


def test_rules_lists_every_rule_once():
    result = run("rules")
    first_words = [line.split()[0] for line in result.stdout.splitlines() if line.strip()]
    assert [word for word in first_words if word[-3:].isdigit()] == [rule.code for rule in RULES]


def test_rules_as_json_has_every_rule_with_its_reason_and_sources():
    result = run("rules", "--format", "json")
    listed = json.loads(result.stdout)
    assert [(rule["code"], rule["why"], tuple(rule["sources"])) for rule in listed] == [
        (rule.code, rule.why, rule.sources) for rule in RULES
    ]
    assert list(listed[0]) == [
        "code",
        "name",
        "family",
        "level",
        "status",
        "since",
        "title",
        "why",
        "sources",
        "payers",
        "valid_from",
        "valid_to",
        "known_limits",
    ]


@pytest.mark.parametrize("level", [level.value for level in Level])
def test_rules_are_chosen_by_family_and_level(level):
    listed = json.loads(run("rules", "--family", "drl", "--level", level, "--format", "json").stdout)
    expected = [rule.code for rule in RULES if rule.family == "DRL" and rule.level == level]
    assert [rule["code"] for rule in listed] == expected


def test_unknown_family_is_wrong_usage_that_names_the_known_ones():
    result = run("rules", "--family", "ABC")
    assert (result.exit_code, result.stdout) == (2, "")
    families = ", ".join(sorted({rule.family for rule in RULES}))
    assert f"'ABC' is none of {families}" in result.stderr


@pytest.mark.parametrize("code", [rule.code for rule in RULES])
def test_explain_gives_reason_sources_examples_and_limits(code, monkeypatch):
    monkeypatch.setenv("COLUMNS", "10000")
    (rule,) = (rule for rule in RULES if rule.code == code)
    result = run("explain", code)
    assert result.exit_code == 0
    shown = [line.strip() for line in result.stdout.splitlines()]
    assert shown[0] == f"{code}  {rule.name}"
    assert {rule.title, rule.why, rule.known_limits} - set(shown) == set()
    for shown_example in (*rule.fires, *rule.silent):
        plain = result.stdout.replace("[[", "").replace("]]", "").replace("(the whole note) ", "")
        lines = [line.strip() for line in shown_example.note.text.expandtabs().splitlines() if line.strip()]
        assert [line for line in lines if line not in plain] == []
    n_marks = sum(len(fires.spans) for fires in rule.fires)
    n_whole = result.stdout.count("(the whole note) ")
    assert result.stdout.count("[[") + n_whole == n_marks + 1  # one stands in the heading


def test_explain_spells_sources_out():
    shown = " ".join(run("explain", "SKL003").stdout.split())
    assert "Medicare Benefit Policy Manual, chapter 15" in shown
    assert "Centers for Medicare & Medicaid Services. Section: 220.3." in shown


@pytest.mark.parametrize(
    ("marked", "shown"),
    [
        ("Named [[80%]] of [[nouns]] today.", "Named [[80%]] of [[nouns]] today."),
        ("[[Continue POC.]]", "(the whole note) Continue POC."),
        ("No complaint.", "No complaint."),
    ],
)
def test_example_is_shown_with_the_words_that_are_reported(marked, shown):
    assert mark_example(example(marked)) == shown


def test_example_is_shown_with_the_fields_that_it_sets():
    assert mark_example(example("Seen [[briefly]].", minutes=8, cpt="92507")) == (
        "Seen [[briefly]].\n(cpt: 92507, minutes: 8)"
    )


def test_explain_takes_the_name_of_a_rule():
    assert run("explain", "accuracy-without-cueing").stdout == run("explain", "SKL003").stdout


@pytest.mark.parametrize(
    ("wanted", "suggestion"),
    [
        ("SKL03", "Did you mean "),
        ("accuracy-without-cues", "Did you mean accuracy-without-cueing"),
        ("drl", "The rules of that family: cuewise rules --family DRL"),
        ("zzz", "All of them: cuewise rules"),
    ],
)
def test_unknown_code_is_wrong_usage_with_a_suggestion(wanted, suggestion):
    result = run("explain", wanted)
    assert (result.exit_code, result.stdout) == (2, "")
    assert suggestion in result.stderr


def test_no_preview_leaves_out_findings_of_preview_rules(notes):
    preview = {rule.code for rule in RULES if rule.status is Status.PREVIEW}
    records = records_of(run("audit", notes, "--format", "jsonl", "--no-preview").stdout)
    assert {finding["code"] for record in records for finding in record["findings"]} & preview == set()


# Evaluation


@pytest.fixture
def reference(write_lines):
    note = {"id": "A", "text": "Continue POC.", "segments": [{"start": 0, "end": 13, "labels": ["generic"]}]}
    other = {"id": "B", "text": SKILLED, "segments": [], "kind": "treatment", "verdict": "skilled", "score": 100}
    return write_lines("gold.jsonl", [note, other])


def test_evaluate_prints_every_label_and_every_figure(reference):
    result = run("evaluate", reference)
    lines = [line.split() for line in result.stdout.splitlines() if line]
    assert (result.exit_code, result.stderr) == (0, "")
    assert lines[0] == ["label", "P", "R", "F1", "n"]
    assert ["generic", "1.000", "1.000", "1.000", "1"] in lines
    assert ["notes", "2"] in lines
    assert ["missing", "0"] in lines
    assert ["verdict_accuracy", "1.000"] in lines
    assert ["unskilled_auroc", "-"] in lines  # there is no unskilled note to rank
    assert lines[-1][0] == "icd_counts"


def test_evaluate_writes_the_figures_as_json(reference, tmp_path):
    result = run("evaluate", reference, "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert (result.exit_code, figures["notes"], figures["labels"]["generic"]["support"]) == (0, 2, 1)
    assert json.loads(run("evaluate", reference, "--json", "-").stdout) == figures


def test_evaluate_takes_a_reference_of_one_note(write_lines):
    path = write_lines("gold.jsonl", [{"id": "A", "text": "Continue POC.", "segments": []}])
    result = run("evaluate", path)
    assert (result.exit_code, ["missing", "0"] in [line.split() for line in result.stdout.splitlines()]) == (0, True)


def test_evaluate_says_what_it_could_not_read(write_lines):
    note = {"id": "A", "text": "Continue POC.", "segments": []}
    path = write_lines("gold.jsonl", [note, note | {"id": "B", "date_of_service": "yesterday"}])
    result = run("evaluate", path)
    assert result.exit_code == 3
    lines = result.stderr.splitlines()
    assert lines[0] == "1 record could not be read:"
    assert lines[1].startswith(f"  {path}:2, field date_of_service: ")
    assert ["missing", "0"] in [line.split() for line in result.stdout.splitlines()]


# Help and version


def test_version_is_that_of_the_distribution():
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"cuewise, version {version('cuewise')}\n")


def test_help_lists_the_commands():
    result = run("--help")
    commands = result.stdout.split("Commands:")[1]
    assert [line.split()[0] for line in commands.strip().splitlines()] == [
        "audit",
        "audit-log",
        "evaluate",
        "explain",
        "icd",
        "rules",
        "serve",
        "token",
        "train",
    ]


def test_commands_load_the_analyzer_themselves_so_that_help_does_not_wait():
    source = (
        "import sys, types, pathlib\n"
        "package = types.ModuleType('analyzer')\n"  # stands for a package that itself loads nothing
        f"package.__path__ = [{str(Path(report.__file__).parents[1])!r}]\n"
        "sys.modules['analyzer'] = package\n"
        "import analyzer.cli\n"
        "heavy = {'spacy', 'numpy', 'rich', 'jinja2', 'pyarrow', 'openpyxl'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"
