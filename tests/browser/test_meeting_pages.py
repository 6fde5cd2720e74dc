"""What people see of plans, sittings and minutes: from the plan's form to the sitting that was closed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser

from tests.browser.test_pages import check_page, signed_in
from tests.browser.window import Window, open_window
from tests.data.forms import sample
from tests.data.plan_work import plan
from tests.data.referrals import referral
from tests.journeys.line import Line
from tsunagi_shared import clock

LAYERED = {"body": "layered-support", "legal_role": "layered_support_meeting"}
CHAIR = {"agency": "welfare-desk", "title": "係長", "name": "見本　つなぐ"}
CARE = {"agency": "sample-care", "title": "相談員", "name": "見本　介子"}


class Met(msgspec.Struct):
    """What the pages show. Sittings by their state: `ahead` is planned and has an item, `held` is convened, `over` is closed."""

    line: Line
    case: str
    plan: str
    ahead: str
    item: str
    held: str
    typed: str
    over: str


@pytest.fixture(scope="module")
def met(line: Line) -> Met:
    """A person without a household, whose plan waits for one sitting, stands in another and was shared in a third."""
    consent = {
        "status": "given", "given_on": "2026-04-01", "method": "written", "agencies": ["welfare-desk", "sample-care"],
    }  # fmt: skip
    receipt = line.hand_in(referral(household=[], household_size=1, consent=consent))
    case = receipt["case_number"]
    _post(line, f"/referrals/{receipt['referral_number']}/reply?revision=1", sample("reply"))
    _post(line, f"/cases/{case}/assessments", sample("assessment", screening="continued", handed_over_to=[]))
    _post(line, f"/cases/{case}/information-requests", sample("information_request"))
    row = {"agency": "sample-care", "part": "週2回の訪問", "frequency": "週2回"}
    made = _post(line, f"/cases/{case}/plans", plan(lead_agency="welfare-desk", allocations=[row]))
    place = f"/plans/{made['id']}"
    _post(line, _now(line, f"{place}/proposal"), {})
    ahead, item = _sitting(line, case, made["number"])
    held, typed = _sitting(line, case, made["number"])
    over, shared = _sitting(line, case, "")
    for sitting in (held, over):
        _post(line, _now(line, f"/meetings/{sitting}/convening"), {})
    said = {
        "presences": [{**who, "state": "present"} for who in (CHAIR, CARE)], "decision": "shared",
        "discussion": "順番を話し合った。", "community_issue": "男性の介護者が集まれる場が少ない。",
        "hands_over_to": "layered-support",
    }  # fmt: skip
    written = line.visitor("tsunagu").put("intake", f"/meetings/{over}/items/{shared}/minutes?revision=0", said)
    assert written.status_code == 200, written.text
    _post(line, _now(line, f"/meetings/{over}/closing"), {})
    return Met(line=line, case=case, plan=made["id"], ahead=ahead, item=item, held=held, typed=typed, over=over)


def _sitting(line: Line, case: str, number: str) -> tuple[str, str]:
    """A sitting today with the case on it; (its id, the item's)."""
    form = sample("meeting", bodies=["layered-support"], held_on=clock.today().isoformat())
    meeting = _post(line, "/meetings", form)["id"]
    about = {**LAYERED, "occasion": "adopt" if number else "sharing", "case_number": case, "plan_number": number}
    item = _post(line, f"/meetings/{meeting}/items", about)["id"]
    for who in (CHAIR, CARE):
        _post(line, f"/meetings/{meeting}/members", {**who, "attends": True})
    return meeting, item


def _post(line: Line, path: str, form: Any) -> Any:
    answer = line.visitor("tsunagu").post("intake", path, form)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def _now(line: Line, path: str) -> str:
    """The path with the revision that stands there."""
    return f"{path}?revision={line.visitor('tsunagu').json('intake', path.rpartition('/')[0])['revision']}"


PAGES = {  # name: who, where, what it says
    "plan, form": ("tsunagu", "/cases/{case}/plans/new?kind=participation", "参加支援"),
    "plan": ("tsunagu", "/plans/{plan}", "本人の合意"),
    "case with a plan": ("tsunagu", "/cases/{case}", "プラン"),
    "sittings": ("tsunagu", "/meetings", "重層的支援会議"),
    "sittings, of who was called": ("kaigo", "/meetings", "重層的支援会議"),
    "sitting, planned": ("tsunagu", "/meetings/{ahead}", "議題"),
    "dry run": ("tsunagu", "/meetings/{ahead}/convening", "招集"),
    "sitting, convened": ("tsunagu", "/meetings/{held}", "議題"),
    "sitting, as called": ("kaigo", "/meetings/{held}", "議題"),
    "minutes, being typed": ("tsunagu", "/meetings/{held}/items/{typed}/minutes", "協議内容"),
    "sitting, closed": ("tsunagu", "/meetings/{over}", "終了"),
    "community issues": ("tsunagu", "/community-issues", "男性の介護者"),
}


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str, met: Met, browser: Browser) -> None:
    """As every page: quiet, nothing found by axe, whole on a telephone, and all of it within the reach of Tab."""
    user, path, says = PAGES[name]
    with open_window(met.line, browser, scripts=True, state=signed_in(met.line, user)) as window:
        assert window.go("intake", path.format(**msgspec.structs.asdict(met))) == 200
        assert says in window.text()
        check_page(window)


def test_minutes_are_typed_and_the_sitting_is_closed(met: Met, window: Window) -> None:
    """Without scripts: save what was said, go on with it, and close; the decision stands at the plan."""
    window.go("intake", f"/meetings/{met.held}/items/{met.typed}/minutes")
    window.sign_in("tsunagu")
    window.fill({"discussion": "役割を確かめた。", "decision": "approved"})
    window.press("保存する")
    assert window.typed()["discussion"] == ["役割を確かめた。"]
    window.go("intake", f"/meetings/{met.held}")
    window.press("開催を終了する")
    assert "終了" in window.text()
    window.go("intake", f"/plans/{met.plan}")
    assert "会議の決定" in window.text()
    window.check_quiet()
