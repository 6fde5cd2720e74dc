"""Drafts: kept for their owner under their post, for thirty days, until the form is handed in."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from tests.conftest import MovableClock
from tests.data.case_work import Desk, consent_of
from tests.data.forms import sample
from tests.data.intake import Caller, Intake, running_intake
from tests.intake.profiles import CONTRACTED, with_ended_contract
from tests.intake.test_pages import TYPED, as_shown, fields_of, typed_in
from tsunagi_intake import drafts
from tsunagi_intake.tables import drafts as table
from tsunagi_shared import database
from tsunagi_shared.accounts import Post
from tsunagi_shared.audit import audit


@pytest.fixture
def mado(intake: Intake) -> Caller:
    """A clerk at a window."""
    return intake.person("mado", "disability")


async def saved(caller: Caller) -> list[dict[str, str]]:
    """The caller's drafts."""
    items: list[dict[str, str]] = (await caller.get("/drafts")).json()["items"]
    return items


async def test_a_form_goes_on_where_it_was_left(intake: Intake, mado: Caller) -> None:
    """Saved with everything typed, however wrong; listed on the page of forms; handed in, and gone."""
    wrong = [*TYPED, ("person.phone", "電話なし")]
    kept = await mado.post("/drafts?kind=referral", wrong)
    assert (kept.status_code, kept.headers["location"]) == (303, "/forms?saved=1")
    assert await intake.stored() == 0
    listed = await mado.get("/forms?saved=1", page=True)
    assert "下書きを保存しました" in listed.text
    address = re.search(r'href="(/forms/referral\?draft=[0-9a-f-]+)"', listed.text)
    assert address is not None
    form = await mado.get(address.group(1), page=True)
    assert typed_in(form) == as_shown(wrong)
    mended = [pair for pair in fields_of(form) if pair[0] not in ("person.phone", "_csrf")]
    assert (await mado.post("/referrals", mended)).status_code == 303
    assert await saved(mado) == []


async def test_saving_again_replaces_it(mado: Caller) -> None:
    """From the same page: one draft, with what was typed last."""
    await mado.post("/drafts?kind=referral", TYPED)
    (line,) = await saved(mado)
    form = await mado.get(f"/forms/referral?draft={line['id']}", page=True)
    changed = [
        (name, "べつの理由" if name == "reason" else value) for name, value in fields_of(form) if name != "_csrf"
    ]
    await mado.post("/drafts?kind=referral", changed)
    (again,) = await saved(mado)
    assert again["id"] == line["id"]
    assert (await mado.get(f"/drafts/{line['id']}")).json()["content"]["reason"] == "べつの理由"


async def test_a_refused_form_stays_a_draft(intake: Intake, mado: Caller) -> None:
    """Handed in with mistakes: the page has everything, and the draft is still there."""
    await mado.post("/drafts?kind=referral", TYPED)
    (line,) = await saved(mado)
    form = await mado.get(f"/forms/referral?draft={line['id']}", page=True)
    without_reason = [pair for pair in fields_of(form) if pair[0] not in ("reason", "_csrf")]
    refused = await mado.post("/referrals", without_reason)
    assert refused.status_code == 422
    assert ("_draft", line["id"]) in fields_of(refused)
    assert len(await saved(mado)) == 1
    assert await intake.stored() == 0


async def test_nobody_else_sees_it(intake: Intake, mado: Caller) -> None:
    """Not a colleague, and not the same person under another post: the same 404 as for what is not there."""
    draft = (await mado.post("/drafts?kind=referral", TYPED)) and (await saved(mado))[0]["id"]
    colleague = intake.person("doryo", "disability")
    twice = intake.person("kennin", "disability", more=(Post("long-term-care", ("clerk",)),))
    await twice.post("/drafts?kind=referral", TYPED)
    for caller in (colleague, twice):
        for path in (f"/drafts/{draft}", f"/forms/referral?draft={draft}"):
            assert (await caller.get(path)).status_code == 404
        assert draft not in [line["id"] for line in await saved(caller)]
        gone = await caller.client.delete(
            f"/drafts/{draft}", headers={**caller.headers, "Sec-Fetch-Site": "same-origin"}
        )
        assert gone.status_code == 404
    own = (await saved(twice))[0]["id"]
    switched = await twice.post("/posts", {"agency": "long-term-care"})
    other_post = Caller(intake.client, {"Cookie": switched.headers["set-cookie"].partition(";")[0]})
    intake.client.cookies.clear()
    assert await saved(other_post) == []
    assert (await other_post.get(f"/drafts/{own}")).status_code == 404
    assert len(await saved(mado)) == 1


async def test_with_the_contract_the_drafts_are_closed(tmp_path: Path) -> None:
    """Staff of an ended contract read none, list none, throw none away, and no page shows them who is in a case."""
    async with running_intake(tmp_path, profile=with_ended_contract(tmp_path / "profile")) as intake:
        former = intake.person("moto", CONTRACTED, "clerk")
        place = f"/drafts/{uuid.uuid4()}"
        for answer in (
            await former.get("/drafts"),
            await former.get("/forms", page=True),
            await former.get(place),
            await former.get(f"/forms/referral?draft={place.rpartition('/')[2]}", page=True),
            await former.post(f"{place}/discard", {}),
            await former.post("/drafts?kind=referral", TYPED),
            await former.client.delete(place, headers={**former.headers, "Sec-Fetch-Site": "same-origin"}),
        ):
            assert (answer.status_code, "契約の期間" in answer.text) == (403, True), answer.text[:300]
        assert await intake.rows(table) == []


async def test_reading_what_was_saved_is_on_record(intake: Intake) -> None:
    """A draft, and a form as it stands that is to be corrected: who read it, and who was refused."""
    desk = await Desk(intake).open()
    mado = desk.mado
    await mado.post("/drafts?kind=referral", TYPED)
    (line,) = await saved(mado)
    await mado.get(f"/drafts/{line['id']}")
    await mado.get(f"/forms/referral?draft={line['id']}", page=True)
    contact = (await desk.send(desk.mado, "contacts", sample("contact"))).json()["id"]
    for address in (f"referral&record=referral/{desk.referral_number}", f"contact&record=contact/{contact}"):
        kind, _, query = address.partition("&")
        assert (await desk.mado.get(f"/forms/{kind}?{query}", page=True)).status_code == 200
        assert (await desk.stranger.get(f"/forms/{kind}?{query}", page=True)).status_code == 404
    rows = [(row["user"], row["action"], row["outcome"], row["case_number"]) for row in await intake.rows(audit)]
    mine, theirs = ("mado", "form.read", "done", desk.case_number), ("yoso", "form.read", "refused", desk.case_number)
    assert [row for row in rows if row[1] == "form.read"] == [mine, theirs, mine, theirs]
    assert [row for row in rows if row[1] == "draft.read"] == [("mado", "draft.read", "done", "")] * 2


async def test_it_goes_after_thirty_days(intake: Intake, mado: Caller, movable_clock: MovableClock) -> None:
    """Not to be found any more from that moment, and taken away by the next clean-up."""
    await mado.post("/drafts?kind=referral", TYPED)
    movable_clock.forward(29 * 86_400)
    assert len(await saved(intake.signed_in("mado"))) == 1
    movable_clock.forward(30 * 86_400 + 1)
    assert await saved(intake.signed_in("mado")) == []
    assert await intake.runtime.database.write(drafts.forget_old) == 1
    assert await intake.rows(table) == []


async def test_it_is_thrown_away_on_wish(mado: Caller) -> None:
    """By the button on the page, or as a program."""
    for _ in range(2):
        await mado.post("/drafts?kind=referral", TYPED)
    first, second = await saved(mado)
    assert (await mado.post(f"/drafts/{first['id']}/discard", {})).headers["location"] == "/forms?discarded=1"
    gone = await mado.client.delete(
        f"/drafts/{second['id']}", headers={**mado.headers, "Sec-Fetch-Site": "same-origin"}
    )
    assert gone.status_code == 204
    assert await saved(mado) == []


async def test_nothing_is_lost_when_it_cannot_be_saved(
    intake: Intake, mado: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong token, too many drafts, a busy and a broken database, an ended session: everything typed comes back."""
    assert typed_in(await mado.post("/drafts?kind=referral", TYPED, csrf="forged")) == as_shown(TYPED)
    with monkeypatch.context() as patch:
        patch.setattr(drafts, "MOST", 0)
        full = await mado.post("/drafts?kind=referral", TYPED)
        assert (full.status_code, typed_in(full)) == (409, as_shown(TYPED))
    with monkeypatch.context() as patch:
        patch.setattr(database, "QUEUE", 0)
        busy = await mado.post("/drafts?kind=referral", TYPED)
        assert (busy.status_code, typed_in(busy)) == (503, as_shown(TYPED))
    ended = await intake.anybody.post("/drafts?kind=referral", TYPED)
    assert ended.status_code == 401
    carried = {pair for pair in fields_of(ended) if pair[0].startswith("typed.")}
    assert ("typed.reason", "いっしょに考えてほしい。") in carried
    assert ("next", "/drafts?kind=referral") in fields_of(ended)
    again = await mado.post("/drafts?kind=referral", [*TYPED, ("_again", "1")])
    assert (again.status_code, typed_in(again)) == (200, as_shown(TYPED))
    await intake.runtime.database.write(lambda connection: connection.execute(sa.text("DROP TABLE drafts")))
    broken = await mado.post("/drafts?kind=referral", TYPED)
    assert (broken.status_code, typed_in(broken)) == (500, as_shown(TYPED))


async def test_a_draft_of_a_case_knows_where_it_belongs(intake: Intake) -> None:
    """Its list names the case; the form opens there, for who may still hand it in, and is gone once it is handed in."""
    desk = await Desk(intake).open()
    place = f"case={desk.case_number}"
    page = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    fields = [("status", "given"), ("person", page["people"][1]["id"]), ("purpose", "いっしょに考えるため")]
    assert (await desk.coordinator.post(f"/drafts?kind=consent&{place}", fields)).status_code == 303
    listed = await desk.coordinator.get("/forms", page=True)
    assert desk.case_number in listed.text
    (line,) = await saved(desk.coordinator)
    form = await desk.coordinator.get(f"/forms/consent?{line['about']}&draft={line['id']}", page=True)
    assert set(fields) <= set(fields_of(form))
    posted = consent_of(page["people"][1]["id"])
    pairs = [(name, part) for name, value in posted.items() for part in (value if isinstance(value, list) else [value])]
    handed_in = await desk.coordinator.post(f"/cases/{desk.case_number}/consents", [*pairs, ("_draft", line["id"])])
    assert handed_in.status_code == 303, handed_in.text
    assert await saved(desk.coordinator) == []


async def test_programs_keep_drafts_as_json(intake: Intake) -> None:
    """An incomplete form as JSON, under the key's own agency."""
    window = intake.program("disability", "cases:write", "cases:read")
    answer = await window.client.post(
        "/drafts?kind=contact&case=C2026-00001", json=sample("contact"), headers=window.headers
    )
    assert answer.status_code == 201
    assert (await window.get(f"/drafts/{answer.json()['id']}")).json()["content"] == sample("contact")


@pytest.mark.parametrize("query", ["kind=letter", "kind=referral&case=見本", "kind=", ""])
async def test_what_is_no_form_is_refused(mado: Caller, query: str) -> None:
    """No such form, or a place that is no number: nothing is kept."""
    answer: httpx.Response = await mado.post(f"/drafts?{query}", TYPED)
    assert answer.status_code in (400, 404)
    assert await saved(mado) == []
