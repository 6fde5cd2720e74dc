"""Bad input over HTTP, one kind after another; lists page by page; the same answer for unknown and forbidden."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from tests.data.intake import Caller, Intake
from tests.data.referrals import referral, without_consent
from tests.intake.query_plans import steps_of
from tsunagi_intake import cases
from tsunagi_shared import database
from tsunagi_shared.accounts import Principal
from tsunagi_shared.audit import audit
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.outbox import EVENT_LIMIT_BYTES


def window(intake: Intake) -> Caller:
    """The program of a window that may hand in and look."""
    return intake.program("disability", "referrals:write", "cases:read")


async def raw(caller: Caller, body: bytes, **headers: str) -> httpx.Response:
    """A body of any kind."""
    return await caller.client.post(
        "/referrals", content=body, headers={"Content-Type": "application/json", **caller.headers, **headers}
    )


async def test_what_is_no_json_is_400(intake: Intake) -> None:
    """Cut short, of another encoding, nested without end, with half a character: a reason, and no fault."""
    caller = window(intake)
    for body in (
        b"",
        b"{",
        b'{"a": }',
        b"\xff\xfe",
        json.dumps(referral(), ensure_ascii=False).encode("cp932", "replace"),
        json.dumps(referral()).encode("utf-16"),
        b"[" * 100_000,
        b'{"reason": "\\ud800"}',
        b'{"reason": "\xed\xa0\x80"}',
        b"NaN",
    ):
        answer = await raw(caller, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-json"), body[:20]
        assert answer.headers["content-type"] == "application/problem+json"
    assert await intake.stored() == 0


async def test_json_that_is_no_form_is_422(intake: Intake) -> None:
    """A list, a text, a number, nothing."""
    caller = window(intake)
    for body in (b"[]", b'"x"', b"1", b"null", b"1" * 400, b"{}"):
        assert (await raw(caller, body)).status_code == 422


def _without(name: str) -> dict[str, Any]:
    form = referral()
    del form[name]
    return form


def _with_person(**changes: Any) -> dict[str, Any]:
    form = referral()
    form["person"] |= changes
    return form


_SECRET = "秘密"
_WRONG: list[tuple[dict[str, Any], str, str]] = [
    (referral(nickname=_SECRET), "nickname", "unknown-field"),
    (_with_person(nickname=_SECRET), "person.nickname", "unknown-field"),
    (_without("reason"), "reason", "required"),
    (referral(reason=""), "reason", "required"),
    (referral(reason="　 \n"), "reason", "required"),
    (referral(chief_complaint=_SECRET * 300), "chief_complaint", "too-long"),
    (referral(chief_complaint=_SECRET + "\u3099" * 9000), "chief_complaint", "too-long"),
    (_with_person(birth_date="2026-02-30"), "person.birth_date", ""),
    (_with_person(birth_date="昭和65年1月1日"), "person.birth_date", ""),
    (_with_person(birth_date="2050-01-01"), "person.birth_date", "future-date"),
    (_with_person(birth_date=19550401), "person.birth_date", "wrong-type"),
    (referral(urgency=_SECRET), "urgency", "wrong-code"),
    (referral(destinations=[_SECRET]), "destinations.0", "wrong-code"),
    (referral(destinations="sample-care"), "destinations", "wrong-type"),
    (referral(destinations=[]), "destinations", "required"),
    (_with_person(name=f"{_SECRET}\x00"), "person.name", "control-character"),
    (_with_person(name=f"{_SECRET}\n"), "person.name", "line-break"),
    (referral(reason=f"{_SECRET}\x1b[31m"), "reason", "control-character"),
    (referral(household=[{"name": _SECRET}]), "household.0.relationship", "required"),
    (referral(household={"0": _SECRET}), "household", "wrong-type"),
    (referral(household_size=1e9), "household_size", "not-a-number"),
    (referral(household_size=True), "household_size", "not-a-number"),
    (referral(consent={"status": "given"}), "consent.given_on", "required"),
    (referral(client_name=""), "client_name", "required"),
    (referral(main_trouble="debt"), "main_trouble", "not-among-troubles"),
]


async def test_each_mistake_is_told_with_its_place_and_never_with_its_value(intake: Intake) -> None:
    """422 with path, code and a Japanese sentence; what was sent is not repeated anywhere in the answer."""
    caller = window(intake)
    for form, path, code in _WRONG:
        answer = await caller.submit(form)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "invalid-form"), path
        found = {error["path"]: error for error in problem["errors"]}
        assert path in found, (path, problem["errors"])
        assert found[path]["code"] == code or not code
        assert found[path]["message"].endswith("。")
        assert _SECRET not in answer.text
    assert await intake.stored() == 0


async def test_every_mistake_is_told_at_once(intake: Intake) -> None:
    """Mistakes in all corners of one form come in one answer, in the order of the form."""
    form = referral(urgency="x", reason="", nickname="x", household=[{"age": "old"}, "x"])
    form["person"] |= {"name": "", "kana": "漢字", "phone": "abc", "birth_date": "x"}
    form["consent"] |= {"method": "x", "agencies": ["nobody"]}
    errors = [error["path"] for error in (await window(intake).submit(form)).json()["errors"]]
    assert errors == [
        "urgency", "person.name", "person.kana", "person.birth_date", "person.phone", "household.0.relationship",
        "household.0.age", "household.1", "reason", "consent.method", "consent.agencies.0", "nickname",
    ]  # fmt: skip


async def test_a_form_over_the_limit_is_413(intake: Intake) -> None:
    """256 KiB of JSON are looked at, a byte more is not; over 1 MiB not even read."""
    caller = window(intake)
    form = json.dumps(referral(), ensure_ascii=False).encode()
    assert (await raw(caller, form + b" " * (256 * 1024 - len(form)))).status_code == 201
    for size in (256 * 1024 + 1, 1024 * 1024 + 1, 3 * 1024 * 1024):
        answer = await raw(caller, form + b" " * (size - len(form)))
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert await intake.stored() == 1


async def test_the_largest_form_makes_an_event_that_passes(intake: Intake) -> None:
    """No form within its limit comes near what the bus takes, not even one of combining characters alone."""
    long = {
        "consultation": 4000,
        "reason": 1000,
        "considerations": 1000,
        "involved_agencies": 1000,
        "actions_taken": 2000,
    }
    form = without_consent(**{name: ("か" + "\u3099" * 6) * count for name, count in long.items()})
    body = json.dumps(form, ensure_ascii=False).encode()
    assert 150 * 1024 < len(body) <= 256 * 1024
    assert (await raw(window(intake), body)).status_code == 201
    sizes = [len(event.data) for event in await intake.events()]
    assert max(sizes) < EVENT_LIMIT_BYTES / 3


async def test_unknown_and_forbidden_are_the_same(intake: Intake) -> None:
    """Somebody else's case and none at all: the same status, body and headers; both on record with their numbers."""
    receipt = (await window(intake).submit(without_consent())).json()
    stranger = intake.program("sample-nursery", "cases:read", "referrals:write")
    for kind, field in (("cases", "case_number"), ("referrals", "referral_number")):
        hidden = await stranger.get(f"/{kind}/{receipt[field]}")
        missing = await stranger.get(f"/{kind}/{receipt[field][:-5]}09999")
        assert hidden.status_code == missing.status_code == 404
        assert hidden.content == missing.content
        assert hidden.headers == missing.headers
    refused = [row["subject"] for row in await intake.rows(audit) if row["outcome"] == "refused"]
    assert refused == [
        f"number/{receipt['case_number']}", "number/C2026-09999", f"number/{receipt['referral_number']}",
        "number/R2026-09999",
    ]  # fmt: skip


async def test_a_reader_of_a_summary_sees_its_own_part(intake: Intake) -> None:
    """The destination learns neither who else is told nor who is left out."""
    receipt = (await window(intake).submit(referral(destinations=["sample-care", "sample-nursery"]))).json()
    care = intake.program("sample-care", "cases:read")
    page = (await care.get(f"/referrals/{receipt['referral_number']}")).json()
    assert [entry["agency"] for entry in page["audience"]] == ["sample-care"]
    assert page["withheld"] == []
    own = (await window(intake).get(f"/referrals/{receipt['referral_number']}")).json()
    assert len(own["audience"]) == 4
    assert [row["agency"] for row in own["withheld"]] == ["sample-nursery"]


async def walk(caller: Caller, path: str, limit: int, field: str) -> list[str]:
    """Every number of a list, page after page."""
    found: list[str] = []
    after = ""
    while True:
        page = (await caller.get(f"{path}?limit={limit}" + (f"&after={after}" if after else ""))).json()
        assert len(page["items"]) <= limit
        found += [item[field] for item in page["items"]]
        after = page["next"]
        if not after:
            return found


@pytest.mark.parametrize("limit", [1, 4, 7, 100])
async def test_lists_lose_nothing_and_double_nothing(intake: Intake, limit: int) -> None:
    """Walked page by page, newest first: every case and referral one may see once, and none of the others'."""
    caller, other = window(intake), intake.program("health", "referrals:write", "cases:read")
    mine: dict[str, list[str]] = {"cases": [], "referrals": []}
    for number in range(14):
        if number % 3 == 2:
            await other.submit(without_consent())
            continue
        case_number = mine["cases"][0] if number in (4, 9) else ""
        receipt = (await caller.submit(without_consent(case_number=case_number))).json()
        mine["referrals"].append(receipt["referral_number"])
        if receipt["case_number"] not in mine["cases"]:
            mine["cases"].append(receipt["case_number"])
    assert await walk(caller, "/cases", limit, "number") == mine["cases"][::-1]
    found = await walk(caller, "/referrals", limit, "number")
    assert sorted(found) == sorted(mine["referrals"])
    everything = await walk(intake.program("welfare-desk", "cases:read"), "/referrals", limit, "number")
    assert len(everything) == len(set(everything)) == 14


async def test_a_list_that_grows_while_it_is_walked(intake: Intake) -> None:
    """New referrals come in front of the page one has reached: nothing of the rest is lost or doubled."""
    caller = window(intake)
    old = [(await caller.submit(without_consent())).json()["referral_number"] for _ in range(6)]
    page = (await caller.get("/referrals?limit=2")).json()
    seen = [item["number"] for item in page["items"]]
    while page["next"]:
        await caller.submit(without_consent())
        page = (await caller.get(f"/referrals?limit=2&after={page['next']}")).json()
        seen += [item["number"] for item in page["items"]]
    assert seen == old[::-1]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "after=x", "after=1-2-3", "after=-1", "after=1;2"]
)
async def test_wrong_queries_are_400(intake: Intake, query: str) -> None:
    """A reason and no fault; what was asked is not repeated."""
    for path in ("/cases", "/referrals"):
        if path == "/cases" and query == "after=1-2-3":
            continue  # the place of a search has a shape of its own
        answer = await window(intake).get(f"{path}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


async def test_the_way_of_a_list_does_not_grow_with_the_table(intake: Intake) -> None:
    """The list is walked along the key of the audience, from the page's place on, without sorting all there is."""
    for _ in range(2):
        await window(intake).submit(without_consent())
    principal = Principal("u", "n", "disability", frozenset())
    steps = await intake.runtime.database.read(
        lambda found: steps_of(found, lambda: cases.list_referrals(found, principal, (50, 50), 50))
    )
    assert sum("PRIMARY KEY (agency=? AND case<?)" in step for step in steps) == 1, steps
    assert not any(step.startswith("SCAN") for step in steps), steps
    assert not any(step == "USE TEMP B-TREE FOR ORDER BY" for step in steps), steps  # within one case is enough


async def test_schema_and_description_are_served(intake: Intake) -> None:
    """The form's schema, the list of forms, and the OpenAPI description with the form as the body."""
    caller = window(intake)
    schema = (await caller.get("/forms/referral/schema.json")).json()
    assert "person" in json.dumps(schema)
    assert (await caller.get("/forms/no-such-form/schema.json")).status_code == 404
    assert {form["kind"] for form in (await caller.get("/forms")).json()} == set(FORMS)
    description = (await intake.anybody.get("/openapi.json")).json()
    assert description["openapi"].startswith("3.1")
    body = description["paths"]["/referrals"]["post"]["requestBody"]
    assert "content" in body
    assert (await intake.anybody.get("/docs", page=True)).status_code == 200


async def test_operations_tell_no_names(intake: Intake) -> None:
    """Alive, ready although the hub is away, and metrics by route template."""
    caller = window(intake)
    receipt = (await caller.submit(referral())).json()
    await caller.get(f"/cases/{receipt['case_number']}")
    ready = await intake.anybody.get("/readyz")
    assert (ready.status_code, ready.json()["bus"]) == (200, False)
    metrics = (await intake.program("disability", "metrics").get("/metrics")).text
    assert re.search(r'route="/cases/\{number[^"]*",status="200"} 1.0', metrics), metrics
    assert receipt["case_number"] not in metrics


async def test_a_busy_database_is_503(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is stored, the program is told when to come again."""
    caller = window(intake)
    with monkeypatch.context() as patch:
        patch.setattr(database, "QUEUE", 0)
        answer = await caller.submit(referral(), key="k1")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "5")
    assert (await caller.submit(referral(), key="k1")).status_code == 201
    assert await intake.stored() == 1


async def test_an_unknown_case_is_told_with_the_other_mistakes(intake: Intake) -> None:
    """What only the database knows comes at once with what the form alone shows."""
    answer = await window(intake).submit(referral(case_number="C2026-99999", reason=""))
    assert answer.status_code == 422
    assert {error["path"] for error in answer.json()["errors"]} == {"case_number", "reason"}
