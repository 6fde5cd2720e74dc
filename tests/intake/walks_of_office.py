"""Walks of the rules on how far a case is, and on who acts on it: by what they see, by role, by the part of their agency."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import httpx

from tests.data.case_work import DESTINATION, ORIGIN, PROVIDER, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.plan_work import SUPPORT as ASKED
from tests.data.plan_work import plan
from tests.data.referrals import referral
from tests.intake.case_facts import CONTRACTED
from tests.intake.rule_walks import TownTrail, adopted
from tests.intake.sittings import Table

_NOT_ASKED = {"status": "not_asked"}


async def _posted(trail: TownTrail, table: Table, caller: Any, path: str, form: Any) -> httpx.Response:
    """Something that is made on the case as it stands."""
    return await table.desk.send(caller, path, form, revision=await trail.revision(table))


# how far a case is ------------------------------------------------------------------------------------------------------


async def case_state(trail: TownTrail) -> None:
    """Nobody writes a state down: it follows from what is on record, form by form."""
    table = await trail.referred(consent=_NOT_ASKED)
    path = f"/cases/{table.case}"
    for call in (
        table.desk.send(table.coordinator, "assessments", {**going_on(), "state": "supported"}),
        table.desk.send(table.coordinator, "contacts", sample("contact", case_state="supported")),
    ):
        answer = await trail.refused(call, "invalid-form", 422)
        assert [error["code"] for error in answer.json()["errors"]] == ["unknown-field"]
    states = [(await trail.sees(table.section, path))["state"]]

    async def done(call: Awaitable[httpx.Response]) -> None:
        await trail.granted(call)
        states.append((await trail.sees(table.section, path))["state"])

    await done(table.desk.referral(table.coordinator, "reply", sample("reply"), revision=1))
    await done(table.desk.send(table.coordinator, "assessments", going_on()))
    await done(table.consent(PROVIDER))
    await adopted(table)
    await done(table.desk.send(table.coordinator, "contacts", sample("contact")))
    assert states == ["received", "screened", "outreach", "assessed", "supported"]


async def case_end(trail: TownTrail) -> None:
    """What has ended, or was joined to another case, is read and its people are protected; what is new is a new case."""
    table = await trail.table()
    await trail.granted(_posted(trail, table, table.coordinator, "closure", sample("closure")))
    joined, head = await trail.table(), await trail.table()
    into = {"into": head.case}
    await trail.granted(_posted(trail, joined, table.coordinator, "joining", into))
    for over, code in ((table, "case-ended"), (joined, "case-joined")):
        for path, form in (("assessments", going_on()), ("contacts", sample("contact")), ("plans", plan())):
            await trail.refused(over.desk.send(over.coordinator, path, form), code)
        people = (await trail.sees(over.coordinator, f"/cases/{over.case}"))["people"]
        form = sample("protection", person=people[0]["id"])
        await trail.granted(_posted(trail, over, over.coordinator, "protections", form))
    await trail.granted(head.desk.send(head.coordinator, "contacts", sample("contact")))
    again = await trail.granted(send(table.mado, "/referrals", referral()))
    assert again.json()["case_number"] not in (table.case, joined.case, head.case)


async def case_evaluate(trail: TownTrail) -> None:
    """There is nothing to evaluate before anything was begun."""
    table = await trail.referred()
    await trail.refused(table.desk.send(table.coordinator, "evaluations", sample("evaluation")), "nothing-to-evaluate")
    await trail.granted(table.desk.send(table.coordinator, "assessments", going_on()))
    await trail.granted(table.desk.send(table.coordinator, "evaluations", sample("evaluation")))


# who acts on it ---------------------------------------------------------------------------------------------------------


async def may_see(trail: TownTrail) -> None:
    """Who may not see a case does not learn of it, whatever they try; what needs all of it needs the full view."""
    table = await trail.referred()
    path = f"/cases/{table.case}"
    form = consent_of(await table.person())
    await trail.unseen(table.stranger, path)
    for way, tried in (("consents", form), ("contacts", sample("contact")), ("assessments", going_on())):
        await trail.refused(table.desk.send(table.stranger, way, tried), "not-found", 404)
    assert (await trail.sees(table.care, path))["view"] == "summary"
    await trail.granted(table.desk.send(table.care, "contacts", sample("contact")))
    # a note of its own shows an agency no more of the case
    await trail.refused(table.desk.send(table.care, "consents", form), "full-view-needed")
    await trail.granted(table.desk.send(table.mado, "consents", form))


async def may_role(trail: TownTrail) -> None:
    """Parts are given by who steers cases; administrators and auditors write nothing into one."""
    table = await trail.referred()
    part = sample("allocation")
    clerk = trail.town.person("madoguchi", PROVIDER, "clerk")
    await trail.refused(_posted(trail, table, clerk, "allocations", part), "role-missing")
    for role in ("administrator", "auditor"):
        other = trail.town.person(role, PROVIDER, role)
        for path, form in (("allocations?revision=1", part), ("contacts", sample("contact"))):
            await trail.refused(table.desk.send(other, path, form), "forbidden", 403)
    await trail.granted(_posted(trail, table, table.coordinator, "allocations", part))
    await trail.granted(table.desk.send(clerk, "contacts", sample("contact")))


async def may_part(trail: TownTrail) -> None:
    """Each agency does what is its part: the writer, the provider or section, those allocated, the section."""
    table = await trail.referred()
    part, form = sample("allocation"), referral(reason="書き直す。")
    path = f"/referrals/{table.desk.referral_number}"
    await trail.refused(send(table.coordinator, path, form, method="PUT", revision=1), "not-writer")
    await trail.granted(send(table.mado, path, form, method="PUT", revision=1))
    elsewhere = trail.town.person("chosei-2", ORIGIN, "coordinator")
    await trail.refused(_posted(trail, table, elsewhere, "allocations", part), "not-provider-or-section")
    await trail.refused(table.desk.send(table.care, "assessments", going_on()), "not-allocated")
    await trail.granted(_posted(trail, table, table.coordinator, "allocations", part))
    await trail.granted(table.desk.send(table.care, "assessments", going_on()))
    in_name = trail.town.person("kacho-2", PROVIDER, "responsible_section")
    hold = {"on": True, "reason": "審査のため。"}
    await trail.refused(table.desk.send(in_name, "hold", hold), "not-section")
    await trail.granted(table.desk.send(table.section, "hold", hold))


async def may_plan(trail: TownTrail) -> None:
    """A plan is drawn up by the provider, or by who carries out its kind; a 支援依頼 is answered by whom it asks."""
    table = await trail.table()
    await table.consent(PROVIDER, DESTINATION, ASKED, CONTRACTED)
    await trail.refused(table.desk.send(table.section, "plans", plan()), "not-plan-owner")
    await adopted(table)  # gives the agencies of its rows their parts
    council = trail.town.person("sagyo", CONTRACTED, "agency_staff")
    await trail.refused(table.desk.send(council, "plans", plan("outreach")), "not-plan-owner")
    await trail.granted(table.desk.send(council, "plans", plan("participation")))
    path = f"/plans/{table.plan_id}/allocations"
    await trail.refused(send(table.care, f"{path}/2/answer", sample("support_answer")), "not-asked-to-support")
    await trail.granted(send(table.care, f"{path}/1/answer", sample("support_answer")))


async def may_reply(trail: TownTrail) -> None:
    """Who was not asked does not answer; who was answers once, and the provider's answer settles it."""
    table = await trail.referred()
    for caller in (table.mado, table.section):
        reply = table.desk.referral(caller, "reply", sample("reply"), revision=1)
        await trail.refused(reply, "not-asked-to-reply")
    for caller in (table.care, table.coordinator):
        await trail.granted(table.desk.referral(caller, "reply", sample("reply"), revision=1))
        reply = table.desk.referral(caller, "reply", sample("reply"), revision=1)
        await trail.refused(reply, "already-answered")
