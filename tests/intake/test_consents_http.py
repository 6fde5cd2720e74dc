"""Consents over HTTP: put on record, extended, withdrawn; what each does to rows, events and audiences in one transaction."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx
import msgspec
import pytest

from tests.conftest import MovableClock
from tests.data.case_work import DESTINATION, ORIGIN, PROVIDER, SECTION, Desk, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.data.referrals import referral, without_consent
from tests.data.services import until
from tsunagi_intake import tables
from tsunagi_shared.audit import audit
from tsunagi_shared.clock import JST
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.events import AudienceChanged, ConsentGiven, ConsentWithdrawn

WHOLE = sample("consent_withdrawal", whole=True, agencies=[])


@pytest.fixture
async def desk(intake: Intake) -> Desk:
    """A case before the person was asked."""
    return await Desk(intake).open(**without_consent())


async def subject(intake: Intake, position: int = 0) -> str:
    """The id of a person of the first referral."""
    (row,) = [row for row in await intake.rows(tables.referrals) if row["number"].endswith("-00001")]
    return f"{row['id']}.{position}"


async def readers(intake: Intake, kind: str = "referral") -> dict[str, str]:
    """Who sees the forms of a kind, and on what basis."""
    rows = await intake.rows(tables.audience)
    return {row["agency"]: row["basis_kind"] for row in rows if row["form"].startswith(f"{kind}/")}


async def told(intake: Intake, event_type: str, data: Any) -> list[Any]:
    """The data of each event of a type that waits."""
    return [msgspec.json.decode(event.data, type=data) for event in await intake.events() if event.type == event_type]


async def given(desk: Desk, **changes: Any) -> httpx.Response:
    """A consent of 本人 put on record by the coordinator."""
    return await desk.send(desk.coordinator, "consents", consent_of(await subject(desk.intake), **changes))


async def change(desk: Desk, consent: str, what: str, form: Any, revision: int, **how: Any) -> httpx.Response:
    """A withdrawal or an extension by the coordinator."""
    return await send(desk.coordinator, f"/consents/{consent}/{what}", form, revision=revision, **how)


async def test_a_consent_opens_the_case_to_those_it_names(intake: Intake, desk: Desk) -> None:
    """Destinations named are in the audience at once; the paper is published with the agencies as copied that day."""
    assert set(await readers(intake)) == {ORIGIN, SECTION, PROVIDER}
    answer = await given(desk)
    receipt = answer.json()
    assert (answer.status_code, receipt["revision"]) == (201, 1)
    assert {change["form"].partition("/")[0]: change["gained"] for change in receipt["changes"]}["referral"] == [
        DESTINATION
    ]
    assert (await readers(intake))[DESTINATION] == "consent"
    (event,) = await told(intake, events.CONSENT_GIVEN, ConsentGiven)
    assert event.shared_with == ("sample-care", "welfare-council")
    assert event.agency_names["welfare-council"] == "福生市社会福祉協議会"
    assert {entry.agency for entry in event.audience} == {PROVIDER, SECTION}
    assert (await desk.care.get(f"/cases/{desk.case_number}")).status_code == 200


async def test_lists_are_copied_and_exclusions_taken_out(intake: Intake, desk: Desk) -> None:
    """Named one by one and by 別紙, without the excluded: what stands in the row is what counts, whatever the list becomes."""
    lists = [row.id for row in intake.runtime.profile.agency_lists][:1]
    answer = await given(desk, lists=lists, excluded_agencies=["sample-clinic"])
    assert answer.status_code == 201, answer.text
    (row,) = [row for row in await intake.rows(tables.consents) if row["id"] == answer.json()["id"]]
    copied = {"sample-care", "welfare-council"}
    for list_id in lists:
        found = intake.runtime.profile.agency_list_on(list_id, dt.date(2026, 4, 2))
        copied |= set(found.agencies) if found else set()
    assert set(msgspec.json.decode(row["agencies"])) == copied - {"sample-clinic"}
    assert msgspec.json.decode(row["excluded"]) == ["sample-clinic"]


@pytest.mark.parametrize("status", ["refused", "asking", "unable", "not_asked"])
async def test_what_is_no_consent_is_history(intake: Intake, desk: Desk, status: str) -> None:
    """Where the person stands is on record; nothing is opened and no paper is published."""
    form = {"person": await subject(intake), "status": status}
    assert (await desk.send(desk.coordinator, "consents", form)).status_code == 201
    assert [row["status"] for row in await intake.rows(tables.consents)][-1] == status
    assert await told(intake, events.CONSENT_GIVEN, ConsentGiven) == []
    assert DESTINATION not in await readers(intake)


async def test_a_member_of_the_household_consents_for_themselves(intake: Intake, desk: Desk) -> None:
    """Their consent opens nothing as long as 本人 has not consented; then it shows them, and only them, besides 本人."""
    wife, son = await subject(intake, 1), await subject(intake, 2)
    assert (await desk.send(desk.coordinator, "consents", consent_of(wife))).status_code == 201
    assert DESTINATION not in await readers(intake)
    await given(desk)
    (row,) = [row for row in await intake.rows(tables.audience) if row["agency"] == DESTINATION]
    assert msgspec.json.decode(row["hidden"]) == [son]


async def test_a_person_of_another_case_is_no_person_of_this_one(intake: Intake, desk: Desk) -> None:
    """422 at the field, the same for somebody else's person and for nobody's; nothing is stored."""
    first = desk.case_number
    await desk.open(**without_consent())
    (foreign,) = [row["id"] for row in await intake.rows(tables.referrals) if row["number"] == desk.referral_number]
    before = len(await intake.rows(tables.records))
    for person in (f"{foreign}.0", "nobody.0"):
        answer = await send(desk.coordinator, f"/cases/{first}/consents", consent_of(person))
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "person-not-found")
    assert len(await intake.rows(tables.records)) == before


async def test_a_withdrawal_cuts_in_the_same_transaction(intake: Intake, desk: Desk) -> None:
    """The answer names who is cut, their access is gone when it comes, and the end is published before the new audience."""
    consent = (await given(desk)).json()["id"]
    await desk.send(desk.coordinator, "assessments", going_on())
    answer = await change(desk, consent, "withdrawal", WHOLE, 1)
    receipt = answer.json()
    assert (answer.status_code, receipt["revision"]) == (201, 2)
    cut = {change["form"].partition("/")[0]: change["cut"] for change in receipt["changes"]}
    assert cut["referral"] == cut["assessment"] == [DESTINATION]
    assert DESTINATION not in {**await readers(intake), **await readers(intake, "assessment")}
    assert (await desk.care.get(f"/cases/{desk.case_number}")).status_code == 404
    (event,) = await told(intake, events.CONSENT_WITHDRAWN, ConsentWithdrawn)
    assert (event.consent_id, event.agencies, event.code) == (consent, (), "withdrawn")
    order = [event.type for event in await intake.events()]
    assert order.index(events.CONSENT_WITHDRAWN) < len(order) - 1 - order[::-1].index(events.AUDIENCE_CHANGED)
    assert [row["action"] for row in await intake.rows(audit)][-2:] == ["consent.withdraw", "case.read"]


async def test_a_withdrawal_for_some_agencies(intake: Intake, desk: Desk) -> None:
    """Those named are cut, the others stay; an agency that is not in the consent is a mistake at its place."""
    consent = (await given(desk, agencies=["sample-care", "hardship-support"])).json()["id"]
    wrong = sample("consent_withdrawal", agencies=["sample-care", "sample-clinic"])
    answer = await change(desk, consent, "withdrawal", wrong, 1)
    assert [(error["path"], error["code"]) for error in answer.json()["errors"]] == [("agencies.1", "not-in-consent")]
    part = sample("consent_withdrawal", agencies=["sample-care"])
    assert (await change(desk, consent, "withdrawal", part, 1)).status_code == 201
    found = await readers(intake)
    assert DESTINATION not in found
    assert found["hardship-support"] == "consent"
    (event,) = await told(intake, events.CONSENT_WITHDRAWN, ConsentWithdrawn)
    assert (event.agencies, event.code) == (("sample-care",), "partly_withdrawn")


async def test_what_has_ended_stays_ended(intake: Intake, desk: Desk) -> None:
    """Withdrawn as a whole, a consent is neither extended, withdrawn again nor corrected: it is asked for anew."""
    consent = (await given(desk)).json()["id"]
    await change(desk, consent, "withdrawal", WHOLE, 1)
    later = sample("consent_extension", until="")
    corrected = await send(
        desk.coordinator, f"/records/consent/{consent}", consent_of(await subject(intake)), method="PUT", revision=1
    )
    for answer in (
        await change(desk, consent, "withdrawal", WHOLE, 2),
        await change(desk, consent, "extension", later, 2),
        corrected,
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "consent-ended")
    assert DESTINATION not in await readers(intake)
    again = await given(desk, given_on=dt.datetime.now(JST).date().isoformat())
    assert again.status_code == 201
    assert (await readers(intake))[DESTINATION] == "consent"


async def test_an_extension_lasts_longer_and_reaches_further(intake: Intake, desk: Desk) -> None:
    """A later last day and further agencies, as the next revision of the same consent, published as given again."""
    consent = (await given(desk, until="2098-03-31")).json()["id"]
    answer = await change(desk, consent, "extension", sample("consent_extension"), 1)
    assert (answer.status_code, answer.json()["revision"]) == (201, 2)
    (row,) = [row for row in await intake.rows(tables.consents) if row["id"] == consent]
    assert (row["until"], "hardship-support" in row["agencies"]) == ("2099-09-30", True)
    found = await told(intake, events.CONSENT_GIVEN, ConsentGiven)
    assert [event.revision for event in found] == [1, 2]
    assert "hardship-support" in found[-1].shared_with
    assert (await readers(intake))["hardship-support"] == "consent"
    assert [row["kind"] for row in await intake.rows(tables.records)].count("consent_extension") == 1


async def test_an_extension_opens_nothing_that_was_closed(desk: Desk) -> None:
    """Neither an agency the consent was withdrawn for, nor one it excludes, nor an earlier day: told at their places."""
    consent = (await given(desk, excluded_agencies=["sample-clinic"], until="2098-03-31")).json()["id"]
    await change(desk, consent, "withdrawal", sample("consent_withdrawal", agencies=["sample-care"]), 1)
    form = sample("consent_extension", agencies=["sample-care", "sample-clinic"], until="2098-03-31")
    answer = await change(desk, consent, "extension", form, 2)
    assert answer.status_code == 422
    assert [(error["path"], error["code"]) for error in answer.json()["errors"]] == [
        ("until", "not-later"), ("agencies.0", "agency-withdrawn"), ("agencies.1", "agency-excluded"),
    ]  # fmt: skip


async def test_of_two_people_one_is_told(intake: Intake, desk: Desk) -> None:
    """Who writes on an older revision of the consent is told who changed it, and nothing is stored."""
    consent = (await given(desk)).json()["id"]
    await change(desk, consent, "withdrawal", sample("consent_withdrawal", agencies=["sample-care"]), 1)
    before = len(await intake.rows(tables.records))
    answer = await change(desk, consent, "extension", sample("consent_extension", until=""), 1)
    assert (answer.status_code, answer.json()["code"]) == (409, "changed-meanwhile")
    assert "見本　chosei" in answer.json()["title"]
    assert len(await intake.rows(tables.records)) == before


async def test_the_same_withdrawal_twice_is_one(intake: Intake, desk: Desk) -> None:
    """A doubled request gets the first answer, not a word about a stale revision."""
    consent = (await given(desk)).json()["id"]
    first = await change(desk, consent, "withdrawal", WHOLE, 1, key="k1")
    again = await change(desk, consent, "withdrawal", WHOLE, 1, key="k1")
    assert (again.status_code, again.content) == (201, first.content)
    assert len(await told(intake, events.CONSENT_WITHDRAWN, ConsentWithdrawn)) == 1


async def test_a_new_form_takes_the_place_of_what_was_consented_before(intake: Intake, desk: Desk) -> None:
    """The newest word counts: who is not named any more is cut; who is named in both never loses anything in between."""
    first = (await given(desk, agencies=["sample-care", "hardship-support"])).json()["id"]
    second = (await given(desk, agencies=["sample-care"], given_on="2026-05-01")).json()["id"]
    found = await readers(intake)
    assert found[DESTINATION] == "consent"
    assert "hardship-support" not in found
    (event,) = await told(intake, events.CONSENT_WITHDRAWN, ConsentWithdrawn)
    assert (event.consent_id, event.code) == (first, "replaced")
    order = [(event.type, event.aggregate) for event in await intake.events()]
    ended = order.index((events.CONSENT_WITHDRAWN, f"consent/{first}"))
    assert ended > order.index((events.CONSENT_GIVEN, f"consent/{second}"))
    changed = await told(intake, events.AUDIENCE_CHANGED, AudienceChanged)
    assert all(
        DESTINATION in [entry.agency for entry in event.entries]
        for event in changed
        if event.form.startswith("referral")
    )


async def test_an_older_paper_does_not_end_a_newer_consent(intake: Intake, desk: Desk) -> None:
    """A 同意書 that is put on record late ends only what was consented up to its own day."""
    await given(desk, agencies=["hardship-support"], given_on="2026-05-01")
    await given(desk, agencies=["sample-care"], given_on="2026-04-15")
    assert {"hardship-support", "sample-care"} <= set(await readers(intake))


async def test_a_refusal_ends_what_was_consented_before(intake: Intake, desk: Desk) -> None:
    """On a form of its own or with a further referral: the person refuses, so that nobody sees on the old consent."""
    for refuse in ("form", "referral"):
        await given(desk, given_on=dt.datetime.now(JST).date().isoformat())
        assert DESTINATION in await readers(intake)
        if refuse == "form":
            form = {"person": await subject(intake), "status": "refused"}
            assert (await desk.send(desk.coordinator, "consents", form)).status_code == 201
        else:
            more = referral(case_number=desk.case_number, consent={"status": "refused"})
            assert (await send(desk.mado, "/referrals", more)).status_code == 201
        assert DESTINATION not in await readers(intake)


async def test_a_correction_of_the_paper_follows_into_the_audience(intake: Intake, desk: Desk) -> None:
    """A wrong agency put right is cut, the right one is let in; the person it is about stays."""
    consent = (await given(desk)).json()["id"]
    form = consent_of(await subject(intake), agencies=["hardship-support"])
    path = f"/records/consent/{consent}"
    assert (await send(desk.coordinator, path, form, method="PUT", revision=1)).status_code == 200
    found = await readers(intake)
    assert (DESTINATION in found, found.get("hardship-support")) == (False, "consent")
    wife = await send(desk.coordinator, path, consent_of(await subject(intake, 1)), method="PUT", revision=2)
    assert wife.json()["errors"][0]["code"] == "person-fixed"


async def test_who_may_put_a_consent_on_record(intake: Intake, desk: Desk) -> None:
    """Those with the full view: a destination with a summary is refused by its rule, a stranger finds nothing."""
    await given(desk)
    person = await subject(intake)
    for caller, status, code in ((desk.care, 409, "full-view-needed"), (desk.stranger, 404, "not-found")):
        answer = await desk.send(caller, "consents", consent_of(person))
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await desk.send(desk.mado, "consents", consent_of(person))).status_code == 201
    assert (await send(desk.stranger, "/consents/nothing/withdrawal", WHOLE, revision=1)).status_code == 404


async def test_a_referrals_own_consent_is_a_consent_like_any_other(intake: Intake) -> None:
    """It has the referral's id; it can be extended and withdrawn, though it has no paper of its own."""
    desk = await Desk(intake).open()
    (row,) = await intake.rows(tables.consents)
    (stored,) = await intake.rows(tables.referrals)
    assert (row["id"], row["person"], row["status"]) == (stored["id"], f"{stored['id']}.0", "given")
    more = sample("consent_extension", until="", agencies=["welfare-council"])
    assert (await change(desk, row["id"], "extension", more, 1)).status_code == 201
    assert await told(intake, events.CONSENT_GIVEN, ConsentGiven) == []
    assert (await change(desk, row["id"], "withdrawal", WHOLE, 2)).status_code == 201
    assert set(await readers(intake)) == {ORIGIN, SECTION, PROVIDER}


async def test_correcting_a_referral_brings_no_withdrawn_consent_back(intake: Intake) -> None:
    """Another word put right leaves the consent as it is; its own part changed after its end is refused."""
    desk = await Desk(intake).open()
    (row,) = await intake.rows(tables.consents)
    await change(desk, row["id"], "withdrawal", WHOLE, 1)
    path = f"/referrals/{desk.referral_number}"
    assert (await send(desk.mado, path, referral(reason="訂正"), method="PUT", revision=1)).status_code == 200
    assert DESTINATION not in await readers(intake)
    consent = {**referral()["consent"], "agencies": ["sample-care"]}
    answer = await send(desk.mado, path, referral(consent=consent), method="PUT", revision=2)
    assert (answer.status_code, answer.json()["code"]) == (409, "consent-ended")
    assert DESTINATION not in await readers(intake)


async def test_a_corrected_consent_of_a_referral_counts_at_once(intake: Intake) -> None:
    """The agency that was ticked by mistake is cut with the correction; the change is on record as one of consent."""
    desk = await Desk(intake).open()
    consent = {**referral()["consent"], "agencies": ["hardship-support"]}
    form = referral(consent=consent)
    answer = await send(desk.mado, f"/referrals/{desk.referral_number}", form, method="PUT", revision=1)
    assert answer.status_code == 200
    assert DESTINATION not in await readers(intake)
    assert "consent.correct" in [row["action"] for row in await intake.rows(audit)]
    (row,) = await intake.rows(tables.consents)
    assert row["revision"] == 2


async def test_a_consent_that_ran_out_is_not_extended(intake: Intake, desk: Desk, movable_clock: MovableClock) -> None:
    """The day after its last day the entry is closed by itself; once its end was published it stays ended."""
    consent = (await given(desk, until="2027-01-31")).json()["id"]
    movable_clock.to(dt.datetime(2027, 2, 1, 0, 0, 30, tzinfo=JST))
    coordinator = intake.signed_in("chosei")
    assert (await intake.signed_in("kaigo").get(f"/cases/{desk.case_number}")).status_code == 404

    async def closed() -> bool:
        return any(row["id"] == consent and row["closed"] for row in await intake.rows(tables.consents))

    await until(closed)
    form = sample("consent_extension", given_on="2027-02-01")
    answer = await send(coordinator, f"/consents/{consent}/extension", form, revision=2)
    assert (answer.status_code, answer.json()["code"]) == (409, "consent-ended")


async def test_an_exclusion_in_a_refusal_ends_with_a_later_consent(desk: Desk, movable_clock: MovableClock) -> None:
    """The way out that is told works: the day after, the person consents to the agency they had excluded."""
    movable_clock.to(dt.datetime(2026, 12, 1, 9, tzinfo=JST))
    refused = {"person": await subject(desk.intake), "signer": "person", "status": "refused"}
    answer = await desk.send(
        desk.intake.signed_in("chosei"), "consents", {**refused, "excluded_agencies": [DESTINATION]}
    )
    assert answer.status_code == 201
    movable_clock.to(dt.datetime(2026, 12, 2, 9, tzinfo=JST))
    coordinator = desk.intake.signed_in("chosei")
    for day, opens in (("2026-12-01", False), ("2026-12-02", True)):
        form = consent_of(await subject(desk.intake), agencies=[DESTINATION], given_on=day, explained_on=day)
        assert (await desk.send(coordinator, "consents", form)).status_code == 201
        assert (DESTINATION in await readers(desk.intake)) is opens
