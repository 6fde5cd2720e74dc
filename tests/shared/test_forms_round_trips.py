"""Whatever a form takes comes back the same over the bus and over its page, for every kind of form."""

from __future__ import annotations

import datetime as dt
import urllib.parse
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data.forms import sample
from tests.data.page_inputs import inputs_of
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import FormKind, load_profile
from tsunagi_shared.forms.checks import Codes, check
from tsunagi_shared.forms.codes import fields_for
from tsunagi_shared.forms.fields import DateRange, Field, Kind
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.web.forms import decode_urlencoded, form_values
from tsunagi_shared.web.pages import Pages

TODAY = dt.date(2026, 11, 23)
CLERK = Principal("mihon", "見本 職員", "shakai", frozenset({"clerk"}), csrf="token")
PROFILE = load_profile(Path(__file__).parents[2] / "deploy" / "profiles" / "fussa")
AGENCIES = PROFILE.agency_names
LOCAL = (
    Field(name="ward", path="local.ward", kind=Kind.CHOICE, title="地区", choices=(("east", "東"), ("west", "西"))),
    Field(name="remarks", path="local.remarks", kind=Kind.TEXT, title="備考", limit=30),
    Field(name="short", path="local.short", kind=Kind.LINE, title="略号", limit=20),
)
CODES = msgspec.structs.replace(
    PROFILE.codes(FormKind.CONSENT, TODAY), lists={"annex": "別紙1", "annex-two": "別紙2"}, local=LOCAL
)
PAGE = """
{% extends "layout.html" %}
{% import "form.html" as forms with context %}
{% block title %}様式{% endblock %}
{% block content %}<h1>様式</h1>{{ forms.whole_form(fields, values, agencies, "/forms", "提出する") }}{% endblock %}
"""

TEXT = st.text(
    st.characters(
        exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp"),
        exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
        include_characters="\n",
    ),
    min_size=1,
    max_size=20,
)
LINE = TEXT.map(lambda text: text.replace("\n", "\u3000"))
PHONE = st.sampled_from(["042-000-0001", "（０４２）０００ー０００１内線12", "+81-42-000-0001"])
POSTAL = st.sampled_from(["197-0000", "〒１９７ー００００"])


def value_of(field: Field) -> st.SearchStrategy[Any]:
    """Values that the field takes by itself."""
    match field.kind:
        case Kind.LINE:
            return LINE
        case Kind.TEXT:
            return TEXT
        case Kind.REFERENCE:
            return LINE
        case Kind.KANA:
            return st.text(st.sampled_from("みほんミホンー・ゔ"), min_size=1, max_size=20)
        case Kind.PHONE:
            return PHONE
        case Kind.POSTAL_CODE:
            return POSTAL
        case Kind.DATE:
            return days(field.dates)
        case Kind.TIME:
            return st.sampled_from(["13:30", "９時５分", "午後１時３０分", "0:00", "24:00", "17時半"])
        case Kind.NUMBER:
            return st.integers(field.lowest, field.limit)
        case Kind.FLAG:
            return st.booleans()
        case Kind.CHOICE | Kind.ENTRY:
            return st.sampled_from([code for code, _ in field.choices])
        case Kind.AGENCY:
            return st.sampled_from([*AGENCIES])
        case Kind.CHOICES | Kind.ENTRIES:
            return lists_of([code for code, _ in field.choices])
        case Kind.AGENCIES:
            return lists_of([*AGENCIES])
        case Kind.ROWS:
            return st.lists(object_of(field.fields), max_size=2)
        case Kind.GROUP | Kind.LOCAL:
            return object_of(field.fields)


def days(dates: DateRange) -> st.SearchStrategy[str]:
    first = TODAY if dates is DateRange.FROM_TODAY else dt.date(1873, 1, 1)
    last = TODAY if dates is DateRange.UP_TO_TODAY else dt.date(2200, 12, 31)
    return st.dates(first, last).map(dt.date.isoformat)


def lists_of(codes: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(codes), max_size=4, unique=True)


def object_of(fields: tuple[Field, ...]) -> st.SearchStrategy[dict[str, Any]]:
    needed = {field.name: value_of(field) for field in fields if field.required}
    others = {field.name: value_of(field) for field in fields if not field.required}
    return st.fixed_dictionaries(needed, optional=others)


def forms_of(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Forms of a kind: the sample with some fields written anew, or all of it out of thin air."""
    fields = fields_for(FORMS[kind].struct, CODES)
    written = [field for field in fields if field.kind in (Kind.LINE, Kind.TEXT, Kind.KANA, Kind.LOCAL, Kind.ROWS)]
    anew = st.fixed_dictionaries({}, optional={field.name: value_of(field) for field in written})
    return anew.map(lambda values: {**sample(kind), **values}) | object_of(fields)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    folder = tmp_path_factory.mktemp("html")
    (folder / "any_form.html").write_text(PAGE)
    return Pages(folder, title="受付", navigation=[("受付", "/")], municipality="見本市", agency_names=AGENCIES)


def page_of(pages: Pages, kind: str, raw: object, errors: Any = ()) -> str:
    struct = FORMS[kind].struct
    return pages.render(
        "any_form.html",
        principal=CLERK,
        fields=fields_for(struct, CODES),
        values=form_values(struct, raw, errors, local=LOCAL),
        agencies=AGENCIES,
    )


def posted_again(pages: Pages, kind: str, raw: object, errors: Any = ()) -> dict[str, Any]:
    """What the page of those values posts."""
    pairs = inputs_of(page_of(pages, kind, raw, errors)).pairs
    return decode_urlencoded(urllib.parse.urlencode(pairs).encode(), FORMS[kind].struct, LOCAL)


def without_order(value: object) -> object:
    """The form in builtins, the codes of each list sorted: a page posts them in its own order."""
    if isinstance(value, msgspec.Struct):
        return without_order(msgspec.to_builtins(value))
    if isinstance(value, dict):
        return {name: without_order(part) for name, part in value.items()}
    if isinstance(value, list):
        parts = [without_order(part) for part in value]
        return sorted(parts, key=str) if all(isinstance(part, str) for part in parts) else parts
    return value


@pytest.mark.parametrize("kind", FORMS)
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_form_comes_back_as_it_was(pages: Pages, kind: str, data: st.DataObject) -> None:
    """Through JSON and through the page a form stays the same; a form that is refused says why at fields it has."""
    struct = FORMS[kind].struct
    raw = data.draw(forms_of(kind))
    checked = check(struct, raw, CODES)
    if checked.form is None:
        names = set(struct.__struct_fields__)
        assert all(error.path.split(".")[0] in names and error.message for error in checked.errors)
        again = check(struct, posted_again(pages, kind, raw, checked.errors), CODES)
        assert {error.path for error in checked.errors} <= {error.path for error in again.errors}
        return
    builtins = msgspec.json.decode(msgspec.json.encode(checked.form))
    assert msgspec.convert(builtins, struct) == checked.form
    assert check(struct, builtins, CODES) == checked
    again = check(struct, posted_again(pages, kind, builtins), CODES)
    assert again.errors == ()
    assert without_order(again.form) == without_order(checked.form)


@pytest.mark.parametrize("kind", FORMS)
def test_every_field_of_every_form_is_on_its_page_once(pages: Pages, kind: str) -> None:
    """Each page has an input for every field, the city's own and the profile's tables among them, with unique ids."""
    struct = FORMS[kind].struct
    raw: dict[str, Any] = {"no_such_field": "x", "local": {"ward": "north"}}
    page = page_of(pages, kind, raw, check(struct, raw, CODES).errors)
    parsed = inputs_of(page)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert set(parsed.references) <= set(parsed.ids)

    def names(fields: tuple[Field, ...], prefix: str) -> list[str]:
        found = []
        for field in fields:
            inner = f"{prefix}{field.name}." + ("0." if field.kind is Kind.ROWS else "")
            found += names(field.fields, inner) if field.fields else [f"{prefix}{field.name}"]
        return found

    for name in names(fields_for(struct, CODES), ""):
        assert f'name="{name}"' in page


def test_a_page_of_a_city_without_own_fields_or_annexes_leaves_them_out(pages: Pages) -> None:
    """Where the profile offers nothing, the page shows neither an empty section nor an empty question."""
    struct = FORMS["consent"].struct
    bare = Codes(today=TODAY, agencies=AGENCIES)
    page = pages.render(
        "any_form.html",
        principal=CLERK,
        fields=fields_for(struct, bare),
        values=form_values(struct),
        agencies=AGENCIES,
    )
    assert "市町村の項目" not in page
    assert "別紙）" not in page
    errors = check(struct, {**sample("consent"), "lists": ["annex"]}, bare).errors
    refused = pages.render(
        "any_form.html",
        principal=CLERK,
        fields=fields_for(struct, bare),
        values=form_values(struct, {}, errors),
        agencies=AGENCIES,
    )
    parsed = inputs_of(refused)
    assert "#field-lists" in refused
    assert set(parsed.references) <= set(parsed.ids)
