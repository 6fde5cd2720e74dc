"""From the empty form to 「受け取りました」, as people do it in a browser; scripts are switched off throughout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.window import FORM, Window, open_window
from tests.journeys.line import Line, until
from tsunagi_shared import clock
from tsunagi_shared.forms.japanese import format_wareki

NAME = "見本　﨑太郎"
Typed = dict[str, str | list[str]]


def form_of_today() -> Typed:
    """What a clerk types, in the order of the page."""
    today = format_wareki(clock.today())
    return {
        "destinations": ["hardship-support", "sample-care"],
        "urgency": "urgent",
        "contact_phone": "０４２－０００－０１０１",
        "consulted_on": today,
        "client_kind": "family",
        "client_name": "見本　花子",
        "finding_route": "own_contact",
        "person.name": NAME,
        "person.kana": "みほん　たろう",
        "person.sex": "male",
        "person.birth_date": "昭和３０年４月１日",
        "household.0.relationship": "妻",
        "household.0.name": "見本　花子",
        "troubles": ["care", "income"],
        "main_trouble": "care",
        "consultation": "一行目。\n\n三行目、「かぎ」と <角> & 記号。",
        "chief_complaint": "これからが心配だ。",
        "reason": "いっしょに考えてほしい。",
        "consent.status": "given",
        "consent.given_on": today,
        "consent.method": "written",
        "consent.agencies": ["hardship-support", "sample-care"],
    }


def check_kept(window: Window, fields: Typed) -> None:
    """The form holds all that was typed."""
    typed = window.typed()
    wanted = {name: [value] if isinstance(value, str) else value for name, value in fields.items()}
    assert {name: typed.get(name, []) for name in wanted} == wanted


def numbers(line: Line) -> list[str]:
    """The referrals that the clerk's agency has, newest first."""
    return [row["number"] for row in line.visitor("mado").json("intake", "/referrals?limit=100")["items"]]


def mail_to(line: Line, address: str, case: str) -> str:
    """The text of the mail about a case to an address, once it is there."""

    def found() -> list[str]:
        mails = [message_from_bytes(path.read_bytes(), policy=default) for path in line.stack.mail.mails()]
        return [str(mail.get_content()) for mail in mails if mail["To"] == address and case in str(mail["Subject"])]

    return str(until(found, bool)[0])


def clerk_at_the_form(window: Window) -> None:
    """Open the form: it leads to the sign-in, and that leads back."""
    window.go("intake", "/forms/referral")
    assert window.path == "/sign-in"
    window.sign_in("mado")
    assert window.path == "/forms/referral"


def test_from_the_form_to_received(line: Line, window: Window, other_window: Window) -> None:
    """The clerk hands over a person; the agency goes from the mail to the document and to 「受け取りました」 in two clicks."""
    clerk, agency = window, other_window
    clerk_at_the_form(clerk)
    case = _hand_over(clerk)
    notice = re.findall(r"^http\S+", mail_to(line, "sample-care@example.jp", case), re.MULTILINE)
    assert len(notice) == 1
    assert NAME not in mail_to(line, "sample-care@example.jp", case)
    made = until(lambda: line.case({"case_number": case})["documents"], _have_pdfs)
    assert len(made) == 3

    agency.page.goto(notice[0])
    assert agency.path == "/sign-in"
    agency.sign_in("kaigo")
    assert agency.page.url == notice[0]
    assert NAME not in agency.page.content()
    content_type, opened = _open_document(agency)
    assert (content_type, opened[:4]) == ("application/pdf", b"%PDF")
    agency.press("受け取りました")
    assert "受け取りを記録しました" in agency.text()
    assert agency.sign_ins == 1

    def on_the_case_page() -> str:
        clerk.go("intake", f"/cases/{case}")
        return clerk.page.locator("tr", has_text="見本介護サービス事業所").inner_text()

    # Who opened it and who said that it was received come from two services, one maybe later than the other.
    until(on_the_case_page, lambda text: "受け取りました" in text and text.count("見本　介吾") == 2)
    for label, path in (("文書", "/documents"), ("お知らせ", "/inbox"), ("受付", "/cases")):
        clerk.page.get_by_role("navigation", name="サービス").get_by_role("link", name=label).click()
        assert clerk.path == path
    assert clerk.sign_ins == 1
    clerk.check_quiet()
    agency.check_quiet()


def _hand_over(clerk: Window) -> str:
    """Fill in the form, wrongly first, with one household row more; the number of the case it went into."""
    fields = form_of_today()
    wrong: Typed = fields | {"consulted_on": "令和8年13月40日", "person.birth_date": "きのう", "person.kana": "太郎"}
    clerk.fill(wrong)
    clerk.press("提出する")
    check_kept(clerk, wrong)
    links = clerk.page.locator(".error-summary li a").all()
    leads_to = {link.get_attribute("href") for link in links}
    assert leads_to == {"#field-consulted_on", "#field-person-birth_date", "#field-person-kana"}
    for link in links:
        message, target = link.inner_text(), link.get_attribute("href")
        described = clerk.page.locator(f"{target}-error")
        assert message in described.inner_text()
        assert clerk.page.locator(f"{target}").get_attribute("aria-invalid") == "true"

    clerk.press("世帯員の行を追加する")
    check_kept(clerk, wrong)
    assert clerk.page.locator(".error-summary").count() == 0
    clerk.fill({name: value for name, value in fields.items() if wrong[name] != value})
    clerk.fill({"household.1.relationship": "長男", "household.1.age": "４１"})
    clerk.press("提出する")
    assert clerk.path.startswith("/referrals/R"), clerk.text()
    assert "受け付けました" in clerk.text()
    clerk.follow("ケースの画面へ")
    assert clerk.path.startswith("/cases/C")
    return clerk.path.removeprefix("/cases/")


def _have_pdfs(documents: list[Any]) -> bool:
    return len(documents) == 3 and all(document["pdf"] == "stored" for document in documents)


def _open_document(agency: Window) -> tuple[str, bytes]:
    """Click 「文書を開く」; what the tab that opens is given."""
    with agency.context.expect_page() as opening:
        agency.follow("文書を開く")
    tab = opening.value
    tab.wait_for_url("**/versions/1/pdf")
    answer = agency.context.request.get(tab.url)
    assert answer.status == 200
    content = answer.body()
    tab.close()
    return answer.headers["content-type"], content


@pytest.fixture(scope="module")
def only_word(line: Line) -> Iterator[None]:
    """LibreOffice is away for the rest of this file: nobody waits for a PDF any more, and each costs seconds."""
    line.stack.remove_office()
    yield
    line.stack.install_office()


@pytest.mark.usefixtures("only_word")
def test_nothing_typed_is_lost_when_the_session_ends(line: Line, window: Window) -> None:
    """Signed out while typing: the post leads to the sign-in, everything is back, and handing in makes one referral."""
    clerk_at_the_form(window)
    fields = form_of_today()
    window.put(fields)
    typed = window.typed()
    before = numbers(line)
    window.context.clear_cookies()
    window.press("提出する")
    assert "入力した内容は残っています" in window.text()
    window.sign_in("mado")
    assert numbers(line) == before
    window.press("入力画面に戻る")
    assert window.typed() == typed
    window.press("提出する")
    assert window.path == f"/referrals/{numbers(line)[0]}"
    assert numbers(line)[1:] == before
    window.check_quiet()


def test_another_password_first_loses_nothing(line: Line, window: Window) -> None:
    """A wrong password after the session ended: the typed fields are carried on to the next try."""
    clerk_at_the_form(window)
    window.put(form_of_today())
    typed = window.typed()
    window.context.clear_cookies()
    window.press("提出する")
    window.page.fill("#user", "mado")
    window.page.fill("#password", "chigau-password")
    window.press("サインインする")
    assert "サインインできません" in window.text()
    window.sign_in("mado")
    window.press("入力画面に戻る")
    assert window.typed() == typed


@pytest.mark.usefixtures("only_word")
def test_a_doubled_post_is_one_referral(line: Line, browser: Browser) -> None:
    """The button pressed twice, and the same form handed in from a second tab: one referral, the same receipt."""
    with open_window(line, browser, scripts=True) as window:
        clerk_at_the_form(window)
        window.fill(form_of_today())
        posted = str(window.page.locator(FORM).evaluate("form => new URLSearchParams(new FormData(form)).toString()"))
        before = numbers(line)
        window.page.get_by_role("button", name="提出する").dblclick()
        window.page.wait_for_url("**/referrals/R*")
        receipt = window.path
        origin = line.stack.url_of("intake")
        again = window.context.request.post(
            f"{origin}/referrals",
            data=posted.replace("%0A", "%0D%0A"),  # the line ends of a form that a browser posts
            headers={"Content-Type": "application/x-www-form-urlencoded", "Origin": origin, "Accept": "text/html"},
            max_redirects=0,
        )
        assert (again.status, again.headers["location"]) == (303, receipt)
        assert numbers(line) == [receipt.removeprefix("/referrals/"), *before]
        window.check_quiet()


@pytest.mark.usefixtures("only_word")
def test_going_back_and_handing_in_again_is_one_referral(line: Line, window: Window) -> None:
    """Back from the receipt and pressed once more: what is handed in is the same referral, or an empty form is refused."""
    clerk_at_the_form(window)
    window.put(form_of_today())
    window.press("提出する")
    count = len(numbers(line))
    window.page.go_back()
    window.press("提出する")
    assert len(numbers(line)) == count


@pytest.mark.parametrize("user", ["kaigo", "mado"])
def test_the_keyboard_is_enough(line: Line, window: Window, user: str) -> None:
    """Sign in with Tab and Enter alone; Enter in the form hands it in (and adds no row)."""
    window.go("intake", "/forms/referral")
    keys = window.page.keyboard
    while window.page.evaluate("document.activeElement.id") != "user":
        keys.press("Tab")
    keys.type(user)
    keys.press("Tab")
    keys.type(line.passwords[user])
    keys.press("Enter")
    window.page.wait_for_url("**/forms/referral")
    window.page.focus("[name=contact_phone]")
    keys.press("Enter")
    window.page.wait_for_url("**/referrals")
    assert "入力内容を直してください" in window.text()
    assert window.page.evaluate("document.activeElement.id") == "error-summary"
    assert window.page.locator(".row").count() == 1
