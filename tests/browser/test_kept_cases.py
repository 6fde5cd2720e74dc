"""What the responsible section and the auditor see, and what people meet where something has ended: disposal, holds,
disclosure, the audit; older versions, notices of what was taken away, consents that cannot be confirmed."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser

from tests.browser.test_pages import check_page, signed_in
from tests.browser.window import Window, open_window
from tests.data.forms import sample
from tests.data.referrals import referral, without_consent
from tests.journeys.line import Line, until
from tsunagi_shared.accounts import Post

KEPT_YEARS = 5
HOLD = {"on": True, "reason": "審査請求が出ているため"}
LET_GO = {"on": False, "reason": "審査請求が終わったため"}


class Kept(msgspec.Struct):
    """What the pages show. Cases by what became of them, 廃棄簿 by their state."""

    line: Line
    live: Any  # a case that goes on: its receipt
    person: str
    erased: str
    held: str
    due: str
    refused: str
    done: str
    proposed: str

    def document(self, user: str, kind: str) -> str:
        """The path of a user's document of that kind of the live case."""
        found = next(row for row in self.line.documents_of(self.live, user) if row["kind"] == kind)
        return f"/documents/{found['id']}"

    def delivery(self, user: str, version: int) -> str:
        """The path of the user's notice of a version of the referral sheet of the live case."""
        notices = self.line.notices_of(self.live, user, "all")
        found = [row for row in notices if row["kind"] == "referral_sheet" and row["version"] == version]
        return f"/deliveries/{found[0]['id']}"


def apart(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it in a thread of its own: Playwright keeps an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, coroutine).result()


@pytest.fixture(scope="module")
def kept(line: Line) -> Kept:
    """Five cases that ended long ago, in every state of disposal, and one that goes on, on which much has changed."""
    ended = [_ended_case(line) for _ in range(5)]
    clock, accounts = line.stack.clock, line.stack.accounts()
    line.passwords["shokan"] = accounts.add_user(
        "shokan", "見本　所管", [Post("social-welfare", ("responsible_section",))]
    )
    accounts.close()
    line.leave()
    afterwards = clock.today().replace(year=clock.today().year + KEPT_YEARS) + dt.timedelta(days=2)
    apart(clock.to(afterwards))
    for number in ended[2:]:
        _post(line, "kacho", f"/cases/{number}/hold", HOLD)
    refused = _post(line, "shokan", "/disposals", {})["id"]
    _post(line, "kacho", f"/disposals/{refused}/refusal", {"reason": "一件ずつ確かめてから"})
    done = _post(line, "shokan", "/disposals", {})["id"]
    _post(line, "kacho", f"/disposals/{done}/approval", {})
    until(lambda: line.visitor("kacho").json("intake", f"/disposals/{done}")["state"], "done".__eq__)
    _post(line, "kacho", f"/cases/{ended[3]}/hold", LET_GO)
    proposed = _post(line, "shokan", "/disposals", {})["id"]
    _post(line, "kacho", f"/cases/{ended[4]}/hold", LET_GO)
    live, person = _changed_case(line)
    found = Kept(line, live, person, ended[0], ended[2], ended[4], refused, done, proposed)
    until(lambda: line.notices_of(live, "jiritsu", "all"), lambda rows: any(row["state"] == "ended" for row in rows))
    return found


def _post(line: Line, user: str, path: str, form: Any) -> Any:
    answer = line.visitor(user).post("intake", path, form)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _ended_case(line: Line) -> str:
    receipt = line.hand_in(without_consent())
    form = sample("withdrawal", noticed_on=line.stack.clock.today().isoformat())
    _post(line, "mado", f"/referrals/{receipt['referral_number']}/withdrawal?revision=1", form)
    return str(receipt["case_number"])


def _changed_case(line: Line) -> tuple[Any, str]:
    """A case with a corrected referral, a consent on a form of its own, a partial withdrawal and a draft; its 本人."""
    today = line.stack.clock.today().isoformat()
    receipt = line.hand_in(referral())
    number, case = receipt["referral_number"], receipt["case_number"]
    line.made(receipt, 3)
    corrected = line.visitor("mado").put(
        "intake", f"/referrals/{number}?revision=1", referral(considerations="午後に。")
    )
    assert corrected.status_code == 200, corrected.text
    people = line.case(receipt)["people"]
    form = sample("consent", person=people[1]["id"], agencies=["sample-care"], excluded_agencies=[])
    _post(line, "mado", f"/cases/{case}/consents", form)
    consent = line.case(receipt)["people"][0]["consents"][0]
    withdrawal = sample("consent_withdrawal", agencies=["hardship-support"], withdrawn_on=today)
    _post(line, "mado", f"/consents/{consent['id']}/withdrawal?revision={consent['revision']}", withdrawal)
    draft = line.visitor("mado").post("intake", f"/drafts?kind=contact&case={case}", {"content": "書きかけ"})
    assert draft.status_code == 201, draft.text

    def there() -> Any:
        return {
            row["kind"]: row["version"] for row in line.documents_of(receipt, "tsunagu") if row["state"] == "stored"
        }

    until(there, lambda versions: versions.get("referral_sheet") == 2 and "consent_form" in versions)
    return receipt, str(people[0]["id"])


Arrive = Callable[[Window, Kept], None]


def at(service: str, path: str, status: int = 200) -> Arrive:
    """A page by its path; names of `Kept` are filled in."""

    def arrive(window: Window, kept: Kept) -> None:
        named = {name: getattr(kept, name) for name in Kept.__struct_fields__ if name not in ("line", "live")}
        assert window.go(service, path.format(**named, live=kept.live["case_number"])) == status

    return arrive


def document_of(user: str, kind: str) -> Arrive:
    """The page of a document."""
    return lambda window, kept: _go(window, "documents", kept.document(user, kind))


def delivery_of(user: str, version: int) -> Arrive:
    """The page of a notice."""
    return lambda window, kept: _go(window, "notify", kept.delivery(user, version))


def _go(window: Window, service: str, path: str) -> None:
    assert window.go(service, path) == 200


def without_reason(path: str, button: str) -> Arrive:
    """A form that asks for a reason, handed in without one: the page comes back and says so."""

    def arrive(window: Window, kept: Kept) -> None:
        at("intake", path)(window, kept)
        window.page.evaluate("for (const form of document.forms) form.noValidate = true")
        window.press(button)
        assert window.page.locator(".error-summary").count() == 1
        assert window.page.locator("#reason").get_attribute("aria-invalid") == "true"

    return arrive


PAGES: dict[str, tuple[str, Arrive]] = {
    "audit": ("kansa", at("intake", "/audit")),
    "audit, of a case": ("kacho", at("intake", "/audit?case={live}")),
    "audit, refused": ("kansa", at("intake", "/audit?outcome=refused")),
    "audit, nothing fits": ("kansa", at("intake", "/audit?user=dare-demo-nai")),
    "audit of documents": ("kansa", at("documents", "/audit")),
    "audit, forbidden": ("mado", at("intake", "/audit", 403)),
    "disposals": ("kacho", at("intake", "/disposals")),
    "disposal, to decide": ("kacho", at("intake", "/disposals/{proposed}")),
    "disposal, of one's own": ("shokan", at("intake", "/disposals/{proposed}")),
    "disposal, sent back": ("kacho", at("intake", "/disposals/{refused}")),
    "disposal, carried out": ("kacho", at("intake", "/disposals/{done}")),
    "disposal, no reason": ("kacho", without_reason("/disposals/{proposed}", "差し戻す")),
    "hold": ("kacho", at("intake", "/cases/{due}/hold")),
    "hold, set": ("kacho", at("intake", "/cases/{held}/hold")),
    "hold, no reason": ("kacho", without_reason("/cases/{due}/hold", "廃棄を止める")),
    "case, held": ("kacho", at("intake", "/cases/{held}")),
    "case, erased": ("kacho", at("intake", "/cases/{erased}", 404)),
    "disclosure": ("kacho", at("intake", "/cases/{live}/disclosure?person={person}")),
    "drafts": ("mado", at("intake", "/forms")),
    "document, older versions": ("tsunagu", document_of("tsunagu", "referral_sheet")),
    "document, scan to be added": ("tsunagu", document_of("tsunagu", "consent_form")),
    "inbox, ended": ("jiritsu", at("notify", "/inbox?state=all")),
    "delivery, ended": ("jiritsu", delivery_of("jiritsu", 1)),
    "delivery, superseded": ("tsunagu", delivery_of("tsunagu", 1)),
}
SAYS = {
    "disposals": "廃棄簿を作る",
    "disposal, to decide": "承認して廃棄する",
    "disposal, of one's own": "作った人とは別の",
    "hold, set": "止めています",
    "disclosure": "（非開示）",
    "drafts": "支援経過記録",
    "document, older versions": "旧版",
    "document, scan to be added": "写しを付ける",
    "delivery, ended": "閲覧の期間が終わりました",
    "delivery, superseded": "新しい版があります",
}


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str, kept: Kept, browser: Browser) -> None:
    """As every page: quiet, nothing found by axe, whole on a telephone, and all of it within the reach of Tab."""
    user, arrive = PAGES[name]
    with open_window(kept.line, browser, scripts=True, state=signed_in(kept.line, user)) as window:
        arrive(window, kept)
        assert SAYS.get(name, "") in window.text()
        check_page(window)


def test_a_paper_on_a_consent_that_cannot_be_confirmed(kept: Kept, browser: Browser) -> None:
    """The hub is still for more than a day: the page says so and asks for a reason; with one the paper opens, without none."""
    line = kept.line
    path = f"{kept.document('kaigo', 'referral_sheet')}/versions/2/docx"
    hub = line.stack.nats.process.pid
    assert hub is not None
    os.kill(hub, signal.SIGSTOP)
    try:
        apart(line.stack.clock.forward(dt.timedelta(hours=25)))
        line.leave()
        with open_window(line, browser, scripts=True, state=signed_in(line, "kaigo")) as window:
            assert window.go("documents", path) == 503
            assert "同意の状態が確かめられません" in window.text()
            check_page(window)
            window.page.evaluate("for (const form of document.forms) form.noValidate = true")
            window.press("理由を記録して開く")
            assert window.page.locator("#reason").get_attribute("aria-invalid") == "true"
            check_page(window)
            window.page.fill("#reason", "本人が倒れ、連絡先を確かめる必要がある")
            with window.page.expect_download() as saving:
                window.page.get_by_role("button", name="理由を記録して開く").click()
            assert saving.value.suggested_filename.endswith(".docx")
        lines = line.visitor("kansa").json("documents", "/audit?user=kaigo&limit=1")["items"]
        assert [(row["outcome"], row["reason"][:5]) for row in lines] == [("done", "本人が倒れ")]
    finally:
        os.kill(hub, signal.SIGCONT)
