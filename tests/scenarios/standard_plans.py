"""The national frame, the plans: the four occasions that need a meeting, 包括 again, and an end without consent.

S:444-468 (策定・再プラン・終結・中断), S:393 (back to 包括的相談支援), S:427 (the provider is a contractor).
"""

from __future__ import annotations

from typing import Any

from tests.data.forms import sample
from tests.scenarios.cases import page_of, taken_up
from tests.scenarios.plans import CasePlan, part
from tests.scenarios.sittings import LAYERED, MINUTES, OWN_ITEM, SUPPORT, Sitting, decided
from tests.scenarios.story import Story

FULL = "full"
PROVIDER, HOSTS, SECTION = "multi-agency-center", "participation-center", "welfare-section"
NAMED = (PROVIDER, HOSTS, SECTION)
NO_DECISION = 409, "meeting-decision-required"
MEMBERS = ("kacho", "tsugi")
ROWS = (part(PROVIDER, "全体の調整。"), part(HOSTS, "居場所へのお誘い。"))


async def told(story: Story) -> None:
    """From a first plan to the end of one whose person took the consent back."""
    await _four_occasions(story)
    await _back_to_the_windows(story)
    await _consent_taken_back(story)


async def _case(story: Story) -> str:
    return await taken_up(story, "mado", "tsunagu", (HOSTS, "school"), NAMED)


async def _four_occasions(story: Story) -> None:
    """Each is refused while no decision of a meeting is on record, and carried out with it."""
    case = await _case(story)
    plan = await _adopted(story, case)
    again = await _replanned(story, case, plan)
    await _suspended_and_ended(story, case, again)


async def _adopted(story: Story, case: str) -> CasePlan:
    """策定."""
    plan = await CasePlan.drawn_up(story, "tsunagu", case, "multi_agency", *ROWS)
    (await plan.agree()).made()
    (await plan.decided_by_municipality()).made()
    story.refused(await plan.step("adopt"), *NO_DECISION)
    await decided(story, "tsunagu", case, "adopt", plan.number, *MEMBERS, decision="continued")
    story.refused(await plan.step("adopt"), *NO_DECISION)
    await plan.must_be("proposed", "継続の決定では、策定にならない")
    back = {"decision": "returned", "decision_note": "本人の目標を、本人の言葉で書き直す。"}
    await decided(story, "tsunagu", case, "adopt", plan.number, *MEMBERS, **back)
    await plan.must_be("draft", "差戻しの決定で、作成中に戻る")
    (await plan.post("tsunagu", "proposal")).made()
    await decided(story, "tsunagu", case, "adopt", plan.number, *MEMBERS)
    await plan.must_be("proposed", "書き直したプランには、本人の合意と支援決定がまた要る")
    (await plan.agree()).made()
    (await plan.decided_by_municipality()).made()
    await plan.must_be("adopted", "決定があれば策定になる")
    await story.opens("tsunagu", await plan.sheet(), "プラン-策定")
    await story.opens(
        "tsugi", await story.gets("tsugi", MINUTES, OWN_ITEM, case=case, times=3), "会議録-策定-出席した機関"
    )
    story.step("策定は、会議の決定がなければ断られ、決定があると行われました。差し戻されたプランは作り直しました。")
    return plan


async def _replanned(story: Story, case: str, plan: CasePlan) -> CasePlan:
    """再プラン."""
    changed: dict[str, Any] = {
        "change": "長男が、週に一度外へ出るようになった。", "review": "居場所に通えている。",
        "changes_made": "仕事の体験を加える。",
    }  # fmt: skip
    unknown = await CasePlan.attempt(story, "tsunagu", case, "multi_agency", *ROWS, previous="P2020-00001", **changed)
    story.refused(unknown, 409, "replan-of-nothing")
    story.refused(await CasePlan.attempt(story, "tsunagu", case, "multi_agency", *ROWS), 409, "plan-already-open")
    again = await CasePlan.drawn_up(story, "tsunagu", case, "multi_agency", *ROWS, previous=plan.number, **changed)
    (await again.agree()).made()
    (await again.decided_by_municipality()).made()
    story.refused(await again.step("replan"), *NO_DECISION)
    await plan.must_be("adopted", "決定までは、前のプランが続く")
    await decided(story, "tsunagu", case, "replan", again.number, *MEMBERS)
    await again.must_be("adopted", "決定があれば再プランになる")
    await plan.must_be("superseded", "前のプランは、再プランに替わる")
    await story.opens("tsunagu", await again.sheet(), "プラン-再プラン")
    story.step("再プランは、会議の決定がなければ断られ、決定があると前のプランに替わりました。")
    return again


async def _suspended_and_ended(story: Story, case: str, plan: CasePlan) -> None:
    """中断, and then 終結."""
    story.refused(await plan.step("suspend"), *NO_DECISION)
    await decided(story, "tsunagu", case, "suspend", plan.number, *MEMBERS)
    await plan.must_be("suspended", "決定があれば中断になる")
    story.step("中断は、会議の決定がなければ断られ、決定があると行われました。")
    story.refused(await plan.step("end"), *NO_DECISION)
    follow: dict[str, Any] = {
        "follow_up": True,
        "follow_up_method": "主担当が、月に一度電話する。",
        "lead_agency": PROVIDER,
    }
    await decided(story, "tsunagu", case, "end", plan.number, *MEMBERS, **follow)
    await plan.must_be("ended", "決定があれば終結になる")
    page = await page_of(story, "tsunagu", case)
    story.must((page["state"], page["lead"]) == ("followed_up", PROVIDER), "終結のあとは、主担当が見守る")
    story.refused(await plan.step("end"), 409, "plan-step")
    story.step("終結は、会議の決定がなければ断られ、決定があると行われました。")


async def _back_to_the_windows(story: Story) -> None:
    """包括的相談支援へ戻す: the windows go on as the ones in charge."""
    case = await _case(story)
    plan = await CasePlan.drawn_up(story, "tsunagu", case, "multi_agency", *ROWS)
    note = {"decision_note": "地域包括支援センターが、引き続き主担当となる。"}
    await decided(
        story, "tsunagu", case, "adopt", plan.number, *MEMBERS, decision="to_comprehensive",
        lead_agency="elderly-center", **note,
    )  # fmt: skip
    await plan.must_be("dropped", "包括へ戻したプランは、取りやめになる")
    page = await page_of(story, "tsunagu", case)
    story.must(
        (page["state"], page["lead"]) == ("returned", "elderly-center"), "窓口が主担当になり、ケースは包括へ戻る"
    )
    contact = await (await story.who("tsunagu")).post("intake", f"/cases/{case}/contacts", sample("contact"))
    story.refused(contact, 409, "case-ended")
    story.step("会議の決定で、プランを包括的相談支援へ戻しました。主担当は窓口の機関になりました。")


async def _consent_taken_back(story: Story) -> None:
    """The person no longer agrees. The plan ends all the same: by numbers and a reason, before few."""
    case = await _case(story)
    plan = await CasePlan.drawn_up(story, "tsunagu", case, "multi_agency", *ROWS)
    (await plan.agree()).made()
    (await plan.decided_by_municipality()).made()
    await decided(story, "tsunagu", case, "adopt", plan.number, *MEMBERS)
    await plan.must_be("adopted", "同意がある間に策定した")
    own = await story.gets("tsugi", "support_request", "own_allocation", case=case)
    await story.opens("tsugi", own, "支援依頼書")
    consent = (await page_of(story, "mado", case))["people"][0]["consents"][0]
    form = sample("consent_withdrawal", agencies=[], whole=True, withdrawn_on=story.stack.clock.today().isoformat())
    path = f"/consents/{consent['id']}/withdrawal?revision={consent['revision']}"
    (await (await story.who("mado")).post("intake", path, form)).made()
    await story.closed("tsugi", own)
    story.step("本人が同意を撤回しました。支援依頼書は、すぐに閉じました。")
    await _ended_by_numbers(story, case, plan)


async def _ended_by_numbers(story: Story, case: str, plan: CasePlan) -> None:
    sitting = await Sitting.planned(story, "tsunagu", LAYERED)
    ordinary = await sitting.item(LAYERED, case, "end", plan.number)
    await sitting.call("tsunagu", *MEMBERS)
    story.refused(await sitting.convening(), 409, "gate-consent-missing", saying="支援会議で扱えます")
    (await sitting.post(f"items/{ordinary}/withdrawal")).made()
    adopt = await sitting.put(LAYERED, case, "adopt", plan.number, minimal_reason="withdrawn")
    story.refused(adopt, 422, "invalid-form")
    noted = await sitting.put(LAYERED, case, "end", plan.number, minimal_reason="withdrawn", note="本人の事情")
    story.refused(noted, 422, "invalid-form")
    closed = await Sitting.planned(story, "kacho", SUPPORT)
    other = await closed.put(SUPPORT, case, "end", plan.number, minimal_reason="withdrawn")
    story.refused(other, 409, "gate-minimal-purpose")
    item = await sitting.item(LAYERED, case, "end", plan.number, minimal_reason="withdrawn")
    (position,) = (one["position"] for one in (await sitting.page())["items"] if one["id"] == item)
    story.must(await sitting.leaves("tsugi") == {position: "gate-minimal-present"}, "ほかの機関は退席する")
    await sitting.convened()
    everybody = [
        {"agency": agency, "name": name, "title": "係長", "state": "present"}
        for agency, name in (story.staff[user] for user in sitting.members)
    ]
    await sitting.says(item, "ended", discussion="", presences=everybody)
    story.refused(await sitting.closing(), 409, "gate-minimal-present")
    left = [{**row, "state": "left"} if row["agency"] == HOSTS else row for row in everybody]
    await sitting.says(item, "ended", discussion="", presences=left)
    await sitting.closed()
    page = await plan.page("kacho")
    story.must((page["state"], page["end_code"]) == ("ended", "withdrawn"), "プランは、撤回を理由に終結する")
    minutes = await story.gets("tsunagu", MINUTES, FULL, case=case, times=2)
    text = await story.opens("tsunagu", minutes, "会議録-番号と理由のみ")
    story.must("見本　太郎" not in text and case in text, "番号と理由だけで、本人のことは書かれない")
    story.step("同意のない終結を、番号と理由だけの議題として決めました。出られたのは、多機関協働事業者と市だけです。")
