"""CDS Hooks 2.0 over HTTP: discovery, services, feedback, who may call."""

import json
import time
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from serving import ADDRESS, DRILL, bundle, document, service
from sqlalchemy import select

from api.audit import AuditEntry
from api.cards import OVERVIEW, card_id, code_of, load_services
from api.cds_hooks import EXTENSION, CdsResponse, CdsServices, FeedbackRow

HOOK_INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
SKILLED = (
    "Speech therapy for aphasia after stroke. Pt named 16/20 (80%) pictures with min phonemic cues, up from 10/20 last "
    "session. SLP used semantic feature analysis, faded cues from mod to min after pt self-corrected, as errors were "
    "semantic. STG 2: pt ordered lunch by phone. Trained wife to give the first sound; she did so in 8/10 trials. Next "
    "session: written choice cues in conversation."
)


def request(hook="org.cuewise.note-sign", context=None, **fields):
    ids = {"userId": "Practitioner/example", "patientId": "1288992"}
    return {"hook": hook, "hookInstance": HOOK_INSTANCE, "context": ids | (context or {})} | fields


def discharge(*notes, **fields):
    prefetch = {"prefetch": {"notes": bundle(*notes)}}
    return request("encounter-discharge", {"encounterId": "89284"}, **(prefetch | fields))


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with service(tmp_path_factory.mktemp("service")) as client:
        yield client


def sign(client, resource=None, **fields):
    return client.post(
        "/cds-services/cuewise-note-sign", json=request(context={"note": resource or document()}, **fields)
    )


# Discovery


def test_discovery_lists_every_service(client):
    services = CdsServices.model_validate(client.get("/cds-services").json()).services
    assert {s.id: s.hook for s in services} == {
        "cuewise-note-sign": "org.cuewise.note-sign",
        "cuewise-encounter-discharge": "encounter-discharge",
        "cuewise-order-sign": "order-sign",
    }


def test_prefetch_uses_only_fields_of_the_context(client):
    tokens = {"context.noteId", "context.encounterId", "context.patientId"}
    for offered in client.get("/cds-services").json()["services"]:
        for template in offered["prefetch"].values():
            assert {part.partition("}}")[0] for part in template.split("{{")[1:]} <= tokens


def test_discovery_has_no_null_and_nothing_empty(client):
    for offered in client.get("/cds-services").json()["services"]:
        assert [value for value in offered.values() if not value] == []


# Calling a service


def test_drill_note_gets_cards(client):
    answer = sign(client)
    assert answer.status_code == 200
    given = CdsResponse.model_validate(answer.json())
    assert [code_of(str(card.uuid)) for card in given.cards] == [OVERVIEW, "DRL001", "DRL006", "SKL015"]


def test_answer_says_what_was_looked_at(client):
    extension = sign(client).json()["extension"][EXTENSION]
    (note,) = extension["notes"]
    assert (note["id"], note["verdict"], note["kind"]) == ("note-1", "unskilled", "treatment")
    assert extension["not_read"] == {}


def test_cards_have_no_null_and_nothing_empty(client):
    for card in sign(client).json()["cards"]:
        assert [name for name, value in card.items() if not value] == []


def test_note_with_nothing_to_say_gives_200_and_no_cards(client):
    answer = sign(client, document("Pt cancelled due to illness. No treatment provided today."))
    assert (answer.status_code, answer.json()["cards"]) == (200, [])
    assert answer.json()["extension"][EXTENSION]["notes"][0]["judged"] is False


def test_skilled_note_gets_no_card_about_its_verdict(client):
    cards = sign(client, document(SKILLED)).json()["cards"]
    assert [card["summary"] for card in cards if code_of(card["uuid"]) == OVERVIEW] == []


def test_composition_is_read_too(client):
    section = {"title": "Plan", "text": {"status": "generated", "div": "<div>Continue POC.</div>"}}
    composition = {"resourceType": "Composition", "id": "c-1", "title": "Speech therapy note", "section": [section]}
    answer = sign(client, composition)
    assert answer.json()["extension"][EXTENSION]["notes"][0]["id"] == "c-1"


def test_draft_may_come_as_prefetch(client):
    body = request(context={"noteId": "note-1"}, prefetch={"note": document()})
    answer = client.post("/cds-services/cuewise-note-sign", json=body)
    assert answer.json()["extension"][EXTENSION]["notes"][0]["id"] == "note-1"


def test_notes_of_an_encounter_are_told_apart(client):
    answer = client.post(
        "/cds-services/cuewise-encounter-discharge", json=discharge(document(id="a"), document(SKILLED, id="b"))
    )
    assert [note["id"] for note in answer.json()["extension"][EXTENSION]["notes"]] == ["a", "b"]
    assert answer.json()["cards"][0]["detail"].startswith("About note a of 2026-05-04:\n\n")


def test_note_that_cannot_be_read_beside_others_is_told_of(client):
    away = document(content=[{"attachment": {"contentType": "text/plain", "url": "Binary/7"}}])
    answer = client.post("/cds-services/cuewise-encounter-discharge", json=discharge(document(), away))
    assert answer.json()["cards"][-1]["summary"] == "Cuewise could not read 1 note of this request"
    assert answer.json()["extension"][EXTENSION]["not_read"] == {"attachment-not-fetched": 1}


def test_order_for_therapy_is_looked_at(client):
    orders = bundle({"resourceType": "ServiceRequest", "status": "draft"})
    body = request("order-sign", {"draftOrders": orders}, prefetch={"notes": bundle(document())})
    answer = client.post("/cds-services/cuewise-order-sign", json=body)
    assert len(answer.json()["extension"][EXTENSION]["notes"]) == 1


def test_order_for_a_medication_is_no_matter_of_ours(client):
    orders = bundle({"resourceType": "MedicationRequest", "status": "draft"})
    answer = client.post("/cds-services/cuewise-order-sign", json=request("order-sign", {"draftOrders": orders}))
    assert answer.json() == {"cards": [], "extension": {EXTENSION: {"notes": [], "applies": False}}}


NOTHING = [
    {},
    {"prefetch": None},
    {"prefetch": {}},
    {"prefetch": {"notes": None}},  # "no data to populate a template: the key MUST have a value of null"
    {"prefetch": {"notes": {"resourceType": "Bundle", "type": "searchset"}}},
    {"prefetch": {"notes": bundle()}},
    {"prefetch": {"notes": bundle({"resourceType": "Patient", "id": "1"})}},
    {"prefetch": {"notes": bundle(document("   "))}},
    {"prefetch": {"notes": bundle(document(content=[{"attachment": {"url": "Binary/7"}}]))}},
    {"prefetch": {"notes": bundle(document(content=[]))}},
]


@pytest.mark.parametrize("fields", NOTHING)
def test_412_where_the_note_could_not_be_had(client, fields):
    body = request("encounter-discharge", {"encounterId": "89284"}, **fields)
    answer = client.post("/cds-services/cuewise-encounter-discharge", json=body)
    assert answer.status_code == 412
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        (document("word " * 30_000), "note-too-long"),
        (document(content=[{"attachment": {"contentType": "text/plain", "data": "*"}}]), "bad-attachment"),
        (document(content=[{"attachment": {"contentType": "image/png", "data": "AAAA"}}]), "unsupported-attachment"),
        (document(content="text"), "bad-fhir"),
        (document(status="entered-in-error"), "entered-in-error"),
    ],
)
def test_422_where_the_note_cannot_be_read(client, resource, code):
    answer = sign(client, resource)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_too_many_notes_are_refused(client):
    notes = [document(id=f"n-{number}") for number in range(load_services().max_notes + 1)]
    answer = client.post("/cds-services/cuewise-encounter-discharge", json=discharge(*notes))
    assert (answer.status_code, answer.json()["code"]) == (422, "too-many-notes")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"hook": "patient-view"}, "wrong-hook"),
        ({"hookInstance": "one"}, "invalid-request"),
        ({"context": "text"}, "invalid-request"),
        ({"context": {"userId": 7, "patientId": "1"}}, "bad-context"),
        ({"context": {"userId": "Practitioner/example", "patientId": "1", "note": "Seen."}}, "bad-context"),
    ],
)
def test_request_that_is_no_cds_request_is_refused(client, changes, code):
    answer = client.post("/cds-services/cuewise-note-sign", json=request(context={"note": document()}) | changes)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_client_that_leaves_out_ids_is_answered(client):
    """As HealthChain 0.16 does, whose context is always empty."""
    body = discharge(document()) | {"context": {}}
    assert client.post("/cds-services/cuewise-encounter-discharge", json=body).status_code == 200


@pytest.mark.parametrize("context", [{}, {"draftOrders": None}, {"draftOrders": []}])
def test_order_sign_needs_the_orders(client, context):
    body = request("order-sign", context, prefetch={"notes": bundle(document())})
    answer = client.post("/cds-services/cuewise-order-sign", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-context")


def test_unknown_service_is_404(client):
    assert client.post("/cds-services/static-patient-greeter", json=request()).status_code == 404


def test_request_of_the_specification_reaches_the_service(client):
    """The example of CDS Hooks 2.0, "Calling a CDS Service", sent to a service for another hook."""
    body = {
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "fhirServer": "http://hooks.smarthealthit.org:9080",
        "hook": "patient-view",
        "fhirAuthorization": {
            "access_token": "some-opaque-fhir-access-token",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/Patient.read patient/Observation.read",
            "subject": "cds-service4",
        },
        "context": {"userId": "Practitioner/example", "patientId": "1288992", "encounterId": "89284"},
        "prefetch": {
            "patientToGreet": {
                "resourceType": "Patient",
                "gender": "male",
                "birthDate": "1925-12-23",
                "id": "1288992",
                "active": True,
            }
        },
    }
    answer = client.post("/cds-services/cuewise-encounter-discharge", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong-hook")
    answer = client.post("/cds-services/cuewise-encounter-discharge", json=body | {"hook": "encounter-discharge"})
    assert answer.status_code == 412
    body |= {"hook": "encounter-discharge", "prefetch": {"notes": bundle(document())}}
    answer = client.post("/cds-services/cuewise-encounter-discharge", json=body | {"extension": {"com.example": {}}})
    assert answer.status_code == 200


def test_call_is_in_the_audit_trail_without_its_text(client):
    sign(client)
    with client.app.state.service.database.reading() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc()).limit(1)).one()
    assert (entry.who, entry.action) == ("local", "cds.call")
    assert json.loads(entry.ids) == {
        "service": "cuewise-note-sign",
        "hook_instance": HOOK_INSTANCE,
        "patient_id": "1288992",
        "note_ids": "note-1",
    }


def test_links_lead_to_pages_that_are_there(client):
    links = [link["url"] for card in sign(client).json()["cards"] for link in card.get("links", [])]
    assert [client.get(link.removeprefix(ADDRESS)).status_code for link in links] == [200] * len(links)
    assert len(links) == 3


# Feedback; the bodies are those of CDS Hooks 2.0, "Feedback"

ACCEPTED = {
    "card": "4e0a3a1e-3283-4575-ab82-028d55fe2719",
    "outcome": "accepted",
    "acceptedSuggestions": [{"id": "e56e1945-20b3-4393-8503-a1a20fd73152"}],
    "outcomeTimestamp": "2020-12-11T00:00:00Z",
}
OVERRIDDEN = {
    "card": "f6b95768-b1c8-40dc-8385-bf3504b82ffb",
    "outcome": "overridden",
    "outcomeTimestamp": "2020-12-11T00:00:00Z",
}
WITH_REASON = {
    "card": "9368d37b-283f-44a0-93ea-547cebab93ed",
    "outcome": "overridden",
    "overrideReason": {
        "reason": {"code": "d7ecf885", "system": "https://example.com/cds-hooks/override-reason-system"},
        "userComment": "A comment entered by the clinician.",
    },
    "outcomeTimestamp": "2020-12-11T00:00:00Z",
}
FEEDBACK = "/cds-services/cuewise-note-sign/feedback"


def stored(client):
    with client.app.state.service.database.reading() as session:
        return session.scalars(select(FeedbackRow).order_by(FeedbackRow.number)).all()


@pytest.mark.parametrize(
    ("feedback", "kept"),
    [
        (ACCEPTED, ("accepted", None, False)),
        (OVERRIDDEN, ("overridden", None, False)),
        (WITH_REASON, ("overridden", "other", True)),
    ],
)
def test_feedback_of_the_specification_is_kept_without_comments(client, feedback, kept):
    answer = client.post(FEEDBACK, json={"feedback": [feedback]})
    assert (answer.status_code, answer.json()) == (200, {"received": 1})
    row = stored(client)[-1]
    assert (row.card, row.rule) == (feedback["card"], None)
    assert (row.outcome, row.reason, row.has_comment) == kept


def test_feedback_is_counted_by_rule_and_reason(tmp_path):
    reason = {"code": "disagree", "system": "urn:cuewise:cds-hooks:override-reasons"}
    given = {"card": card_id("SKL003"), "outcome": "overridden", "outcomeTimestamp": "2026-05-04T10:00:00-04:00"}
    with service(tmp_path) as client:
        client.post(FEEDBACK, json={"feedback": [given | {"overrideReason": {"reason": reason}}, OVERRIDDEN]})
        assert client.get("/v1/cds-feedback").json() == [
            {"service": "cuewise-note-sign", "rule": None, "outcome": "overridden", "reason": None, "count": 1},
            {
                "service": "cuewise-note-sign",
                "rule": "SKL003",
                "outcome": "overridden",
                "reason": "disagree",
                "count": 1,
            },
        ]
        metrics = client.get("/metrics").text
    labels = 'outcome="overridden",reason="disagree",rule="SKL003",service="cuewise-note-sign"'
    assert f"cuewise_cds_feedback_total{{{labels}}} 1.0" in metrics


def test_made_up_card_makes_no_new_metric(client):
    client.post(FEEDBACK, json={"feedback": [OVERRIDDEN | {"card": card_id("ZZZ999")}]})
    assert "ZZZ999" not in client.get("/metrics").text


@pytest.mark.parametrize(
    "feedback",
    [
        [],
        [ACCEPTED | {"card": "a name"}],
        [ACCEPTED | {"outcome": "ignored"}],
        [ACCEPTED | {"outcomeTimestamp": "yesterday"}],
        [ACCEPTED | {"outcomeTimestamp": "2020-12-11T00:00:00"}],
        [ACCEPTED] * 1001,
        "text",
    ],
)
def test_feedback_that_is_none_is_refused(client, feedback):
    assert client.post(FEEDBACK, json={"feedback": feedback}).status_code == 422


def test_cards_are_told_apart_in_feedback(client):
    ids = {card["uuid"] for _ in range(2) for card in sign(client).json()["cards"]}
    assert [UUID(id).version for id in ids] == [8] * 8


# Who may call

ISSUER = "https://fhir-ehr.example.com/"
PUBLIC = "https://cds.example.org"
KEY = ec.generate_private_key(ec.SECP384R1())


def bearer(path, **changes):
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": PUBLIC + path, "exp": now + 300, "iat": now, "jti": str(time.monotonic_ns())}
    token = jwt.encode(claims | changes, KEY, "ES384", {"kid": "one"})
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def guarded(tmp_path):
    """Start a service that trusts one CDS client."""
    key = json.loads(jwt.get_algorithm_by_name("ES384").to_jwk(KEY.public_key())) | {"kid": "one"}
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [key]}))
    issuers = {ISSUER: str(tmp_path / "jwks.json")}
    with service(tmp_path, cds_issuers=issuers, public_url=PUBLIC) as client:
        yield client


def test_trusted_client_may_call_each_endpoint(guarded):
    path = "/cds-services/cuewise-note-sign"
    assert guarded.get("/cds-services", headers=bearer("/cds-services")).status_code == 200
    body = request(context={"note": document(DRILL)})
    answer = guarded.post(path, json=body, headers=bearer(path))
    assert answer.status_code == 200
    assert answer.json()["cards"][0]["source"]["url"] == f"{PUBLIC}/"
    feedback = {"feedback": [OVERRIDDEN]}
    assert guarded.post(f"{path}/feedback", json=feedback, headers=bearer(f"{path}/feedback")).status_code == 200
    assert guarded.post(f"{path}/feedback", json=feedback, headers=bearer(path)).status_code == 200


def test_trail_names_the_client_by_its_issuer(guarded):
    path = "/cds-services/cuewise-note-sign"
    guarded.post(path, json=request(context={"note": document()}), headers=bearer(path))
    with guarded.app.state.service.database.reading() as session:
        assert session.scalars(select(AuditEntry.who)).all() == [f"cds:{ISSUER}"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer a.b.c"},
        {"Authorization": "Bearer cw_000000000000_" + "x" * 43},
        bearer("/cds-services/cuewise-note-sign"),
        bearer("/cds-services", iss="https://stranger.example"),
    ],
)
def test_others_may_not_once_clients_are_configured(guarded, headers):
    answer = guarded.get("/cds-services", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_signed_token_opens_nothing_but_cds_hooks(guarded):
    assert guarded.get("/v1/rules", headers=bearer("/v1/rules")).status_code == 401


def test_api_token_will_do_too(guarded):
    token = guarded.app.state.service.tokens.create("ehr", ["analyze"])
    assert guarded.get("/cds-services", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_503_while_the_clients_keys_cannot_be_had(tmp_path):
    with service(tmp_path, cds_issuers={ISSUER: str(tmp_path / "none.json")}, public_url=PUBLIC) as client:
        answer = client.get("/cds-services", headers=bearer("/cds-services"))
    assert (answer.status_code, answer.json()["code"]) == (503, "client-keys")
