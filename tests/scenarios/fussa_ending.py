"""福生市, the end: support is asked for and answered, the parts are evaluated, a joint sitting ends the plans, the case closes.

F:244 (支援), F:374 (evaluation at the end), F:245 (合同開催), S:461-464 (follow-up after the end).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.data.forms import sample
from tests.data.referrals import without_consent
from tests.scenarios.fussa_meetings import FULL, PLAN, REQUEST
from tests.scenarios.plans import CasePlan
from tests.scenarios.sittings import LAYERED, MINUTES, NOTICE, OWN_ITEM, SUPPORT, Sitting
from tests.scenarios.story import Story

OWN_PART = "own_allocation"
PAPERS = dt.timedelta(days=31)  # after 30 days the members of a 支援会議 read its papers no more


async def told(story: Story, case: str, outreach: CasePlan, plan: CasePlan, address: str) -> None:
    """From the first support to the end of the case."""
    await _support_asked_for(story, case, plan, address)
    await _information_asked_for(story, case)
    await _papers_run_out(story, case)
    evaluation = await _evaluated(story, case, plan)
    await _held_together(story, case, (outreach, plan), evaluation)
    await _handed_on(story)
    await _closed(story, case)


async def _support_asked_for(story: Story, case: str, plan: CasePlan, address: str) -> None:
    """Each agency is asked for its own part alone, and answers for itself."""
    found = await story.gets("jiritsu", REQUEST, OWN_PART, case=case)
    text = await story.opens("jiritsu", found, "支援依頼書-自立相談支援機関")
    story.must("家計の見直し" in text and "居場所" not in text, "支援依頼書には、その機関の役割だけがある")
    story.must(address not in text, "秘匿した住所は、支援依頼書にもない")
    found = await story.gets("shakyo", REQUEST, OWN_PART, case=case)
    text = await story.opens("shakyo", found, "支援依頼書-社会福祉協議会")
    story.must("居場所" in text and "家計の見直し" not in text, "ほかの機関の役割は見えない")
    page = await plan.page("jiritsu")
    story.must(
        [row["agency"] for row in page["parts"]] == ["hardship-support"] and page["form"] is None, "画面でも同じ"
    )
    answer = {"answer": "accepted", "in_charge": "見本　自立", "note": "来週、面談します。"}
    story.refused(await plan.post("shakyo", "allocations/1/answer", answer), 409, "not-asked-to-support")
    story.refused(await plan.post("kaigo", "allocations/1/answer", answer), 404, "not-found")
    (await plan.post("jiritsu", "allocations/1/answer", answer)).made()
    declined = {"answer": "declined"}
    story.refused(await plan.post("shakyo", "allocations/2/answer", declined), 422, "invalid-form")
    (await plan.post("shakyo", "allocations/2/answer", {"answer": "accepted"})).made()
    answers = [row["answer"] for row in (await plan.page())["parts"]]
    story.must(answers == ["accepted", "accepted", ""], "回答がケースに戻る")
    story.step("支援依頼書が、機関ごとに自分の役割だけで届き、回答がケースに戻りました。")


async def _information_asked_for(story: Story, case: str) -> None:
    """One agency is asked what it knows, on the consent; the log of contacts goes on paper."""
    tsunagu, jiritsu, shakyo = await story.who("tsunagu"), await story.who("jiritsu"), await story.who("shakyo")
    due = (story.stack.clock.today() + dt.timedelta(days=14)).isoformat()
    form: dict[str, Any] = {
        "agency": "hardship-support", "wanted": "家計の相談の経過。", "purpose": "モニタリングのため。", "due_on": due,
    }  # fmt: skip
    path = f"/cases/{case}/information-requests"
    unnamed = await tsunagu.post("intake", path, {**form, "agency": "sample-clinic"})
    story.refused(unnamed, 409, "information-without-basis")
    asked = (await tsunagu.post("intake", path, form)).made()
    found = await story.gets("jiritsu", "information_request", FULL, case=case)
    await story.opens("jiritsu", found, "情報提供依頼書")
    reply, address = sample("information_answer"), f"/information-requests/{asked['id']}/answer"
    story.refused(await shakyo.post("intake", address, reply), 404, "not-found")
    story.refused(await tsunagu.post("intake", address, reply), 409, "not-addressee")
    (await jiritsu.post("intake", address, reply)).made()
    day = story.stack.clock.today()
    period = {"since": (day - dt.timedelta(days=365)).isoformat(), "until": day.isoformat()}
    (await tsunagu.post("intake", f"/cases/{case}/contact-logs", period)).made()
    await story.opens("tsunagu", await story.gets("tsunagu", "contact_log", FULL, case=case), "支援経過記録")
    story.step("同意にある機関に情報の提供を依頼し、回答を得ました。支援経過記録を発行しました。")


async def _papers_run_out(story: Story, case: str) -> None:
    """A month after the 支援会議 its members read nothing of it any more."""
    sheet = next(item for item in await story.documents_of("hoken", case) if item["kind"] == PLAN)
    await story.move_to(story.stack.clock.today() + PAPERS)
    await story.closed("hoken", sheet)
    story.must(await story.documents_of("hoken", case) == [], "支援会議の資料は、期限が過ぎると見られない")
    story.step("支援会議から30日が過ぎ、構成員は資料を見られなくなりました。")


async def _evaluated(story: Story, case: str, plan: CasePlan) -> str:
    """What became of it is written down before the sitting; the outcome is a proposal until then."""
    tsunagu, mado = await story.who("tsunagu"), await story.who("mado")
    form = sample("evaluation", plan=plan.number, evaluated_on=story.stack.clock.today().isoformat())
    story.refused(await mado.post("intake", f"/cases/{case}/evaluations", form), 409, "not-allocated")
    made = (await tsunagu.post("intake", f"/cases/{case}/evaluations", form)).made()
    await story.opens("tsunagu", await story.gets("tsunagu", "evaluation_sheet", FULL, case=case), "評価シート")
    story.refused(await plan.step("end"), 409, "meeting-decision-required")
    await plan.must_be("adopted", "評価だけでは、プランは終わらない")
    story.step("評価シートを作りました。終結には、会議の決定が要ります。")
    return str(made["number"])


async def _held_together(story: Story, case: str, plans: tuple[CasePlan, ...], evaluation: str) -> None:
    """Both bodies sit together; each item goes by the rule of the one role it is heard under."""
    mado = await story.who("mado")
    other = (await mado.post("intake", "/referrals", without_consent())).made()["case_number"]
    sitting = await Sitting.planned(story, "tsunagu", LAYERED, SUPPORT)
    papers = [{"number": evaluation}]
    ends = [await sitting.item(LAYERED, case, "end", plan.number, papers=papers) for plan in plans]
    unknown = await sitting.put(LAYERED, other, "sharing", papers=papers)
    story.refused(unknown, 422, "invalid-form")
    shared = await sitting.item(SUPPORT, other, "sharing")
    await sitting.call("tsunagu", "kacho", "hoken", bound=True)
    await sitting.call("jiritsu", "shakyo")
    story.must(
        await sitting.leaves("jiritsu") == {3: "gate-not-chosen"}, "選ばれていない人は、支援会議の議題だけ退席する"
    )
    out = {1: "gate-agency-unnamed", 2: "gate-agency-unnamed"}
    story.must(await sitting.leaves("hoken") == out, "同意にない機関は、重層的支援会議の議題だけ退席する")
    await sitting.convened()
    page = await sitting.page("jiritsu")
    story.must([item["position"] for item in page["items"]] == [1, 2], "出ない議題は、画面にもない")
    text = await story.opens("jiritsu", await story.gets("jiritsu", NOTICE, OWN_ITEM, times=2), "招集通知-合同開催")
    story.must(other not in text, "出ない議題のケースの番号は、通知にない")
    follow: dict[str, Any] = {
        "follow_up": True,
        "follow_up_method": "主担当が三か月ごとに電話する。",
        "lead_agency": "welfare-council",
    }
    for item in ends:
        await sitting.says(item, "ended", consent_checked_on=story.stack.clock.today().isoformat(), **follow)
    await sitting.says(
        shared, "shared", no_consent_reason="本人に、まだ会えていない。", missing_resource="夜に相談できる場所。",
        community_issue="男性の介護者が集まれる場が少ない。", hands_over_to="welfare-liaison",
    )  # fmt: skip
    await _ended_by_it(story, case, other, plans, sitting)


async def _ended_by_it(story: Story, case: str, other: str, plans: tuple[CasePlan, ...], sitting: Sitting) -> None:
    tsunagu = await story.who("tsunagu")
    early = {"reason": "handed_over", "lead_agency": "welfare-council"}
    path = f"/cases/{case}/closure?revision={(await tsunagu.get('intake', f'/cases/{case}')).made()['revision']}"
    story.refused(await tsunagu.post("intake", path, early), 409, "meeting-decision-required")
    story.refused(await sitting.closing("kacho"), 409, "not-body-office")
    await sitting.closed()
    for plan in plans:
        await plan.must_be("ended", "終結の決定で、プランが終わる")
    page = (await tsunagu.get("intake", f"/cases/{case}")).made()
    story.must(
        (page["state"], page["lead"]) == ("followed_up", "welfare-council"), "主担当が見守るフォローアップになる"
    )
    own = await story.gets("jiritsu", MINUTES, OWN_ITEM, case=case, times=4)
    await story.opens("jiritsu", own, "会議録-終結-出席した機関")
    whole = await story.gets("tsunagu", MINUTES, FULL, case=other)
    await story.opens("tsunagu", whole, "会議録-支援会議-合同開催")
    story.must(await story.documents_of("jiritsu", other) == [], "合同でも、出ない議題の文書は届かない")
    story.step("2つの会議を合同で開き、議題ごとの決まりで扱いました。プランは終結し、主担当が見守ります。")


async def _handed_on(story: Story) -> None:
    """What concerns the whole city goes to the body above, without a case."""
    kacho, mado, jiritsu = await story.who("kacho"), await story.who("mado"), await story.who("jiritsu")
    issues = (await kacho.get("intake", "/community-issues")).made()["items"]
    story.must({(row["kind"], row["to_body"]) for row in issues} == {
        ("issue", "welfare-liaison"), ("resource", "welfare-liaison"),
    }, "地域課題と不足する社会資源が、上の会議体に伝わる")  # fmt: skip
    story.must(all("case_number" not in row for row in issues), "伝わるものに、ケースの番号はない")
    path = f"/community-issues/{issues[0]['id']}/reply"
    story.refused(await mado.post("intake", path, {"answer": "承知"}), 404, "not-found")
    story.must((await jiritsu.get("intake", "/community-issues")).made()["items"] == [], "ほかの機関の一覧には出ない")
    (await kacho.post("intake", path, {"answer": "福祉連携会議の次の議題にします。"})).made()
    story.refused(await kacho.post("intake", path, {"answer": "もう一度"}), 409, "already-answered")
    story.step("地域課題と不足する社会資源を、番号も名前もなしに、福祉連携会議へ伝えました。")


async def _closed(story: Story, case: str) -> None:
    """The end: nothing is added any more."""
    tsunagu, jiritsu = await story.who("tsunagu"), await story.who("jiritsu")
    page = (await tsunagu.get("intake", f"/cases/{case}")).made()
    form = {"reason": "handed_over", "note": "居場所で顔を合わせている。", "lead_agency": "welfare-council"}
    path = f"/cases/{case}/closure?revision={page['revision']}"
    story.refused(await jiritsu.post("intake", path, form), 409, "role-missing")
    closed = (await tsunagu.post("intake", path, form)).made()
    story.must(closed["case_state"] == "closed", "フォローアップのあと、ケースが終わる")
    contact = await tsunagu.post("intake", f"/cases/{case}/contacts", sample("contact"))
    story.refused(contact, 409, "case-ended")
    story.step("フォローアップを終えて、ケースを終了しました。終わったケースには、何も加えられません。")
