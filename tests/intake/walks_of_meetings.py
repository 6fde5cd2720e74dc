"""Walks of the rules on meetings and plans: what may be heard, what a sitting decides, and how far plans and sittings are."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.data.case_work import DESTINATION, PROVIDER, SECTION, send
from tests.data.forms import sample
from tests.data.plan_work import plan
from tests.intake.rule_walks import CARE, CHAIR, NURSERY, YOSO, TownTrail, adopted, heard
from tests.intake.sittings import LAYERED, NAMES, SUPPORT, Table, member, said, today
from tsunagi_shared import clock

_OPEN = "まだ会えていない。"  # why there is no consent, in the minutes of a 支援会議
_AGAIN = {"change": "入院した。", "review": "訪問は続いている。", "changes_made": "家計の相談を加える。"}


# what may be heard ------------------------------------------------------------------------------------------------------


async def gate_one_role(trail: TownTrail) -> None:
    """An item has one legal role, which its body has, and its body hears cases."""
    table = await trail.table()
    meeting = await table.sitting()
    both: Any = [LAYERED[1], SUPPORT[1]]
    await trail.refused(table.put(meeting, legal_role=both), "invalid-form", 422)
    await trail.refused(table.put(meeting, legal_role=""), "invalid-form", 422)
    await trail.refused(table.put(meeting, legal_role=SUPPORT[1]), "gate-body-role")
    liaison = await table.sitting("welfare-liaison", caller=table.section)
    resource = {"body": "welfare-liaison", "legal_role": "internal_liaison", "occasion": "resource"}
    about_a_case = {**resource, "occasion": "sharing", "case_number": table.case}
    await trail.refused(send(table.section, f"/meetings/{liaison}/items", about_a_case), "gate-body-cases")
    await trail.granted(send(table.section, f"/meetings/{liaison}/items", resource))
    await trail.granted(table.put(meeting))


async def gate_layered(trail: TownTrail) -> None:
    """Without consent it is not convened; with somebody there who is not named in it, it is not closed."""
    table = await trail.table()
    meeting = await table.sitting()
    item = await table.item(meeting)
    await table.call(meeting, CHAIR, CARE, YOSO)
    await trail.refused(table.convene(meeting), "gate-consent-missing")
    await table.consent(PROVIDER, DESTINATION)
    await trail.granted(table.convene(meeting))
    await table.write(meeting, item, said([CHAIR, CARE, YOSO]))
    await trail.refused(table.close(meeting), "gate-agency-unnamed")
    await table.write(meeting, item, said([CHAIR, CARE], [YOSO]), 1)
    await trail.granted(table.close(meeting))


async def gate_support_meeting(trail: TownTrail) -> None:
    """Whoever hears the item was chosen for it, told of the duty, and has pledged where the municipality asks for it."""
    table = await trail.table()
    meeting = await table.sitting("support-meeting")
    item = await table.item(meeting, heard=SUPPORT)
    (guest,) = await table.call(meeting, YOSO, chosen=True)
    await table.call(meeting, CHAIR, chosen=True, told_on=today())
    await trail.refused(table.convene(meeting), "gate-not-told")
    told = member(*YOSO, chosen=True, told_on=today())
    address = f"/meetings/{meeting}/members/{guest}"
    await trail.granted(send(table.coordinator, address, told, method="PUT"))
    with trail.town.under(pledge_required=True):
        await trail.refused(table.convene(meeting), "gate-not-pledged")
        for agency, user in (CHAIR, YOSO):
            form = sample("pledge", agency=agency, name=NAMES[user])
            await trail.granted(send(table.coordinator, "/pledges", form))
        await trail.granted(table.convene(meeting))
    reason: dict[str, Any] = {"decision": "shared", "no_consent_reason": _OPEN}
    await table.write(meeting, item, said([CHAIR, YOSO, CARE], **reason))
    await trail.refused(table.close(meeting), "gate-not-chosen")
    await table.write(meeting, item, said([CHAIR, YOSO], **reason), 1)
    await trail.granted(table.close(meeting))


async def gate_minimal_item(trail: TownTrail) -> None:
    """When consent was withdrawn, numbers and a reason end the plan, before the provider and the municipality alone."""
    table = await trail.table()
    await table.consent(PROVIDER, SECTION, DESTINATION)
    number = await adopted(table)
    await table.withdraw()
    shown: dict[str, Any] = {"minimal_reason": "withdrawn", "occasion": "end"}
    closed = await table.sitting("support-meeting")
    await trail.refused(table.put(closed, number, SUPPORT, **shown), "gate-minimal-purpose")
    meeting = await table.sitting()
    for wrong in ({"occasion": "adopt"}, {"note": "家計のこと。"}):
        await trail.refused(table.put(meeting, number, **{**shown, **wrong}), "invalid-form", 422)
    item = await table.item(meeting, number, **shown)
    await table.call(meeting, CHAIR, CARE)
    await trail.granted(table.convene(meeting))
    ends = {"decision": "ended", "lead_agency": PROVIDER}
    await table.write(meeting, item, {"presences": said([CHAIR, CARE])["presences"], **ends})
    await trail.refused(table.close(meeting), "gate-minimal-present")
    await table.write(meeting, item, {"presences": said([CHAIR], [CARE])["presences"], **ends}, 1)
    await trail.granted(table.close(meeting))
    assert (await trail.sees(table.section, f"/cases/{table.case}"))["state"] == "followed_up"


async def sitting_complete(trail: TownTrail) -> None:
    """Something is to be heard, and for each item there is somebody who may hear it."""
    table = await trail.table()
    await table.consent(DESTINATION)
    meeting = await table.sitting()
    await trail.refused(table.convene(meeting), "nothing-on-agenda")
    await table.item(meeting)
    await trail.refused(table.convene(meeting), "nothing-on-agenda")  # nobody is called yet
    await table.call(meeting, CHAIR)
    await trail.refused(table.convene(meeting), "nobody-hears-item")
    await table.call(meeting, CARE)
    await trail.granted(table.convene(meeting))


async def sitting_state(trail: TownTrail) -> None:
    """Planned, convened, closed: nothing is closed before its time, and nothing changed after it."""
    table = await trail.table()
    await table.consent(PROVIDER)
    tomorrow = await table.sitting(held_on=(clock.today() + dt.timedelta(1)).isoformat())
    item = await table.item(tomorrow)
    await table.call(tomorrow, CHAIR)
    await trail.refused(table.close(tomorrow), "not-convened")
    await table.convene(tomorrow)
    await trail.refused(table.close(tomorrow), "not-held-yet")
    withdrawal = f"/meetings/{tomorrow}/items/{item}/withdrawal"
    await trail.granted(send(table.coordinator, withdrawal))
    await trail.refused(send(table.coordinator, withdrawal), "item-not-open")
    revision = (await table.page(tomorrow))["revision"]
    await trail.granted(send(table.coordinator, f"/meetings/{tomorrow}/cancellation", revision=revision))
    await trail.refused(table.put(tomorrow), "sitting-cancelled")
    meeting = await heard(table)
    await trail.granted(table.close(meeting))
    for call in (table.close(meeting), table.convene(meeting), table.put(meeting)):
        await trail.refused(call, "already-closed")


async def sitting_office(trail: TownTrail) -> None:
    """A sitting is made and run by its body's office; bodies sit together where the municipality has them do so."""
    table = await trail.table()
    await table.consent(PROVIDER, DESTINATION)
    clerk = trail.town.person("madoguchi", PROVIDER, "clerk")
    form = sample("meeting", bodies=["layered-support"], held_on=today())
    for caller in (table.care, clerk):
        await trail.refused(send(caller, "/meetings", form), "not-body-office")
    joint = {**form, "bodies": ["layered-support", "support-meeting"]}
    with trail.town.under(joint_sittings=False):
        await trail.refused(send(table.coordinator, "/meetings", joint), "joint-not-used")
    await trail.granted(send(table.coordinator, "/meetings", joint))
    meeting = await table.sitting()
    await table.item(meeting)
    await table.call(meeting, CHAIR, CARE)
    await trail.unseen(table.care, f"/meetings/{meeting}")
    await trail.granted(table.convene(meeting))
    await trail.sees(table.care, f"/meetings/{meeting}")
    revision = (await table.page(meeting))["revision"]
    await trail.refused(table.convene(meeting, table.care, revision), "not-body-office")


# what a sitting decides -------------------------------------------------------------------------------------------------


async def meeting_decision(trail: TownTrail) -> None:
    """策定, 終結, 中断 and 再プラン need the decision of a 重層的支援会議; one of a 支援会議 is none."""
    table = await trail.table()
    await table.consent(PROVIDER, DESTINATION)
    first = await table.plan()
    old = table.plan_id
    await table.work.agree(old)
    await table.work.municipal(old)
    await trail.refused(table.work.step(old, "adopt"), "meeting-decision-required")
    await trail.refused(table.close(await heard(table, first, SUPPORT)), "meeting-decision-required")
    await trail.granted(table.close(await heard(table, first)))
    assert (await trail.sees(table.coordinator, f"/plans/{old}"))["state"] == "adopted"
    for step in ("suspend", "end"):
        await trail.refused(table.work.step(old, step), "meeting-decision-required")
    closure = table.desk.send(table.coordinator, "closure", sample("closure"), revision=await trail.revision(table))
    await trail.refused(closure, "meeting-decision-required")
    second = await table.plan(previous=first, **_AGAIN)
    await table.work.agree(table.plan_id)
    await table.work.municipal(table.plan_id)
    await trail.refused(table.work.step(table.plan_id, "replan"), "meeting-decision-required")
    await trail.granted(table.close(await heard(table, second, occasion="replan")))
    assert (await trail.sees(table.coordinator, f"/plans/{old}"))["state"] == "superseded"
    for occasion, decision, state in (("suspend", "suspended", "suspended"), ("end", "ended", "ended")):
        await trail.granted(table.close(await heard(table, second, occasion=occasion, decision=decision)))
        assert (await trail.sees(table.coordinator, f"/plans/{table.plan_id}"))["state"] == state


async def three_dates(trail: TownTrail) -> None:
    """The decision alone is not enough: the person agrees, and the municipality decides."""
    table = await trail.table()
    await table.consent(PROVIDER)
    number = await table.plan()
    await trail.granted(table.close(await heard(table, number)))
    await trail.refused(table.work.step(table.plan_id, "adopt"), "person-agreement-required")
    await trail.granted(table.work.agree(table.plan_id))
    await trail.refused(table.work.step(table.plan_id, "adopt"), "municipal-decision-required")
    answer = await trail.granted(table.work.municipal(table.plan_id))
    assert answer.json()["code"] == "adopted"


async def plan_provisional(trail: TownTrail) -> None:
    """Before consent a 支援会議 confirms outreach and no other plan, and adopts none; after it the plan is adopted."""
    table = await trail.table()
    reached: dict[str, Any] = {"decision": "confirmed", "no_consent_reason": _OPEN}
    other = await heard(table, await table.plan(), SUPPORT, **reached)
    await trail.refused(table.close(other), "provisional-outreach-only")
    number = await table.plan(kind="outreach")
    await trail.refused(table.close(await heard(table, number, SUPPORT)), "plan-consent-missing")
    await trail.granted(table.close(await heard(table, number, SUPPORT, **reached)))
    assert (await trail.sees(table.coordinator, f"/plans/{table.plan_id}"))["state"] == "provisional"
    await table.consent(PROVIDER)
    await trail.granted(table.close(await heard(table, number)))
    await table.work.agree(table.plan_id)
    answer = await trail.granted(table.work.municipal(table.plan_id))
    assert answer.json()["code"] == "adopted"


# how far a plan is ------------------------------------------------------------------------------------------------------


async def plan_step(trail: TownTrail) -> None:
    """A draft is neither dropped nor decided on; put before a meeting it is sent back or dropped, and not rewritten."""
    table = await trail.table()
    plan_id = await table.work.draft()
    await trail.refused(table.work.step(plan_id, "drop"), "plan-step")
    await trail.refused(table.work.municipal(plan_id), "plan-step")
    await trail.granted(table.work.post(table.coordinator, plan_id, "proposal"))
    edited = plan(goal="もっと近い目標")
    address, revision = f"/records/plan/{plan_id}", (await table.work.row(plan_id))["revision"]
    await trail.refused(send(table.coordinator, address, edited, method="PUT", revision=revision), "plan-step")
    await trail.granted(table.work.step(plan_id, "return"))
    await trail.granted(send(table.coordinator, address, edited, method="PUT", revision=revision + 1))
    await trail.granted(table.work.post(table.coordinator, plan_id, "proposal"))
    await trail.granted(table.work.step(plan_id, "drop"))
    await trail.refused(table.work.agree(plan_id), "plan-step")


async def plan_one_open(trail: TownTrail) -> None:
    """A second plan of a kind is a 再プラン of one that is in force, and of nothing else."""
    table = await trail.table()
    await table.consent(PROVIDER)
    first = await table.plan()
    await trail.refused(table.desk.send(table.coordinator, "plans", plan()), "plan-already-open")
    for previous in ("P2099-00009", first):
        form = plan(previous=previous, **_AGAIN)
        await trail.refused(table.desk.send(table.coordinator, "plans", form), "replan-of-nothing")
    await table.close(await heard(table, first))
    await table.work.agree(table.plan_id)
    await table.work.municipal(table.plan_id)
    await trail.refused(table.desk.send(table.coordinator, "plans", plan()), "plan-already-open")
    form = plan(previous=first, **_AGAIN)
    await trail.granted(table.desk.send(table.coordinator, "plans", form))
    await trail.granted(table.desk.send(table.coordinator, "plans", plan("participation")))


# what an agency is asked ------------------------------------------------------------------------------------------------


async def information_basis(trail: TownTrail) -> None:
    """An agency is asked by consent or by law, and answers itself."""
    table = await trail.table()
    form = sample("information_request", agency=NURSERY)
    law = form.pop("law")
    ask = "information-requests"
    await trail.refused(table.desk.send(table.coordinator, ask, form), "information-without-basis")
    asked = await trail.granted(table.desk.send(table.coordinator, ask, {**form, "law": law}))
    path, answer = f"/information-requests/{asked.json()['id']}/answer", sample("information_answer")
    await trail.refused(send(table.section, path, answer), "not-addressee")
    await trail.refused(send(table.care, path, answer), "not-found", 404)
    await trail.granted(send(table.stranger, path, answer))
    await _by_consent(trail, table, {**form, "agency": DESTINATION})


async def _by_consent(trail: TownTrail, table: Table, form: dict[str, Any]) -> None:
    await table.consent(DESTINATION)
    await trail.granted(table.desk.send(table.coordinator, "information-requests", form))
