"""Cases in a browser: every page of theirs quiet, accessible and whole on a telephone, and a day's work without scripts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.test_pages import NARROW, SMALL_TARGETS, check_tab_order, signed_in
from tests.browser.window import Window, open_window
from tests.data.forms import sample
from tests.data.referrals import referral, without_consent
from tests.journeys.line import Line

TELEPHONE = 360


class Worked(msgspec.Struct):
    """A case on which most of what there is has been done."""

    line: Line
    number: str
    referral: str
    recalled: str
    person: str
    consent: str
    contact: str


@pytest.fixture(scope="module")
def worked(line: Line) -> Worked:
    """A case with consents, records, protection, allocation and ground; a second one of the same people; one recalled."""
    receipt = line.hand_in(referral())
    number = receipt["case_number"]
    line.hand_in(without_consent())
    recalled = line.hand_in(referral())["referral_number"]
    clerk, coordinator = line.visitor("mado"), line.visitor("tsunagu")

    def page() -> Any:
        return coordinator.json("intake", f"/cases/{number}")

    def post(path: str, form: Any) -> None:
        answer = coordinator.post("intake", f"/cases/{number}/{path}", form)
        assert answer.status_code == 201, answer.text

    subject = page()["people"][0]["id"]
    post("assessments", sample("assessment", screening="continued", handed_over_to=[]))
    post("contacts", sample("contact"))
    post(f"protections?revision={page()['revision']}", sample("protection", person=subject))
    post(f"allocations?revision={page()['revision']}", sample("allocation"))
    post("grounds", sample("ground"))
    gone = clerk.post("intake", f"/referrals/{recalled}/withdrawal?revision=1", sample("withdrawal"))
    assert gone.status_code == 201, gone.text
    found = page()
    (contact,) = [record["id"] for record in found["records"] if record["kind"] == "contact"]
    consent = found["people"][0]["consents"][0]["id"]
    return Worked(line, number, receipt["referral_number"], recalled, subject, consent, contact)


PAGES = {
    "list": ("tsunagu", "/cases"),
    "list, filtered": ("tsunagu", "/cases?state=received"),
    "list, nothing fits": ("kaigo", "/cases?state=closed"),
    "case": ("tsunagu", "/cases/{number}"),
    "case, section": ("kacho", "/cases/{number}"),
    "case, destination": ("kaigo", "/cases/{number}"),
    "openings": ("tsunagu", "/cases/{number}/openings"),
    "records": ("tsunagu", "/cases/{number}/records/contact"),
    "record": ("tsunagu", "/records/contact/{contact}"),
    "forms and drafts": ("tsunagu", "/forms"),
    "reply": ("kaigo", "/forms/reply?referral={referral}"),
    "withdrawal": ("mado", "/forms/withdrawal?referral={referral}"),
    "correction": ("mado", "/forms/referral?record=referral/{referral}"),
    "consent": ("tsunagu", "/forms/consent?case={number}&person={person}"),
    "consent, withdrawn": ("tsunagu", "/forms/consent_withdrawal?consent={consent}"),
    "consent, extended": ("tsunagu", "/forms/consent_extension?consent={consent}"),
    "assessment": ("tsunagu", "/forms/assessment?case={number}"),
    "contact": ("tsunagu", "/forms/contact?case={number}"),
    "evaluation": ("tsunagu", "/forms/evaluation?case={number}"),
    "pledge": ("tsunagu", "/forms/pledge"),
    "protection": ("tsunagu", "/forms/protection?case={number}"),
    "allocation": ("tsunagu", "/forms/allocation?case={number}"),
    "ground": ("tsunagu", "/forms/ground?case={number}"),
    "closure": ("tsunagu", "/forms/closure?case={number}"),
    "leak note": ("mado", "/referrals/{recalled}/leak-note"),
}


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str, worked: Worked, browser: Browser) -> None:
    """Nothing found by axe, on a desk and on a telephone; nothing to push sideways; no small target; Tab goes through it."""
    user, path = PAGES[name]
    state = signed_in(worked.line, user)
    with open_window(worked.line, browser, scripts=True, state=state) as window:
        assert window.go("intake", path.format(**msgspec.structs.asdict(worked))) == 200
        check(window)
        check_tab_order(window)
        for width in (TELEPHONE, NARROW):
            window.page.set_viewport_size({"width": width, "height": 740})
            assert window.page.evaluate("document.documentElement.scrollWidth") <= width
            assert window.page.evaluate(SMALL_TARGETS) == []
        check(window)  # once for both: one arrangement of the style sheet holds below 48rem
        window.check_quiet()


def check(window: Window) -> None:
    """What holds at every width."""
    page = window.page
    assert page.locator("h1").count() == 1
    assert page.locator("script").count() == 0
    assert "見本" not in page.title()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate(SMALL_TARGETS) == []


def test_rows_are_cards_on_a_telephone(worked: Worked, browser: Browser) -> None:
    """Each cell says what it is, and it is still a table for those who hear the page."""
    with open_window(worked.line, browser, scripts=True, state=signed_in(worked.line, "tsunagu")) as window:
        window.page.set_viewport_size({"width": TELEPHONE, "height": 740})
        window.go("intake", "/cases")
        cell = window.page.locator(".data-table td[data-label='状態']").first
        assert cell.evaluate("cell => getComputedStyle(cell, '::before').content") == '"状態"'
        assert window.page.get_by_role("table").get_by_role("columnheader").count() == 7
        assert window.page.get_by_role("table").get_by_role("rowheader").count() >= 1


def test_a_day_with_a_case(worked: Worked, window: Window) -> None:
    """Without scripts: find the case, save a consent as a draft, go on with it, hand it in, set the lead, join the other."""
    window.go("intake", "/cases")
    window.sign_in("tsunagu")
    window.page.fill("#q", "みほん　た")
    window.press("探す")
    assert (window.path, "?" in window.page.url) == ("/cases/search", False)
    window.follow(worked.number)
    assert window.path == f"/cases/{worked.number}"
    window.page.locator(".card", has_text="見本　花子").get_by_role("link", name="同意を記録する").click()
    window.fill({"status": "given", "purpose": "いっしょに考えるため", "scope": ["consultation"]})
    window.press("下書き保存")
    assert "下書きを保存しました" in window.text()
    window.page.get_by_role("link", name="個人情報共有同意書").click()
    window.fill({"given_on": "令和8年4月2日", "method": "written"})
    window.press("記録する")
    assert window.page.locator(".error-summary li").count() == 1
    assert window.typed()["purpose"] == ["いっしょに考えるため"]
    window.fill({"agencies": ["sample-care"]})
    window.press("記録する")
    assert window.path == f"/cases/{worked.number}"
    assert "同意あり" in window.page.locator(".card", has_text="見本　花子").inner_text()
    window.page.select_option("#lead", "welfare-desk")
    window.press("主担当を決める")
    assert "福祉総合相談窓口" in window.page.locator("main .facts").first.inner_text()
    window.go("intake", "/forms")
    assert "下書きはありません" in window.text()
    window.go("intake", f"/cases/{worked.number}")
    window.page.get_by_role("button", name="にまとめる").first.click()
    window.page.wait_for_load_state()
    assert f"ケース {worked.number} は、このケースにまとめられています" in window.text()
    window.check_quiet()
