"""芦屋市, 機能Ⅲ: what is common to several cases goes up twice, to the body that makes a project of it (A:122-136)."""

from __future__ import annotations

from typing import Any

from deploy.local.visitor import Answer
from tests.data.forms import sample
from tests.scenarios.story import Story

TEAM, JOINT, COMMITTEE, COUNCIL_BODY, SECTION_BODY = (
    "team-meeting", "multi-agency-meeting", "promotion-committee", "community-welfare-council", "deliberative-section",
)  # fmt: skip
ALONE = "一人で暮らす人が、夕方に相談できる先が少ない。"


async def handed_up(story: Story, cases: list[str], from_minutes: str) -> None:
    """One from the minutes of the team and one from a screening; both go up, the first becomes a project."""
    await _seen_in_a_screening(story, cases[3])
    first = await _handed(story, TEAM, JOINT, from_minutes)
    second, third = await _handed_on(story, first, from_minutes)
    await _to_the_joint_meeting(story)
    await _made_a_project(story, second)
    await _answered(story, third)


async def _issues(story: Story, user: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await (await story.who(user)).get("intake", "/community-issues")).made()["items"]
    return found


async def _handed(story: Story, from_body: str, to_body: str, text: str) -> dict[str, Any]:
    """The issue as its new body's office has it; of its case nothing."""
    wanted = {"from_body": from_body, "to_body": to_body, "text": text}
    (line,) = (row for row in await _issues(story, "kacho") if wanted.items() <= row.items())
    story.must(line["state"] == "handed", "まだ、だれも受け取っていない")
    story.must("case_number" not in line and "C20" not in str(line), "ケースの番号は伝わらない")
    return line


async def _step(story: Story, user: str, issue: dict[str, Any], step: str, form: dict[str, Any]) -> Answer:
    return await (await story.who(user)).post("intake", f"/community-issues/{issue['id']}/{step}", form)


async def _seen_in_a_screening(story: Story, case: str) -> None:
    tsunagu = await story.who("tsunagu")
    form = sample(
        "assessment", screening="continued", handed_over_to=[], issue_to=TEAM, community_issue=f"見本　太郎さんは、{ALONE}"
    )  # fmt: skip
    wrong = await tsunagu.post("intake", f"/cases/{case}/assessments", form)
    story.refused(wrong, 422, "invalid-form")
    story.must(wrong.errors == [("community_issue", "names-in-issue")], "スクリーニングの地域課題に、名前は書けない")
    (await tsunagu.post("intake", f"/cases/{case}/assessments", {**form, "community_issue": ALONE})).made()
    (line,) = (row for row in await _issues(story, "team") if row["to_body"] == TEAM)
    story.must((line["text"], line["origin"]) == (ALONE, "screening"), "スクリーニングで見えた課題が、チームに伝わる")
    story.must(line["is_own"] and "hand_on" in line["offered"], "チームは、さらに伝えられる")
    form = {"to_body": JOINT, "kind": "issue", "text": ALONE}
    story.refused(await _step(story, "sasae", line, "handing-on", form), 404, "not-found")
    (await _step(story, "team", line, "handing-on", form)).made()
    story.step("機能Ⅲ：スクリーニングで見えた地域課題がチーム会議に伝わり、チームが多機関協働支援会議へ上げました。")


async def _handed_on(story: Story, issue: dict[str, Any], text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The second time: to one of the bodies that the profile names, and to the other."""
    form = {"to_body": COMMITTEE, "kind": "issue", "text": text}
    story.refused(await _step(story, "team", issue, "handing-on", form), 409, "not-body-office")
    story.refused(await _step(story, "sasae", issue, "handing-on", form), 404, "not-found")
    past = {**form, "to_body": SECTION_BODY}
    story.refused(await _step(story, "tsunagu", issue, "handing-on", past), 409, "issue-no-path")
    (await _step(story, "tsunagu", issue, "handing-on", form)).made()
    (await _step(story, "tsunagu", issue, "handing-on", {**form, "to_body": COUNCIL_BODY})).made()
    (line,) = (row for row in await _issues(story, "tsunagu") if row["id"] == issue["id"])
    story.must(line["state"] == "received", "上げた会議体では、受け取ったことになる")
    story.must({row["to_body"] for row in line["further"]} == {COMMITTEE, COUNCIL_BODY}, "どこへ上げたかが残る")
    second = await _handed(story, JOINT, COMMITTEE, text)
    third = await _handed(story, JOINT, COUNCIL_BODY, text)
    story.must(second["previous"] == third["previous"] == issue["number"], "もとの課題の番号をたどれる")
    story.step(
        "多機関協働支援会議が、推進委員会と地域福祉推進協議会へ、2度目の提案をしました。飛ばして上げることはできません。"
    )
    return second, third


async def _to_the_joint_meeting(story: Story) -> None:
    """A coordinator hands one on without any case; others may not."""
    form = sample("community_issue", to_body=JOINT, kind="resource", text="夜に送り迎えのできる人。")
    story.refused(await (await story.who("sanka")).post("intake", "/community-issues", form), 409, "issue-not-handing")
    (await (await story.who("team")).post("intake", "/community-issues", form)).made()
    (line,) = (row for row in await _issues(story, "tsunagu") if row["origin"] == "direct")
    story.must((line["kind"], line["from_body"]) == ("resource", ""), "不足する社会資源が、直接伝わる")
    story.step("コーディネーターが、不足する社会資源を直接伝えました。ほかの職員は、会議録やスクリーニングで伝えます。")


async def _made_a_project(story: Story, issue: dict[str, Any]) -> None:
    """提案 → プロジェクト, by the office of the body that has it."""
    today = story.stack.clock.today().isoformat()
    project = sample("issue_project", lead_agency="community-building", starts=today, until=None)
    project.pop("until")
    story.refused(await _step(story, "kacho", issue, "project", project), 409, "issue-step")
    proposal = sample("issue_proposal")
    story.refused(await _step(story, "tsunagu", issue, "proposal", proposal), 409, "not-body-office")
    (await _step(story, "kacho", issue, "proposal", proposal)).made()
    (await _step(story, "kacho", issue, "project", project)).made()
    (line,) = (row for row in await _issues(story, "kacho") if row["id"] == issue["id"])
    story.must((line["state"], line["project"]["state"]) == ("project", "running"), "課題が、プロジェクトになる")
    story.step("多機関協働推進委員会が、提案をプロジェクトにしました。提案の前には始められません。")


async def _answered(story: Story, issue: dict[str, Any]) -> None:
    story.refused(await _step(story, "iin", issue, "reply", {"answer": "承知"}), 404, "not-found")
    (await _step(story, "kacho", issue, "reply", {"answer": "推進委員会のプロジェクトに合わせて進めます。"})).made()
    story.refused(await _step(story, "kacho", issue, "reply", {"answer": "もう一度"}), 409, "already-answered")
    story.step("地域福祉推進協議会は、上がった課題に回答しました。")
