"""The page posts to the same resource as JSON, and whatever is refused, nothing that was typed is lost."""

from __future__ import annotations

import asyncio
import html
import re
from html.parser import HTMLParser

import httpx
import pytest
import sqlalchemy as sa

from tests.conftest import MovableClock
from tests.data.intake import PASSWORD, Caller, Intake
from tsunagi_intake.tables import referrals
from tsunagi_shared import database

TYPED: list[tuple[str, str]] = [
    ("destinations", "sample-care"),
    ("destinations", "hardship-support"),
    ("urgency", "soon"),
    ("consulted_on", "令和8年4月1日"),
    ("client_kind", "family"),
    ("client_name", "見本　花子"),
    ("person.name", "髙﨑　𠮷邉󠄏子"),
    ("person.kana", "たかさき　よしこ"),
    ("person.sex", "unanswered"),
    ("person.birth_date", "昭和３０年４月１日"),
    ("person.address", '見本県<見本市> "1-1" & 2'),
    ("household.0.name", "見本　一郎"),
    ("household.0.relationship", "長男"),
    ("household.2.relationship", "妻"),
    ("troubles", "care"),
    ("troubles", "income"),
    ("main_trouble", "care"),
    ("consultation", "\n一行目\n　二行目 <b>&amp;</b>"),
    ("chief_complaint", "心配だ。"),
    ("reason", "いっしょに考えてほしい。"),
    ("consent.status", "given"),
    ("consent.given_on", "R8.4.1"),
    ("consent.method", "written"),
    ("consent.agencies", "sample-care"),
    ("_rows.household", "3"),
]


class _Form(HTMLParser):
    """What a browser would post from the main form of a page, as typed there."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self._inside = False
        self._textarea: str | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = values.get("class") == "form"
        if not self._inside:
            return
        if tag == "textarea":
            self._textarea = ""
            self._select = values["name"]
        elif tag == "select":
            self._select = values["name"]
        elif tag == "option" and "selected" in values:
            self.fields.append((self._select, values["value"]))
        elif tag == "input" and (values.get("type") not in ("checkbox", "radio") or "checked" in values):
            self.fields.append((values["name"], values.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            self._textarea += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._textarea is not None:
            self.fields.append((self._select, self._textarea.removeprefix("\n")))
            self._textarea = None
        elif tag == "form":
            self._inside = False


def fields_of(page: httpx.Response) -> list[tuple[str, str]]:
    """The fields of the page's form with what stands in them."""
    parser = _Form()
    parser.feed(page.text)
    return parser.fields


def typed_in(page: httpx.Response) -> list[tuple[str, str]]:
    """What a person typed: without the page's own fields, and without what is empty."""
    return sorted((name, value) for name, value in fields_of(page) if value and not name.startswith("_"))


def as_shown(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same of what was posted; rows without anything close up."""
    moved = [(name.replace("household.2.", "household.1."), value) for name, value in pairs]
    return sorted((name, value) for name, value in moved if not name.startswith("_"))


@pytest.fixture
def mado(intake: Intake) -> Caller:
    """A clerk at a window."""
    return intake.person("mado", "disability")


async def test_a_form_becomes_a_referral_and_its_receipt(intake: Intake, mado: Caller) -> None:
    """The empty page, filled in and handed in, leads to the receipt; what was typed is stored exactly."""
    page = await mado.get("/forms/referral", page=True)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    own = [(name, value) for name, value in fields_of(page) if name == "_idempotency_key"]
    answer = await mado.post("/referrals", [*TYPED, *own])
    assert answer.status_code == 303
    receipt = await mado.get(answer.headers["location"], page=True)
    assert receipt.status_code == 200
    assert "生活困窮者自立相談支援機関" in receipt.text  # left out: the consent does not name it
    assert "同意に加えてください" in receipt.text
    assert "髙" not in receipt.text
    (row,) = await intake.rows(referrals)
    assert "髙﨑　𠮷邉󠄏子".encode() in row["form"]
    assert "\\n　二行目 <b>&amp;</b>".encode() in row["form"]
    case = await mado.get(f"/cases/{row['number'].replace('R', 'C')}", page=True)
    assert case.status_code == 200


async def test_a_refusal_keeps_everything_typed(intake: Intake, mado: Caller) -> None:
    """With mistakes all over: the errors are told at their fields, and the page holds every character that was typed."""
    wrong = [pair for pair in TYPED if pair[0] not in ("reason", "person.kana")]
    wrong += [("person.kana", "漢字"), ("person.phone", "電話なし"), ("consent.until", "いつか")]
    answer = await mado.post("/referrals", wrong)
    assert answer.status_code == 422
    assert typed_in(answer) == as_shown(wrong)
    assert "つなぐ理由" in answer.text
    summary = re.search(r'id="error-summary".*?</section>', answer.text, re.DOTALL)
    assert summary is not None
    assert summary.group().count("<li>") == 4
    for anchor in re.findall(r'href="#([^"]+)"', summary.group()):
        assert f'id="{anchor}"' in answer.text
    assert await intake.stored() == 0
    mended = [(name, "たかさき" if name == "person.kana" else value) for name, value in fields_of(answer)
              if name not in ("person.phone", "consent.until", "reason")]  # fmt: skip
    mended = [pair for pair in mended if pair[0] != "_csrf"]
    assert (await mado.post("/referrals", [*mended, ("reason", "考えてほしい。")])).status_code == 303


async def test_every_kind_of_refusal_keeps_everything_typed(
    intake: Intake, mado: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong token, somebody else's case, a form too large, a busy or broken database, a key used before."""
    large = [(name, "字" * 88_000 if name == "consultation" else value) for name, value in TYPED]
    marks = [(name, "か" + "\u3099" * 30_000 if name == "reason" else value) for name, value in TYPED]
    cases: list[tuple[list[tuple[str, str]], str | None, int]] = [
        (TYPED, "forged", 403),
        ([*TYPED, ("case_number", "C2026-99999")], None, 422),
        (large, None, 413),
        (marks, None, 422),  # one character to the eye, and no writing
    ]
    for fields, csrf, status in cases:
        answer = await mado.post("/referrals", fields, csrf=csrf)
        assert answer.status_code == status
        assert typed_in(answer) == as_shown(fields)
        assert "error-summary" in answer.text
    with monkeypatch.context() as patch:
        patch.setattr(database, "QUEUE", 0)
        busy = await mado.post("/referrals", TYPED)
    assert busy.status_code == 503
    assert typed_in(busy) == as_shown(TYPED)
    await intake.runtime.database.write(lambda connection: connection.execute(sa.text("DROP TABLE persons")))
    broken = await mado.post("/referrals", TYPED)
    assert broken.status_code == 500
    assert typed_in(broken) == as_shown(TYPED)
    assert await intake.stored() == 0


async def test_one_more_row_hands_nothing_in(intake: Intake, mado: Caller) -> None:
    """The button for a further household member gives the page back with one more row, and everything typed."""
    answer = await mado.post("/referrals", [*TYPED, ("_add", "household")])
    assert answer.status_code == 200
    assert typed_in(answer) == as_shown(TYPED)
    assert 'name="household.3.name"' in answer.text
    assert await intake.stored() == 0


async def test_a_doubled_post_is_one_referral(intake: Intake, mado: Caller) -> None:
    """Pressed twice, or sent again by going back: the same receipt. Changed and sent again: asked once more, then new."""
    page = await mado.get("/forms/referral", page=True)
    own = [pair for pair in fields_of(page) if pair[0] == "_idempotency_key"]
    answers = await asyncio.gather(*(mado.post("/referrals", [*TYPED, *own]) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert await intake.stored() == 1
    changed = [(name, "別の理由です。" if name == "reason" else value) for name, value in TYPED]
    again = await mado.post("/referrals", [*changed, *own])
    assert again.status_code == 409
    assert typed_in(again) == as_shown(changed)
    new = [pair for pair in fields_of(again) if pair[0] == "_idempotency_key"]
    assert new != own
    assert (await mado.post("/referrals", [*changed, *new])).status_code == 303
    assert await intake.stored() == 2


async def test_an_ended_session_loses_nothing(intake: Intake, mado: Caller, movable_clock: MovableClock) -> None:
    """The sign-in page carries what was typed; after the sign-in it stands in the form again and can be handed in."""
    movable_clock.forward(31 * 60)
    asked = await mado.post("/referrals", TYPED)
    assert asked.status_code == 401
    carried = fields_of(asked)
    assert {name for name, _ in carried if not name.startswith("typed.")} == {"next", "user", "password"}
    posted = [(name, value) for name, value in carried if name not in ("user", "password")]
    refused = await intake.anybody.post("/sign-in", [*posted, ("user", "mado"), ("password", "wrong")])
    assert refused.status_code == 401
    assert [pair for pair in fields_of(refused) if pair[0].startswith("typed.")] == [
        pair for pair in carried if pair[0].startswith("typed.")
    ]
    signed_in = await intake.anybody.post("/sign-in", [*posted, ("user", "mado"), ("password", PASSWORD)])
    assert signed_in.status_code == 200
    assert 'action="/referrals"' in signed_in.text
    again = Caller(intake.client, {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]})
    intake.client.cookies.clear()
    form = await again.post("/referrals", fields_of(signed_in))
    assert form.status_code == 200
    assert typed_in(form) == as_shown(TYPED)
    assert await intake.stored() == 0
    assert (await again.post("/referrals", fields_of(form))).status_code == 303
    assert await intake.stored() == 1


async def test_another_site_cannot_type_for_somebody(intake: Intake, mado: Caller) -> None:
    """A foreign page's post is refused with and without a session; nothing of it is carried through the sign-in."""
    for caller in (mado, intake.anybody):
        answer = await caller.post("/referrals", TYPED, **{"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code in (401, 403)
        assert "見本　花子" not in answer.text
    assert await intake.stored() == 0


async def test_pages_hold_no_script_and_nothing_from_elsewhere(intake: Intake, mado: Caller) -> None:
    """What people typed is shown as text; every page loads from its own host alone."""
    wrong = [(name, '"><script>alert(1)</script>' if name == "person.name" else value) for name, value in TYPED]
    for page in (
        await mado.post("/referrals", [*wrong, ("urgency", "x")]),
        await mado.get("/forms/referral", page=True),
        await mado.get("/cases", page=True),
        await mado.get("/referrals", page=True),
        await mado.get("/cases/C2026-09999", page=True),
        await mado.get("/posts", page=True),
    ):
        assert "<script" not in page.text
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', page.text)
        assert page.headers["content-type"].startswith("text/html")
    assert (
        html.escape('"><script>alert(1)</script>', quote=True).split("&gt;")[1]
        in (await mado.post("/referrals", [*wrong, ("urgency", "x")])).text
    )


async def test_broken_posts_are_refused_politely(intake: Intake, mado: Caller) -> None:
    """What no page of ours sends: too many fields, half characters, over the limit; never a fault."""
    headers = {**mado.headers, "Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    for body, status in [
        (b"&".join(b"a%d=1" % number for number in range(2500)), 400),
        (b"person.name=%ED%A0%80", 400),
        (b"person.name=\xff", 400),
        (b"a=" + b"x" * (1024 * 1024), 413),
        (b"", 403),
        (
            b"household.0.name.x=1&person=1&.=1&household.=1&=1&household.999.relationship=x&_add=../../x&_rows.x=-1",
            200,
        ),
    ]:
        answer = await intake.client.post("/referrals", content=body, headers=headers)
        assert answer.status_code == status, body[:40]
    assert await intake.stored() == 0


async def test_lists_and_cases_have_pages(intake: Intake, mado: Caller) -> None:
    """Keyset pages with a way on and a way back; a missing case is the common page."""
    for _ in range(3):
        assert (await mado.post("/referrals", TYPED)).status_code == 303
    for path in ("/cases", "/referrals"):
        first = await mado.get(f"{path}?limit=2", page=True)
        following = re.search(rf'href="({path}\?after=[0-9-]+)" rel="next"', first.text)
        assert following is not None
        second = await mado.get(following.group(1), page=True)
        assert "最初へ戻る" in second.text
        assert 'rel="next"' not in second.text
    missing = await mado.get("/cases/C2026-09999", page=True)
    assert missing.status_code == 404
    assert "見つからないか、見る権限がありません" in missing.text
