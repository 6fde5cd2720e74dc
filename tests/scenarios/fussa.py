"""福生市: from a window without consent, through outreach, to consent and back; protection set late; a referral gone wrong;
then, in `fussa_meetings` and `fussa_ending`, what the meetings decide, to the end of the case.

Flow: F:182,219 (窓口 → 推進員 → コーディネーター), F:274 (before consent), K:103-115 and S:419-421 (what consent opens).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.data.forms import sample
from tests.data.referrals import referral
from tests.scenarios import fussa_ending, fussa_meetings
from tests.scenarios.story import WITHHELD, Story

FULL, SUMMARY = "full", "summary"
SHEET, ASSESSMENT = "referral_sheet", "assessment_sheet"
ADDRESS = "見本県見本市見本町0-0-0"
PHONE = "042-000-0001"


async def tell(story: Story) -> None:
    """The whole story."""
    story.hire("suishin", "見本　推子", "disability", "promoter")
    story.hire("hoiku", "見本　保", "sample-nursery", "agency_staff")
    case, number = await _without_consent(story)
    await _taken_up(story, case, number)
    outreach = await fussa_meetings.before_consent(story, case)
    consent = await _consent_given(story, case)
    await _assessed(story, case)
    await _partly_withdrawn(story, case, consent)
    await _protected(story, case)
    await _recalled(story)
    await _looked_over(story, case)
    await _bus_cut(story, case)
    plan = await fussa_meetings.adopted(story, case, outreach)
    await fussa_ending.told(story, case, outreach, plan, ADDRESS)


async def _without_consent(story: Story) -> tuple[str, str]:
    """窓口: the person was not asked yet, so that nothing leaves the circle bound by the duty of secrecy."""
    mado, kaigo = await story.who("mado"), await story.who("kaigo")
    wrong = referral(consent={"status": "not_asked", "agencies": ["sample-care"]}, destinations=["nobody"])
    answer = await mado.post("intake", "/referrals", wrong)
    story.refused(answer, 422, "invalid-form")
    story.must(
        [path for path, _ in answer.errors] == ["destinations.0", "consent.agencies"], "間違いはすべて一度に示される"
    )
    receipt = (await mado.post("intake", "/referrals", referral(consent={"status": "not_asked"}))).made()
    case = receipt["case_number"]
    story.must(receipt["support_meeting_only"], "同意のないケースは支援会議限り")
    story.must(
        {row["code"] for row in receipt["withheld"]} == {"consent-missing"}, "つなぎ先に何も届けない理由が示される"
    )
    found = await story.awaits("tsunagu", case, (SHEET, FULL), (ASSESSMENT, FULL))
    await story.opens("tsunagu", found[SHEET, FULL], "つなぎシート")
    await story.opens("tsunagu", found[ASSESSMENT, FULL], "アセスメントシート-下書き")
    story.refused(await kaigo.get("intake", f"/cases/{case}"), 404, "not-found")
    story.must(await story.documents_of("kaigo", case) == [], "つなぎ先には何も見えない")
    story.step("窓口が、本人にまだ聞いていないケースをつなぎました。つなぎ先には何も届いていません。")
    return case, receipt["referral_number"]


async def _taken_up(story: Story, case: str, number: str) -> None:
    """推進員 → コーディネーター, and outreach before consent."""
    mado, tsunagu, kaigo = await story.who("mado"), await story.who("tsunagu"), await story.who("kaigo")
    suishin = await story.who("suishin")
    (await suishin.post("intake", f"/cases/{case}/contacts", sample("contact"))).made()
    story.step("断らない相談窓口推進員が、窓口の中で調整したことを記録しました。")
    reply = sample("reply")
    story.refused(await kaigo.post("intake", f"/referrals/{number}/reply?revision=1", reply), 404, "not-found")
    story.refused(await mado.post("intake", f"/referrals/{number}/reply?revision=1", reply), 409, "not-asked-to-reply")
    answered = (await tsunagu.post("intake", f"/referrals/{number}/reply?revision=1", reply)).made()
    story.must(answered["case_state"] == "screened", "受理でスクリーニング済みになる")
    story.refused(await tsunagu.post("intake", f"/referrals/{number}/reply?revision=1", reply), 409, "already-answered")
    await story.opens("mado", await story.gets("mado", "referral_reply", FULL, case=case), "つなぎ回答")
    story.step("地域福祉コーディネーターが受理しました。つなぎ先と窓口は、代わりに回答できません。")
    intake = sample("assessment", stage="intake", screening="consent_pending", handed_over_to=[])
    screened = (await tsunagu.post("intake", f"/cases/{case}/assessments", intake)).made()
    story.must(screened["case_state"] == "outreach", "同意に向けて続けるケースはアウトリーチ")
    (await tsunagu.post("intake", f"/cases/{case}/contacts", sample("contact"))).made()
    story.step("同意の前のアウトリーチとして関わり始めました。")


async def _consent_given(story: Story, case: str) -> str:
    """The person agrees: what was closed opens, for those who are named."""
    tsunagu = await story.who("tsunagu")
    person = await person_of(story, case)
    form = consent_of(person, ["sample-care", "hardship-support"])
    elsewhere = consent_of("018f0000-0000-7000-8000-000000000001.0", ["sample-care"])
    story.refused(await tsunagu.post("intake", f"/cases/{case}/consents", elsewhere), 422, "invalid-form")
    given = (await tsunagu.post("intake", f"/cases/{case}/consents", form)).made()
    found = await story.awaits("kaigo", case, (SHEET, SUMMARY), (ASSESSMENT, SUMMARY))
    text = await story.opens("kaigo", found[SHEET, SUMMARY], "つなぎシート概要-同意のあと")
    story.must("支援会議限り" not in text, "同意のあとの文書に、支援会議限りとは書かれない")
    story.must("見本　一郎" not in text, "同意していない世帯員は見えない")
    await story.awaits("jiritsu", case, (SHEET, SUMMARY), (ASSESSMENT, SUMMARY))
    paper = await story.gets("tsunagu", "consent_form", FULL, case=case)
    await story.opens("tsunagu", paper, "個人情報共有同意書")
    nobody = await story.documents_of("hoiku", case)
    story.must(nobody == [], "同意に名のない機関には何も見えない")
    story.step("本人の同意を記録しました。名のある2つの機関にだけ、概要が届きました。")
    return str(given["id"])


async def _assessed(story: Story, case: str) -> None:
    """多機関協働 accepts and assesses; the plan itself needs a meeting."""
    tsunagu, mado = await story.who("tsunagu"), await story.who("mado")
    form = sample("assessment", screening="continued", handed_over_to=[])
    story.refused(await mado.post("intake", f"/cases/{case}/assessments", form), 409, "not-allocated")
    made = (await tsunagu.post("intake", f"/cases/{case}/assessments", form)).made()
    story.must(made["case_state"] == "assessed", "同意とアセスメントがそろうとアセスメント済み")
    whole = await story.gets("tsunagu", ASSESSMENT, FULL, case=case, number=made["number"])
    await story.opens("tsunagu", whole, "アセスメントシート")
    summary = await story.gets("kaigo", ASSESSMENT, SUMMARY, case=case, number=made["number"])
    await story.opens("kaigo", summary, "アセスメントシート概要")
    story.step("同意を得て、アセスメントをまとめました。")


async def _partly_withdrawn(story: Story, case: str, consent: str) -> None:
    """The person no longer wants one of the agencies."""
    mado, kaigo, jiritsu = await story.who("mado"), await story.who("kaigo"), await story.who("jiritsu")
    sheet = next(item for item in await story.documents_of("kaigo", case) if item["kind"] == SHEET)
    form = sample("consent_withdrawal", agencies=["sample-care"], withdrawn_on=story.stack.clock.today().isoformat())
    path = f"/consents/{consent}/withdrawal"
    story.refused(await kaigo.post("intake", f"{path}?revision=1", form), 409, "full-view-needed")
    story.refused(await mado.post("intake", f"{path}?revision=7", form), 409, "changed-meanwhile")
    (await mado.post("intake", f"{path}?revision=1", form)).made()
    await story.closed("kaigo", sheet)
    story.refused(await kaigo.get("intake", f"/cases/{case}"), 404, "not-found")
    story.must(await story.documents_of("jiritsu", case), "ほかの機関は、そのまま見られる")
    (await jiritsu.get("intake", f"/cases/{case}")).expect(200)
    story.step("本人が一つの機関への同意を取りやめました。その機関の文書はすぐに閉じ、ほかは続いています。")


async def _protected(story: Story, case: str) -> None:
    """Protection comes after the papers were delivered."""
    tsunagu, jiritsu, kacho = await story.who("tsunagu"), await story.who("jiritsu"), await story.who("kacho")
    before = next(item for item in await story.documents_of("jiritsu", case) if item["kind"] == SHEET)
    story.must(ADDRESS in await story.opens("jiritsu", before), "秘匿の前は住所が書かれている")
    form = sample(
        "protection", person=await person_of(story, case), fields=["address", "phone"], cleared=["welfare-desk"]
    )
    form |= {"since": story.stack.clock.today().isoformat()}
    form.pop("until", None)
    revision = await revision_of(story, case)
    story.refused(
        await jiritsu.post("intake", f"/cases/{case}/protections?revision={revision}", form), 409, "full-view-needed"
    )
    (await tsunagu.post("intake", f"/cases/{case}/protections?revision={revision}", form)).made()
    await story.closed("jiritsu", before)
    found = await story.awaits("jiritsu", case, (SHEET, SUMMARY), *[(ASSESSMENT, SUMMARY)] * 2)
    text = await story.opens("jiritsu", found[SHEET, SUMMARY], "つなぎシート概要-秘匿のあと")
    story.must(ADDRESS not in text and PHONE not in text and WITHHELD in text, "秘匿のあとの文書に住所と電話はない")
    own = next(item for item in await story.documents_of("tsunagu", case) if item["kind"] == SHEET)
    story.must(ADDRESS in await story.opens("tsunagu", own), "知ってよいとされた機関には見える")
    opened = (await kacho.get("intake", f"/cases/{case}/openings")).made()
    story.must("hardship-support" in str(opened), "だれが開いていたかがわかる")
    story.step("文書が届いたあとで住所の秘匿を設定しました。古い文書は閉じ、住所のない文書に替わりました。")


async def _recalled(story: Story) -> None:
    """誤送付: a referral went to the wrong agency, with the person's consent wrongly recorded."""
    mado, hoiku, kacho = await story.who("mado"), await story.who("hoiku"), await story.who("kacho")
    consent = {**referral()["consent"], "agencies": ["sample-nursery"]}
    receipt = (
        await mado.post("intake", "/referrals", referral(destinations=["sample-nursery"], consent=consent))
    ).made()
    case, number = receipt["case_number"], receipt["referral_number"]
    found = await story.awaits("hoiku", case, (SHEET, SUMMARY))
    await story.opens("hoiku", found[SHEET, SUMMARY])
    form = sample("withdrawal", kind="misdirected", sent_to_wrong=["sample-nursery"])
    form |= {"noticed_on": story.stack.clock.today().isoformat()}
    path = f"/referrals/{number}/withdrawal?revision=1"
    story.refused(await hoiku.post("intake", path, form), 409, "not-writer")
    (await mado.post("intake", path, form)).made()
    await story.closed("hoiku", found[SHEET, SUMMARY])
    story.refused(await mado.post("intake", path, form), 409, "record-withdrawn")
    # Who opened it is told by documents and may arrive a moment later
    await kacho.until(
        "intake",
        f"/referrals/{number}/leak-note",
        lambda note: ("sample-nursery", "見本　保") in {(line["agency"], line["opened_by"]) for line in note["lines"]},
        seconds=10,
    )
    story.step("誤って送ったつなぎを取り戻しました。相手の文書は閉じ、所管課に漏えい等の記録ができました。")


async def _looked_over(story: Story, case: str) -> None:
    """The auditor sees every refusal; the others do not see the audit."""
    kansa, mado = await story.who("kansa"), await story.who("mado")
    story.refused(await mado.get("intake", "/audit"), 403, "forbidden")
    found = (await kansa.get("intake", f"/audit?case={case}&outcome=refused&limit=200")).made()["items"]
    story.must({"not-asked-to-reply", "full-view-needed"} <= {row["basis"] for row in found}, "断りが記録されている")
    for user in ("kaigo", "jiritsu"):
        opened = (await kansa.get("documents", f"/audit?action=document.open&user={user}&outcome=done&limit=1")).made()[
            "items"
        ]
        story.must(bool(opened), "だれが開いたかが記録されている")
    story.step("監査の担当者が、閲覧・操作・断りの記録を確かめました。")


async def _bus_cut(story: Story, case: str) -> None:
    """The hub is away for longer than the city lets a known consent stand: what rests on consent closes, and opens again."""
    sheet = next(item for item in await story.documents_of("jiritsu", case) if item["kind"] == SHEET)
    base = f"/documents/{sheet['id']}/versions/{sheet['version']}/docx"
    own = next(item for item in await story.documents_of("mado", case) if item["kind"] == SHEET)
    await story.stack.nats.stop()
    await story.stack.clock.forward(dt.timedelta(hours=25))
    await story.sign_in_again()
    jiritsu, mado = await story.who("jiritsu"), await story.who("mado")
    story.refused(await jiritsu.get("documents", base), 503, "consent-unknown")
    (await mado.get("documents", f"/documents/{own['id']}/versions/{own['version']}/docx")).expect(200)
    (await jiritsu.get("documents", f"{base}?reason=本人が倒れ、連絡先を確かめる必要がある")).expect(200)
    await story.stack.nats.start()
    await jiritsu.until_answer("documents", base, 200, seconds=90)
    story.step(
        "25時間ハブが止まり、同意の状態を確かめられない文書は閉じました。理由を書けば開け、ハブが戻ると元に戻りました。"
    )


async def person_of(story: Story, case: str, relationship: str = "") -> str:
    """The id of a person of the case: 本人, or the household member with that relationship."""
    page = (await (await story.who("tsunagu")).get("intake", f"/cases/{case}")).made()
    for person in page["people"]:
        if person["relationship"] == (relationship or page["people"][0]["relationship"]):
            return str(person["id"])
    raise LookupError(relationship)


async def revision_of(story: Story, case: str) -> int:
    """The revision that a write to the case is made on."""
    return int((await (await story.who("tsunagu")).get("intake", f"/cases/{case}")).made()["revision"])


def consent_of(person: str, agencies: list[str], **changes: Any) -> dict[str, Any]:
    """A consent given today or before, open-ended, to these agencies."""
    return sample("consent", person=person, agencies=agencies, excluded_agencies=[], until=None, **changes)
