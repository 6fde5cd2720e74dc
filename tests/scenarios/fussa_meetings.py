"""福生市, the meetings: 支援会議 before there is consent, 重層的支援会議 after it, and the support that comes of it.

F:248 (支援会議 without consent, members bound to secrecy), F:249・260 (重層的支援会議 with consent alone), F:265-278 (outreach).
"""

from __future__ import annotations

from typing import Any

from tests.data.forms import sample
from tests.scenarios.plans import CasePlan, part
from tests.scenarios.sittings import LAYERED, MINUTES, NOTICE, OWN_ITEM, SUPPORT, Sitting
from tests.scenarios.story import Story

FULL = "full"
PLAN, REQUEST = "plan", "support_request"
NOT_ASKED = "本人には、まだ会えていない。"
SECRET = "支援会議限り"


async def before_consent(story: Story, case: str) -> CasePlan:
    """The person cannot be asked yet: the plan of outreach is confirmed in a 支援会議, and may be carried out."""
    story.hire("hoken", "見本　保健", "health", "agency_staff")
    story.hire("doryo", "見本　同子", "health", "agency_staff")
    story.hire("shakyo", "見本　社協", "welfare-council", "coordinator")
    plan = await _outreach_drawn_up(story, case)
    await _not_in_a_layered_sitting(story, case, plan)
    await _only_where_cases_are_heard(story, case)
    sitting, item = await _chosen_and_told(story, case, plan)
    await _read_by_person(story, case)
    await _confirmed(story, case, plan, sitting, item)
    return plan


async def _outreach_drawn_up(story: Story, case: str) -> CasePlan:
    own = part("welfare-desk", "手紙と訪問で、本人と家族に関わる。")
    story.refused(await CasePlan.attempt(story, "mado", case, "outreach", own), 409, "not-plan-owner")
    story.refused(await CasePlan.attempt(story, "kaigo", case, "outreach", own), 404, "not-found")
    plan = await CasePlan.drawn_up(story, "tsunagu", case, "outreach", own, proposed=False)
    story.refused(await plan.step("adopt"), 409, "plan-step")
    (await plan.post("tsunagu", "proposal")).made()
    story.refused(await plan.step("adopt"), 409, "plan-consent-missing")
    story.step("同意の前のアウトリーチのプランを作り、付議しました。同意がないので、策定はできません。")
    return plan


async def _not_in_a_layered_sitting(story: Story, case: str, plan: CasePlan) -> None:
    """重層的支援会議 does not hear it, and says what is possible instead."""
    layered = await Sitting.planned(story, "tsunagu", LAYERED)
    story.refused(await layered.convening(), 409, "nothing-on-agenda")
    item = await layered.item(LAYERED, case, "adopt", plan.number)
    await layered.call("tsunagu")
    story.refused(await layered.convening(), 409, "gate-consent-missing", saying="支援会議で扱えます")
    story.refused(await layered.closing(), 409, "not-convened")
    (await layered.post(f"items/{item}/withdrawal")).made()
    story.refused(await layered.post(f"items/{item}/withdrawal"), 409, "item-not-open")
    (await layered.post(f"cancellation?revision={(await layered.page())['revision']}")).made()
    story.refused(await layered.put(LAYERED, case, "adopt", plan.number), 409, "sitting-cancelled")
    story.step("同意がないため、重層的支援会議には付議できません。支援会議で扱えることが示されます。")


async def _only_where_cases_are_heard(story: Story, case: str) -> None:
    """福祉連携会議 hears no cases; an item is heard under a role that its body has, and in a sitting of that body."""
    liaison = Sitting(story, "kacho", (await Sitting.attempt(story, "kacho", ["welfare-liaison"])).made()["id"], "")
    wrong = {"body": "welfare-liaison"}
    story.refused(await liaison.put("internal_liaison", case, "sharing", **wrong), 409, "gate-body-cases")
    story.refused(await liaison.put(LAYERED, case, "sharing", **wrong), 409, "gate-body-role")
    story.refused(await liaison.put(SUPPORT, case, "sharing"), 422, "invalid-form")
    story.refused(await Sitting.attempt(story, "suishin", ["support-meeting"]), 409, "not-body-office")
    story.step("個別のケースを扱わない会議体や、ほかの位置付けでは扱えません。会議体の事務局だけが開催を作れます。")


async def _chosen_and_told(story: Story, case: str, plan: CasePlan) -> tuple[Sitting, str]:
    """Whoever is present was chosen for the item, and told of the duty of secrecy."""
    sitting = await Sitting.planned(story, "tsunagu", SUPPORT)
    item = await sitting.item(SUPPORT, case, "adopt", plan.number)
    await sitting.call("tsunagu", "kacho", bound=True)
    await sitting.call("hoken")
    story.must(await sitting.leaves("hoken") == {1: "gate-not-chosen"}, "選ばれていない人は、議題の間だけ退席する")
    await sitting.choose(item, "hoken")
    story.refused(await sitting.convening(), 409, "gate-not-told")
    await sitting.tell("hoken")
    agency, name = story.staff["hoken"]
    hoken = await story.who("hoken")
    today = story.stack.clock.today().isoformat()
    (await hoken.post("intake", "/pledges", sample("pledge", agency=agency, name=name, given_on=today))).made()
    await story.opens("hoken", await story.gets("hoken", "pledge", FULL), "守秘義務誓約書")
    story.refused(await sitting.convening("mado"), 404, "not-found")
    await sitting.convened()
    notice = await story.gets("hoken", NOTICE, OWN_ITEM)
    text = await story.opens("hoken", notice, "招集通知-支援会議-保健センター")
    story.must(case in text and "見本　太郎" not in text, "招集通知は番号だけで、名前はない")
    whole = await story.gets("kacho", NOTICE, FULL)
    await story.opens("kacho", whole, "招集通知-控え-支援会議")
    story.step("支援会議を招集しました。出席するのは、選ばれ、守秘義務を告げられた人だけです。")
    return sitting, item


async def _read_by_person(story: Story, case: str) -> None:
    """The papers are for those who were chosen, not for their agency."""
    sheets = ("referral_sheet", FULL), ("assessment_sheet", FULL), (PLAN, FULL)
    found = await story.awaits("hoken", case, *sheets)
    text = await story.opens("hoken", found[PLAN, FULL], "プラン案-アウトリーチ-同意前")
    story.must(SECRET in text, "同意のないケースの資料には、支援会議限りと書かれる")
    story.must(await story.documents_of("doryo", case) == [], "同じ機関のほかの職員には見えない")
    await story.closed("doryo", found[PLAN, FULL])
    story.must(await story.documents_of("kaigo", case) == [], "構成員でない機関には見えない")
    story.step("支援会議の資料は、選ばれた本人だけが開けました。同じ機関のほかの職員には開けません。")


async def _confirmed(story: Story, case: str, plan: CasePlan, sitting: Sitting, item: str) -> None:
    """The sitting cannot adopt, only confirm."""
    story.refused(await sitting.closing(), 422, "invalid-form", saying="まだ書かれていません")
    story.refused(await sitting.writes(item, {}, "hoken"), 409, "not-body-office")
    about: dict[str, Any] = {
        "no_consent_reason": NOT_ASKED, "information_sources": "保健センターの訪問の記録。",
        "watch": "新聞受けを、民生委員と見る。",
        "support_policy": "急がず、家族の相談から入る。", "emergency": "安否が分からないときは、その日のうちに訪ねる。",
        "consent_outlook": "秋までに、長男とも話せる見込み。", "papers_returned": True,
    }  # fmt: skip
    await sitting.says(item, "approved", **about)
    story.refused(await sitting.writes(item, about), 409, "changed-meanwhile")
    story.refused(await sitting.closing(), 409, "plan-consent-missing")
    await plan.must_be("proposed", "断られたとき、プランは変わらない")
    await sitting.says(item, "confirmed", **about)
    story.refused(await sitting.closing("hoken"), 409, "not-body-office")
    await sitting.closed()
    story.refused(await sitting.closing(), 409, "already-closed")
    story.refused(await sitting.put(SUPPORT, case, "sharing"), 409, "already-closed")
    await plan.must_be("provisional", "支援会議で確認したプランは、同意前のまま実施できる")
    page = (await (await story.who("tsunagu")).get("intake", f"/cases/{case}")).made()
    story.must(page["state"] == "outreach", "ケースはアウトリーチ（同意前）のまま")
    minutes = await story.gets("tsunagu", MINUTES, FULL, case=case)
    text = await story.opens("tsunagu", minutes, "会議録-支援会議")
    story.must(SECRET in text and NOT_ASKED in text, "支援会議の会議録は、支援会議限り")
    own = await story.gets("hoken", MINUTES, OWN_ITEM, case=case)
    await story.opens("hoken", own, "会議録-支援会議-構成員")
    await story.closed("doryo", own)
    story.step("支援会議が同意前のアウトリーチを確認しました。策定はできず、会議録は構成員だけが見られます。")


async def adopted(story: Story, case: str, outreach: CasePlan) -> CasePlan:
    """The first 重層的支援会議 after consent adopts what was provisional, and the plan of everybody's parts."""
    await _consent_reaches_the_sitting(story, case)
    plan = await CasePlan.drawn_up(
        story, "tsunagu", case, "multi_agency",
        part("hardship-support", "家計の見直しの相談。", in_charge="見本　自立", frequency="月1回"),
        part("welfare-council", "長男を、地域の居場所へ誘う。", in_charge="見本　社協"),
        part("welfare-desk", "全体の調整と、訪問。"), uses_participation=True, uses_outreach=True,
    )  # fmt: skip
    again = part("welfare-desk", "もう一つのプラン。")
    story.refused(await CasePlan.attempt(story, "tsunagu", case, "multi_agency", again), 409, "plan-already-open")
    await _heard_with_consent(story, case, outreach, plan)
    await _three_dates(story, case, outreach, plan)
    return plan


async def _consent_reaches_the_sitting(story: Story, case: str) -> None:
    """Who is to be present must be named; whom the person took out stays out."""
    mado, tsunagu = await story.who("mado"), await story.who("tsunagu")
    person = (await tsunagu.get("intake", f"/cases/{case}")).made()["people"][0]
    consent = next(row for row in person["consents"] if row["status"] == "given")
    path = f"/consents/{consent['id']}/extension?revision={consent['revision']}"
    form = sample("consent_extension", given_on=story.stack.clock.today().isoformat())
    form.pop("until")
    story.refused(await mado.post("intake", path, {**form, "agencies": ["sample-care"]}), 422, "invalid-form")
    further = ["welfare-desk", "social-welfare", "welfare-council"]
    (await mado.post("intake", path, {**form, "agencies": further})).made()
    story.step("会議に出る機関も、同意に加わりました。本人が外した機関は、追加では戻せません。")


async def _heard_with_consent(story: Story, case: str, outreach: CasePlan, plan: CasePlan) -> None:
    """Everybody named hears both items; the agency that the person took out leaves, on record."""
    sitting = await Sitting.planned(story, "tsunagu", LAYERED)
    first = await sitting.item(LAYERED, case, "adopt", outreach.number)
    second = await sitting.item(LAYERED, case, "adopt", plan.number)
    await sitting.call("tsunagu", "kacho", "jiritsu", "shakyo", "kaigo")
    why = await sitting.leaves("kaigo")
    story.must(why == {1: "gate-agency-unnamed", 2: "gate-agency-unnamed"}, "本人が外した機関は、退席する")
    await sitting.convened()
    notice = await story.opens("kaigo", await story.gets("kaigo", NOTICE, OWN_ITEM), "招集通知-退席する機関")
    story.must(case not in notice and plan.number not in notice, "退席する機関の通知に、ケースの番号はない")
    await story.opens("jiritsu", await story.gets("jiritsu", NOTICE, OWN_ITEM), "招集通知-重層的支援会議")
    day = story.stack.clock.today().isoformat()
    checked: dict[str, Any] = {
        "consent_checked_on": day,
        "consent_scope": ["assessment", "plan"],
        "person_attended": True,
    }
    everybody = [
        {"agency": agency, "name": name, "title": "係長", "state": "present"}
        for agency, name in (story.staff[user] for user in sitting.members)
    ]
    await sitting.says(first, "approved", **checked, presences=everybody)
    await sitting.says(second, "approved", **checked)
    story.refused(await sitting.closing(), 409, "gate-agency-unnamed")
    left = [{**row, "state": "left"} if row["agency"] == "sample-care" else row for row in everybody]
    await sitting.says(first, "approved", **checked, presences=left)
    await sitting.closed()
    await _minutes_of_the_named(story, case)
    story.step("同意のあとの重層的支援会議が、2つのプランを承認しました。同意にない機関は退席し、記録に残りました。")


async def _minutes_of_the_named(story: Story, case: str) -> None:
    whole = await story.gets("tsunagu", MINUTES, FULL, case=case, times=3)
    text = await story.opens("tsunagu", whole, "会議録-重層的支援会議")
    story.must(SECRET not in text, "同意のあとの会議録は、支援会議限りではない")
    own = await story.gets("shakyo", MINUTES, OWN_ITEM, case=case, times=2)
    await story.opens("shakyo", own, "会議録-重層的支援会議-出席した機関")
    story.must(
        all(item["kind"] != MINUTES for item in await story.documents_of("kaigo", case)),
        "退席した機関に会議録は届かない",
    )


async def _three_dates(story: Story, case: str, outreach: CasePlan, plan: CasePlan) -> None:
    """With two of the three dates nothing takes effect."""
    for one in (outreach, plan):
        story.refused(await one.step("adopt"), 409, "person-agreement-required")
        (await one.agree()).made()
        story.refused(await one.step("adopt"), 409, "municipal-decision-required")
        story.refused(await one.decided_by_municipality("tsunagu"), 409, "role-missing")
        (await one.decided_by_municipality()).made()
        await one.must_be("adopted", "3つの日付がそろうと、策定になる")
    page = (await (await story.who("tsunagu")).get("intake", f"/cases/{case}")).made()
    story.must(page["state"] == "supported", "策定したケースは支援中")
    await story.opens("tsunagu", await plan.sheet(), "プラン-多機関協働-策定")
    await story.opens("tsunagu", await outreach.sheet(), "プラン-アウトリーチ-策定")
    story.step("会議の決定、本人の合意、市の支援決定がそろい、プランが策定になりました。2つだけでは策定になりません。")
