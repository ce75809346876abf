import base64
import json

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from serving import service
from sqlalchemy import create_engine

from analyzer.cli import cli
from analyzer.engine import Analyzer
from analyzer.readers import read_notes
from analyzer.report import to_record
from analyzer.rules import RETIRED, RULES
from analyzer.types import Note
from api.schemas import Analysis, CodeInFull, RuleInFull, RuleList

TEXT = "Named 12/20 pictures with min phonemic cues, up from 8/20. Continue POC. Café naïve 🗣."
MARKER = "Zebrawood"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with service(tmp_path_factory.mktemp("rest")) as client:
        yield client


@pytest.fixture(scope="module")
def reports(client):
    return client.app.state.service.analyzer


def analyze(client, body, **options):
    return client.post("/v1/notes:analyze", json=body, **options)


def cli_json(*args):
    return json.loads(CliRunner().invoke(cli, [*args, "--format", "json"]).output)


def document(text, **fields):
    data = base64.b64encode(text.encode()).decode()
    attachment = {"contentType": "text/plain; charset=utf-8", "data": data}
    return {"resourceType": "DocumentReference", "id": "d-1", "content": [{"attachment": attachment}]} | fields


# One note


def test_the_answer_is_the_output_record(client, reports):
    answer = analyze(client, {"id": "A-17", "text": TEXT})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == to_record(reports.analyze(Note(TEXT, id="A-17")))


def test_every_field_of_the_record_reaches_the_note(client, reports, write_lines):
    record = {
        "id": "A-17",
        "text": TEXT,
        "patient_id": "p-1",
        "clinician_id": "c-1",
        "credential": "CCC-SLP",
        "payer": "medicare-b",
        "date_of_service": "2026-05-11",
        "setting": "outpatient",
        "age_years": 71.5,
        "minutes": 45,
        "place_of_service": "11",
        "diagnoses": ["I69.320"],
        "claim_lines": [{"code": "92507", "units": 2, "modifiers": ["GN"], "charge": 90.0, "form": "professional"}],
        "plan_of_care": {
            "start": "2026-04-01",
            "certified_through": "2026-06-30",
            "goals": ["g"],
            "is_certified": True,
        },
        "ytd_pt_slp_allowed": 2500.0,
        "treatment_days_since_report": 4,
    }
    (note,) = read_notes([write_lines("notes.jsonl", [record])])
    assert analyze(client, record).json() == to_record(reports.analyze(note))


def test_fields_of_the_callers_own_are_handed_through(client):
    extra = {"room": "12", "visit": 3, "tele": False, "unit": None}
    assert analyze(client, {"id": "A", "text": TEXT, "extra": extra}).json()["extra"] == extra
    assert analyze(client, {"id": "A", "text": TEXT, **extra}).json()["extra"] == extra


def test_a_note_without_an_id_is_named_after_the_request(client):
    answer = analyze(client, {"text": TEXT})
    assert answer.json()["id"] == f"note-{answer.headers['x-request-id']}"


def test_a_document_reference_is_read(client, reports):
    answer = analyze(client, document(TEXT, subject={"reference": "Patient/p-1"}, date="2026-05-04T10:00:00Z"))
    record = answer.json()
    assert (record["id"], record["patient_id"], record["date_of_service"]) == ("d-1", "p-1", "2026-05-04")
    assert record["segments"] == to_record(reports.analyze(Note(TEXT)))["segments"]


def test_a_composition_is_read_under_its_own_media_type(client):
    body = {
        "resourceType": "Composition",
        "id": "c-1",
        "section": [{"title": "Plan", "text": {"status": "generated", "div": "<div>Continue POC.</div>"}}],
    }
    content = json.dumps(body).encode()
    answer = client.post(
        "/v1/notes:analyze", content=content, headers={"Content-Type": "application/fhir+json; charset=utf-8"}
    )
    assert (answer.status_code, answer.json()["id"]) == (200, "c-1")


def test_a_note_of_the_longest_length_is_read(client):
    answer = analyze(client, {"text": ("Practiced. " * 10_000)[:100_000]})
    assert answer.status_code == 200


def problem(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    return answer.status_code, told["code"], told.get("field"), told.get("errors")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"text": "x" * 100_001}, (422, "note-too-long", "text", None)),
        ({"text": "x", "date_of_service": "1776-07-04"}, (422, "bad-date", "date_of_service", None)),
        ({"resourceType": "Composition"}, (422, "empty-text", "text", None)),
        (
            {"resourceType": "DocumentReference", "content": [{"attachment": {"data": MARKER}}]},
            (422, "unsupported-attachment", "content.attachment.contentType", None),
        ),
        (document(MARKER, status="entered-in-error"), (422, "entered-in-error", "status", None)),
    ],
)
def test_a_note_that_cannot_be_read_is_a_problem_that_names_the_field(client, body, expected):
    answer = analyze(client, body)
    assert problem(answer) == expected
    assert MARKER not in answer.text


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({}, "text", "this field is missing"),
        ({"text": 1}, "text", "Input should be a valid string"),
        ({"text": " \n"}, "text", r"String should match pattern '\S'"),
        ({"text": "x", "minutes": "45"}, "minutes", "Input should be a valid integer"),
        ({"text": "x", "minutes": True}, "minutes", "Input should be a valid integer"),
        ({"text": "x", "minutes": -1}, "minutes", "Input should be greater than or equal to 0"),
        ({"text": "x", "date_of_service": MARKER}, "date_of_service", "expected a date as YYYY-MM-DD"),
        ({"text": "x", "date_of_service": 20260504}, "date_of_service", "expected a date as YYYY-MM-DD"),
        ({"text": "x", "date_of_service": "2026-02-30"}, "date_of_service", "expected a date as YYYY-MM-DD"),
        ({"text": "x", MARKER: [1]}, None, "Input should be a valid string"),
        ({"text": "x", "claim_lines": [{"code": "1", MARKER: 1}]}, "claim_lines.0", "there is no such field"),
        ({"text": "x", "extra": {MARKER: [MARKER]}}, "extra", "Input should be a valid string"),
        (
            {"resourceType": MARKER},
            "resourceType",
            "Input should be 'DocumentReference', 'Composition' or 'ClinicalImpression'",
        ),
        ([MARKER], None, "expected a record, or a FHIR resource that holds a note"),
        (MARKER, None, "expected a record, or a FHIR resource that holds a note"),
    ],
)
def test_a_body_that_is_not_as_expected_is_told_so_without_repeating_it(client, body, field, message):
    answer = analyze(client, body)
    status, code, _, errors = problem(answer)
    assert (status, code) == (422, "invalid-request")
    assert {"field": field, "message": message} in errors
    assert MARKER not in answer.text


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"text": "Zebrawood', "bad-json"),
        (b'{"text": "\xff"}', "bad-encoding"),
        (b'{"text": "x", "minutes": Infinity}', "bad-json"),
        (b'{"text": "x", "minutes": 1e999}', "bad-json"),
        (b'{"text": "\\ud800"}', "bad-json"),
        (b'{"text": "x", "minutes": ' + b"1" * 5000 + b"}", "bad-json"),
        (b"[" * 65 + b"]" * 65, "too-deep"),
        (b'{"a":' * 100_000, "too-deep"),
    ],
)
def test_what_is_no_json_is_told_so(client, content, code):
    answer = client.post("/v1/notes:analyze", content=content, headers={"Content-Type": "application/json"})
    assert problem(answer)[:2] == (400, code)
    assert MARKER not in answer.text


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", ""])
def test_what_is_not_called_json_is_not_read(client, media_type):
    answer = client.post("/v1/notes:analyze", content=b'{"text": "x"}', headers={"Content-Type": media_type})
    assert problem(answer)[:2] == (415, "unsupported-media-type")


def test_the_trail_holds_ids_and_versions_and_no_text(client, reports):
    analyze(client, {"id": "A-99", "patient_id": "p-9", "text": f"{TEXT} {MARKER}"}, headers={"X-Request-ID": "r" * 8})
    with client.app.state.service.database.engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT who, action, ids, versions FROM audit_entry WHERE ids LIKE '%A-99%'"
        ).fetchall()
    versions = reports.analyze(Note("x")).versions
    assert [(who, action, json.loads(ids)) for who, action, ids, _ in found] == [
        ("local", "note.analyze", {"note": "A-99", "patient": "p-9", "request": "rrrrrrrr"})
    ]
    assert json.loads(found[0][3]) == {
        "cuewise": versions.cuewise,
        "lexicons": versions.lexicons,
        "icd10cm": versions.icd10cm,
    }


def test_the_trail_holds_a_note_that_was_refused_too(tmp_path):
    with service(tmp_path, Analyzer.load(model="lexicons", max_chars=70)) as client:
        assert analyze(client, {"id": "A-97", "text": TEXT}).status_code == 422
        with client.app.state.service.database.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT action, versions FROM audit_entry").fetchall()
    assert found == [("note.analyze.refused", "{}")]


def test_a_note_is_not_answered_when_the_trail_cannot_be_written(tmp_path):
    with service(tmp_path) as client:
        with client.app.state.service.database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE audit_entry RENAME TO elsewhere")
        assert problem(analyze(client, {"text": TEXT}))[:2] == (503, "database")


def test_nothing_of_a_note_is_kept(tmp_path):
    with service(tmp_path) as client:
        analyze(client, {"id": "A-98", "text": f"{TEXT} {MARKER}"})
    files = [path.read_bytes() for path in sorted(tmp_path.iterdir()) if path.is_file()]
    assert [MARKER.encode() in content for content in files] == [False] * len(files)


# Rules


def test_the_list_of_rules_is_that_of_the_command_line(client):
    assert client.get("/v1/rules").json()["rules"] == cli_json("rules")


def test_rules_are_chosen_by_family_and_level(client):
    rules = client.get("/v1/rules", params={"family": "DRL", "level": "error"}).json()["rules"]
    assert rules == cli_json("rules", "--family", "DRL", "--level", "error")


@pytest.mark.parametrize("query", [{"family": "zebra"}, {"level": "zebra"}])
def test_a_wrong_choice_is_a_problem(client, query):
    assert problem(client.get("/v1/rules", params=query))[:2] == (422, "invalid-request")


@pytest.mark.parametrize("name", ["SKL003", "skl003", "accuracy-without-cueing"])
def test_one_rule_is_given_by_code_or_name_with_sources_and_examples(client, name):
    rule = client.get(f"/v1/rules/{name}").json()
    assert (rule["code"], [source["id"] for source in rule["cited"]]) == ("SKL003", rule["sources"])
    assert "[[" in rule["fires"][0]


@pytest.mark.parametrize("name", ["SKL999", "zebra"])
def test_a_rule_that_does_not_exist_is_not_found(client, name):
    assert problem(client.get(f"/v1/rules/{name}"))[:2] == (404, "unknown-rule")


def test_a_retired_rule_is_gone_with_its_reason(client, monkeypatch):
    monkeypatch.setitem(RETIRED, "SKL998", "Split into SKL003 and SKL004.")
    answer = client.get("/v1/rules/SKL998")
    assert (answer.status_code, answer.json()["detail"]) == (410, "Split into SKL003 and SKL004.")


# ICD-10-CM


@pytest.mark.parametrize(
    ("code", "day"),
    [("i69320", None), ("R47.01", "2026-05-11"), ("G35", "2026-11-22"), ("I69.32", None), ("R13.1", "2024-01-01")],
)
def test_a_code_is_looked_up_as_on_the_command_line(client, code, day):
    answer = client.get(f"/v1/icd10/{code}", params={"date": day} if day else {})
    assert (answer.status_code, answer.json()) == (200, cli_json("icd", code, *(["--date", day] if day else [])))


def test_a_code_outside_of_the_covered_days_is_told_so(client):
    answer = client.get("/v1/icd10/R47.01", params={"date": "2001-01-01"})
    assert (answer.status_code, answer.json()["standing"]) == (200, "date_not_covered")


@pytest.mark.parametrize("code", ["zebra", "R47.99", "%20", "0000000000000000"])
def test_a_code_that_does_not_exist_is_not_found(client, code):
    answer = client.get(f"/v1/icd10/{code}")
    assert problem(answer)[:2] == (404, "unknown-code")


@pytest.mark.parametrize("day", ["zebra", "1700000000", "2026-02-30", "11/22/2026"])
def test_a_wrong_date_is_a_problem(client, day):
    answer = client.get("/v1/icd10/R47.01", params={"date": day})
    assert problem(answer) == (
        422,
        "invalid-request",
        None,
        [{"field": "query.date", "message": "expected a date as YYYY-MM-DD"}],
    )


# Health


def test_health_and_readiness(client, reports):
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz").json()
    assert (ready["status"], ready["lacks"], ready["versions"]["icd10cm"]) == ("ready", [], "FY2027")


def test_a_service_without_its_database_is_not_ready(tmp_path, monkeypatch):
    with service(tmp_path) as client:
        monkeypatch.setattr(client.app.state.service.database, "engine", create_engine(f"sqlite:///{tmp_path}/no/file"))
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["lacks"][0]) == (503, "The database does not answer.")


# OpenAPI


@pytest.fixture(scope="module")
def openapi(client):
    return client.get("/openapi.json").json()


def examples_of(openapi):
    """Yield what the document says is sent or answered, with the schema that it says it has."""
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                for content in body.get("content", {}).values():
                    values = [example["value"] for example in content.get("examples", {}).values()]
                    values += [content["example"]] if "example" in content else []
                    for value in values:
                        yield f"{method} {path}", content["schema"], value


def test_every_example_is_what_its_schema_says(openapi):
    wrong = []
    for place, schema, value in examples_of(openapi):
        validator = Draft202012Validator(schema | {"components": openapi["components"]})
        wrong += [f"{place}: {error.message}" for error in validator.iter_errors(value)]
    assert wrong == []


def test_the_example_note_has_the_example_answer(client, openapi):
    operation = openapi["paths"]["/v1/notes:analyze"]["post"]
    sent = operation["requestBody"]["content"]["application/json"]["examples"]["record"]["value"]
    assert analyze(client, sent).json() == operation["responses"]["200"]["content"]["application/json"]["example"]


@pytest.mark.parametrize("path", ["/v1/rules/{code}", "/v1/icd10/{code}"])
def test_the_example_question_has_the_example_answer(client, openapi, path):
    operation = openapi["paths"][path]["get"]
    given = {each["name"]: each["example"] for each in operation["parameters"] if "example" in each}
    url, query = path.replace("{code}", given.pop("code")), given
    assert (
        client.get(url, params=query).json() == operation["responses"]["200"]["content"]["application/json"]["example"]
    )


def test_the_example_document_is_read(client, openapi):
    content = openapi["paths"]["/v1/notes:analyze"]["post"]["requestBody"]["content"]
    assert analyze(client, content["application/fhir+json"]["example"]).status_code == 200


def test_every_reference_of_the_document_leads_somewhere(openapi):
    text = json.dumps(openapi)
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named - set(openapi["components"]["schemas"]) == set()


# Answers are what the models say


def test_answers_have_the_shape_that_the_models_say(client):
    Analysis.model_validate_json(analyze(client, {"id": "A", "text": TEXT, "diagnoses": ["F80.2"]}).content)
    RuleList.model_validate_json(client.get("/v1/rules").content)
    for rule in RULES:
        RuleInFull.model_validate_json(client.get(f"/v1/rules/{rule.code}").content)
    for code in ("R47.01", "G35", "I69.32"):
        CodeInFull.model_validate_json(client.get(f"/v1/icd10/{code}").content)


def test_the_answer_for_every_example_note_has_the_shape_that_the_model_says(analyzer, examples, client, reports):
    from api.convert import json_bytes, to_response

    notes = [note for note in read_notes([examples]) if isinstance(note, Note)]
    for note in notes:
        Analysis.model_validate_json(json_bytes(to_response(analyzer.analyze(note))))
