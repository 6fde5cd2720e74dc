"""Who is shown once stays known: lines taken off a referral, replaced, and referrals taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.data.case_work import DESTINATION, ORIGIN, PROVIDER, SECTION, Desk, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.intake import Intake, running_intake
from tests.data.referrals import referral
from tsunagi_intake import tables
from tsunagi_intake.persons import Shown
from tsunagi_shared.contracts.events import AUDIENCE_CHANGED, EVENTS, AudienceChanged, ReferralSubmitted

HANAKO = {"name": "見本　花子", "relationship": "妻", "kana": "みほん　はなこ", "birth_date": "1958-05-05"}
ICHIRO = {"name": "見本　一郎", "relationship": "長男"}
NAMES = {"見本　花子", "みほん　はなこ", "見本　一郎"}
SEARCH = "/cases?q=みほんはなこ"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A case of three people, of whom 本人 consented."""
    async with running_intake(tmp_path) as intake:
        yield await Desk(intake).open(household=[HANAKO, ICHIRO])


async def first_referral(intake: Intake) -> str:
    """The id of the case's first referral."""
    return str((await intake.rows(tables.referrals))[0]["id"])


async def hidden_from(desk: Desk, agency: str, kind: str) -> list[set[str]]:
    """Whom the agency does not see on each form of that kind, by the ends of their ids (`.1`), oldest form first."""
    rows = [row for row in await desk.intake.rows(tables.audience) if row["form"].startswith(kind)]
    return [
        {f".{person.rpartition('.')[2]}" for person in msgspec.json.decode(row["hidden"])}
        for row in sorted(rows, key=lambda row: str(row["form"]))
        if row["agency"] == agency
    ]


async def corrected(desk: Desk, household: list[dict[str, Any]], revision: int, **changes: Any) -> httpx.Response:
    """The referral with another household."""
    form = referral(household=household, **changes)
    return await desk.referral(desk.mado, "", form, revision=revision, method="PUT")


async def data_of(intake: Intake, form: str) -> list[Any]:
    """What the events of a form carried, oldest first."""
    found = [(EVENTS[event.type].data, event) for event in await intake.events()]
    decoded = [msgspec.json.decode(event.data, type=kind) for kind, event in found]
    return [one for one in decoded if form in (getattr(one, "form", ""), getattr(one, "form_id", ""))]


async def found_by(desk: Desk, caller: Any) -> list[str]:
    """The cases that somebody finds by the wife's kana."""
    return [row["number"] for row in (await caller.get(SEARCH)).json()["items"]]


async def test_who_is_taken_off_a_referral_stays_hidden(desk: Desk) -> None:
    """On the assessment that speaks of them, and on the referral; their names go with the content so that they are cut out.
    Nobody finds the case by them any more."""
    await desk.send(desk.coordinator, "assessments", going_on(summary="妻の見本花子のこと"))
    assert await hidden_from(desk, DESTINATION, "assessment") == [{".1", ".2"}]
    assert await found_by(desk, desk.coordinator) == [desk.case_number]
    assert (await corrected(desk, [], 1)).status_code == 200
    assert await hidden_from(desk, DESTINATION, "assessment") == [{".1", ".2"}]
    assert await hidden_from(desk, DESTINATION, "referral") == [{".1", ".2"}]
    assert await hidden_from(desk, PROVIDER, "assessment") == [set()]
    last = [event for event in await desk.intake.events() if event.type == "intake.referral.submitted.v1"][-1]
    said = msgspec.json.decode(last.data, type=ReferralSubmitted)
    assert (len(said.persons), set(said.former_names)) == (3, NAMES)
    assert await found_by(desk, desk.coordinator) == []
    page = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    assert [person["name"] for person in page["people"]] == ["見本　太郎"]
    gone = await desk.send(desk.coordinator, "consents", consent_of(f"{await first_referral(desk.intake)}.1"))
    assert gone.status_code == 422  # whoever stands on no form cannot be asked on one


async def test_who_was_on_a_recalled_referral_stays_hidden_on_what_was_written_then(desk: Desk) -> None:
    """A second referral brings the household and was sent wrongly: records written meanwhile go on hiding it, later ones do
    not know of it, and nobody but its writer and the section finds the case by it."""
    await desk.open(household=[], household_size=1)
    taken = await send(desk.mado, "/referrals", referral(case_number=desk.case_number, household=[HANAKO]))
    second = taken.json()["referral_number"]
    written = (await desk.send(desk.coordinator, "assessments", going_on())).json()
    assert await hidden_from(desk, DESTINATION, "assessment") == [{".1"}]
    recalled = await send(
        desk.mado, f"/referrals/{second}/withdrawal", sample("withdrawal", kind="misdirected"), revision=1
    )
    assert recalled.status_code == 201
    await desk.send(desk.coordinator, "assessments", going_on())
    assert await hidden_from(desk, DESTINATION, "assessment") == [{".1"}, set()]
    assert desk.case_number not in await found_by(desk, desk.coordinator)
    assert desk.case_number in await found_by(desk, desk.section)
    seen = [one for one in await data_of(desk.intake, written["id"]) if hasattr(one, "person_names")]
    assert "見本　花子" in seen[-1].person_names.values()


async def test_a_record_stays_about_whom_it_was_written(desk: Desk) -> None:
    """With the first referral recalled, the consent of the person of the second opens nothing that was written of the first."""
    await desk.send(desk.coordinator, "assessments", going_on())
    other = {"name": "見本　次郎", "kana": "みほん　じろう"}
    form = referral(case_number=desk.case_number, person=other, household=[])
    assert (await send(desk.mado, "/referrals", form)).status_code == 201
    assert len(await hidden_from(desk, DESTINATION, "assessment")) == 1
    answer = await desk.referral(desk.mado, "withdrawal", sample("withdrawal", kind="misdirected"), revision=1)
    assert answer.status_code == 201
    assert await hidden_from(desk, DESTINATION, "assessment") == []
    await desk.send(desk.coordinator, "assessments", going_on())
    assert len(await hidden_from(desk, DESTINATION, "assessment")) == 1


async def test_another_person_in_the_same_line_has_not_consented(desk: Desk) -> None:
    """The line is replaced by somebody of another name: they are new, and what was agreed stays with whom it was said by."""
    first = await first_referral(desk.intake)
    await desk.send(desk.coordinator, "consents", consent_of(f"{first}.2", agencies=[DESTINATION]))
    assert await hidden_from(desk, DESTINATION, "referral") == [{".1"}]
    jiro = {"name": "別人　二郎", "relationship": "長男", "age": 19}
    assert (await corrected(desk, [HANAKO, jiro], 1)).status_code == 200
    assert await hidden_from(desk, DESTINATION, "referral") == [{".1", ".202"}]
    page = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    assert [person["standing"] for person in page["people"]] == ["live", "not_asked", "not_asked"]
    assert (await corrected(desk, [HANAKO, ICHIRO], 2)).status_code == 200  # nothing tells that he is who left
    assert await hidden_from(desk, DESTINATION, "referral") == [{".1", ".202", ".302"}]


async def test_a_name_put_right_keeps_the_consent(desk: Desk) -> None:
    """The same furigana or birth date in the same line, or no name before: it is the person who consented."""
    first = await first_referral(desk.intake)
    await desk.send(desk.coordinator, "consents", consent_of(f"{first}.1", agencies=[DESTINATION]))
    right = {**HANAKO, "name": "見本　華子", "birth_date": ""}
    assert (await corrected(desk, [right, ICHIRO], 1)).status_code == 200
    assert await hidden_from(desk, DESTINATION, "referral") == [{".2"}]


@pytest.mark.parametrize(
    ("before", "after", "another"),
    [
        (("見本　一郎", "", None), ("別人　二郎", "", None), True),
        (("見本　一郎", "", None), ("見本 一郎", "", None), False),
        (("見本　一郎", "", None), ("", "", None), False),
        (("", "", None), ("見本　一郎", "", None), False),
        (("見本　一郎", "みほんいちろう", None), ("見本　市郎", "みほんいちろう", None), False),
        (("見本　一郎", "みほんいちろう", "2000-01-01"), ("見本　次郎", "みほんじろう", "2000-01-01"), True),
        (("見本　一郎", "", "2000-01-01"), ("見本　市郎", "みほんいちろう", "2000-01-01"), False),
        (("見本　一郎", "", "2000-01-01"), ("見本　市郎", "みほんいちろう", "2000-01-02"), True),
        (("見本　一郎", "みほんいちろう", None), ("見本　市郎", "", None), True),
    ],
)
def test_when_a_line_is_about_somebody_else(
    before: tuple[str, str, str | None], after: tuple[str, str, str | None], another: bool
) -> None:
    """Another name, unless the furigana stayed, or the birth date while not both furigana are known."""
    one, other = (Shown(name, "長男", key, birth, "") for name, key, birth in (before, after))
    assert one.is_another(other) is another
    assert other.is_another(one) is another


async def test_who_is_protected_is_not_replaced(desk: Desk) -> None:
    """A line with somebody else in it would take the protected person off the form."""
    first = await first_referral(desk.intake)
    protection = sample("protection", person=f"{first}.2", cleared=[], since="2026-01-01")
    assert (await desk.send(desk.coordinator, "protections", protection, revision=1)).status_code == 201
    refused = await corrected(desk, [HANAKO, {"name": "別人　二郎", "relationship": "長男"}], 1)
    assert [error["code"] for error in refused.json()["errors"]] == ["protected-person"]


async def test_the_person_of_a_referral_is_not_replaced(desk: Desk) -> None:
    """What 本人 agreed to is nobody else's consent: for somebody else there is a new referral. A name may be put right."""
    other = {"name": "別人　二郎", "kana": "べつじん　じろう"}
    refused = await corrected(desk, [HANAKO, ICHIRO], 1, person=other)
    assert [error["code"] for error in refused.json()["errors"]] == ["another-person"]
    right = {**referral()["person"], "name": "見本　太朗"}
    assert (await corrected(desk, [HANAKO, ICHIRO], 1, person=right)).status_code == 200


async def test_who_is_known_anew_is_told(desk: Desk) -> None:
    """A form shows somebody more, or somebody by another id: it is published, though nobody sees more or less of it."""
    await desk.open(household=[], consent={"status": "not_asked"}, person={**referral()["person"], "birth_date": ""})
    form = referral(case_number=desk.case_number, household=[], consent={"status": "not_asked"})
    second = (await send(desk.mado, "/referrals", form)).json()["referral_number"]
    written = (await desk.send(desk.coordinator, "assessments", going_on())).json()
    ids = {row["number"]: row["id"] for row in await desk.intake.rows(tables.referrals)}
    first, later = (f"{ids[number]}.0" for number in (desk.referral_number, second))
    before = len(await desk.intake.events())
    answer = await corrected(desk, [HANAKO], 1, consent={"status": "not_asked"})
    assert answer.status_code == 200
    told = [event for event in (await desk.intake.events())[before:] if event.type == AUDIENCE_CHANGED]
    said = [msgspec.json.decode(event.data, type=AudienceChanged) for event in told]
    by_form = {one.form: one for one in said}
    assert by_form[f"referral/{ids[second]}"].persons == (first,)
    assert by_form[f"referral/{ids[second]}"].other_ids == {first: (later,)}
    assert by_form[f"assessment/{written['id']}"].persons == (first, f"{first.partition('.')[0]}.201")
    entries = {entry.agency for entry in by_form[f"assessment/{written['id']}"].entries}
    assert entries == {SECTION, PROVIDER}
    assert ORIGIN not in entries
