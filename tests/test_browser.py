"""The pages in a real browser, offline: Chromium of the system, driven by Playwright."""

import json
import os
import re
import shutil

import pytest
from serving import DRILL, lexicons, serve

from api.app import create_app
from api.settings import Settings

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here; install it or name it in CHROMIUM")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    settings = Settings(data_dir=tmp_path_factory.mktemp("service"), model="lexicons", batch_workers=1)
    with serve(create_app(lexicons(), settings)) as address:
        yield address


@pytest.fixture
def open_page(browser, address):
    """Return a function that opens the first page; afterwards nothing was asked of another server or complained of."""
    contexts, asked, complaints = [], [], []

    def open_page(**options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/")
        return page

    yield open_page
    for context in contexts:
        context.close()
    elsewhere = [url for url in asked if not url.startswith((address, "blob:", "data:"))]
    assert (elsewhere, complaints) == ([], [])


def read_note(page, text=DRILL):
    page.get_by_label("The note", exact=True).fill(text)
    page.get_by_role("button", name="Read it").click()
    page.wait_for_selector("#note-text")


@pytest.mark.parametrize("has_scripts", [True, False])
def test_pasted_note_comes_back_highlighted(open_page, has_scripts):
    page = open_page(java_script_enabled=has_scripts)
    read_note(page)
    assert page.locator("#score").inner_text() == "0"
    assert page.locator("#note-text mark.l-drill").first.inner_text().startswith("Practiced")
    assert page.locator("ol.findings > li").count() == 3
    background = page.locator("#note-text mark").first.evaluate("element => getComputedStyle(element).backgroundImage")
    assert "gradient" in background  # the style was let in by the policy


def test_words_of_a_finding_are_one_click_away(open_page):
    page = open_page()
    read_note(page)
    page.locator("#f2 .quote a").click()
    page.wait_for_url("**/#t2")
    assert page.locator("#t2").is_visible()


def test_rule_of_a_finding_is_one_click_away(open_page):
    page = open_page()
    read_note(page)
    page.locator("#f1 a.code").click()
    assert page.locator("h1").inner_text().startswith("DRL001")


def test_hostile_note_runs_nothing(open_page):
    page = open_page()
    read_note(page, "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script> words 80%")
    assert page.title() == "Cuewise: one note"


def test_dropped_file_is_watched_and_its_results_are_taken(open_page, tmp_path):
    notes = [{"id": f"N-{number}", "text": DRILL} for number in range(40)]
    path = tmp_path / "notes.jsonl"
    path.write_text("".join(json.dumps(note) + "\n" for note in notes))
    page = open_page()
    page.locator("#file").set_input_files(path)
    row = page.locator("#batch-list tbody tr").first
    row.get_by_text(re.compile("^done")).wait_for(timeout=30_000)
    assert row.locator("progress").get_attribute("aria-label") == "40 of 40 notes"
    with page.expect_download() as waiting:
        row.get_by_role("button", name="Download the results as jsonl").click()
    lines = waiting.value.path().read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [note["id"] for note in notes]
    for name, suffix in (("csv", "csv"), ("xlsx", "xlsx"), ("html", "html"), ("fhir", "json")):
        with page.expect_download() as waiting:
            row.get_by_role("button", name=f"Download the results as {name}").click()
        assert waiting.value.suggested_filename.endswith(suffix)
    page.on("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Delete").click()
    row.get_by_text("expired").wait_for()
    assert row.get_by_role("button").count() == 0


def test_page_fits_a_telephone(open_page):
    page = open_page(viewport={"width": 360, "height": 740})
    read_note(page)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_without_scripts_the_page_says_what_needs_them(open_page):
    page = open_page(java_script_enabled=False)
    assert page.get_by_text("This part needs JavaScript.").is_visible()
    assert page.locator("#file").is_visible() is False
