"""久留米市: three contractors draw up their own plans, and one sitting of both bodies a month decides on all of them.

U:119-135 (who carries out what), U:137,185-188 (第4水曜, both bodies). The figures and the turn of the 年度 are told in
`kurume_turn`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.data.referrals import without_consent
from tests.scenarios import kurume_turn
from tests.scenarios.cases import allocated, page_of, taken_up
from tests.scenarios.plans import CasePlan, part
from tests.scenarios.sittings import LAYERED, MINUTES, NOTICE, OWN_ITEM, SUPPORT, Sitting
from tests.scenarios.story import Story

FULL, REQUEST, OWN_PART = "full", "support_request", "own_allocation"
MULTI, PARTICIPATION, OUTREACH = "multi_agency", "participation", "outreach"
PROVIDER, HOSTS, VISITS = "multi-agency", "participation", "outreach"
NAMED = (PROVIDER, HOSTS, VISITS, "community-welfare", "elderly-center-01", "sample-work")
TITLES = {MULTI: "多機関協働", PARTICIPATION: "参加支援", OUTREACH: "アウトリーチ等"}
WEDNESDAY = 2


async def tell(story: Story) -> None:
    """The whole story."""
    cases = [await _case(story) for _ in range(3)]
    plans = await _by_three_contractors(story, cases)
    day = await _fourth_wednesday(story)
    sitting, items = await _called_together(story, plans, day)
    await _decided(story, cases, plans, sitting, items)
    await _papers(story, plans)
    await kurume_turn.told(story, plans)


async def _case(story: Story) -> str:
    return await taken_up(story, "mado", "tsunagu", (HOSTS, VISITS), NAMED)


async def _by_three_contractors(story: Story, cases: list[str]) -> list[tuple[str, CasePlan]]:
    """Each contractor draws up plans of its own part of the programme, once it has a part in the case; (case, plan)."""
    first, second, third = cases
    work = part("sample-work", "週2回の作業に通えるよう、送り出す。", in_charge="見本　働子")
    own = part(HOSTS, "居場所と仕事体験へつなぐ。")
    story.refused(await CasePlan.attempt(story, "sanka", first, PARTICIPATION, own), 409, "not-plan-owner")
    for case in (first, second):
        await allocated(story, "tsunagu", case, HOSTS)
    for case in cases:
        await allocated(story, "tsunagu", case, VISITS)
    story.refused(await CasePlan.attempt(story, "homon", first, PARTICIPATION, own), 409, "not-plan-owner")
    story.refused(await CasePlan.attempt(story, "sanka", third, MULTI, own), 409, "not-plan-owner")
    story.refused(await CasePlan.attempt(story, "hataraku", first, PARTICIPATION, own), 404, "not-found")
    visits = part(VISITS, "月に2回、長男を訪ねる。")
    together = part(PROVIDER, "全体の調整。")
    found = [(case, await CasePlan.drawn_up(story, "tsunagu", case, MULTI, together)) for case in cases]
    found += [
        (case, await CasePlan.drawn_up(story, "sanka", case, PARTICIPATION, own, work)) for case in (first, second)
    ]
    found += [(case, await CasePlan.drawn_up(story, "homon", case, OUTREACH, visits)) for case in cases]
    story.step("3つの受託者が、それぞれの事業のプランを作り、付議しました。ほかの事業のプランは作れません。")
    return found


async def _fourth_wednesday(story: Story) -> dt.date:
    """Both bodies are due on the same day; a holiday moves it to the next day on which offices are open."""
    proposed = (await (await story.who("tsunagu")).get("intake", "/meetings")).made()["proposed"]
    days = {
        body: [dt.date.fromisoformat(row["held_on"]) for row in proposed if row["body"] == body]
        for body in ("layered-support", "support-meeting")
    }
    story.must(days["layered-support"] == days["support-meeting"], "2つの会議は、同じ日に開く")
    for day in days["layered-support"]:
        first = day.replace(day=1)
        fourth = first + dt.timedelta(days=(WEDNESDAY - first.weekday()) % 7 + 21)
        story.must(dt.timedelta(0) <= day - fourth <= dt.timedelta(days=4), f"{day} は第4水曜か、祝日なら次の開庁日")
    story.must(len(days["layered-support"]) >= 5, "半年先までの開催日が示される")
    story.step("毎月第4水曜の開催日が、2つの会議体に同じ日で示されました。")
    return days["layered-support"][0]


async def _called_together(story: Story, plans: list[tuple[str, CasePlan]], day: dt.date) -> tuple[Sitting, list[str]]:
    """One sitting of both bodies: eight plans, and a case that nobody could ask yet."""
    mado = await story.who("mado")
    unasked = without_consent(destinations=[PROVIDER])
    other = (await mado.post("intake", "/referrals", unasked)).made()["case_number"]
    story.refused(await Sitting.attempt(story, "sanka", ["layered-support"]), 409, "not-body-office")
    sitting = await Sitting.planned(story, "tsunagu", LAYERED, SUPPORT, day=day)
    listed = (await (await story.who("tsunagu")).get("intake", "/meetings")).made()["proposed"]
    story.must(day.isoformat() not in {row["held_on"] for row in listed}, "作った開催の日は、もう示されない")
    items = [await sitting.item(LAYERED, case, "adopt", plan.number) for case, plan in plans]
    items.append(await sitting.item(SUPPORT, other, "sharing"))
    await sitting.call("tsunagu", "shikai", "kacho", bound=True)
    await sitting.call("sanka", "homon")
    await sitting.call("jiritsu", bound=True)
    unnamed = dict.fromkeys(range(1, 9), "gate-agency-unnamed")
    story.must(await sitting.leaves("jiritsu") == unnamed, "同意にない機関は、支援会議の議題だけに出る")
    story.must(await sitting.leaves("sanka") == {9: "gate-not-chosen"}, "選ばれていない人は、支援会議の議題で退席する")
    await sitting.convened()
    text = await story.opens("jiritsu", await story.gets("jiritsu", NOTICE, OWN_ITEM), "招集通知-生活自立支援センター")
    story.must(
        other in text and all(plan.number not in text for _, plan in plans), "通知には、出る議題の番号だけがある"
    )
    await story.opens("sanka", await story.gets("sanka", NOTICE, OWN_ITEM), "招集通知-参加支援")
    await story.opens("kacho", await story.gets("kacho", NOTICE, FULL), "招集通知-控え")
    story.step("重層的支援会議と支援会議を同じ日に招集しました。議題ごとに、だれが退席するかが決まりました。")
    return sitting, items


async def _decided(
    story: Story, cases: list[str], plans: list[tuple[str, CasePlan]], sitting: Sitting, items: list[str]
) -> None:
    """What waits for nothing but the meeting takes effect as it closes, all of it at once."""
    for _, plan in plans:
        (await plan.agree()).made()
    for _, plan in plans[:-1]:
        (await plan.decided_by_municipality()).made()
    checked: dict[str, Any] = {
        "consent_scope": ["assessment", "plan"],
        "consent_checked_on": story.stack.clock.today().isoformat(),
    }
    for item in items[:-1]:
        await sitting.says(item, "approved", **checked)
    await sitting.says(items[-1], "shared", no_consent_reason="本人に、まだ会えていない。")
    held_on = dt.date.fromisoformat((await sitting.page())["form"]["held_on"])
    if held_on > story.stack.clock.today():
        story.refused(await sitting.closing(), 409, "not-held-yet")
        await story.move_to(held_on)
    story.refused(await sitting.closing("sanka"), 409, "not-body-office")
    (await sitting.closing("shikai")).made()
    story.refused(await sitting.closing(), 409, "already-closed")
    for _, plan in plans[:-1]:
        await plan.must_be("adopted", "3つの日付がそろったプランは、会議の終了とともに策定になる")
    last = plans[-1][1]
    story.refused(await last.step("adopt", "tsunagu"), 409, "municipal-decision-required")
    (await last.decided_by_municipality()).made()
    await last.must_be("adopted", "支援決定がそろうと策定になる")
    for case in cases:
        story.must((await page_of(story, "tsunagu", case))["state"] == "supported", "どのケースも支援中")
    story.step("第4水曜の会議が8つのプランを承認し、3つの日付がそろったものから策定になりました。")


async def _papers(story: Story, plans: list[tuple[str, CasePlan]]) -> None:
    """Each kind of plan has a sheet of its own; each contractor gets what concerns it."""
    first, third = plans[0][0], plans[2][0]
    for kind, (_, plan) in ((MULTI, plans[0]), (PARTICIPATION, plans[3]), (OUTREACH, plans[-1])):
        await story.opens(plan.user, await plan.sheet(), f"プラン-{TITLES[kind]}")
    request = await story.gets("hataraku", REQUEST, OWN_PART, case=first)
    text = await story.opens("hataraku", request, "支援依頼書-見本就労支援センター")
    story.must("送り出す" in text and "仕事体験" not in text, "支援依頼書には、その機関の役割だけがある")
    own = await story.gets("homon", MINUTES, OWN_ITEM, case=third, times=2)
    await story.opens("homon", own, "会議録-出席した機関")
    whole = await story.gets("tsunagu", MINUTES, FULL, case=third, times=2)
    await story.opens("tsunagu", whole, "会議録-重層的支援会議")
    story.step("3種類のプランと、支援依頼書、議題ごとの会議録が、関わる機関に届きました。")
