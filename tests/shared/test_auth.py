"""Who is calling and may they, over HTTP: one's own pages only, 401 and 403 and 404 apart, no way to other hosts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import MovableClock
from tests.data.intake import PASSWORD, URL, Caller, Intake, running_intake
from tests.data.referrals import referral
from tsunagi_shared.accounts import FAILURES_ALLOWED, Post
from tsunagi_shared.sign_in import local_address


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Intake]:
    """The service."""
    async with running_intake(tmp_path) as found:
        yield found


async def sign_in(intake: Intake, user: str = "mado", password: str = PASSWORD, **more: str) -> Caller | int:
    """Sign in through the page; the caller with the new cookie, or the status of the refusal."""
    intake.client.cookies.clear()
    answer = await intake.anybody.post("/sign-in", {"user": user, "password": password, **more})
    if answer.status_code != 303:
        return answer.status_code
    return Caller(intake.client, {"Cookie": answer.headers["set-cookie"].partition(";")[0]})


async def test_nobody_may_do_nothing(intake: Intake) -> None:
    """Without credentials a program gets 401 and a browser is led to the sign-in page, and back afterwards."""
    for path in ("/cases", "/referrals", "/cases/C2026-00001", "/forms", "/forms/referral", "/metrics", "/posts"):
        answer = await intake.anybody.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-needed")
    assert (await intake.anybody.submit(referral())).status_code == 401
    page = await intake.anybody.get("/cases?after=5&limit=2", page=True)
    assert page.status_code == 303
    assert page.headers["location"] == "/sign-in?next=%2Fcases%3Fafter%3D5%26limit%3D2"


async def test_bad_credentials_are_nobody(intake: Intake) -> None:
    """A forged key or cookie is answered like none at all."""
    for name, value in [
        ("X-API-Key", "nonsense"),
        ("X-API-Key", "0.0"),
        ("Authorization", "Bearer x.y"),
        ("Authorization", "Basic bWFkbzp4"),
        ("Cookie", "tsunagi=forged"),
        ("Cookie", "tsunagi="),
        ("Cookie", ";;;=;tsunagi"),
    ]:
        caller = Caller(intake.client, {name: value})
        assert (await caller.get("/cases")).status_code == 401
        assert (await caller.submit(referral())).status_code == 401


async def test_roles_and_scopes_are_kept(intake: Intake) -> None:
    """The wrong role and a key without the scope get 403, before anything is looked at."""
    auditor = intake.person("kansa", "social-welfare", "auditor")
    assert (await auditor.get("/forms/referral", page=True)).status_code == 403
    assert (await auditor.submit(referral(), **{"Sec-Fetch-Site": "same-origin"})).status_code == 403
    assert (await auditor.get("/metrics")).status_code == 403
    assert (await auditor.get("/cases")).status_code == 200
    metrics = intake.program("disability", "metrics")
    assert (await metrics.get("/metrics")).status_code == 200
    for path in ("/cases", "/referrals", "/cases/C2026-00001", "/posts"):
        assert (await metrics.get(path)).status_code == 403
    assert (await metrics.submit(referral())).status_code == 403
    writer = intake.program("disability", "referrals:write")
    assert (await writer.submit(referral())).status_code == 201
    assert (await writer.get("/cases")).status_code == 403
    assert (await intake.program("disability", "cases:read").get("/cases")).status_code == 200
    assert await intake.stored() == 1


_SENT_BY: list[tuple[dict[str, str], int]] = [
    ({"Sec-Fetch-Site": "same-origin"}, 201),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "none"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Origin": URL}, 403),
    ({"Origin": URL}, 201),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": URL + ".evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Referer": URL + "/"}, 403),
    ({}, 403),
]


async def test_a_session_acts_from_its_own_pages_only(intake: Intake) -> None:
    """What another site makes a browser send is refused, whatever the body."""
    mado = intake.person("mado", "disability")
    answers = [(await mado.submit(referral(), **headers)).status_code for headers, _ in _SENT_BY]
    assert answers == [status for _, status in _SENT_BY]
    assert await intake.stored() == answers.count(201)


async def test_a_key_needs_no_origin(intake: Intake) -> None:
    """Browsers do not send keys, so a program is not asked for the marks of a page."""
    assert (await intake.program("disability", "referrals:write").submit(referral())).status_code == 201


async def test_a_posted_page_needs_its_token(intake: Intake) -> None:
    """Without the session's token, or with another session's, nothing is done."""
    mado, other = intake.person("mado", "disability"), intake.person("other", "disability")
    for path in ("/sign-out", "/posts"):
        for token in ("", "forged", other.csrf):
            answer = await mado.post(path, {"agency": "disability"}, csrf=token)
            assert (answer.status_code, "page-expired" in answer.text) == (403, True)
    assert (await mado.get("/cases")).status_code == 200
    assert (await mado.post("/sign-out", {})).status_code == 303
    assert (await mado.get("/cases")).status_code == 401


async def test_sign_in_never_adopts_a_sent_session(intake: Intake) -> None:
    """A cookie planted before the sign-in is worth nothing after it."""
    intake.person("mado", "disability")
    planted = {"Cookie": "tsunagi=planted-by-somebody"}
    answer = await Caller(intake.client, planted).post("/sign-in", {"user": "mado", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 303
    assert "planted" not in cookie
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "max-age" not in cookie.lower()
    intake.client.cookies.clear()
    assert (await Caller(intake.client, planted).get("/cases")).status_code == 401


async def test_sign_in_from_another_site_is_refused(intake: Intake) -> None:
    """Nobody is signed in to somebody else's account by a foreign page."""
    intake.person("mado", "disability")
    answer = await intake.anybody.post(
        "/sign-in", {"user": "mado", "password": PASSWORD}, **{"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


_ELSEWHERE = [
    "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "evil.example",
    "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", "/ok\\..\\x", "//[broken", "http://[", "", " /cases",
]  # fmt: skip


async def test_sign_in_leads_nowhere_else(intake: Intake) -> None:
    """An address of another host as `next` becomes the first page."""
    for wanted in _ELSEWHERE:
        assert local_address(wanted) == "/"
        page = await intake.client.get("/sign-in", params={"next": wanted})
        assert page.status_code == 200
        assert 'name="next" value="/"' in page.text


async def test_sign_in_goes_on_where_the_person_was(intake: Intake) -> None:
    """A path of this service, with its query, is followed."""
    intake.person("mado", "disability")
    for wanted, reached in [("/cases?after=5", "/cases?after=5"), ("//evil.example", "/")]:
        answer = await intake.anybody.post("/sign-in", {"user": "mado", "password": PASSWORD, "next": wanted})
        assert (answer.status_code, answer.headers["location"]) == (303, reached)


async def test_guessing_is_stopped(intake: Intake, movable_clock: MovableClock) -> None:
    """After ten failures the right password is refused too, with the same words; later it works again."""
    intake.person("mado", "disability")
    unknown = await intake.anybody.post("/sign-in", {"user": "nobody", "password": "wrong"})
    for _ in range(FAILURES_ALLOWED):
        answer = await intake.anybody.post("/sign-in", {"user": "mado", "password": "wrong"})
        assert answer.status_code == 401
        assert answer.text == unknown.text
        assert "wrong" not in answer.text
    assert await sign_in(intake) == 401
    movable_clock.forward(15 * 60 + 5)
    assert isinstance(await sign_in(intake), Caller)


async def test_sign_out_everywhere(intake: Intake) -> None:
    """One click on the page ends every session of the account, and nobody else's."""
    first = intake.person("mado", "disability")
    second, other = intake.signed_in("mado"), intake.person("other", "disability")
    page = (await first.get("/posts", page=True)).text
    assert 'name="everywhere" value="1"' in page
    answer = await first.post("/sign-out", {"everywhere": "1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert re.search(r"tsunagi=.*Max-Age=0", answer.headers["set-cookie"])
    intake.client.cookies.clear()
    assert [(await caller.get("/cases")).status_code for caller in (first, second, other)] == [401, 401, 200]


async def test_changing_posts_over_http(intake: Intake) -> None:
    """The new post comes with a new cookie; a post that is not held is refused."""
    mado = intake.person("mado", "disability", more=(Post("health", ("clerk",)),))
    assert (await mado.post("/posts", {"agency": "sample-care"})).status_code == 403
    answer = await mado.post("/posts", {"agency": "health"})
    assert answer.status_code == 303
    new = Caller(intake.client, {"Cookie": answer.headers["set-cookie"].partition(";")[0]})
    intake.client.cookies.clear()
    assert (await mado.get("/cases")).status_code == 401
    assert "健康課" in (await new.get("/cases", page=True)).text


async def test_a_disabled_person_is_cut_off_between_two_requests(intake: Intake) -> None:
    """The next request of an open session is nobody's."""
    mado = intake.person("mado", "disability")
    assert (await mado.get("/cases")).status_code == 200
    intake.runtime.accounts.disable_user("mado")
    assert (await mado.get("/cases")).status_code == 401


async def test_answers_are_hardened(intake: Intake) -> None:
    """Every answer, refusals too, forbids sniffing, framing, foreign content and handing on the address."""
    for path in ("/sign-in", "/cases", "/nowhere", "/style.css", "/healthz"):
        headers = (await intake.anybody.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]


async def test_broken_sign_in_posts_are_refused_politely(intake: Intake) -> None:
    """What is no form is 400, what is too much is 413; never a fault."""
    own = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    for body, status in [(b"\xff\xfe", 400), (b"a", 400), (b"", 401), (b"a=" + b"x" * (1024 * 1024 + 1), 413)]:
        assert (await intake.client.post("/sign-in", content=body, headers=own)).status_code == status


async def test_methods_and_paths_that_are_not_there(intake: Intake) -> None:
    """404 and 405 as problems, with and without a session."""
    mado = intake.person("mado", "disability")
    for caller in (intake.anybody, mado):
        assert (await caller.get("/nowhere")).status_code == 404
    assert (await intake.client.delete("/cases")).status_code == 405
    assert (await intake.client.get("/cases/../../etc/passwd")).status_code in (401, 404)
