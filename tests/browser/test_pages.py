"""Every page of the three services, in the states people meet: quiet, accessible, usable by keyboard and on a telephone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.window import Window, open_window
from tests.data.referrals import referral, without_consent
from tests.journeys.line import Line, until

NARROW = 320  # CSS pixels: WCAG 2.2, 1.4.10 Reflow
NO_DOCUMENT = "/documents/00000000-0000-5000-8000-000000000000"
NO_DELIVERY = "/deliveries/00000000-0000-5000-8000-000000000000"

# What Tab reaches, in the order of the page. Of the radio buttons of a name it reaches the chosen one, or else the first.
REACHABLE = """() => {
  const radios = new Map();
  for (const radio of document.querySelectorAll('input[type=radio]')) {
    const name = radio.form ? [...document.forms].indexOf(radio.form) + radio.name : radio.name;
    if (!radios.has(name) || radio.checked) radios.set(name, radio);
  }
  const chosen = new Set(radios.values());
  window.marks = [...document.querySelectorAll('a[href],button,input,select,textarea,summary,[tabindex="0"]')]
    .filter(e => e.checkVisibility() && e.type !== 'hidden' && (e.type !== 'radio' || chosen.has(e)));
  return window.marks.length;
}"""
# Notes wherever the focus goes: its place in that order, and whether it can be seen
NOTE_FOCUS = """() => {
  document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex');
  window.noted = [];
  document.addEventListener('focusin', () => {
    const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
    const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    const inside = box.width > 0 && box.bottom > 0 && box.top < innerHeight;
    window.noted.push([window.marks.indexOf(e), outlined && inside]);
  });
}"""
# WCAG 2.2, 2.5.8: at least 24 by 24 pixels, but for links within a sentence
SMALL_TARGETS = """() => [...document.querySelectorAll('a[href],button,input,select,textarea,summary')]
  .filter(e => e.checkVisibility() && e.type !== 'hidden' && !e.matches('.skip-link'))
  .map(e => e.closest('label.option') || e)
  .filter(e => !(e.matches('p a, li a') && getComputedStyle(e).display === 'inline'
                 && e.closest('p, li').innerText !== e.innerText))
  .filter(e => { const box = e.getBoundingClientRect(); return box.width < 24 || box.height < 24; })
  .map(e => e.outerHTML.slice(0, 100))"""


class Furnished(msgspec.Struct):
    """What the pages show: three referrals in different states."""

    line: Line
    told: Any  # with consent; one agency acknowledged, one said that it is not its own
    failed: Any  # without consent; the PDFs could not be made, the mails were refused

    def document(self, user: str, receipt: Any) -> str:
        """The path of a user's first document of a case."""
        return f"/documents/{self.line.documents_of(receipt, user)[0]['id']}"

    def delivery(self, user: str, receipt: Any) -> str:
        """The path of a user's first notice of a case."""
        return f"/deliveries/{self.line.notices_of(receipt, user, 'all')[0]['id']}"


@pytest.fixture(scope="module")
def furnished(line: Line) -> Furnished:
    """Two cases, whose documents and notices are in every state that a page shows."""
    line.stack.remove_office()
    line.stack.mail.refuse("rcpt", "550 5.1.1 no such mailbox")
    try:
        failed = line.hand_in(without_consent(reply_by="2099-03-31", urgency="urgent"))
        line.case_until(failed, lambda rows: len(rows) == 2 and all(row["pdf"] == "failed" for row in rows))
        until(lambda: len(line.visitor("kacho").json("notify", "/deliveries?state=failed")["items"]), (3).__le__)
    finally:
        line.stack.install_office()
        line.stack.mail.accept()
    told = line.hand_in(referral())
    line.made(told, 3)
    found = Furnished(line, told, failed)
    line.visitor("kaigo").post("notify", f"{found.delivery('kaigo', told)}/acknowledgement", {})
    line.visitor("jiritsu").post("notify", f"{found.delivery('jiritsu', told)}/misdelivery", {"code": "not_ours"})

    def answered(rows: list[Any]) -> bool:
        lines = [line for row in rows for line in row["receipts"]]
        return any(row["acknowledged_at"] for row in lines) and any(row["misdelivered_at"] for row in lines)

    line.case_until(told, answered)
    return found


Arrive = Callable[[Window, Furnished], None]


def at(service: str, path: str, status: int = 200) -> Arrive:
    """A page by its path; `{told.case_number}` and the like are filled in."""

    def arrive(window: Window, furnished: Furnished) -> None:
        assert window.go(service, path.format(told=_Names(furnished.told), failed=_Names(furnished.failed))) == status

    return arrive


class _Names:
    def __init__(self, values: Any) -> None:
        self.__dict__.update(values)


def document_of(user: str, which: str) -> Arrive:
    """The page of a document."""
    return lambda window, furnished: _go(window, "documents", furnished.document(user, getattr(furnished, which)))


def delivery_of(user: str, which: str) -> Arrive:
    """The page of a notice."""
    return lambda window, furnished: _go(window, "notify", furnished.delivery(user, getattr(furnished, which)))


def _go(window: Window, service: str, path: str) -> None:
    assert window.go(service, path) == 200


def refused_form(window: Window, _: Furnished) -> None:
    """The form with nothing in it, handed in."""
    window.go("intake", "/forms/referral")
    window.press("提出する")
    assert window.page.locator(".error-summary li").count() > 5


def added_rows(window: Window, _: Furnished) -> None:
    """The form with two more rows."""
    window.go("intake", "/forms/referral")
    window.press("世帯員の行を追加する")
    window.press("世帯員の行を追加する")


def wrong_password(window: Window, _: Furnished) -> None:
    """The sign-in, refused."""
    window.go("notify", "/sign-in?next=/inbox")
    window.page.fill("#user", "mado")
    window.page.fill("#password", "chigau")
    window.press("サインインする")
    assert "サインインできません" in window.text()


def session_ended(window: Window, _: Furnished) -> None:
    """The sign-in that keeps what was typed."""
    window.go("intake", "/forms/referral")
    window.page.fill("[name=contact_phone]", "042-000-0000")
    window.context.clear_cookies()
    window.press("提出する")


def signed_in_again(window: Window, furnished: Furnished) -> None:
    """After that sign-in."""
    session_ended(window, furnished)
    window.sign_in("mado")
    assert "入力した内容は残っています" in window.text()


def no_reason(window: Window, furnished: Furnished) -> None:
    """「担当でない」 without a reason."""
    delivery_of("tsunagu", "told")(window, furnished)
    window.press("担当でないことを知らせる")
    assert "理由を一つ選んでください" in window.text()


def no_range(window: Window, _: Furnished) -> None:
    """Sending again without saying what."""
    window.go("notify", "/deliveries?state=failed")
    window.press("この期間の失敗を送り直す")
    assert "日付を読み取れません" in window.text()


def stale_page(window: Window, furnished: Furnished) -> None:
    """A button of a page whose token is no longer the session's."""
    delivery_of("tsunagu", "told")(window, furnished)
    window.page.evaluate("document.querySelectorAll('[name=_csrf]').forEach(input => { input.value = 'old'; })")
    window.press("受け取りました")
    assert "画面の有効期限が切れています" in window.text()


PAGES: dict[str, tuple[str, Arrive]] = {
    "sign-in": ("", at("intake", "/sign-in")),
    "sign-in, refused": ("", wrong_password),
    "sign-in, session ended": ("mado", session_ended),
    "sign-in, typed again": ("mado", signed_in_again),
    "posts": ("mado", at("intake", "/posts")),
    "form": ("mado", at("intake", "/forms/referral")),
    "form, refused": ("mado", refused_form),
    "form, rows added": ("mado", added_rows),
    "referrals": ("mado", at("intake", "/referrals")),
    "referrals, none": ("kanri", at("intake", "/referrals?after=1-1")),
    "referral": ("mado", at("intake", "/referrals/{told.referral_number}")),
    "referral, without consent": ("mado", at("intake", "/referrals/{failed.referral_number}")),
    "cases": ("tsunagu", at("intake", "/cases")),
    "case": ("mado", at("intake", "/cases/{told.case_number}")),
    "case, failed": ("mado", at("intake", "/cases/{failed.case_number}?asked=1")),
    "case, not found": ("mado", at("intake", "/cases/C2026-99999", 404)),
    "form, forbidden": ("kacho", at("intake", "/forms/referral", 403)),
    "intake's API": ("mado", at("intake", "/docs")),
    "documents": ("tsunagu", at("documents", "/documents")),
    "documents of a case": ("tsunagu", at("documents", "/documents?case={told.case_number}")),
    "documents, none": ("kaigo", at("documents", "/documents?case=C2026-99999")),
    "document": ("kaigo", document_of("kaigo", "told")),
    "document, watched over": ("tsunagu", document_of("tsunagu", "told")),
    "document, PDF failed": ("kacho", document_of("kacho", "failed")),
    "document, not found": ("kaigo", at("documents", NO_DOCUMENT, 404)),
    "documents' API": ("kaigo", at("documents", "/docs")),
    "inbox": ("tsunagu", at("notify", "/inbox")),
    "inbox, all": ("kaigo", at("notify", "/inbox?state=all")),
    "inbox, none": ("mado", at("notify", "/inbox")),
    "delivery": ("tsunagu", delivery_of("tsunagu", "told")),
    "delivery, urgent": ("kacho", delivery_of("kacho", "failed")),
    "delivery, acknowledged": ("kaigo", delivery_of("kaigo", "told")),
    "delivery, misdelivered": ("jiritsu", delivery_of("jiritsu", "told")),
    "delivery, no reason": ("tsunagu", no_reason),
    "delivery, stale page": ("tsunagu", stale_page),
    "delivery, not found": ("mado", at("notify", NO_DELIVERY, 404)),
    "deliveries": ("kacho", at("notify", "/deliveries")),
    "deliveries, failed": ("kanri", at("notify", "/deliveries?state=failed")),
    "deliveries, no range": ("kacho", no_range),
    "notify's API": ("mado", at("notify", "/docs")),
}


def signed_in(line: Line, user: str) -> Any:
    """The cookies of somebody who has signed in; none for nobody."""
    if not user:
        return None
    cookies = [
        {"name": cookie.name, "value": cookie.value, "domain": cookie.domain, "path": cookie.path}
        for cookie in line.visitor(user).client.cookies.jar
    ]
    return {"cookies": cookies, "origins": []}


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str, furnished: Furnished, browser: Browser) -> None:
    """Nothing from another host, no complaint in the console, nothing found by axe; no script, no small target; Tab goes
    through everything in order with a focus that is seen; nothing is cut off at 320 pixels."""
    user, arrive = PAGES[name]
    state = signed_in(furnished.line, user)
    with open_window(furnished.line, browser, scripts=True, state=state) as window:
        arrive(window, furnished)
        check_page(window)


def check_page(window: Window) -> None:
    """What holds on every page, wide and narrow."""
    page = window.page
    assert page.locator("script").count() == 0
    assert page.locator("h1").count() == 1
    assert page.title().split(" | ")[1].startswith("つなぎ ")
    assert "見本" not in page.title(), "titles go into histories and on shared screens"
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate(SMALL_TARGETS) == []
    check_tab_order(window)
    page.set_viewport_size({"width": NARROW, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
    assert page.evaluate(SMALL_TARGETS) == []
    window.check_quiet()


def check_tab_order(window: Window) -> None:
    """Tab from the top of the page reaches everything there is, in its order, and the focus is seen each time."""
    page = window.page
    count = page.evaluate(REACHABLE)
    page.evaluate(NOTE_FOCUS)
    for _ in range(count):
        page.keyboard.press("Tab")
    assert page.evaluate("window.noted") == [[place, True] for place in range(count)]


def test_the_keyboard_opens_and_receives(furnished: Furnished, browser: Browser) -> None:
    """On a notice: Tab to 「受け取りました」 and Enter is all it takes."""
    with open_window(furnished.line, browser, scripts=False, state=signed_in(furnished.line, "tsunagu")) as window:
        delivery_of("tsunagu", "failed")(window, furnished)
        while window.page.evaluate("document.activeElement.innerText") != "受け取りました":
            window.page.keyboard.press("Tab")
        window.page.keyboard.press("Enter")
        window.page.wait_for_url("**done=acknowledged")
        assert "受け取りを記録しました" in window.text()
        window.check_quiet()
