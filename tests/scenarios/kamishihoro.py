"""上士幌町: noticed at a 地域サロン, heard as urgent in a 支援会議, a place to take part after consent, figures at the end.

K:97 (気づき at a salon), K:103-115 (what the two bodies may hear), K:72-80 (the places), K:129 (推進会議).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.data.forms import sample
from tests.data.referrals import without_consent
from tests.scenarios import kamishihoro_plan
from tests.scenarios.cases import page_of
from tests.scenarios.fussa import consent_of, person_of
from tests.scenarios.sittings import LAYERED, MINUTES, NOTICE, OWN_ITEM, SUPPORT, Sitting
from tests.scenarios.story import Story
from tsunagi_shared import clock

FULL, SUMMARY = "full", "summary"
SHEET, ASSESSMENT = "referral_sheet", "assessment_sheet"
SECRET = "支援会議限り"
NOTICED = "地域サロンで、三週続けて顔を見ない人がいるとの話が出た。窓の明かりもついていない。"
PROVIDER, HOSTS = "multi-agency", "participation"
LENGTH = dt.timedelta(days=60)
NAMED = (PROVIDER, HOSTS, "health-welfare", "welfare-council", "sample-care")


async def tell(story: Story) -> None:
    """The whole story, within one 年度: where that is near its end, in the next one."""
    today = story.stack.clock.today()
    following = dt.date(clock.fiscal_year(today) + 1, 4, 1)
    if following - today < LENGTH:
        await story.stack.clock.to(following)
    story.hire("hoken", "見本　保健", "sample-health", "agency_staff")
    story.hire("doryo", "見本　同子", "sample-health", "agency_staff")
    case, number = await _noticed(story)
    await _looked_after(story, case, number)
    sitting, item = await _heard_at_once(story, case)
    await _minutes(story, case, sitting, item)
    await _agreed(story, case)
    await kamishihoro_plan.told(story, case)


async def _noticed(story: Story) -> tuple[str, str]:
    """People of a salon notice that somebody is missing; the window hands it on before anybody could ask."""
    mado = await story.who("mado")
    form = without_consent(
        destinations=[PROVIDER, "sample-care"], urgency="urgent", client_kind="community", client_name="",
        finding_route="gathering", consultation=NOTICED,
    )  # fmt: skip
    wrong = await mado.post("intake", "/referrals", form)
    story.refused(wrong, 422, "invalid-form")
    story.must(wrong.errors == [("client_name", "required")], "だれの気づきかを、書かなければならない")
    receipt = (await mado.post("intake", "/referrals", {**form, "client_name": "地域サロンの世話人"})).made()
    case, number = str(receipt["case_number"]), str(receipt["referral_number"])
    story.must(receipt["support_meeting_only"], "同意のないケースは支援会議限り")
    found = await story.gets("tsunagu", SHEET, FULL, case=case)
    text = await story.opens("tsunagu", found, "共通様式-地域サロンでの気づき")
    story.must("住民同士の対話" in text and "三週続けて" in text, "どこで気づいたかが、町の担当に届く")
    story.refused(await (await story.who("kaigo")).get("intake", f"/cases/{case}"), 404, "not-found")
    story.must(await story.documents_of("kaigo", case) == [], "同意がないので、つなぎ先には何も届かない")
    story.step("地域サロンでの気づきを、地域包括支援センターが至急のケースとしてつなぎました。")
    return case, number


async def _looked_after(story: Story, case: str, number: str) -> None:
    """多機関協働 takes it up and goes there, before there is consent."""
    mado, tsunagu, homon = await story.who("mado"), await story.who("tsunagu"), await story.who("homon")
    reply = sample("reply", lead_agency=PROVIDER)
    path = f"/referrals/{number}/reply?revision=1"
    story.refused(await mado.post("intake", path, reply), 409, "not-asked-to-reply")
    (await tsunagu.post("intake", path, reply)).made()
    intake = sample("assessment", stage="intake", screening="consent_pending", handed_over_to=[])
    story.must(
        (await tsunagu.post("intake", f"/cases/{case}/assessments", intake)).made()["case_state"] == "outreach",
        "同意に向けて続けるケースはアウトリーチ",
    )
    contact = sample(
        "contact", at=story.stack.clock.today().isoformat(), outreach_actions=["consulted", "joint_visit"],
        companions=["health_nurse"], contact_state="none",
    )  # fmt: skip
    story.refused(await homon.post("intake", f"/cases/{case}/contacts", contact), 404, "not-found")
    (await tsunagu.post("intake", f"/cases/{case}/contacts", contact)).made()
    (line,) = (await tsunagu.get("intake", "/outreach")).made()["items"]
    story.must((line["case_number"], line["accompanied"]) == (case, 1), "関わりが、アウトリーチの一覧に出る")
    story.must((await homon.get("intake", "/outreach")).made()["items"] == [], "見られない人の一覧には出ない")
    story.step("多機関協働が受理し、保健師と訪ねました。まだ会えていないことが、アウトリーチの一覧に出ました。")


async def _heard_at_once(story: Story, case: str) -> tuple[Sitting, str]:
    """緊急性がある事案: the 支援会議 hears it the same day; the other body may not."""
    both = await Sitting.attempt(story, "kacho", ["support-meeting", "promotion"])
    story.refused(both, 409, "joint-not-used")
    layered = await Sitting.planned(story, "tsunagu", LAYERED)
    tried = await layered.item(LAYERED, case, "sharing")
    await layered.call("tsunagu")
    story.refused(await layered.convening(), 409, "gate-consent-missing", saying="支援会議で扱えます")
    (await layered.post(f"items/{tried}/withdrawal")).made()
    sitting = await Sitting.planned(story, "kacho", SUPPORT, extra=True)
    item = await sitting.item(SUPPORT, case, "sharing")
    await sitting.call("kacho", "tsunagu", "hoken", bound=True)
    await sitting.call("shakyo")
    story.must(await sitting.leaves("shakyo") == {1: "gate-not-chosen"}, "選ばれていない人は退席する")
    await sitting.convened()
    notice = await story.opens("hoken", await story.gets("hoken", NOTICE, OWN_ITEM), "招集通知-緊急の支援会議")
    story.must(case in notice and "見本　太郎" not in notice, "招集通知は番号だけで、名前はない")
    story.step("同意がないため重層的支援会議では扱えず、その日のうちに支援会議を臨時に開きました。")
    sheet = await story.gets("hoken", SHEET, FULL, case=case)
    story.must(SECRET in await story.opens("hoken", sheet), "資料には、支援会議限りと書かれる")
    await story.closed("doryo", sheet)
    await story.closed("shakyo", sheet)
    story.step("資料を開けたのは、選ばれて守秘義務を告げられた人だけでした。同じ機関の同僚にも開けません。")
    return sitting, item


async def _minutes(story: Story, case: str, sitting: Sitting, item: str) -> None:
    about: dict[str, Any] = {
        "no_consent_reason": "訪ねても会えず、安否も分からない。",
        "information_sources": "地域サロンの世話人、保健師の訪問の記録。",
        "watch": "朝と夕方に、窓の明かりを見る。",
        "support_policy": "会えるまで、保健師と毎日訪ねる。",
        "emergency": "応答がないときは、その日のうちに親族と警察に連絡する。",
        "consent_outlook": "会えたその日に、説明する。", "papers_returned": True,
    }  # fmt: skip
    story.refused(await sitting.writes(item, about, "hoken"), 409, "not-body-office")
    await sitting.says(item, "shared", **about)
    story.refused(await sitting.closing("tsunagu"), 409, "not-body-office")
    await sitting.closed()
    text = await story.opens("kacho", await story.gets("kacho", MINUTES, FULL, case=case), "会議録-緊急の支援会議")
    story.must(SECRET in text and "親族と警察" in text, "緊急のときの対応が、会議録に残る")
    own = await story.gets("hoken", MINUTES, OWN_ITEM, case=case)
    await story.opens("hoken", own, "会議録-緊急の支援会議-構成員")
    await story.closed("doryo", own)
    story.step("支援会議で、見守りと緊急のときの対応を決めました。会議録は構成員だけが見られます。")


async def _agreed(story: Story, case: str) -> None:
    """The person is met, and agrees."""
    await story.move_to(story.stack.clock.today() + dt.timedelta(days=3))
    tsunagu = await story.who("tsunagu")
    today = story.stack.clock.today().isoformat()
    met = sample("contact", at=today, outreach_actions=[], companions=["health_nurse"], contact_state="person")
    (await tsunagu.post("intake", f"/cases/{case}/contacts", met)).made()
    person = await person_of(story, case)
    form = consent_of(person, list(NAMED), given_on=today, explained_on=today)
    story.refused(await (await story.who("shakyo")).post("intake", f"/cases/{case}/consents", form), 404, "not-found")
    (await tsunagu.post("intake", f"/cases/{case}/consents", form)).made()
    found = await story.awaits("kaigo", case, (SHEET, SUMMARY), (ASSESSMENT, SUMMARY))
    text = await story.opens("kaigo", found[SHEET, SUMMARY], "共通様式-概要-同意のあと")
    story.must(SECRET not in text and "世話人" not in text, "同意のあとの概要に、だれの気づきかは書かれない")
    assessment = sample("assessment", screening="continued", handed_over_to=[])
    (await tsunagu.post("intake", f"/cases/{case}/assessments", assessment)).made()
    story.must((await page_of(story, "tsunagu", case))["state"] == "assessed", "同意とアセスメントがそろう")
    story.step("3日目に本人に会え、同意を得ました。つなぎ先に概要が届き、だれの気づきかは書かれていません。")
