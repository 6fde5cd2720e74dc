"""開示: everything held on one person, other people's data cut out, what must be read by hand marked, and all of it on record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.data.case_work import Desk, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.intake import Caller, Intake
from tests.data.referrals import referral
from tsunagi_intake import tables
from tsunagi_shared import audit

NOT_SHOWN = "（非開示）"


@pytest.fixture
async def desk(intake: Intake) -> Desk:
    """A case with forms of every kind that says something of its people."""
    desk = Desk(intake)
    household = [
        {
            "name": "見本　花子",
            "kana": "みほん　はなこ",
            "relationship": "妻",
            "birth_date": "1958-05-05",
            "note": "持病あり",
        },
        {"name": "見本　一郎", "relationship": "長男", "age": 41, "note": "仕事をしていない"},
    ]
    text = "妻の見本花子さんの介護を、長男の一郎さんは手伝っていない。太郎さんは疲れている。"
    await desk.open(household=household, consultation=text)
    for path, form in (
        ("contacts", sample("contact", content="花子さんから電話。太郎さんの住所は見本県見本市見本町0-0-0のまま。")),
        ("assessments", going_on()),
    ):
        assert (await desk.send(desk.coordinator, path, form)).status_code == 201
    return desk


async def ids(desk: Desk) -> list[str]:
    """The people of the referral, in the order of the form."""
    rows = await desk.intake.rows(tables.persons)
    return [row["same_as"] for row in sorted(rows, key=lambda row: row["position"])]


async def disclosed(desk: Desk, person: str, *, page: bool = False) -> Any:
    """The disclosure as the section gets it."""
    answer = await desk.section.get(f"/cases/{desk.case_number}/disclosure?person={person}", page=page)
    assert answer.status_code == 200, answer.text
    return answer.text if page else answer.json()


def lines(found: Any, kind: str, *, earlier: bool = False) -> dict[str, str]:
    """Label → value of the newest sheet of a kind."""
    sheets = [sheet for sheet in found["sheets"] if sheet["kind"] == kind and sheet["earlier"] is earlier]
    return {line["label"]: line["value"] for part in sheets[-1]["parts"] for line in part["lines"]}


async def test_the_person_gets_their_own_data(desk: Desk) -> None:
    """本人: the form's items as people read them, the consent, every kind of record; each free text is marked."""
    found = await disclosed(desk, (await ids(desk))[0])
    assert found["name"] == "見本　太郎"
    assert {sheet["kind"] for sheet in found["sheets"]} == {"referral", "contact", "assessment"}
    form = lines(found, "referral")
    assert form["生年月日"] == "昭和30年4月1日"
    assert form["住所"] == "見本県見本市見本町0-0-0"
    assert form["お困りごと"] == "介護、ひきこもり・不登校、収入・生活費"
    assert form["つなぎ先"].startswith("見本")
    assert [consent["status"] for consent in found["consents"]] == ["given"]
    marked = {
        line["label"] for sheet in found["sheets"] for part in sheet["parts"] for line in part["lines"] if line["check"]
    }
    assert {"相談内容", "主訴", "つなぐ理由", "内容", "判断・所見", "来談者", "課題のまとめ"} <= marked
    assert not marked & {"氏名", "住所", "記録者", "作成者", "同意を聞いた人"}


async def test_other_peoples_data_is_cut(desk: Desk) -> None:
    """Of the household not a line, not even how many; names of others where they stand literally; whoever came for them."""
    found = await disclosed(desk, (await ids(desk))[0])
    text = str(found)
    for word in ("花子", "はなこ", "一郎", "1958", "持病", "仕事をしていない", "昭和33年"):
        assert word not in text, word
    form = lines(found, "referral")
    assert form["ほかの世帯員"] == NOT_SHOWN
    assert form["相談者の氏名・機関名"] == NOT_SHOWN
    assert (
        form["相談内容"]
        == f"妻の{NOT_SHOWN}さんの介護を、長男の{NOT_SHOWN}さんは手伝っていない。太郎さんは疲れている。"
    )
    assert lines(found, "assessment")["世帯の課題"] == NOT_SHOWN
    page = await disclosed(desk, (await ids(desk))[0], page=True)
    assert "花子" not in page
    assert "要確認" in page


async def test_a_member_of_the_household_gets_theirs(desk: Desk) -> None:
    """Their line of the form and the free texts; what the form says of the person and the others is cut out."""
    _, hanako, _ = await ids(desk)
    answer = await desk.send(desk.mado, "consents", consent_of(hanako))
    assert answer.status_code == 201, answer.text
    found = await disclosed(desk, hanako)
    assert found["name"] == "見本　花子"
    form = lines(found, "referral")
    assert (form["氏名"], form["生年月日"], form["備考"]) == ("見本　花子", "昭和33年5月5日", "持病あり")
    assert form["本人"] == form["情報共有の同意"] == form["お困りごと"] == form["ほかの世帯員"] == NOT_SHOWN
    assert "見本花子さん" in form["相談内容"]
    text = str(found)
    for word in ("太郎", "たろう", "1955", "昭和30年", "見本町0-0-0", "一郎"):
        assert word not in text, word
    assert [line["agencies"] for line in found["consents"]] == [["sample-care", "welfare-council"]]
    assert "consent" in {sheet["kind"] for sheet in found["sheets"]}
    assert "consent" not in {sheet["kind"] for sheet in (await disclosed(desk, (await ids(desk))[0]))["sheets"]}


async def test_earlier_revisions_are_held_too(desk: Desk) -> None:
    """What a correction replaced is on the list as 旧版."""
    form = referral(chief_complaint="訂正したあとの主訴")
    answer = await desk.referral(desk.mado, "", form, revision=1, method="PUT")
    assert answer.status_code == 200, answer.text
    found = await disclosed(desk, (await ids(desk))[0])
    assert lines(found, "referral")["主訴"] == "訂正したあとの主訴"
    assert lines(found, "referral", earlier=True)["主訴"].startswith("自分が倒れた")


async def test_what_protection_keeps_from_the_section_stays_kept(desk: Desk) -> None:
    """Nobody is cleared by role: the address is not in the form's lines nor in any text, and the page says so."""
    person = (await ids(desk))[0]
    case = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    form = sample("protection", person=person, fields=["address", "phone"], since="2026-04-01")
    answer = await desk.send(desk.coordinator, "protections", form, revision=case["revision"])
    assert answer.status_code == 201, answer.text
    found = await disclosed(desk, person)
    sheet = lines(found, "referral")
    assert sheet["住所"] == sheet["郵便番号"] == sheet["電話（自宅）"] == NOT_SHOWN
    assert "見本町0-0-0" not in str(found)
    assert "042-000-0001" not in str(found)
    assert found["some_withheld"] is True
    assert [line["fields"] for line in found["protections"]] == [["address", "phone"]]
    assert "住所等の秘匿により" in await disclosed(desk, person, page=True)


async def test_it_is_on_record(desk: Desk) -> None:
    """The audit names who made it, of which case and person; the time line of the case tells of it."""
    person = (await ids(desk))[0]
    await disclosed(desk, person)
    rows = [row for row in await desk.intake.rows(audit.audit) if row["action"] == "disclosure.make"]
    assert [(row["user"], row["subject"], row["case_number"], row["outcome"]) for row in rows] == [
        ("shokan", f"person/{person}", desk.case_number, "done")
    ]
    assert "disclosed" in {row["kind"] for row in await desk.intake.rows(tables.timeline)}


async def test_only_the_section_may(desk: Desk) -> None:
    """Others who see the case are refused by the rule, on record; strangers and unknown people are the common 404."""
    person = (await ids(desk))[0]

    async def answer(caller: Caller, number: str, whom: str) -> tuple[int, str]:
        found = await caller.get(f"/cases/{number}/disclosure?person={whom}")
        return found.status_code, found.json()["code"]

    number = desk.case_number
    assert await answer(desk.coordinator, number, person) == (409, "role-missing")
    assert await answer(desk.mado, number, person) == (409, "role-missing")
    assert await answer(desk.stranger, number, person) == (404, "not-found")
    assert await answer(desk.section, number, "no-such-person.0") == (404, "not-found")
    assert await answer(desk.section, "C2026-99999", person) == (404, "not-found")
    other = (await Desk.open(desk)).case_number
    assert await answer(desk.section, other, person) == (404, "not-found")
    refused = [row for row in await desk.intake.rows(audit.audit) if row["action"] == "disclosure.make"]
    assert {row["outcome"] for row in refused} == {"refused"}
    assert len(refused) == 6


async def test_the_same_person_over_joined_cases(desk: Desk) -> None:
    """A case that was joined brings what it holds on the person; somebody who only has the same name is somebody else."""
    first = desk.case_number
    await desk.open(chief_complaint="二つめの様式の主訴")
    second = desk.case_number
    case = (await desk.coordinator.get(f"/cases/{second}")).json()
    answer = await send(desk.coordinator, f"/cases/{second}/joining", {"into": first}, revision=case["revision"])
    assert answer.status_code == 201, answer.text
    desk.case_number = first
    person = next(row["id"] for row in await desk.intake.rows(tables.persons) if row["position"] == 0)
    found = await disclosed(desk, person)
    assert found["joined"] == [second]
    assert [sheet["case_number"] for sheet in found["sheets"] if sheet["kind"] == "referral"] == [first, second]
    assert "二つめの様式の主訴" in str(found)
