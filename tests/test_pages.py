"""The pages: a note pasted, a token kept, the rules; nothing from elsewhere, and nothing of a note as markup."""

import re
from html.parser import HTMLParser

import pytest
from serving import ADDRESS, DRILL, service

from analyzer.rules import RULES
from api.auth import TOKEN_COOKIE
from api.pages import POLICY


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with service(tmp_path_factory.mktemp("service")) as client:
        yield client


@pytest.fixture
def guarded(tmp_path):
    """Start a service that has a token, and give it."""
    with service(tmp_path) as client:
        token = client.app.state.service.tokens.create("reviewer", ["analyze", "batch"])
        yield client, token


class Page(HTMLParser):
    """The words of a page, what it refers to, and its elements by id."""

    def __init__(self, answer):
        super().__init__()
        self.words, self.addresses, self.tags, self._stack = {}, [], [], []
        self.feed(answer.text)
        if "text" in self.words:  # HTML leaves out the first line's end of a textarea
            self.words["text"] = self.words["text"].removeprefix("\n")

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src", "action")]
        if tag not in ("input", "link", "meta", "br", "path", "rect", "option"):
            self._stack.append((tag, named.get("id")))

    def handle_endtag(self, tag):
        while self._stack and self._stack.pop()[0] != tag:
            pass

    def handle_data(self, data):
        for _, id in self._stack:
            if id:
                self.words[id] = self.words.get(id, "") + data


def paste(client, text=DRILL, **fields):
    return client.post("/", data={"text": text} | fields)


def test_first_page_asks_for_a_note(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert [tag for tag in Page(answer).tags if tag == "textarea"] == ["textarea"]


def test_pasted_note_is_shown_with_score_findings_and_codes(client):
    page = Page(paste(client))
    assert page.words["score"] == "0"
    assert page.words["text"] == DRILL
    assert "The session reads as repetitive practice that anyone could lead" in page.words["f1"]
    assert "DRL001" in page.words["f1"]


def test_highlighted_text_is_the_note(client):
    page = paste(client)
    shown = re.search(r'<div class="text" id="note-text">(.*?)</div>', page.text, re.DOTALL)[1]
    without = re.sub(r'<a class="flag".*?</a>|<span class="tag.*?</span>', "", shown)
    assert re.sub(r"<.*?>", "", without) == DRILL


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script> </textarea> words 80%",
        "{{ 7*7 }} {% raw %}",
        '" onfocus="alert(1) x',
        "a\u2028b\x00c",
    ],
)
def test_words_of_a_note_are_no_markup(client, text):
    plain = Page(paste(client, "Named 12/20 words."))
    page = Page(paste(client, text))
    assert [tag for tag in page.tags if tag == "script"] == [tag for tag in plain.tags if tag == "script"]
    assert page.words["text"] == text.replace("\x00", "\ufffd")


def test_lines_end_as_they_were_typed(client):
    assert Page(paste(client, "S: Seen.\r\nP: Continue POC.")).words["text"] == "S: Seen.\nP: Continue POC."


def test_first_empty_line_of_a_note_is_kept(client):
    assert ">\n\nContinue POC.</textarea>" in paste(client, "\nContinue POC.").text


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"text": ""}, "The note cannot be read."),
        ({"text": "   "}, "The note cannot be read."),
        ({"text": "word " * 20_001}, "The note cannot be read."),
        ({"date_of_service": "soon"}, "The note cannot be read."),
        ({"minutes": "many"}, "The note cannot be read."),
    ],
)
def test_what_cannot_be_read_is_said_on_the_page(client, fields, title):
    answer = paste(client, **fields)
    assert answer.status_code == 422
    assert Page(answer).words["problem"].startswith(title)


def test_fields_beside_the_note_are_heeded(client):
    fields = {
        "date_of_service": "2026-05-04",
        "payer": "medicare-b",
        "diagnoses": "R47.01, F80.2",
        "cpt": "92507",
        "minutes": "30",
    }
    page = paste(client, **fields)
    assert page.status_code == 200
    assert [value for value in fields.values() if f'value="{value}"' not in page.text] == []
    assert "The record has no date_of_service." not in page.text


def test_pages_may_load_nothing_from_elsewhere(client):
    for answer in (client.get("/"), paste(client), client.get("/rules"), client.get("/rules/SKL003")):
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        page = Page(answer)
        loaded = re.findall(r'<(?:link|script|img|iframe|form)[^>]*(?:href|src|action)="([^"]*)"', answer.text)
        assert [address for address in loaded if not address.startswith("/") or address.startswith("//")] == []
        assert [tag for tag in page.tags if tag == "style"] == []
        assert " style=" not in answer.text


def test_every_address_of_a_page_is_there(client):
    for address in {address for address in Page(paste(client)).addresses if address.startswith("/")}:
        assert client.get(address).status_code == 200, address


def test_assets_may_be_kept_and_are_known_by_their_content(client):
    address = next(address for address in Page(client.get("/")).addresses if address.endswith("pages.js"))
    answer = client.get(address)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert client.get("/assets/0000000000000000/pages.js").status_code == 404
    assert client.get("/assets/0000000000000000/..%2F__init__.py").status_code == 404


@pytest.mark.parametrize("rule", RULES[:: max(1, len(RULES) // 8)], ids=lambda rule: rule.code)
def test_rule_has_a_page(client, rule):
    answer = client.get(f"/rules/{rule.code}")
    assert answer.status_code == 200
    assert f'<span class="code">{rule.code}</span>' in answer.text


def test_every_rule_is_listed(client):
    assert set(re.findall(r"/rules/([A-Z]{3}\d{3})", client.get("/rules").text)) == {rule.code for rule in RULES}


def test_unknown_rule_is_404(client):
    assert client.get("/rules/SKL999").status_code == 404


# Tokens


def test_sign_in_is_asked_for_where_tokens_are_in_use(guarded):
    client, _ = guarded
    assert "sign-in" in Page(client.get("/")).words
    assert paste(client).status_code == 401
    assert DRILL not in paste(client).text


def test_token_is_kept_in_a_cookie_that_no_script_gets(guarded):
    client, token = guarded
    answer = client.post("/sign-in", data={"token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert [part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/")] == [True, True, True]
    assert "Secure" not in cookie  # the test speaks plain HTTP
    assert Page(paste(client)).words["score"] == "0"
    assert client.get("/v1/batches").status_code == 200


def test_cookie_is_secure_over_tls(guarded):
    client, token = guarded
    client.base_url = ADDRESS.replace("http:", "https:")
    assert "Secure" in client.post("/sign-in", data={"token": token}).headers["set-cookie"]


def test_wrong_token_is_not_kept(guarded):
    client, token = guarded
    answer = client.post("/sign-in", data={"token": token[:-1] + ("A" if token[-1] != "A" else "B")})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert token[:-1] not in answer.text


def test_sign_out_forgets_the_token(guarded):
    client, token = guarded
    client.post("/sign-in", data={"token": token})
    client.post("/sign-out")
    assert TOKEN_COOKIE not in client.cookies
    assert "sign-in" in Page(client.get("/")).words


def test_another_sites_page_cannot_paste(guarded):
    client, token = guarded
    client.post("/sign-in", data={"token": token})
    answer = client.post("/", data={"text": DRILL}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_rules_can_be_read_without_a_token(guarded):
    client, _ = guarded
    assert client.get("/rules/SKL003").status_code == 200
