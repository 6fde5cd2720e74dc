"""Walks of the rules on 社会資源, follow-ups and 地域課題: who puts on record, who learns of whom, which step follows which."""

from __future__ import annotations

from typing import Any

from tests.data.case_work import DESTINATION, ORIGIN, PROVIDER, SECTION, send
from tests.data.forms import sample
from tests.data.plan_work import plan
from tests.intake.rule_walks import TownTrail
from tests.intake.sittings import Table, today

_GIVEN = "talent-bank"  # a resource of the profile
_ISSUES = "/community-issues"


async def _resource(trail: TownTrail, table: Table, **changes: Any) -> str:
    """A resource that the provider put on record; its id."""
    form = sample("resource", **{"agency": DESTINATION, **changes})
    answer = await trail.granted(send(table.coordinator, "/resources", form))
    return str(answer.json()["id"])


async def _matched(trail: TownTrail) -> tuple[Table, str]:
    """A case whose adopted plan names a resource, with a part for the destination; and the resource."""
    table = await trail.table()
    await table.consent(PROVIDER, SECTION, DESTINATION)
    resource = await _resource(trail, table)
    rows = [{"agency": DESTINATION, "part": "送り迎え"}]
    form = plan("participation", resource_id=resource, person_follow_up_on=today(), allocations=rows)
    table.plan_id = await table.work.adopted("participation", **{name: form[name] for name in _OWN})
    return table, resource


_OWN = ("resource_id", "person_follow_up_on", "allocations")


async def resource_keeper(trail: TownTrail) -> None:
    """A place is put on record by who looks after it, the provider or the section, and read by everybody but administrators."""
    table = await trail.referred()
    form = sample("resource", agency=DESTINATION)
    await trail.refused(send(table.mado, "/resources", form), "not-resource-keeper")
    answer = await trail.granted(send(table.care, "/resources", form))
    path = f"/resources/{answer.json()['id']}"
    for caller in (table.mado, table.stranger):
        await trail.refused(send(caller, path, form, revision=1), "not-resource-keeper")
    # nor does somebody take over what another agency looks after
    await trail.refused(send(table.mado, path, sample("resource", agency=ORIGIN), revision=1), "not-resource-keeper")
    await trail.granted(send(table.section, path, form, revision=1))
    await trail.granted(send(table.coordinator, f"/resources/{_GIVEN}", form, revision=1))
    for caller in (table.stranger, trail.town.person("kansa-3", SECTION, "auditor")):
        await trail.sees(caller, path, "見本農園")
    await trail.refused(trail.town.person("kanri-3", SECTION, "administrator").get(path), "forbidden", 403)


async def resource_matched(trail: TownTrail) -> None:
    """Whose plan names a place is shown to who may read that plan, or has a part by it; the others see how many."""
    table, resource = await _matched(trail)
    for caller in (table.stranger, table.mado):
        await trail.kept_from(caller, f"/resources/{resource}", table.case)
        await trail.kept_from(caller, "/follow-ups", table.case)
        await trail.sees(caller, f"/resources/{resource}", '"matched":1')
    for caller in (table.coordinator, table.section, table.care):
        await trail.sees(caller, f"/resources/{resource}", table.case)
        await trail.sees(caller, "/follow-ups", table.case)


async def follow_up_once(trail: TownTrail) -> None:
    """Who may not see the plan does not learn of its follow-ups; one that was done is not done again."""
    table, _ = await _matched(trail)
    lines = (await trail.sees(table.care, "/follow-ups"))["items"]
    (identity,) = [line["id"] for line in lines if line["case_number"] == table.case]
    path, form = f"/follow-ups/{identity}/completion", sample("follow_up", done_on=today())
    await trail.refused(send(table.stranger, path, form), "not-found", 404)
    await trail.granted(send(table.care, path, form))
    await trail.refused(send(table.coordinator, path, form), "follow-up-done")


async def issue_hand_on(trail: TownTrail) -> None:
    """Handed directly by coordinators and the section; further only where the profile says that the body hands on to."""
    table = await trail.referred()
    form = sample("community_issue", to_body="support-meeting")
    for caller in (table.mado, table.care):
        await trail.refused(send(caller, _ISSUES, form), "issue-not-handing")
    answer = await trail.granted(send(table.section, _ISSUES, form))
    path = f"{_ISSUES}/{answer.json()['id']}/handing-on"
    await trail.refused(send(table.stranger, path, form), "not-found", 404)
    elsewhere = sample("community_issue", to_body="community-care")
    await trail.refused(send(table.coordinator, path, elsewhere), "issue-no-path")
    await trail.granted(send(table.coordinator, path, sample("community_issue", to_body="layered-support")))


async def issue_step(trail: TownTrail) -> None:
    """Handed, received, proposed, a project; or answered, after which nothing follows."""
    table = await trail.referred()
    found = []
    for _ in range(2):
        form = sample("community_issue", to_body="layered-support")
        found.append(f"{_ISSUES}/{(await trail.granted(send(table.section, _ISSUES, form))).json()['id']}")
    proposal, project = sample("issue_proposal"), sample("issue_project")
    await trail.refused(send(table.coordinator, f"{found[0]}/project", project), "issue-step")
    await trail.granted(send(table.coordinator, f"{found[0]}/reply", {"answer": ""}))
    await trail.granted(send(table.coordinator, f"{found[0]}/proposal", proposal))
    for path, again in (("proposal", proposal), ("reply", {"answer": "次の年度に考えます。"})):
        await trail.refused(send(table.coordinator, f"{found[0]}/{path}", again), "issue-step")
    for state in ("planned", "running", "done"):
        await trail.granted(send(table.coordinator, f"{found[0]}/project", {**project, "state": state}))
    await trail.granted(send(table.coordinator, f"{found[1]}/reply", {"answer": "すでに取り組んでいます。"}))
    for path, again in (("proposal", proposal), ("project", project)):
        await trail.refused(send(table.coordinator, f"{found[1]}/{path}", again), "issue-step")
    await trail.refused(send(table.stranger, f"{found[1]}/withdrawal", {}), "not-found", 404)
    await trail.granted(send(table.coordinator, f"{found[1]}/withdrawal", {}))
    await trail.refused(send(table.coordinator, f"{found[1]}/withdrawal", {}), "issue-step")
