"""The pages: a form drawn from its definition, posted back without loss, readable for everyone."""

from __future__ import annotations

import contextlib
import datetime as dt
import urllib.parse
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, Route, sync_playwright

import tsunagi_shared.web
from tsunagi_shared.accounts import Principal
from tsunagi_shared.forms.checks import Codes, FieldError, check
from tsunagi_shared.forms.fields import fields_of
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
CODES = Codes(dt.date(2026, 11, 23), AGENCIES)
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


def referral_page(pages: Pages, values: FormValues) -> str:
    return pages.render(
        "referral.html",
        principal=CLERK,
        fields=fields_of(Referral),
        values=values,
        agencies=AGENCIES,
        moment=1_795_397_520_000_000,
        document=Link("共通様式", "/documents/1"),
    )


class _Inputs(HTMLParser):
    """What a browser would post from the page's last form, and every id and reference in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pairs: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self._area: list[str] | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if "id" in found:
            self.ids.append(found["id"])
        self.references += [*found.get("for", "").split(), *found.get("aria-describedby", "").split()]
        if found.get("href", "").startswith("#"):
            self.references.append(found["href"][1:])
        if tag == "form":
            self.pairs = []
        elif tag == "select":
            self._select = found["name"]
        elif tag == "option" and "selected" in found:
            self.pairs.append((self._select, found["value"]))
        elif tag == "textarea":
            self.pairs.append((found["name"], ""))
            self._area = []
        elif tag == "input" and (found.get("type") not in ("checkbox", "radio") or "checked" in found):
            self.pairs.append((found["name"], found.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            # as a browser does: the first line feed belongs to the tag; line feeds are posted as CRLF
            text = "".join(self._area).removeprefix("\n").replace("\r\n", "\n").replace("\n", "\r\n")
            self.pairs[-1] = (self.pairs[-1][0], text)
            self._area = None


def inputs_of(page: str) -> _Inputs:
    parser = _Inputs()
    parser.feed(page)
    parser.close()
    return parser


def test_decode() -> None:
    """A post takes the shape of its JSON: empty rows and fields are gone, order is kept, page fields are left out."""
    raw = decode_urlencoded(encoded(POSTED), Referral)
    assert raw["destinations"] == ["shakyo", "kaigo"]
    assert raw["person"] == {"name": "髙﨑 𠮷邉\U000e010f\ufa10", "kana": "みほん"}
    assert raw["household"] == [{"name": "見本 一郎", "relationship": "長男"}, {"relationship": "次男"}]
    assert "_csrf" not in raw
    assert "finding_route" not in raw
    assert check(Referral, raw, CODES).errors == ()


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


def shared_pages(pages: Pages) -> dict[str, str]:
    raw = decode_urlencoded(encoded([*POSTED, ("reply_by", "昭和70年1月1日"), ("household.3.age", "x")]), Referral)
    errors = check(Referral, raw, CODES).errors
    problem = Problem(status=404, code="not-found", title="見つかりません。", detail="番号を確かめてください。")
    operation = {"summary": "提出する", "responses": {"201": {}}, "requestBody": {"content": {"application/json": {}}}}
    description = {"info": {"title": "つなぎ", "version": "1"}, "paths": {"/referrals": {"post": operation}}}
    return {
        "fresh": referral_page(pages, form_values(Referral)),
        "refused": referral_page(pages, form_values(Referral, raw, errors)),
        "sign in": pages.render("sign_in.html", next="/", problem="サインインできません。", typed=[("a", "b")]),
        "again": pages.render("typed_again.html", principal=CLERK, action="/referrals", typed=[("a", "b")]),
        "posts": pages.render("posts.html", principal=CLERK, posts=list(AGENCIES.items())),
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
    assert whole == {"docs.html", "posts.html", "problem.html", "sign_in.html", "typed_again.html"}
