"""The pages: a form drawn from its definition, posted back without loss, readable for everyone."""

from __future__ import annotations

import contextlib
import datetime as dt
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, Route, sync_playwright

import tsunagi_shared.web
from tests.data.page_inputs import inputs_of
from tsunagi_shared.accounts import Principal
from tsunagi_shared.audit import AuditLine
from tsunagi_shared.audit_pages import AuditPage, words_of
from tsunagi_shared.forms.checks import Codes, FieldError, check
from tsunagi_shared.forms.codes import fields_for
from tsunagi_shared.forms.fields import Field, Kind
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.referral import Referral
from tsunagi_shared.problems import Problem
from tsunagi_shared.web.forms import (
    FormValues,
    PostError,
    decode_urlencoded,
    form_values,
    rows_wanted,
    typed_pairs,
    wants_page_again,
)
from tsunagi_shared.web.pages import Link, Pages, jst, wareki

AGENCIES = {"shakai": "社会福祉課", "shakyo": "見本社会福祉協議会", "kaigo": "介護福祉課"}
LOCAL = (
    Field(name="ward", path="local.ward", kind=Kind.CHOICE, title="地区", choices=(("east", "東"), ("west", "西"))),
    Field(name="remarks", path="local.remarks", kind=Kind.TEXT, title="備考", help="地域のこと", limit=30),
)
CODES = Codes(dt.date(2026, 11, 23), AGENCIES, lists={"annex": "別紙1"}, bodies={"support": "支援会議"}, local=LOCAL)
CLERK = Principal("mihon", "見本 職員", "shakai", frozenset({"clerk"}), csrf="token")
POSTED = [
    ("_csrf", "token"),
    ("destinations", "shakyo"),
    ("destinations", "kaigo"),
    ("urgency", "soon"),
    ("consulted_on", "令和8年11月20日"),
    ("client_kind", "person"),
    ("finding_route", ""),
    ("person.name", "髙﨑 𠮷邉\U000e010f\ufa10"),
    ("person.kana", "みほん"),
    ("person.birth_date", ""),
    ("household.0.name", ""),
    ("household.0.relationship", ""),
    ("household.2.name", "見本 一郎"),
    ("household.2.relationship", "長男"),
    ("household.10.relationship", "次男"),
    ("troubles", "income"),
    ("consultation", "\r\n一行目\r\n<b>二行目</b>"),
    ("chief_complaint", "不安"),
    ("reason", "家計"),
    ("consent.status", "asking"),
]
PAGE = """
{% extends "layout.html" %}
{% import "form.html" as forms with context %}
{% import "parts.html" as parts with context %}
{% block title %}共通様式{% endblock %}
{% block content %}
<h1>共通様式</h1>
{% call parts.notice("受け付けました", "success") %}<p>受付番号は R8-00012 です。</p>{% endcall %}
{{ parts.facts([("受付日時", moment | jst), ("期限", none)]) }}
{{ parts.data_table("文書", ["文書", "状態"], [[document, parts.status("作成済み", "success")]]) }}
{{ parts.pager("/first", "/next") }}
{{ forms.whole_form(fields, values, agencies, "/referrals", "提出する", [("_idempotency_key", "k")]) }}
{% endblock %}
"""


def encoded(pairs: list[tuple[str, str]]) -> bytes:
    return urllib.parse.urlencode(pairs).encode()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    folder = tmp_path_factory.mktemp("html")
    (folder / "referral.html").write_text(PAGE)
    (folder / "gap.html").write_text("{{ nobody_gave_this }}")
    return Pages(
        folder, title="受付", navigation=[("受付", "/"), ("文書", "/d")], municipality="見本市", agency_names=AGENCIES
    )


def referral_page(pages: Pages, values: FormValues, kind: str = "referral") -> str:
    return pages.render(
        "referral.html",
        principal=CLERK,
        fields=fields_for(FORMS[kind].struct, CODES),
        values=values,
        agencies=AGENCIES,
        moment=1_795_397_520_000_000,
        document=Link("共通様式", "/documents/1"),
    )


def test_decode() -> None:
    """A post takes the shape of its JSON: empty rows and fields are gone, order is kept, page fields are left out."""
    raw = decode_urlencoded(encoded(POSTED), Referral)
    assert raw["destinations"] == ["shakyo", "kaigo"]
    assert raw["person"] == {"name": "髙﨑 𠮷邉\U000e010f\ufa10", "kana": "みほん"}
    assert raw["household"] == [{"name": "見本 一郎", "relationship": "長男"}, {"relationship": "次男"}]
    assert "_csrf" not in raw
    assert "finding_route" not in raw
    assert check(Referral, raw, CODES).errors == ()


def test_the_citys_own_fields_are_on_the_page_and_in_the_post(pages: Pages) -> None:
    """Fields of the profile are asked, come back as typed with their errors, and are sent in `local`."""
    body = encoded([*POSTED, ("local.ward", "west"), ("local.remarks", "あ" * 31)])
    raw = decode_urlencoded(body, Referral, LOCAL)
    assert raw["local"] == {"ward": "west", "remarks": "あ" * 31}
    errors = check(Referral, raw, CODES).errors
    assert [(error.path, error.code) for error in errors] == [("local.remarks", "too-long")]
    page = referral_page(pages, form_values(Referral, raw, errors, local=LOCAL))
    assert 'href="#field-local-remarks"' in page
    assert "地域のこと。30文字まで" in page
    assert {("local.ward", "west"), ("local.remarks", "あ" * 31)} <= set(inputs_of(page).pairs)


def test_a_field_the_profile_lacks_is_refused(pages: Pages) -> None:
    """A post with another city's field is told so; nothing of it is swallowed."""
    raw = decode_urlencoded(encoded([*POSTED, ("local.snow", "x")]), Referral, LOCAL)
    errors = check(Referral, raw, CODES).errors
    assert [error.code for error in errors] == ["unknown-field"]
    assert form_values(Referral, raw, errors, local=LOCAL).summary[0].anchor == ""


def test_decode_of_an_empty_post_names_every_gap() -> None:
    """Groups nobody touched are told field by field, not as a whole."""
    paths = {error.path for error in check(Referral, decode_urlencoded(b"", Referral), CODES).errors}
    assert {"destinations", "person.name", "person.kana", "consultation", "consent.status"} <= paths


def test_decode_keeps_unknown_names_for_the_check() -> None:
    """A name the form does not know is refused by the check, not swallowed."""
    raw = decode_urlencoded(encoded([*POSTED, ("no_such_field", "1"), ("household.0", "1")]), Referral)
    assert [error.code for error in check(Referral, raw, CODES).errors] == ["unknown-field", "unknown-field"]


@pytest.mark.parametrize("body", [b"a=%ff", b"\xff\xfe", b"&".join([b"a=1"] * 2001)])
def test_decode_refuses(body: bytes) -> None:
    """What is no UTF-8, or has more fields than any page of ours, is refused as a whole."""
    with pytest.raises(PostError):
        decode_urlencoded(body, Referral)


NAMES = st.sampled_from(
    ["person", "person.name", "household", "household.0", "household.0.name", "household.9.1", "..."]
)


@given(st.lists(st.tuples(NAMES | st.text(max_size=12), st.text(max_size=8)), max_size=8))
def test_any_post_is_told_apart_and_shown_again(pairs: list[tuple[str, str]]) -> None:
    """No names and values, however odd, break the way in or the way back onto the page."""
    body = urllib.parse.urlencode(pairs, errors="replace").encode()
    raw = decode_urlencoded(body, Referral)
    assert form_values(Referral, raw, check(Referral, raw, CODES).errors, rows_wanted(body)).summary


@given(st.binary(max_size=40))
def test_any_body_is_a_post_or_a_post_error(body: bytes) -> None:
    """Bytes are decoded or refused; nothing else is raised."""
    with contextlib.suppress(PostError):
        decode_urlencoded(body, Referral)


def test_page_round_trip(pages: Pages) -> None:
    """What was typed is on the page that comes back, and posting that page again gives the same form."""
    raw = decode_urlencoded(encoded(POSTED), Referral)
    posted = inputs_of(referral_page(pages, form_values(Referral, raw))).pairs
    assert ("_csrf", "token") in posted
    assert ("_idempotency_key", "k") in posted
    again = decode_urlencoded(encoded(posted), Referral)
    assert again["consultation"] == "\r\n一行目\r\n<b>二行目</b>"
    assert check(Referral, again, CODES) == check(
        Referral, {**raw, "person": {**raw["person"], "sex": "unanswered"}}, CODES
    )


def test_wrong_values_stay_on_the_page(pages: Pages) -> None:
    """A refused page shows each wrong value where it was typed, with its message beside it and in the summary."""
    raw = decode_urlencoded(encoded([*POSTED, ("reply_by", "昭和70年1月1日"), ("household_size", "<三>")]), Referral)
    errors = check(Referral, raw, CODES).errors
    page = referral_page(pages, form_values(Referral, raw, errors))
    parsed = inputs_of(page)
    assert ("reply_by", "昭和70年1月1日") in parsed.pairs
    assert ("household_size", "<三>") in parsed.pairs
    assert len(errors) == 2
    assert all(page.count(error.message) == 2 for error in errors)
    assert 'href="#field-reply_by"' in page


def test_ids_are_unique_and_references_lead_somewhere(pages: Pages) -> None:
    """Every label, description and summary link points at something that is on the page once."""
    raw: dict[str, Any] = {"household": [{}, {"age": "x"}], "person": {}, "consent": {"agencies": ["nowhere"]}}
    parsed = inputs_of(referral_page(pages, form_values(Referral, raw, check(Referral, raw, CODES).errors)))
    assert len(parsed.ids) == len(set(parsed.ids))
    assert set(parsed.references) <= set(parsed.ids)


def test_rows_can_be_added(pages: Pages) -> None:
    """Asking for a row brings the page back with one more, keeps what was typed and hands nothing in."""
    body = encoded([*POSTED, ("_rows.household", "2"), ("_add", "household")])
    assert wants_page_again(body)
    values = form_values(Referral, decode_urlencoded(body, Referral), rows=rows_wanted(body))
    page = referral_page(pages, values)
    assert values.row_count("household", 20) == 3
    assert 'name="household.2.name"' in page
    assert "見本 一郎" in page
    assert not wants_page_again(encoded(POSTED))


def test_rows_end_at_their_limit() -> None:
    """No post can ask for more rows than the form takes."""
    wanted = rows_wanted(encoded([("_rows.household", "999"), ("_add", "household")]))
    assert form_values(Referral, {}, rows=wanted).row_count("household", 20) == 20


def test_typed_fields_survive_a_lost_session(pages: Pages) -> None:
    """Through the sign-in and the page after it, everything typed comes back, and the old page's token does not."""
    typed = typed_pairs(encoded(POSTED))
    sign_in = inputs_of(pages.render("sign_in.html", next="/referrals", problem="", typed=typed)).pairs
    carried = [(name.removeprefix("typed."), value) for name, value in sign_in if name.startswith("typed.")]
    again = inputs_of(pages.render("typed_again.html", principal=CLERK, action="/referrals", typed=carried)).pairs
    body = encoded(again)
    assert wants_page_again(body)
    assert decode_urlencoded(body, Referral) == decode_urlencoded(encoded(POSTED), Referral)


def test_markup_in_values_is_text(pages: Pages) -> None:
    """What people type is never markup."""
    raw = {"person": {"name": '"><script>x</script>'}, "consultation": "</textarea><script>x</script>"}
    page = referral_page(pages, form_values(Referral, raw, [FieldError("person.name", "x", "<script>")]))
    assert "<script>" not in page
    assert ("person.name", '"><script>x</script>') in inputs_of(page).pairs


def test_a_missing_name_is_an_error(pages: Pages) -> None:
    """A template that lacks a name fails instead of leaving a gap."""
    with pytest.raises(jinja2.UndefinedError):
        pages.render("gap.html")


def test_filters() -> None:
    """Moments are shown in Japan's time, days in 和暦; a moment without a zone is a mistake."""
    assert jst(1_795_397_520_000_000) == "令和8年11月23日 10時32分"
    assert jst(dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC)) == "令和8年11月23日 0時00分"
    assert wareki(dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC)) == "令和8年11月23日"
    assert wareki(None) == jst(None) == ""
    with pytest.raises(ValueError, match="time zone"):
        jst(dt.datetime(2026, 11, 22, 15, 0))  # noqa: DTZ001 - the mistake under test


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    switches = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    switches += ["--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--headless=new", *switches])
        yield chromium
        chromium.close()


def empty_and_refused(pages: Pages, kind: str) -> str:
    struct = FORMS[kind].struct
    return referral_page(pages, form_values(struct, {}, check(struct, {}, CODES).errors, local=LOCAL), kind)


def audit_page(pages: Pages) -> str:
    line = AuditLine(
        1, dt.datetime(2026, 11, 23, 1, 32, tzinfo=dt.UTC), "mihon", "shakai", "page", "document.open", "document/1",
        "refused", "not-found", "C2026-00001", 2, "",
    )  # fmt: skip
    typed = dict.fromkeys(("case", "user", "agency", "action", "outcome", "since", "until"), "")
    return pages.render(
        "audit.html", principal=CLERK, page=AuditPage((line,), 1), typed=typed, agencies=AGENCIES, words=words_of, here="",
        limit=100, before=0,
    )  # fmt: skip


def shared_pages(pages: Pages) -> dict[str, str]:
    raw = decode_urlencoded(encoded([*POSTED, ("reply_by", "昭和70年1月1日"), ("household.3.age", "x")]), Referral)
    errors = check(Referral, raw, CODES).errors
    problem = Problem(status=404, code="not-found", title="見つかりません。", detail="番号を確かめてください。")
    operation = {"summary": "提出する", "responses": {"201": {}}, "requestBody": {"content": {"application/json": {}}}}
    description = {"info": {"title": "つなぎ", "version": "1"}, "paths": {"/referrals": {"post": operation}}}
    return {
        "fresh": referral_page(pages, form_values(Referral)),
        **{kind: empty_and_refused(pages, kind) for kind in ("consent", "assessment", "pledge")},
        "refused": referral_page(pages, form_values(Referral, raw, errors)),
        "sign in": pages.render("sign_in.html", next="/", problem="サインインできません。", typed=[("a", "b")]),
        "again": pages.render("typed_again.html", principal=CLERK, action="/referrals", typed=[("a", "b")]),
        "posts": pages.render("posts.html", principal=CLERK, posts=list(AGENCIES.items())),
        "audit": audit_page(pages),
        "problem": pages.render("problem.html", principal=CLERK, problem=problem),
        "docs": pages.render("docs.html", description=description),
    }


SMALL_TARGETS = """[...document.querySelectorAll('a,button:not([hidden]),input:not([type=hidden]),select,textarea')]
  .map(e => e.closest('label.option') || e).filter(e => !e.closest('p') && e.getBoundingClientRect().height < 43.9)
  .map(e => e.outerHTML.slice(0, 80))"""


def opened(browser: Browser, width: int, html: str, style: bytes) -> tuple[Page, list[str]]:
    """The page in a browser, and every address that it asked for."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if route.request.url.endswith("/style.css"):
            route.fulfill(body=style, content_type="text/css; charset=utf-8")
        else:
            route.fulfill(body=html, content_type="text/html; charset=utf-8")

    page = browser.new_page(viewport={"width": width, "height": 900})
    page.route("**/*", answer)
    page.goto("http://page.test/")
    return page, asked


@pytest.mark.parametrize("width", [1280, 320])
def test_pages_are_accessible(pages: Pages, browser: Browser, width: int) -> None:
    """axe finds nothing, nothing is cut off at 320 pixels, targets are 44 pixels high, and no other address is asked."""
    for name, html in shared_pages(pages).items():
        page, asked = opened(browser, width, html, pages.style)
        assert asked == ["http://page.test/", "http://page.test/style.css"], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate(SMALL_TARGETS) == [], name
        found = Axe().run(page)
        assert found.violations_count == 0, (name, found.generate_report())
        page.close()


def test_summary_has_the_focus_and_leads_to_the_field(pages: Pages, browser: Browser) -> None:
    """With the keyboard alone: a refused page starts at its errors, and each leads into its field."""
    page, _ = opened(browser, 1280, shared_pages(pages)["refused"], pages.style)
    assert page.evaluate("document.activeElement.id") == "error-summary"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#field-reply_by"
    assert page.evaluate("document.activeElement.id") == "field-reply_by"
    page.close()


def test_style_sheet_asks_for_nothing(pages: Pages) -> None:
    """The style sheet names no address and no font file."""
    style = pages.style.decode()
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in style


def test_every_shared_template_is_shown_here(pages: Pages) -> None:
    """A page added to the shared templates is added to the checks above."""
    folder = Path(next(iter(tsunagi_shared.web.__path__))) / "html"
    whole = {path.name for path in folder.glob("*.html") if "extends" in path.read_text()}
    assert whole == {"audit.html", "docs.html", "posts.html", "problem.html", "sign_in.html", "typed_again.html"}
