"""上士幌町, after the consent: a place of the town to take part in, its follow-ups, and the 推進会議 that sees figures alone."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.scenarios import figures
from tests.scenarios.cases import allocated
from tests.scenarios.plans import CasePlan, part
from tests.scenarios.sittings import LAYERED, MINUTES, OWN_ITEM, Sitting
from tests.scenarios.story import Story
from tsunagi_shared import clock

FULL = "full"
PROVIDER, HOSTS = "multi-agency", "participation"
PLACE = "kodemari"
MONTH = dt.timedelta(days=30)
ISSUE = "冬の間、歩いて集まれる場が少ない。"


async def told(story: Story, case: str) -> None:
    """From the plan to the figures."""
    await _place(story)
    plan = await _drawn_up(story, case)
    await _adopted(story, case, plan)
    await _matched(story, case, plan)
    await _followed_up(story, case)
    await _handed_on(story)
    await _figures_alone(story, case)
    await _not_before_the_promotion(story, case)


async def _place(story: Story) -> None:
    """What staff know of a 拠点 besides what the plan of the town says."""
    mado, sanka = await story.who("mado"), await story.who("sanka")
    listed = {row["id"]: row for row in (await mado.get("intake", "/resources")).made()["items"]}
    story.must(PLACE in listed and len(listed) == 6, "主な参加拠点6つが、だれにも示される")
    given = listed[PLACE]
    form: dict[str, Any] = {
        "kind": given["kind"], "name": given["name"], "agency": HOSTS, "capacity": 5,
        "contact": "見本　茶子（電話01564-0-0901）", "conditions": given["conditions"], "follow_up_days": 30,
    }  # fmt: skip
    path = f"/resources/{PLACE}?revision={given['revision']}"
    story.refused(await mado.put("intake", path, form), 409, "not-resource-keeper")
    (await sanka.put("intake", path, form)).made()
    kept = (await mado.get("intake", f"/resources/{PLACE}")).made()["resource"]
    story.must((kept["capacity"], kept["follow_up_days"]) == (5, 30), "受入れの人数とフォローの間隔が残る")
    story.step("参加支援の担当が、参加拠点の受入れの人数とフォローの間隔を登録しました。")


async def _drawn_up(story: Story, case: str) -> CasePlan:
    """参加支援 draws it up itself, once it has a part."""
    today = story.stack.clock.today()
    own = part(HOSTS, "こでまりの世話人に引き合わせ、はじめの日に付き添う。")
    named: dict[str, Any] = {
        "resource": "",
        "resource_id": PLACE,
        "begins_on": (today + dt.timedelta(days=1)).isoformat(),
    }
    story.refused(await CasePlan.attempt(story, "sanka", case, "participation", own, **named), 404, "not-found")
    await allocated(story, "tsunagu", case, HOSTS)
    unknown = await CasePlan.attempt(story, "sanka", case, "participation", own, **{**named, "resource_id": "nowhere"})
    story.refused(unknown, 422, "invalid-form")
    story.must(unknown.errors == [("resource_id", "unknown-resource")], "登録のない参加先は選べない")
    visits = await CasePlan.attempt(story, "sanka", case, "outreach", own)
    story.refused(visits, 409, "not-plan-owner")
    plan = await CasePlan.drawn_up(story, "sanka", case, "participation", own, **named)
    await story.opens("sanka", await plan.sheet(title="プラン（案）"), "プラン案-参加支援")
    story.step("参加支援の担当が、地域交流スペースこでまりへの参加のプランを作り、付議しました。")
    return plan


async def _adopted(story: Story, case: str, plan: CasePlan) -> None:
    """The sitting adopts it before those whom the person agreed to."""
    sitting = await Sitting.planned(story, "tsunagu", LAYERED)
    item = await sitting.item(LAYERED, case, "adopt", plan.number)
    await sitting.call("tsunagu", "kacho", "sanka", "shakyo", "jiritsu")
    story.must(await sitting.leaves("jiritsu") == {1: "gate-agency-unnamed"}, "同意にない機関は退席する")
    await sitting.convened()
    story.refused(await plan.step("adopt", "tsunagu"), 409, "meeting-decision-required")
    (await plan.agree()).made()
    story.refused(await plan.decided_by_municipality("tsunagu"), 409, "role-missing")
    said: dict[str, Any] = {
        "consent_checked_on": story.stack.clock.today().isoformat(), "consent_scope": ["assessment", "plan"],
        "person_attended": True, "hands_over_to": "promotion", "community_issue": f"見本　太郎さんから。{ISSUE}",
    }  # fmt: skip
    there = [
        {"agency": agency, "name": name, "title": "係長", "state": "left" if agency == "hardship-center" else "present"}
        for agency, name in (story.staff[user] for user in sitting.members)
    ]
    await sitting.says(item, "approved", presences=there, **said)
    wrong = await sitting.closing()
    story.refused(wrong, 422, "invalid-form")
    story.must(wrong.errors == [("items.1.community_issue", "names-in-issue")], "地域課題に名前は書けない")
    await sitting.says(item, "approved", **{**said, "community_issue": ISSUE})
    await sitting.closed()
    story.refused(await plan.step("adopt", "tsunagu"), 409, "municipal-decision-required")
    (await plan.decided_by_municipality()).made()
    await plan.must_be("adopted", "3つの日付がそろうと、策定になる")
    text = await story.opens("sanka", await plan.sheet(), "プラン-参加支援")
    story.must("こでまり" in text, "選んだ拠点の名称が、プランに書かれる")
    own = await story.gets("shakyo", MINUTES, OWN_ITEM, case=case)
    await story.opens("shakyo", own, "会議録-重層的支援会議-出席した機関")
    story.step("本人も出た重層的支援会議がプランを承認し、3つの日付がそろって策定になりました。")


async def _matched(story: Story, case: str, plan: CasePlan) -> None:
    """How many go there is for everybody; who, for those who may read the plan."""
    for user, seen in (
        ("sanka", [(case, plan.number)]),
        ("tsunagu", [(case, plan.number)]),
        ("iin", []),
        ("kaigo", []),
    ):
        page = (await (await story.who(user)).get("intake", f"/resources/{PLACE}")).made()
        lines = [(line["case_number"], line["plan_number"]) for line in page["matches"]]
        story.must((page["resource"]["matched"], lines) == (1, seen), f"{user} に見えるつながり：{lines}")
    story.refused(await (await story.who("kanri")).get("intake", f"/resources/{PLACE}"), 403, "forbidden")
    story.step("拠点につながった人数は、どの機関にも見えます。だれかは、プランを見られる人だけに見えます。")


async def _followed_up(story: Story, case: str) -> None:
    """定着支援: the person and the place are asked after a month."""
    sanka, kaigo = await story.who("sanka"), await story.who("kaigo")
    due = (await sanka.get("intake", "/follow-ups")).made()["items"]
    story.must(sorted(row["side"] for row in due) == ["host", "person"], "本人と受入先の、フォローの予定ができる")
    story.must((await kaigo.get("intake", "/follow-ups")).made()["items"] == [], "見られない人の予定には出ない")
    await story.move_to(dt.date.fromisoformat(due[0]["due_on"]))
    sanka = await story.who("sanka")
    form = {"done_on": story.stack.clock.today().isoformat(), "result": "going_on"}
    host, person = sorted(due, key=lambda row: str(row["side"]))
    path = f"/follow-ups/{host['id']}/completion"
    story.refused(await (await story.who("mado")).post("intake", path, form), 404, "not-found")
    (await sanka.post("intake", path, form)).made()
    story.refused(await sanka.post("intake", path, form), 409, "follow-up-done")
    settled = {**form, "result": "settled"}
    (await sanka.post("intake", f"/follow-ups/{person['id']}/completion", settled)).made()
    (left,) = (await sanka.get("intake", "/follow-ups")).made()["items"]
    following = dt.date.fromisoformat(left["due_on"]) - story.stack.clock.today()
    story.must((left["side"], following) == ("host", MONTH), "受入先への次のフォローは、登録した間隔のあと")
    story.step("ひと月後、本人と受入先にフォローをしました。本人は定着し、受入先には次の予定ができました。")


async def _handed_on(story: Story) -> None:
    """What the town lacks goes to the 推進会議's office, without a case."""
    kacho, iin = await story.who("kacho"), await story.who("iin")
    (issue,) = (await kacho.get("intake", "/community-issues")).made()["items"]
    story.must((issue["to_body"], issue["text"]) == ("promotion", ISSUE), "地域課題が、推進会議に伝わる")
    story.must("case_number" not in issue, "ケースの番号は伝わらない")
    path = f"/community-issues/{issue['id']}/proposal"
    proposal = {"proposal": "冬の間、町のバスを拠点に寄せる。"}
    story.refused(await iin.post("intake", path, proposal), 404, "not-found")
    (await kacho.post("intake", path, proposal)).made()
    story.refused(
        await kacho.post("intake", f"/community-issues/{issue['id']}/reply", {"answer": "承知"}), 409, "issue-step"
    )
    story.step("重層的支援会議で見えた地域課題が、番号も名前もなしに推進会議に伝わり、提案になりました。")


async def _figures_alone(story: Story, case: str) -> None:
    """推進会議: its members read figures, and neither a case nor a document."""
    year = clock.fiscal_year(story.stack.clock.today())
    whole = await figures.of_year(story, "kacho", year)
    wanted = {
        "plans.participation.first": 1, "plans.outreach.first": 0, "participation.participants": 1,
        "participation.by_kind.gathering": 1, "participation.follow_ups_done": 2, "outreach.accompanied": 2,
        "outreach.consultations": 1, "sittings.support_meeting": 1, "sittings.layered_support_meeting": 1,
        "referrals.all": 1, "referrals_by_route.gathering": 1, "referrals_by_agency.elderly-center": 1,
        "issues.proposed": 1,
    }  # fmt: skip
    found = {name: whole.value(name) for name in wanted}
    story.must(found == wanted, f"年度の実績：{found}")
    story.must(whole.targets == (), "数値目標のない町では、目標は示されない")
    for user in ("iin", "toji"):
        visitor = await story.who(user)
        seen = await figures.of_year(story, user, year)
        story.must(seen.value("plans.participation.first") == 1, "推進会議の委員に、年度の数が見える")
        story.must(seen.value("referrals_by_agency.elderly-center") is None, "機関別の小さな数は、3未満とだけ示される")
        story.must((await visitor.get("intake", "/cases")).made()["items"] == [], "ケースの一覧は空")
        story.refused(await visitor.get("intake", f"/cases/{case}"), 404, "not-found")
        story.must(await story.documents_of(user, case) == [], "文書もない")
        story.must(case not in (await visitor.get("intake", f"/reports/{year}.csv")).expect(200).text, "番号もない")
        story.refused(await visitor.post("intake", f"/reports/{year}/issue", {}), 409, "not-section")
    story.refused(await (await story.who("mado")).get("intake", f"/reports/{year}"), 409, "role-missing")
    report, text = await figures.issued(story, "kacho", year, "実績報告書")
    story.must("3未満" in text and case not in text, "実績報告書でも、小さな数は示されず、ケースの番号はない")
    await story.closed("iin", report)
    story.step("推進会議の委員には、年度の数だけが見えました。ケースも文書も見えません。")


async def _not_before_the_promotion(story: Story, case: str) -> None:
    """推進会議 evaluates the programme: a case cannot be put on its agenda."""
    sitting = await Sitting.of(story, "kacho", "promotion")
    about = {"body": "promotion"}
    story.refused(await sitting.put("promotion", case, "sharing", **about), 409, "gate-body-cases")
    story.refused(await sitting.put(LAYERED, case, "sharing", **about), 409, "gate-body-role")
    await sitting.item("promotion", "", "other", **about)
    await sitting.call("kacho", "iin", "toji")
    await sitting.convened()
    page = await sitting.page("iin")
    story.must([one.get("case_number") for one in page["items"]] in ([""], [None]), "委員の議題に、ケースはない")
    await sitting.says(page["items"][0]["id"], "shared", discussion="年度の数を見て、次の年の進め方を話し合った。")
    await sitting.closed()
    held = await figures.of_year(story, "iin", clock.fiscal_year(story.stack.clock.today()))
    story.must(held.value("items.cases") == 2, "推進会議の議題は、事例検討に数えない")
    story.step("推進会議を開き、年度の数を見ました。個別のケースは、この会議の議題にできません。")
