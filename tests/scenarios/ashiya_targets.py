"""芦屋市, the targets: 5 people who take part, 5 partners, 6 cases reviewed, 6 supported jointly, 10 consultations, 10 who came
through a きっかけ事業 (A:310,370,380), counted in the figures of the 年度."""

from __future__ import annotations

from typing import Any

from tests.data.forms import sample
from tests.scenarios import figures
from tests.scenarios.plans import CasePlan, part
from tests.scenarios.sittings import LAYERED, MINUTES, Sitting
from tests.scenarios.story import Story
from tsunagi_shared import clock

JOINT = "multi-agency-meeting"
PROVIDER, HOSTS, AREA = "multi-agency", "participation", "sasaeai-shiomi"
PARTNERS = ("company", "shop", "farm")  # 協力企業・団体, as against facilities and places that are open anyway
PARTNERS_MET = (("company", "見本印刷"), ("company", "見本運輸"), ("shop", "見本青果"), ("farm", "見本農園"))
GOALS = {
    "participants": 5, "partner-resources": 5, "case-reviews": 6, "joint-cases": 6, "outreach-consultations": 10,
    "trigger-users": 10,
}  # fmt: skip


async def told(story: Story, cases: list[str]) -> None:
    """From nothing to every target."""
    before = await _counted(story)
    story.must(set(before) == set(GOALS), f"成果目標は6つ：{before}")
    await _reached_out(story, cases[1:])
    place = await _partner(story)
    plans = await _drawn_up(story, cases[1:], place)
    await _decided(story, plans)
    await _reached(story, before, plans)
    await _issued(story)


async def _counted(story: Story, user: str = "kacho") -> dict[str, int]:
    """By target, what the figures say; the goals are those of the plan."""
    found = figures.targets(await figures.of_year(story, user, clock.fiscal_year(story.stack.clock.today())))
    story.must({name: goal for name, (_, goal) in found.items()} == GOALS, f"目標：{found}")
    return {name: actual for name, (actual, _) in found.items() if actual is not None}


async def _reached_out(story: Story, cases: list[str]) -> None:
    """The ten cases that go on: told of by residents at the 自立相談支援事業, brought to a きっかけ事業; a 保健師 comes along.
    What another agency was told does not count towards its target."""
    today = story.stack.clock.today().isoformat()
    contact = sample(
        "contact", at=today, outreach_actions=["consulted", "trigger"], companions=["health_nurse"], contact_state="person"
    )  # fmt: skip
    mado, tsunagu = await story.who("mado"), await story.who("tsunagu")
    for case in cases:
        (await mado.post("intake", f"/cases/{case}/contacts", contact)).made()
    again = {**contact, "outreach_actions": ["consulted"]}
    for visitor in (mado, tsunagu):
        (await visitor.post("intake", f"/cases/{cases[0]}/contacts", again)).made()
    counted = await _counted(story)
    found = counted["outreach-consultations"], counted["trigger-users"]
    story.must(found == (11, 10), f"相談は回数、きっかけ事業はケースで数える：{found}")
    report = await figures.of_year(story, "kacho", clock.fiscal_year(story.stack.clock.today()))
    every = report.value("outreach.consultations"), report.value("outreach.accompanied")
    story.must(every == (12, 12), f"どの機関が受けた相談も、保健師の同行も数える：{every}")
    story.step("自立相談支援事業が受けた相談11件、きっかけ事業の利用10件が、支援経過から数えられました。")


async def _partner(story: Story) -> str:
    """Shops, companies and a farm take people in; the places are on record without anybody who goes there. What is a facility
    of the welfare system is none of the 企業・団体."""
    sanka, sasae = await story.who("sanka"), await story.who("sasae")
    form = sample(
        "resource", kind="shop", name="見本商店", agency=HOSTS, contact="見本　店子（電話0797-00-0901）", closed_on=None
    )  # fmt: skip
    form.pop("closed_on")
    story.refused(await sasae.post("intake", "/resources", form), 409, "not-resource-keeper")
    made = (await sanka.post("intake", "/resources", form)).made()
    for kind, name in (*PARTNERS_MET, ("facility", "見本作業所")):
        (await sanka.post("intake", "/resources", {**form, "kind": kind, "name": name})).made()
    listed = (await (await story.who("kaigo")).get("intake", "/resources")).made()["items"]
    partners = [row["id"] for row in listed if row["kind"] in PARTNERS]
    story.must(len(partners) == 2 + len(PARTNERS_MET), "計画にあるものと、登録したもの")
    story.must(made["id"] in partners, "登録した参加先が、どの機関にも示される")
    story.must((await _counted(story))["partner-resources"] == len(partners) >= 5, "協力企業・団体の数")
    story.step(f"協力企業・団体を登録しました。計画にあるものと合わせて{len(partners)}か所です。")
    return str(made["id"])


async def _drawn_up(story: Story, cases: list[str], place: str) -> list[tuple[str, CasePlan]]:
    """Six plans in which two agencies have a part, five of participation; (case, plan)."""
    together = part(PROVIDER, "全体の調整。"), part(AREA, "月に2回、声をかける。")
    own = part(HOSTS, "はじめの日に付き添う。")
    there: dict[str, Any] = {
        "resource": "",
        "resource_id": place,
        "person_follow_up_on": story.stack.clock.today().isoformat(),
    }
    story.refused(await CasePlan.attempt(story, "team", cases[0], "participation", own, **there), 409, "not-plan-owner")
    unknown = await CasePlan.attempt(story, "tsunagu", cases[0], "participation", own, resource_id="nowhere")
    story.refused(unknown, 422, "invalid-form")
    found = [(case, await CasePlan.drawn_up(story, "tsunagu", case, "multi_agency", *together)) for case in cases[:6]]
    found += [
        (case, await CasePlan.drawn_up(story, "tsunagu", case, "participation", own, **there)) for case in cases[2:7]
    ]
    twice = await CasePlan.attempt(story, "tsunagu", cases[0], "multi_agency", *together)
    story.refused(twice, 409, "plan-already-open")
    story.must((await _counted(story))["participants"] == 0, "策定するまでは、数えない")
    story.step("多機関協働のプラン6件と、参加支援のプラン5件を作り、付議しました。まだ実績には数えません。")
    return found


async def _decided(story: Story, plans: list[tuple[str, CasePlan]]) -> None:
    """B hears all of them; a body that hears no cases, whatever its role, does not."""
    case, plan = plans[0]
    council = await Sitting.of(story, "kacho", "community-welfare-council")
    about = {"body": "community-welfare-council"}
    story.refused(await council.put(LAYERED, case, "sharing", **about), 409, "gate-body-cases")
    sitting = await Sitting.of(story, "tsunagu", JOINT)
    items = [await sitting.item(LAYERED, case, "adopt", plan.number, body=JOINT) for case, plan in plans]
    await sitting.call("tsunagu", "kacho", "sanka", "team", "sasae")
    await sitting.convened()
    for _, one in plans:
        (await one.agree()).made()
    story.refused(await plan.step("adopt"), 409, "meeting-decision-required")
    for _, one in plans:
        (await one.decided_by_municipality()).made()
    checked: dict[str, Any] = {
        "consent_checked_on": story.stack.clock.today().isoformat(), "consent_scope": ["assessment", "plan"],
    }  # fmt: skip
    for item in items:
        await sitting.says(item, "approved", **checked)
    await sitting.closed()
    for _, one in plans:
        await one.must_be("adopted", "承認され、3つの日付がそろって策定になる")
    await story.opens("tsunagu", await plan.sheet(), "プラン-多機関協働")
    await story.opens("tsunagu", await plans[-1][1].sheet(), "プラン-参加支援")
    request = await story.gets("sasae", "support_request", "own_allocation", case=case)
    await story.opens("sasae", request, "支援依頼書-地域支え合い推進員")
    minutes = await story.gets("tsunagu", MINUTES, "full", case=plans[-1][0])
    await story.opens("tsunagu", minutes, "会議録-多機関協働支援会議")
    story.step(
        "多機関協働支援会議が11件のプランを承認しました。ケースを扱わない地域福祉推進協議会では、議題にできません。"
    )


async def _reached(story: Story, before: dict[str, int], plans: list[tuple[str, CasePlan]]) -> None:
    """Every target by the figures, as the story itself counts it."""
    joint = {case for case, plan in plans if len((await plan.page())["form"]["allocations"]) > 1}
    taking_part = {case for case, plan in plans if (await plan.page())["form"]["resource_id"]}
    found = await _counted(story)
    wanted = {
        "participants": len(taking_part), "partner-resources": before["partner-resources"] + 1 + len(PARTNERS_MET),
        "case-reviews": before["case-reviews"] + len(plans), "joint-cases": len(joint), "outreach-consultations": 11,
        "trigger-users": 10,
    }  # fmt: skip
    story.must(found == wanted, f"成果目標の実績：{found}、数え直したもの：{wanted}")
    story.must(all(found[name] >= goal for name, goal in GOALS.items()), "どの成果目標にも届く")
    report = await figures.of_year(story, "kacho", clock.fiscal_year(story.stack.clock.today()))
    issues = {name: report.value(f"issues.{name}") for name in ("handed", "received", "answered", "project_running")}
    story.must(issues == {"handed": 2, "received": 2, "answered": 1, "project_running": 1}, f"地域課題：{issues}")
    roles = {name: report.value(f"sittings.{name}") for name in ("team_meeting", "layered_support_meeting")}
    story.must(roles == {"team_meeting": 1, "layered_support_meeting": 1}, f"会議の開催：{roles}")
    story.must(await _counted(story, "iin") == found, "推進委員会の委員にも、同じ実績が見える")
    story.step("6つの成果目標（5・5・6・6・10・10）の実績が、年度の数に出て、すべて届きました。")


async def _issued(story: Story) -> None:
    year = clock.fiscal_year(story.stack.clock.today())
    for user, code in (("iin", "not-section"), ("tsunagu", "not-section")):
        story.refused(await (await story.who(user)).post("intake", f"/reports/{year}/issue", {}), 409, code)
    _, text = await figures.issued(story, "kacho", year, "実績報告書")
    story.must("きっかけ" in text and "事例検討" in text, "実績報告書に、成果目標がある")
    own = await story.gets("tsunagu", figures.REPORT, "full")
    await story.opens("tsunagu", own, "実績報告書-多機関協働事業者")
    await story.closed("iin", own)
    story.step("所管課が実績報告書を発行しました。届くのは、所管課と多機関協働事業者です。")
