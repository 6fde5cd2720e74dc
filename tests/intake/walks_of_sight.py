"""Walks of the rules on who sees what: on what basis, what is kept from them, by whose consent and under which contract."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from tests.data.case_work import DESTINATION, ORIGIN, PROVIDER, SECTION, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.intake import PASSWORD, Caller
from tests.data.referrals import referral
from tests.intake import case_facts
from tests.intake.case_facts import CONTRACTED, entrusted, fussa, with_contracts
from tests.intake.rule_walks import CHAIR, NURSERY, YOSO, TownTrail
from tests.intake.sittings import SUPPORT, Table, today
from tsunagi_shared import clock
from tsunagi_shared.accounts import Post
from tsunagi_shared.contracts.profile import Contract

_CLINIC = "sample-clinic"
_NOT_ASKED = {"status": "not_asked"}
_START, _DAY = dt.date(2025, 4, 1), dt.timedelta(days=1)
_HOME = "見本町0-0-0"  # in the address of the sample referral


async def _consent(table: Table, place: int = 0, **changes: Any) -> Any:
    """A consent of one of the people of the case, as their form says it."""
    person = (await table.section.get(f"/cases/{table.case}")).json()["people"][place]["id"]
    answer = await table.desk.send(table.mado, "consents", consent_of(person, **changes))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _record(table: Table, caller: Caller, path: str, kind: str, **changes: Any) -> str:
    """A form of the case that somebody handed in; where it is read."""
    form = going_on(**changes) if kind == "assessment" else sample(kind, **changes)
    answer = await table.desk.send(caller, path, form)
    assert answer.status_code == 201, answer.text
    return f"/records/{kind}/{answer.json()['id']}"


def _on(day: str) -> dict[str, Any]:
    """The days on a consent: explained and given on this one."""
    return {"given_on": day, "explained_on": day}


# on what basis ----------------------------------------------------------------------------------------------------------


async def audience_origin(trail: TownTrail) -> None:
    """Who wrote a form reads it, and who referred reads the answer; another window of the municipality does not."""
    table = await trail.referred()
    window = trail.town.person("korei", "long-term-care", "clerk")
    answer = await table.desk.referral(table.coordinator, "reply", sample("reply"), revision=1)
    reply = f"/records/reply/{answer.json()['id']}"
    for path in (f"/cases/{table.case}", f"/referrals/{table.desk.referral_number}", reply):
        await trail.unseen(window, path)
        await trail.sees(table.mado, path)
    await trail.unseen(table.care, reply)
    # who came later sees of the household only those who agreed, even on a form of its own
    await table.desk.send(table.section, "allocations", sample("allocation"), revision=await trail.revision(table))
    own = await _record(table, table.care, "assessments", "assessment")
    assert len((await trail.sees(table.care, own))["people"]) == 1
    await _consent(table, 1, agencies=[DESTINATION])
    assert len((await trail.sees(table.care, own))["people"]) == 2


async def audience_provider(trail: TownTrail) -> None:
    """直営 the provider sees everything; under contract it needs consent, and sees nobody who gave none."""
    direct = await trail.referred(consent=_NOT_ASKED)
    assert (await trail.sees(direct.coordinator, f"/cases/{direct.case}"))["view"] == "full"
    council = trail.town.person("shakyo", CONTRACTED, "coordinator")
    with trail.town.under(entrusted()):
        table = await trail.referred(consent=_NOT_ASKED)
        await trail.unseen(council, f"/cases/{table.case}")
        await _consent(table, agencies=[DESTINATION])  # a provider need not be named
        page = await trail.sees(council, f"/cases/{table.case}")
        assert (page["view"], len(page["people"]), page["some_hidden"]) == ("full", 1, True)
        assert (await trail.entry(table, CONTRACTED))["basis"]["kind"] == "provider"


async def audience_section(trail: TownTrail) -> None:
    """The responsible section sees all of a case; a section that has nothing to do with it sees nothing."""
    table = await trail.referred(consent=_NOT_ASKED)
    await trail.unseen(trail.town.person("korei", "long-term-care", "clerk"), f"/cases/{table.case}")
    page = await trail.sees(table.section, f"/cases/{table.case}")
    assert (page["view"], len(page["people"]), page["some_hidden"]) == ("full", 3, False)
    assert (await trail.entry(table, SECTION))["basis"]["kind"] == "responsible_section"


async def audience_consent(trail: TownTrail) -> None:
    """A destination gets the summary when the person's consent names it: not without one, nor by one to others."""
    table = await trail.referred(consent=_NOT_ASKED)
    await trail.gets_nothing(table, DESTINATION, "consent-missing")
    await trail.unseen(table.care, f"/cases/{table.case}")
    await _consent(table, agencies=["hardship-support"])
    await trail.gets_nothing(table, DESTINATION, "consent-does-not-name")
    await trail.unseen(table.care, f"/cases/{table.case}")
    await _consent(table, agencies=[DESTINATION], **_on("2026-05-01"))
    assert (await trail.sees(table.care, f"/cases/{table.case}"))["view"] == "summary"


async def audience_exclusion(trail: TownTrail) -> None:
    """Whom the person excluded gets nothing by the consent, until a consent of a later day names it."""
    table = await trail.referred()
    await trail.sees(table.care, f"/cases/{table.case}")
    said: dict[str, Any] = {"agencies": ["hardship-support"], "excluded_agencies": [DESTINATION]}
    await _consent(table, **said, **_on("2026-05-01"))
    await trail.gets_nothing(table, DESTINATION, "agency-excluded")
    await trail.unseen(table.care, f"/cases/{table.case}")
    await _consent(table, agencies=[DESTINATION], **_on("2026-05-01"))  # of the same day: nobody knows which came last
    await trail.gets_nothing(table, DESTINATION, "agency-excluded")
    await _consent(table, agencies=[DESTINATION], **_on("2026-05-02"))
    await trail.sees(table.care, f"/cases/{table.case}")


async def audience_sitting(trail: TownTrail) -> None:
    """Who was chosen for the 支援会議 reads its papers once it is convened: that person, and nobody else of the agency."""
    table = await trail.table()
    colleague = trail.town.person("doryo", NURSERY, "agency_staff")
    meeting = await table.sitting("support-meeting")
    await table.item(meeting, heard=SUPPORT)
    await table.call(meeting, YOSO, CHAIR, chosen=True, told_on=today())
    await trail.unseen(table.stranger, f"/cases/{table.case}")
    await trail.granted(table.convene(meeting))
    await trail.unseen(colleague, f"/cases/{table.case}")
    page = await trail.sees(table.stranger, f"/cases/{table.case}")
    assert [(line["view"], line["support_meeting_only"]) for line in page["referrals"]] == [("full", True)]
    assert (await trail.entry(table, NURSERY))["basis"]["kind"] == "sitting"


async def _told_on_a_ground(trail: TownTrail, form: dict[str, Any], lacks: tuple[str, ...]) -> None:
    """A ground opens the case when all that it rests on is on record, and closes it with its end."""
    table = await trail.referred(consent=_NOT_ASKED)
    doctor = trail.town.person("ishi", _CLINIC, "agency_staff")
    await trail.unseen(doctor, f"/cases/{table.case}")
    for name in lacks:
        less = {key: value for key, value in form.items() if key != name}
        answer = await trail.refused(table.desk.send(table.coordinator, "grounds", less), "invalid-form", 422)
        assert [error["path"] for error in answer.json()["errors"]] == [name]
    await trail.unseen(doctor, f"/cases/{table.case}")
    ground = await trail.granted(table.desk.send(table.coordinator, "grounds", form))
    await trail.sees(doctor, f"/cases/{table.case}")
    entry = await trail.entry(table, _CLINIC)
    assert (entry["basis"]["kind"], entry["view"], entry["until"]) == (form["kind"], "full", form["until"])
    await trail.granted(send(table.coordinator, f"/grounds/{ground.json()['id']}/end"))
    await trail.unseen(doctor, f"/cases/{table.case}")


async def audience_legal_duty(trail: TownTrail) -> None:
    """By law somebody is told when the law is on record, until its end."""
    await _told_on_a_ground(trail, sample("ground", agency=_CLINIC), ("law", "reason"))


async def audience_emergency(trail: TownTrail) -> None:
    """In an emergency somebody is told when reason, who decided and the last day are on record, until its end."""
    form = sample("ground", agency=_CLINIC, kind="emergency", law="")
    await _told_on_a_ground(trail, form, ("reason", "decided_by", "until"))


async def audience_one_entry(trail: TownTrail) -> None:
    """Of consent and an emergency the wider basis counts while it lasts, and there is one entry at any time."""
    table = await trail.referred()
    page = await trail.sees(table.care, f"/cases/{table.case}")
    form = consent_of(page["people"][0]["id"])
    await trail.refused(table.desk.send(table.care, "consents", form), "full-view-needed")
    assert (await trail.entry(table, DESTINATION))["basis"]["kind"] == "consent"
    emergency = sample("ground", agency=DESTINATION, kind="emergency", law="")
    ground = (await table.desk.send(table.coordinator, "grounds", emergency)).json()["id"]
    entry = await trail.entry(table, DESTINATION)
    assert (entry["basis"]["kind"], entry["view"]) == ("emergency", "full")
    await trail.granted(table.desk.send(table.care, "consents", form))
    await send(table.coordinator, f"/grounds/{ground}/end")
    entry = await trail.entry(table, DESTINATION)
    assert (entry["basis"]["kind"], entry["view"]) == ("consent", "summary")


async def audience_kinds(trail: TownTrail) -> None:
    """A destination gets the referral and the assessment in a summary, and no other form, whoever else reads it."""
    table = await trail.referred()
    answer = await table.desk.referral(table.coordinator, "reply", sample("reply"), revision=1)
    paths = [f"/records/reply/{answer.json()['id']}", f"/records/consent/{(await _consent(table))['id']}"]
    assessment = await _record(table, table.coordinator, "assessments", "assessment")
    for path, kind in (("contacts", "contact"), ("evaluations", "evaluation")):
        paths.append(await _record(table, table.coordinator, path, kind))
    for path in paths:
        await trail.unseen(table.care, path)
        await trail.sees(table.coordinator, path)
    pledge = (await send(table.coordinator, "/pledges", sample("pledge"))).json()["id"]
    await trail.unseen(table.care, f"/records/pledge/{pledge}")
    shown = await trail.sees(table.care, assessment)
    assert (shown["view"], shown.get("form")) == ("summary", None)
    assert (await trail.sees(table.care, f"/referrals/{table.desk.referral_number}"))["withheld"] == []


async def audience_withdrawn(trail: TownTrail) -> None:
    """What was taken back stays with its writer and the section, and is left alone; what is right is handed in anew."""
    table = await trail.referred()
    path = f"/referrals/{table.desk.referral_number}"
    await trail.sees(table.care, path)
    taken_back = sample("withdrawal", kind="withdrawn", sent_to_wrong=[])
    await trail.granted(table.desk.referral(table.mado, "withdrawal", taken_back, revision=1))
    for caller in (table.care, table.coordinator):
        await trail.unseen(caller, path)
    for caller in (table.mado, table.section):
        await trail.sees(caller, path)
    await trail.gets_nothing(table, DESTINATION, "record-withdrawn")
    corrected = send(table.mado, path, referral(reason="書き直す。"), method="PUT", revision=1)
    await trail.refused(corrected, "record-withdrawn")
    anew = await trail.referred()
    await trail.sees(table.care, f"/referrals/{anew.desk.referral_number}")


# what is kept, of whom --------------------------------------------------------------------------------------------------


async def protection(trail: TownTrail) -> None:
    """What is withheld is kept from whoever is not cleared, from its writer too; one to come closes the day before."""
    table = await trail.referred()
    contact = await _record(table, table.mado, "contacts", "contact", content=f"見本県見本市{_HOME}を訪ねた。")
    await trail.sees(table.mado, contact, _HOME)
    person = await table.person()
    form = sample("protection", person=person, fields=["address"], cleared=[PROVIDER], since=today())
    revision = await trail.revision(table)
    kept = await trail.granted(table.desk.send(table.coordinator, "protections", form, revision=revision))
    for caller in (table.mado, table.section):
        await trail.kept_from(caller, contact, _HOME)
    await trail.sees(table.coordinator, contact, _HOME)
    await trail.granted(send(table.coordinator, f"/protections/{kept.json()['id']}/lifting"))
    await trail.sees(table.mado, contact, _HOME)
    later = {**form, "since": (clock.today() + _DAY).isoformat()}
    revision = await trail.revision(table)
    await trail.granted(table.desk.send(table.coordinator, "protections", later, revision=revision))
    ends = {agency: (await trail.entry(table, agency))["until"] for agency in (ORIGIN, PROVIDER)}
    assert ends == {ORIGIN: today(), PROVIDER: None}


async def per_person(trail: TownTrail) -> None:
    """The person's consent shows nobody else of the household: each is seen by whom they agreed to themselves."""
    table = await trail.referred()
    _, wife, son = [person["id"] for person in (await trail.sees(table.section, f"/cases/{table.case}"))["people"]]
    own = await _record(table, table.care, "contacts", "contact")
    for one in (wife, son):
        await trail.kept_from(table.care, own, one)
    await _consent(table, 1, agencies=["hardship-support"])
    await trail.kept_from(table.care, own, wife)
    await _consent(table, 1, agencies=[DESTINATION], **_on("2026-05-01"))
    await trail.sees(table.care, own, wife)
    await trail.kept_from(table.care, own, son)
    # taken off the household by a correction, the son stays hidden
    fewer = referral(household=referral()["household"][:1], household_size=2)
    path = f"/referrals/{table.desk.referral_number}"
    await trail.granted(send(table.mado, path, fewer, method="PUT", revision=1))
    await trail.kept_from(table.care, own, son)
    assert (await trail.entry(table, DESTINATION))["hidden"] == [son]
    # another person on the same line does not take over what the wife agreed to
    other = {"name": "見本　別人", "relationship": "義姉", "age": 70}
    await trail.granted(send(table.mado, path, {**fewer, "household": [other]}, method="PUT", revision=2))
    assert len((await trail.entry(table, DESTINATION))["hidden"]) == 2


async def consent_live(trail: TownTrail) -> None:
    """Withdrawn, or refused since, a consent holds no longer; one given anew does."""
    table = await trail.referred()
    for day, end in (("2026-05-01", "withdrawal"), ("2026-05-02", "refusal"), (today(), "")):
        given = await _consent(table, agencies=[DESTINATION], **_on(day))
        await trail.sees(table.care, f"/cases/{table.case}")
        if end == "withdrawal":
            form = {**sample("consent_withdrawal", withdrawn_on=day, agencies=[]), "whole": True}
            await trail.granted(send(table.mado, f"/consents/{given['id']}/withdrawal", form, revision=1))
        elif end == "refusal":
            form = {"person": await table.person(), "signer": "person", "status": "refused"}
            await trail.granted(table.desk.send(table.mado, "consents", {**form, "explained_by": "見本　窓子"}))
        if end:
            await trail.unseen(table.care, f"/cases/{table.case}")
            await trail.gets_nothing(table, DESTINATION, "consent-missing")
    wrong = consent_of(await table.person(), **_on((clock.today() + _DAY).isoformat()))
    await trail.refused(table.desk.send(table.mado, "consents", wrong), "invalid-form", 422)


# contracts --------------------------------------------------------------------------------------------------------------


def _contracts() -> Iterator[Contract]:
    """Whoever runs the contracted agency until yesterday, and who does from today."""
    yesterday = clock.today() - _DAY
    yield case_facts.contract(fussa().contractor_on(CONTRACTED, yesterday), _START, yesterday)
    yield case_facts.contract("見本次期法人", clock.today())


async def consent_successor(trail: TownTrail) -> None:
    """A consent to the contractor before does not reach the next one, who needs one of its own."""
    accounts = trail.town.runtime.accounts
    accounts.add_user("tsugi", "見本　次子", [Post(CONTRACTED, ("agency_staff",), "見本次期法人")], PASSWORD)
    following = trail.town.signed_in("tsugi")
    with trail.town.under(with_contracts(fussa(), *_contracts())):
        table = await trail.referred(destinations=[CONTRACTED], consent=_NOT_ASKED)
        await _consent(table, agencies=[CONTRACTED], **_on("2026-05-01"))
        await trail.gets_nothing(table, CONTRACTED, "consent-of-earlier-contractor")
        await trail.unseen(following, f"/cases/{table.case}")
        await _consent(table, agencies=[CONTRACTED], **_on(today()))
        await trail.sees(following, f"/cases/{table.case}")


async def contract(trail: TownTrail) -> None:
    """The people of a contractor read and write while its contract lasts; the records stay with the municipality."""
    agreed = {**referral()["consent"], "agencies": [CONTRACTED]}
    table = await trail.referred(destinations=[CONTRACTED], consent=agreed)
    staff = trail.town.person("sagyo", CONTRACTED, "agency_staff")
    path, contact = f"/cases/{table.case}", sample("contact")
    await trail.sees(staff, path)
    with trail.town.under(with_contracts(fussa(), next(_contracts()))):
        await trail.refused(staff.get(path), "contract-ended", 403)
        await trail.refused(table.desk.send(staff, "contacts", contact), "contract-ended", 403)
        await trail.granted(table.desk.send(table.coordinator, "contacts", contact))
        await trail.gets_nothing(table, CONTRACTED, "contract-ended")
        await trail.sees(table.section, path)
    await trail.granted(table.desk.send(table.coordinator, "contacts", contact))
    await trail.sees(staff, path)
    await trail.granted(table.desk.send(staff, "contacts", contact))
