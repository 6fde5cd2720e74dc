"""芦屋市: what the チーム会議 screens, supports itself and hands up, and the six targets of the plan reached in one 年度.

A:128-136 (the bodies and their 機能Ⅰ・Ⅱ・Ⅲ), A:365 (B is the 重層的支援会議), A:310,370,380 (5/5/6/6/10/10).
"""

from __future__ import annotations

from typing import Any

from tests.data.forms import sample
from tests.scenarios import ashiya_issues, ashiya_targets
from tests.scenarios.cases import page_of, taken_up, window_referral
from tests.scenarios.plans import part
from tests.scenarios.sittings import LAYERED, MINUTES, OWN_ITEM, Sitting
from tests.scenarios.story import Story

FULL, SUMMARY = "full", "summary"
TEAM, JOINT = "team-meeting", "multi-agency-meeting"
TEAM_ROLE = "team_meeting"
PROVIDER, HOSTS, COUNCIL, VISITS = "multi-agency", "participation", "welfare-council", "outreach"
AREA, DESK, SECTION, CARE = "sasaeai-shiomi", "general-desk", "community-welfare", "sample-care"
NAMED = (PROVIDER, HOSTS, COUNCIL, VISITS, AREA, DESK, SECTION)
FAR = "坂の上の地区に、日中に集まれる場がない。"


async def tell(story: Story) -> None:
    """The whole story."""
    cases = [await taken_up(story, "mado", "tsunagu", (COUNCIL, HOSTS), NAMED) for _ in range(11)]
    story.must((await page_of(story, "team", cases[0]))["state"] == "assessed", "チームの社協に、概要が届く")
    story.step("総合相談窓口が、同意のあるケースを11件つなぎ、多機関協働がアセスメントをしました。")
    await _unasked(story)
    sitting, items = await _before_the_team(story, cases)
    await _screened(story, cases, sitting, items)
    await _supported_by_the_team(story, cases[1])
    await ashiya_issues.handed_up(story, cases, FAR)
    await ashiya_targets.told(story, cases)


async def _unasked(story: Story) -> None:
    """Whom nobody asked yet is not screened by the team: it has no secrecy of its own by law."""
    form = window_referral(destinations=[COUNCIL], consent={"status": "asking"})
    case = str((await (await story.who("mado")).post("intake", "/referrals", form)).made()["case_number"])
    story.refused(await (await story.who("team")).get("intake", f"/cases/{case}"), 404, "not-found")
    early = await Sitting.of(story, "team", TEAM)
    about = {"body": TEAM}
    story.refused(await early.put(TEAM_ROLE, case, "screening", **about), 404, "not-found")
    by_section = await Sitting.of(story, "kacho", TEAM)
    await by_section.item(TEAM_ROLE, case, "screening", **about)
    await by_section.call("kacho", "team")
    story.refused(await by_section.convening(), 409, "gate-consent-missing", saying="支援会議で扱えます")
    for sitting in (early, by_section):
        revision = (await sitting.page())["revision"]
        (await sitting.post(f"cancellation?revision={revision}")).made()
    story.refused(await early.put(TEAM_ROLE, case, "screening", **about), 409, "sitting-cancelled")
    story.step("同意のないケースは、チーム会議では扱えません。支援会議で扱えることが示されます。")


async def _before_the_team(story: Story, cases: list[str]) -> tuple[Sitting, list[str]]:
    """機能Ⅰ: what came to 多機関協働 is screened by the team, before those whom each person agreed to."""
    story.refused(await Sitting.attempt(story, "sasae", [TEAM]), 409, "not-body-office")
    story.refused(await Sitting.attempt(story, "kacho", [TEAM, "internal-liaison"]), 409, "joint-not-used")
    sitting = await Sitting.of(story, "team", TEAM)
    about = {"body": TEAM}
    story.refused(await sitting.put(LAYERED, cases[0], "screening", **about), 409, "gate-body-role")
    items = [await sitting.item(TEAM_ROLE, case, "screening", **about) for case in cases[:3]]
    await sitting.call("team", "tsunagu", "kacho", "sasae", "kikan")
    out = dict.fromkeys((1, 2, 3), "gate-agency-unnamed")
    story.must(await sitting.leaves("kikan") == out, "同意にない機関は、どの議題でも退席する")
    await sitting.convened()
    story.refused(await sitting.closing("sasae"), 409, "not-body-office")
    story.step("チーム会議を招集し、3件のスクリーニングを議題にしました。同意にない機関は退席します。")
    return sitting, items


async def _screened(story: Story, cases: list[str], sitting: Sitting, items: list[str]) -> None:
    """One goes back to the windows, one the team supports itself, one goes up to 多機関協働支援会議; and 機能Ⅲ."""
    checked: dict[str, Any] = {
        "consent_checked_on": story.stack.clock.today().isoformat(), "consent_scope": ["assessment"],
    }  # fmt: skip
    back = {"decision_note": "総合相談窓口が、引き続き主担当となる。", "lead_agency": DESK}
    await sitting.says(items[0], "to_comprehensive", **checked, **back)
    rows = [
        part(HOSTS, "つどいの場に誘い、はじめは付き添う。"), part(AREA, "月に2回、声をかける。"),
        part(CARE, "送り迎えの見守り。"),
    ]  # fmt: skip
    by_team: dict[str, Any] = {"decision_note": "チームで支える。", "lead_agency": COUNCIL, "allocations": rows}
    await sitting.says(items[1], "approved", **checked, **by_team)
    up = {"decision_note": "多機関協働支援会議で検討する。"}
    said = {"hands_over_to": JOINT, "community_issue": f"見本　一郎さんのように、{FAR}"}
    await sitting.says(items[2], "continued", **checked, **up, **said)
    wrong = await sitting.closing()
    story.refused(wrong, 422, "invalid-form")
    story.must(wrong.errors == [("items.3.community_issue", "names-in-issue")], "地域課題に、世帯の人の名前は書けない")
    await sitting.says(items[2], "continued", **checked, **up, **{**said, "community_issue": FAR})
    await sitting.closed()
    states = [(await page_of(story, "tsunagu", case))["state"] for case in cases[:3]]
    story.must(states == ["returned", "assessed", "assessed"], f"スクリーニングのあとの状態：{states}")
    minutes = await story.gets("team", MINUTES, FULL, case=cases[2])
    await story.opens("team", minutes, "会議録-チーム会議-スクリーニング")
    own = await story.gets("sasae", MINUTES, OWN_ITEM, case=cases[2])
    await story.opens("sasae", own, "会議録-チーム会議-出席した機関")
    story.must(await story.documents_of("kikan", cases[2]) == [], "退席した機関に、会議録は届かない")
    contact = await (await story.who("tsunagu")).post("intake", f"/cases/{cases[0]}/contacts", sample("contact"))
    story.refused(contact, 409, "case-ended")
    story.step("機能Ⅰ：チーム会議が、窓口へ戻すもの、チームで支えるもの、多機関協働支援会議へ上げるものに分けました。")


async def _supported_by_the_team(story: Story, case: str) -> None:
    """機能Ⅱ: the parts that the team agreed on hold without a plan, as far as the person agreed."""
    page = await page_of(story, "tsunagu", case)
    parts = {row["agency"] for row in page["allocations"]}
    story.must((page["lead"], parts) == (COUNCIL, {HOSTS, AREA, CARE}), f"主担当と役割分担：{page['lead']} {parts}")
    found = await story.gets("sasae", "referral_sheet", SUMMARY, case=case)
    await story.opens("sasae", found, "共通様式-概要-地域支え合い推進員")
    story.refused(await (await story.who("kaigo")).get("intake", f"/cases/{case}"), 404, "not-found")
    sasae, shiomi = await story.who("sasae"), await story.who("shiomi")
    contact = sample("contact", at=story.stack.clock.today().isoformat(), outreach_actions=[], contact_state=None)
    contact.pop("contact_state")
    (await sasae.post("intake", f"/cases/{case}/contacts", contact)).made()
    story.refused(await shiomi.post("intake", f"/cases/{case}/contacts", contact), 404, "not-found")
    closing = {"reason": "handed_over", "lead_agency": COUNCIL}
    ended = await sasae.post("intake", f"/cases/{case}/closure?revision={page['revision'] + 1}", closing)
    story.refused(ended, 409, "role-missing")
    story.step(
        "機能Ⅱ：チームが役割を分け、地域支え合い推進員が声をかけました。同意にない機関には、役割があっても届きません。"
    )
