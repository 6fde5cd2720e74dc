"""The referral form: every error at once, nothing repeated, and what was typed comes through unchanged."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsunagi_shared.forms.checks import Codes, FieldError, check
from tsunagi_shared.forms.fields import Field, Kind, fields_of
from tsunagi_shared.forms.referral import ConsentStatus, Reception, Referral, Trouble
from tsunagi_shared.forms.schema import form_schema

TODAY = dt.date(2026, 11, 23)
AGENCIES = {"shakai": "社会福祉課", "shakyo": "見本社会福祉協議会", "kaigo": "介護福祉課"}
LOCAL = (
    Field(
        name="ward",
        path="local.ward",
        kind=Kind.CHOICE,
        title="地区",
        required=True,
        choices=(("east", "東"), ("west", "西")),
    ),
    Field(name="remarks", path="local.remarks", kind=Kind.TEXT, title="備考", limit=30),
    Field(name="short", path="local.short", kind=Kind.LINE, title="略号", limit=4),
)
CODES = Codes(today=TODAY, agencies=AGENCIES, local=LOCAL)

SAMPLE: dict[str, Any] = {
    "destinations": ["shakyo", "kaigo"],
    "urgency": "soon",
    "reply_by": "令和8年12月1日",
    "contact_phone": "０４２－０００－０００１",
    "consulted_on": "R8.11.20",
    "client_kind": "family",
    "client_name": "見本 花子",
    "person": {
        "name": "髙﨑 𠮷邉\U000e010f\ufa10",
        "kana": "みほん たろう",
        "birth_date": "昭和30年4月1日",
        "postal_code": "１９７ー００１１",
        "address": "見本市見本町一丁目\u30001番地",
    },
    "household": [{"name": "見本 一郎", "relationship": "長男", "age": "４５"}],
    "household_size": 3,
    "troubles": ["income", "withdrawal"],
    "main_trouble": "withdrawal",
    "consultation": "一行目\r\n二行目",
    "chief_complaint": "この先の生活が不安。",
    "reason": "家計の見直しを一緒に考えてほしい。",
    "consent": {
        "status": "given",
        "given_on": "2026-11-20",
        "method": "written",
        "agencies": ["shakyo"],
        "until": "2027-11-19",
    },
    "reception": {"email": "mihon@example.jp", "work": "pension"},
    "local": {"ward": "east"},
}


def errors_of(raw: object) -> tuple[FieldError, ...]:
    checked = check(Referral, raw, CODES)
    assert (checked.form is None) == bool(checked.errors)
    return checked.errors


def changed(**values: Any) -> dict[str, Any]:
    """The sample with values replaced by path (`person__name`); None takes the value away."""
    raw: dict[str, Any] = copy.deepcopy(SAMPLE)
    for path, value in values.items():
        holder = raw
        *groups, leaf = path.split("__")
        for group in groups:
            holder = holder[group]
        if value is None:
            holder.pop(leaf, None)
        else:
            holder[leaf] = value
    return raw


def codes_by_path(raw: object) -> dict[str, str]:
    return {error.path: error.code for error in errors_of(raw)}


def test_accepts_what_people_write() -> None:
    """和暦, full-width digits and CRLF are understood; names keep their very characters."""
    form = check(Referral, SAMPLE, CODES).form
    assert form is not None
    assert form.person.name == "髙﨑 𠮷邉\U000e010f\ufa10"
    assert form.person.birth_date == dt.date(1955, 4, 1)
    assert form.person.postal_code == "197-0011"
    assert form.contact_phone == "042-000-0001"
    assert form.consultation == "一行目\n二行目"
    assert form.household[0].age == 45
    assert form.main_trouble is Trouble.WITHDRAWAL
    assert form.consent.status is ConsentStatus.GIVEN


def test_event_round_trip() -> None:
    """A form survives the bus, and a field that a newer build added does no harm."""
    form = check(Referral, SAMPLE, CODES).form
    wire = msgspec.json.decode(msgspec.json.encode(form))
    assert msgspec.convert({**wire, "added_later": 1}, Referral) == form


def test_checked_form_passes_again() -> None:
    """What was accepted and sent out is accepted again unchanged."""
    form = check(Referral, SAMPLE, CODES).form
    assert check(Referral, msgspec.to_builtins(form), CODES).form == form


def test_every_error_at_once_in_form_order() -> None:
    """All errors of all fields come in one answer, in the order of the form."""
    raw = changed(
        destinations=None,
        consulted_on="2027-01-01",
        client_name=None,
        person__name="  ",
        person__kana="mihon",
        household=[{"name": "見本 一郎"}, {"relationship": "長女", "age": 999}],
        main_trouble="food",
        consultation="あ" * 4001,
        consent={"status": "given"},
        local={"remarks": "\x00"},
    )
    raw["no_such_field"] = 1
    assert [(error.path, error.code) for error in errors_of(raw)] == [
        ("destinations", "required"),
        ("consulted_on", "future-date"),
        ("client_name", "required"),
        ("person.name", "required"),
        ("person.kana", "not-kana"),
        ("household.0.relationship", "required"),
        ("household.1.age", "out-of-range"),
        ("main_trouble", "not-among-troubles"),
        ("consultation", "too-long"),
        ("consent.given_on", "required"),
        ("consent.method", "required"),
        ("consent.agencies", "required"),
        ("local.ward", "required"),
        ("local.remarks", "control-character"),
        ("no_such_field", "unknown-field"),
    ]


@pytest.mark.parametrize(
    ("values", "path", "code"),
    [
        ({"destinations": []}, "destinations", "required"),
        ({"destinations": "shakyo"}, "destinations", "wrong-type"),
        ({"destinations": ["shakyo", "nowhere"]}, "destinations.1", "wrong-code"),
        ({"destinations": [["shakyo"]]}, "destinations.0", "wrong-type"),
        ({"destinations": ["shakyo"] * 11}, "destinations", "too-many"),
        ({"urgency": "later"}, "urgency", "wrong-code"),
        ({"urgency": 1}, "urgency", "wrong-type"),
        ({"reply_by": "2026-11-22"}, "reply_by", "past-date"),
        ({"reply_by": 20261201}, "reply_by", "wrong-type"),
        ({"reply_by": "そのうち"}, "reply_by", "not-a-date"),
        ({"contact_phone": "000-0001"}, "contact_phone", "not-a-phone"),
        ({"consulted_on": "2026-02-30"}, "consulted_on", "impossible-date"),
        ({"consulted_on": "昭和64年1月8日"}, "consulted_on", "outside-era"),
        ({"person": "見本"}, "person", "wrong-type"),
        ({"person": None}, "person", "required"),
        ({"person__name": "あ" * 61}, "person.name", "too-long"),
        ({"person__name": "見本\n太郎"}, "person.name", "line-break"),
        ({"person__name": "見本\t太郎"}, "person.name", "control-character"),
        ({"person__name": "見本\ud800"}, "person.name", "control-character"),
        ({"person__birth_date": "2027-01-01"}, "person.birth_date", "future-date"),
        ({"person__postal_code": "197"}, "person.postal_code", "not-a-postal-code"),
        ({"household": {}}, "household", "wrong-type"),
        ({"household": [1]}, "household.0", "wrong-type"),
        ({"household": [{"relationship": "兄"}] * 21}, "household", "too-many"),
        ({"household": [{"relationship": "兄", "extra": 1}]}, "household.0.extra", "unknown-field"),
        ({"household_size": 0}, "household_size", "out-of-range"),
        ({"household_size": True}, "household_size", "not-a-number"),
        ({"household_size": "三人"}, "household_size", "not-a-number"),
        ({"household_size": 1.5}, "household_size", "not-a-number"),
        ({"troubles": ["withdrawal", "sleepy"]}, "troubles.1", "wrong-code"),
        ({"consultation": "\u202eあ"}, "consultation", "control-character"),
        ({"consent__status": "given", "consent__until": "2026-01-01"}, "consent.until", "before-start"),
        ({"consent__status": "refused"}, "consent.agencies", "consent-not-given"),
        ({"consent__given_on": "2026-11-24"}, "consent.given_on", "future-date"),
        ({"local": []}, "local", "wrong-type"),
        ({"local": None}, "local.ward", "required"),
        ({"local": {"ward": "", "remarks": "x"}}, "local.ward", "required"),
        ({"local": {"ward": 1}}, "local.ward", "wrong-type"),
        ({"local": {"ward": "north"}}, "local.ward", "wrong-code"),
        ({"local__remarks": "あ" * 31}, "local.remarks", "too-long"),
        ({"local__short": "一\n二"}, "local.short", "line-break"),
        ({"local__no_such": "x"}, "local.no_such", "unknown-field"),
        ({"local__Ward Name": "x"}, "local.?", "unknown-field"),
        ({"local": {f"field_{number}": "x" for number in range(41)}}, "local", "too-many"),
        ({"protection": ["address"]}, "protection_kind", "required"),
        ({"protection_kind": "own_wish"}, "protection", "required"),
        ({"reception__applied_on": "2027-01-01"}, "reception.applied_on", "future-date"),
        ({"reception__client_phone": "1"}, "reception.client_phone", "not-a-phone"),
    ],
)
def test_one_error(values: dict[str, Any], path: str, code: str) -> None:
    """Each kind of mistake gets its own code at its own path, and brings no second error with it."""
    assert codes_by_path(changed(**values)) == {path: code}


def test_unknown_key_is_not_repeated() -> None:
    """A key that is no field name may be anything, so its text is not sent back."""
    (error,) = errors_of({**SAMPLE, "見本 太郎": 1})
    assert error.path == "?"
    assert "見本" not in error.message


@pytest.mark.parametrize("status", ["not_asked", "asking", "refused", "unable"])
def test_consent_may_be_missing(status: str) -> None:
    """A referral without consent is taken; what it may be used for is a matter of the rules."""
    assert check(Referral, changed(consent={"status": status}), CODES).form is not None


def test_empty_means_left_out() -> None:
    """Empty texts and null of optional fields are as good as nothing."""
    form = check(Referral, changed(reply_by="", contact_phone="  ", finding_route="", household_size=""), CODES).form
    assert form is not None
    assert (form.reply_by, form.contact_phone, form.finding_route, form.household_size) == (None, "", None, None)


def test_repeated_codes_count_once() -> None:
    """An agency named twice is one agency."""
    form = check(Referral, changed(destinations=["shakyo", "shakyo", "kaigo"]), CODES).form
    assert form is not None
    assert form.destinations == ["shakyo", "kaigo"]


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = [field.name for field in fields_of(Referral)]


@given(JSON_LIKE)
def test_garbage_is_refused_without_a_fault(raw: object) -> None:
    """Whatever JSON holds, the answer is errors in Japanese, never a form and never an exception."""
    assert errors_of(raw)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES), JSON_LIKE, max_size=4))
def test_garbage_in_a_good_form(values: dict[str, object]) -> None:
    """Garbage in some fields gives errors that lie in those fields (or in one bound to them by a rule) alone."""
    bound = {
        "client_kind": {"client_name"},
        "troubles": {"main_trouble"},
        "protection": {"protection_kind"},
        "protection_kind": {"protection"},
    }
    allowed = set(values).union(*(bound.get(name, set()) for name in values))
    for error in errors_of({**SAMPLE, **values}):
        assert error.path.split(".")[0] in allowed
        assert error.message
        assert error.code


MARKER = "ＺＱ７印"


@settings(deadline=None)
@given(st.sampled_from(["person.name", "person.kana", "reply_by", "urgency", "contact_phone", "consultation", "local"]))
def test_a_message_never_repeats_the_value(path: str) -> None:
    """No message carries what was typed."""
    raw: dict[str, Any] = copy.deepcopy(SAMPLE)
    bad: object = {MARKER: MARKER} if path == "local" else MARKER + "\x00" * 3
    *groups, leaf = path.split(".")
    holder = raw
    for group in groups:
        holder = holder[group]
    holder[leaf] = bad
    errors = errors_of(raw)
    assert errors
    assert not any(MARKER in error.message or MARKER in error.path for error in errors)


LINES = st.text(
    st.characters(
        exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp"), exclude_characters="\u202a\u202b\u202c\u202d\u202e"
    ),
    min_size=1,
    max_size=60,
).filter(lambda text: not text.isspace() and not any("\u2066" <= character <= "\u2069" for character in text))


@given(name=LINES, complaint=LINES, address=LINES, kana=st.text(st.sampled_from("あんアンー・ 　"), min_size=1))
def test_text_comes_through_unchanged(name: str, complaint: str, address: str, kana: str) -> None:
    """No character of a person's name or words is touched on the way in and over the bus."""
    raw = changed(person__name=name, chief_complaint=complaint, person__address=address)
    raw["person"]["kana"] = kana + "ん"
    form = check(Referral, raw, CODES).form
    assert form is not None
    again = msgspec.json.decode(msgspec.json.encode(form), type=Referral)
    assert (again.person.name, again.chief_complaint, again.person.address) == (name, complaint, address)
    assert again.person.kana == kana + "ん"


def every_field(fields: tuple[Field, ...]) -> list[Field]:
    return [inner for field in fields for inner in (field, *every_field(field.fields))]


def test_definition_is_complete() -> None:
    """Every field has a Japanese title; choices have labels; texts have limits; the city's four are required."""
    for field in every_field(fields_of(Referral)):
        assert not field.title.isascii()
        assert all(code.isascii() and label for code, label in field.choices)
        assert bool(field.choices) == (field.kind in (Kind.CHOICE, Kind.CHOICES))
        if field.kind in (Kind.LINE, Kind.TEXT, Kind.KANA, Kind.ROWS, Kind.AGENCIES, Kind.NUMBER):
            assert field.limit
    required = {field.name for field in fields_of(Referral) if field.required}
    assert {"consultation", "chief_complaint", "reason", "consent"} <= required


def test_paths() -> None:
    """A group's fields have full paths; a row's are relative to the row."""
    by_name = {field.name: field for field in fields_of(Referral)}
    assert [field.path for field in by_name["person"].fields][:2] == ["person.name", "person.kana"]
    assert [field.path for field in by_name["household"].fields][:2] == ["name", "kana"]


def test_schema() -> None:
    """The schema carries Japanese titles and labels, closes every object, and says what the city's own fields take."""
    schema = form_schema(Referral, LOCAL)
    referral = schema["$defs"]["Referral"]
    assert referral["properties"]["chief_complaint"]["title"] == "主訴"
    assert referral["additionalProperties"] is False
    assert {"const": "urgent", "title": "至急"} in schema["$defs"]["Urgency"]["oneOf"]
    assert set(referral["required"]) == {field.name for field in fields_of(Referral) if field.required} | {"local"}
    local = referral["properties"]["local"]
    assert (local["required"], local["additionalProperties"]) == (["ward"], False)
    assert local["properties"]["ward"]["oneOf"] == [{"const": "east", "title": "東"}, {"const": "west", "title": "西"}]
    assert local["properties"]["remarks"] == {"type": "string", "title": "備考", "maxLength": 30 * 8}


def test_schema_without_a_profile_leaves_the_citys_fields_open() -> None:
    """The description of the interface, made for no municipality, allows any field of a city and requires none."""
    described = form_schema(Referral)["$defs"]["Referral"]
    assert described["properties"]["local"]["additionalProperties"]["type"] == "string"
    assert "local" not in described["required"]


def test_the_citys_own_fields_pass() -> None:
    """Fields of the profile are kept as typed, with line feeds made one kind; those left empty are not there."""
    form = check(Referral, changed(local={"ward": "west", "remarks": "一\r\n二", "short": " "}), CODES).form
    assert form is not None
    assert form.local == {"ward": "west", "remarks": "一\n二"}


def test_the_profile_may_take_fewer_entries() -> None:
    """A limit of the profile holds where it is below the form's own, and is the number that is told."""
    fewer = msgspec.structs.replace(CODES, limits={"destinations": 1, "household": 99})
    (error,) = check(Referral, SAMPLE, fewer).errors
    assert (error.path, error.code) == ("destinations", "too-many")
    assert "1件" in error.message
    many = check(Referral, changed(household=[{"relationship": "兄"}] * 21), fewer).errors
    assert ("household", "too-many") in [(error.path, error.code) for error in many]


def test_reception_and_protection_are_optional() -> None:
    """A referral of an older client, without the reception's items or a protection, is taken as it was."""
    form = check(Referral, changed(reception=None), CODES).form
    assert form is not None
    assert (form.reception, form.protection, form.protection_kind) == (Reception(), [], None)
