"""Every kind of form: its valid sample passes, and what contradicts itself is refused in words that help."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.data.forms import PERSON, sample
from tsunagi_shared.contracts.profile import LegalRole, Profile, load_profile
from tsunagi_shared.forms import minutes, plan
from tsunagi_shared.forms.assessment import Assessment, Issue
from tsunagi_shared.forms.checks import Codes, FieldError, check
from tsunagi_shared.forms.codes import fields_for, local_labels
from tsunagi_shared.forms.consent import ConsentForm
from tsunagi_shared.forms.fields import CodeList, Field, Kind, fields_of
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.minutes import Minutes
from tsunagi_shared.forms.plan import Plan, PlanKind
from tsunagi_shared.forms.schema import form_schema

TODAY = dt.date(2026, 11, 23)
FUSSA = Path(__file__).parents[2] / "deploy" / "profiles" / "fussa"
LEAVE_OUT = object()


@pytest.fixture(scope="module")
def fussa() -> Profile:
    return load_profile(FUSSA)


def codes_of(profile: Profile, kind: str) -> Codes:
    codes = profile.codes(FORMS[kind].settings, TODAY)
    return msgspec.structs.replace(codes, lists={"annex": "別紙1 見本の機関"})


def errors_of(profile: Profile, kind: str, raw: object) -> tuple[FieldError, ...]:
    checked = check(FORMS[kind].struct, raw, codes_of(profile, kind))
    assert (checked.form is None) == bool(checked.errors)
    return checked.errors


def changed(kind: str, changes: dict[str, Any]) -> dict[str, Any]:
    raw = sample(kind, **changes)
    return {name: value for name, value in raw.items() if value is not LEAVE_OUT}


@pytest.mark.parametrize("kind", FORMS)
def test_the_sample_passes_and_passes_again(fussa: Profile, kind: str) -> None:
    """Each kind's sample is taken; what was taken comes through an event unchanged and is taken again."""
    struct, codes = FORMS[kind].struct, codes_of(fussa, kind)
    checked = check(struct, sample(kind), codes)
    assert checked.errors == ()
    sent = msgspec.json.encode(checked.form)
    assert msgspec.json.decode(sent, type=struct) == checked.form
    assert check(struct, msgspec.json.decode(sent), codes).form == checked.form


@pytest.mark.parametrize("kind", FORMS)
def test_an_empty_form_names_every_gap_in_order(fussa: Profile, kind: str) -> None:
    """Everything that a form must have is asked for at once, in the order of the form, and nothing else is wrong."""
    fields = {field.name: field for field in fields_of(FORMS[kind].struct)}
    found = errors_of(fussa, kind, {})
    assert {error.path for error in found} >= {name for name, field in fields.items() if field.required}
    assert [*fields].index(found[0].path) == min([*fields].index(error.path) for error in found)
    assert [error.path for error in found] == sorted((error.path for error in found), key=[*fields].index)
    assert all(error.code in ("required", "nothing-extended") for error in found)
    assert all(re.search(r"[ぁ-ん]", error.message) for error in found)


ROW: dict[str, Any] = {"agency": "sample-care", "part": "見守り"}
NO_REPLAN: dict[str, Any] = {"previous": "", "change": "", "review": "", "changes_made": ""}
PARTICIPATION: dict[str, Any] = {
    **NO_REPLAN,
    "kind": "participation",
    "uses_participation": False,
    "needs": "人と話す機会がない。",
    "resource": "見本農園",
    "trial_on": "2026-06-01",
    "begins_on": "2026-06-15",
    "settled_check_on": "2026-09-01",
}
OUTREACH: dict[str, Any] = {
    **NO_REPLAN,
    "kind": "outreach",
    "uses_participation": False,
    "found_by": "professional",
    "contact_state": "family",
    "methods": ["letter", "visit"],
    "hand_over_to": ["health"],
    "end_condition": "相談先とのつながりが続くようになったとき。",
}
MINIMAL: dict[str, Any] = {"occasion": "suspend", "minimal_reason": "unreachable", "papers": [], "note": ""}
PRESENT: dict[str, Any] = {"agency": "welfare-desk", "name": "見本　司", "state": "present"}

CONTRADICTIONS: list[tuple[str, dict[str, Any], str, str]] = [
    ("reply", {"decision": "returned", "reason": "", "lead_agency": ""}, "reason", "required"),
    ("reply", {"decision": "returned"}, "lead_agency", "lead-when-returned"),
    ("withdrawal", {"kind": "withdrawn"}, "sent_to_wrong", "not-misdirected"),
    ("withdrawal", {"noticed_on": "2026-11-24"}, "noticed_on", "future-date"),
    ("consent", {"signer_name": " "}, "signer_name", "required"),
    ("consent", {"signer_relationship": None}, "signer_relationship", "required"),
    ("consent", {"signer": "legal_representative"}, "authority", "required"),
    ("consent", {"given_on": LEAVE_OUT}, "given_on", "required"),
    ("consent", {"method": None}, "method", "required"),
    ("consent", {"purpose": ""}, "purpose", "required"),
    ("consent", {"scope": []}, "scope", "required"),
    ("consent", {"heard_by": ""}, "heard_by", "required"),
    ("consent", {"agencies": []}, "agencies", "required"),
    ("consent", {"status": "refused"}, "agencies", "consent-not-given"),
    ("consent", {"status": "unable", "agencies": [], "lists": ["annex"]}, "lists", "consent-not-given"),
    ("consent", {"lists": ["annex", "no-annex"]}, "lists.1", "wrong-code"),
    ("consent", {"excluded_agencies": ["sample-care"]}, "excluded_agencies", "named-and-excluded"),
    ("consent", {"given_on": "2026-03-31"}, "given_on", "before-explanation"),
    ("consent", {"until": "2026-04-01"}, "until", "before-start"),
    ("consent", {"meetings": ["support_meeting"]}, "meetings.0", "wrong-code"),
    ("consent", {"local": {"ward": "x"}}, "local.ward", "unknown-field"),
    ("consent_withdrawal", {"agencies": []}, "agencies", "required"),
    ("consent_withdrawal", {"whole": True}, "agencies", "whole-and-part"),
    ("consent_withdrawal", {"whole": "yes"}, "whole", "wrong-type"),
    ("consent_extension", {"until": None, "agencies": []}, "until", "nothing-extended"),
    ("consent_extension", {"until": "2026-04-11"}, "until", "before-start"),
    ("consent_extension", {"method": "oral", "heard_by": ""}, "heard_by", "required"),
    ("assessment", {"main_issue": "debt"}, "main_issue", "not-among-issues"),
    ("assessment", {"issues": ["poverty", "sleepy"]}, "issues.1", "wrong-code"),
    ("assessment", {"summary": ""}, "summary", "required"),
    ("assessment", {"direction": ""}, "direction", "required"),
    ("assessment", {"handed_over_to": []}, "handed_over_to", "required"),
    ("assessment", {"screening": None}, "handed_over_to", "not-handed-over"),
    ("contact", {"outreach_actions": ["call"]}, "outreach_actions.0", "wrong-code"),
    ("contact", {"at": "2026-11-24"}, "at", "future-date"),
    ("evaluation", {"reason": ""}, "reason", "required"),
    ("evaluation", {"outcome": "suspended", "reason": ""}, "reason", "required"),
    ("evaluation", {"follow_up_method": ""}, "follow_up_method", "required"),
    ("evaluation", {"changes": ["none", "care"]}, "changes", "none-and-more"),
    ("pledge", {"acknowledged": False}, "acknowledged", "not-acknowledged"),
    ("pledge", {"acknowledged": None}, "acknowledged", "required"),
    ("pledge", {"body": "no-body"}, "body", "wrong-code"),
    ("pledge", {"agency": "no-agency"}, "agency", "wrong-code"),
    ("protection", {"fields": []}, "fields", "required"),
    ("protection", {"until": "2026-04-19"}, "until", "before-start"),
    ("protection", {"kind": "other", "reason": ""}, "reason", "required"),
    ("allocation", {"until": "2026-04-14"}, "until", "before-start"),
    ("ground", {"law": ""}, "law", "required"),
    ("ground", {"law": "no-law"}, "law", "wrong-code"),
    ("ground", {"kind": "emergency", "decided_by": ""}, "decided_by", "required"),
    ("ground", {"kind": "emergency", "until": ""}, "until", "required"),
    ("closure", {"reason": "tired"}, "reason", "wrong-code"),
    ("plan", {"change": ""}, "change", "required"),
    ("plan", {"review": ""}, "review", "required"),
    ("plan", {"changes_made": " "}, "changes_made", "required"),
    ("plan", {"previous": "", "review": "", "changes_made": ""}, "change", "not-a-replan"),
    ("plan", {"issues": ""}, "issues", "required"),
    ("plan", {"allocations": []}, "allocations", "required"),
    ("plan", {"lead_agency": ""}, "lead_agency", "required"),
    ("plan", {"lead_agency": "no-agency"}, "lead_agency", "wrong-code"),
    ("plan", {"needs": "外に出る機会がない。"}, "needs", "not-of-this-kind"),
    ("plan", {"hand_over_to": ["health"]}, "hand_over_to", "not-of-this-kind"),
    ("plan", {"until": "2026-05-10", "allocations": [ROW]}, "until", "before-start"),
    ("plan", {"monitoring_on": "2026-05-10"}, "monitoring_on", "before-start"),
    ("plan", {"agreed_on": "2026-04-30"}, "agreed_on", "before-plan"),
    ("plan", {"agreed_on": "2026-11-24"}, "agreed_on", "future-date"),
    ("plan", {"allocations": [ROW, {**ROW, "until": "2026-05-10"}]}, "allocations.1.until", "before-start"),
    ("plan", {"allocations": [{**ROW, "part": ""}]}, "allocations.0.part", "required"),
    ("plan", {"allocations": [ROW] * 31}, "allocations", "too-many"),
    ("plan", {**PARTICIPATION, "needs": ""}, "needs", "required"),
    ("plan", {**PARTICIPATION, "uses_outreach": True}, "uses_outreach", "not-of-this-kind"),
    ("plan", {**PARTICIPATION, "begins_on": "2026-05-31"}, "begins_on", "before-start"),
    ("plan", {**PARTICIPATION, "settled_check_on": "2026-06-14"}, "settled_check_on", "before-start"),
    ("plan", {**OUTREACH, "found_by": None}, "found_by", "required"),
    ("plan", {**OUTREACH, "contact_state": None}, "contact_state", "required"),
    ("plan", {**OUTREACH, "methods": []}, "methods", "required"),
    ("plan", {**OUTREACH, "end_condition": ""}, "end_condition", "required"),
    ("plan", {**OUTREACH, "resource": "見本農園"}, "resource", "not-of-this-kind"),
    ("plan_agreement", {"agreed_on": "2026-11-24"}, "agreed_on", "future-date"),
    ("municipal_decision", {"decided_on": "2026-11-24"}, "decided_on", "future-date"),
    ("meeting", {"bodies": []}, "bodies", "required"),
    ("meeting", {"bodies": ["layered-support", "no-body"]}, "bodies.1", "wrong-code"),
    ("meeting", {"ends_at": "13:30"}, "ends_at", "before-start"),
    ("meeting", {"starts_at": "25:00"}, "starts_at", "not-a-time"),
    ("meeting", {"starts_at": "ひる"}, "starts_at", "not-a-time"),
    ("meeting", {"place": ""}, "place", "required"),
    ("meeting", {"place": "", "method": LEAVE_OUT}, "place", "required"),
    ("agenda_item", {"case_number": ""}, "case_number", "required"),
    ("agenda_item", {"occasion": "screening", "case_number": "", "plan_number": ""}, "case_number", "required"),
    ("agenda_item", {"occasion": "resource", "case_number": ""}, "case_number", "required"),
    ("agenda_item", {"plan_number": ""}, "plan_number", "required"),
    ("agenda_item", {"legal_role": "tea_party"}, "legal_role", "wrong-code"),
    ("agenda_item", {**MINIMAL, "occasion": "replan"}, "minimal_reason", "minimal-occasion"),
    ("agenda_item", {**MINIMAL, "papers": [{"number": "R2026-00001"}]}, "papers", "minimal-content"),
    ("agenda_item", {**MINIMAL, "note": "長く続いた。"}, "note", "minimal-content"),
    ("meeting_member", {"told_on": "2026-11-24"}, "told_on", "future-date"),
    ("minutes", {"presences": []}, "presences", "required"),
    ("minutes", {"presences": [{**PRESENT, "state": "absent"}]}, "presences", "required"),
    ("minutes", {"presences": [{**PRESENT, "name": ""}]}, "presences.0.name", "required"),
    ("minutes", {"decision_note": ""}, "decision_note", "required"),
    ("minutes", {"decision": "returned", "decision_note": ""}, "decision_note", "required"),
    ("minutes", {"decision": "to_comprehensive", "decision_note": ""}, "decision_note", "required"),
    ("minutes", {"follow_up_method": ""}, "follow_up_method", "required"),
    ("minutes", {"community_issue": "", "missing_resource": ""}, "hands_over_to", "nothing-to-hand-over"),
    ("minutes", {"consent_checked_on": None}, "consent_checked_on", "required"),
    ("information_request", {"due_on": "2026-11-22"}, "due_on", "past-date"),
    ("information_request", {"law": "no-law"}, "law", "wrong-code"),
    ("contact_log", {"until": "2026-03-31"}, "until", "before-start"),
]


@pytest.mark.parametrize(("kind", "changes", "path", "code"), CONTRADICTIONS)
def test_a_contradiction_is_told_at_its_field(
    fussa: Profile, kind: str, changes: dict[str, Any], path: str, code: str
) -> None:
    """Each rule between fields, and each table of the profile, refuses with its own code at one field, in Japanese."""
    (error,) = errors_of(fussa, kind, changed(kind, changes))
    assert (error.path, error.code) == (path, code)
    assert re.search(r"[ぁ-ん].*。$", error.message)


ALLOWED: list[tuple[str, dict[str, Any]]] = [
    ("reply", {"decision": "returned", "lead_agency": ""}),
    ("reply", {"reason": "", "lead_agency": "", "next_actions": "", "contact_phone": ""}),
    ("withdrawal", {"kind": "withdrawn", "sent_to_wrong": [], "measures": ""}),
    ("consent", {"agencies": [], "lists": ["annex"]}),
    ("consent", {"signer": "person", "signer_name": "", "signer_relationship": ""}),
    ("consent", {"explained_on": "2026-04-02", "until": "2026-04-02"}),
    ("consent", {"method": "written", "heard_by": "", "oral_record": ""}),
    ("consent_withdrawal", {"whole": True, "agencies": []}),
    ("consent_extension", {"until": None}),
    ("consent_extension", {"agencies": [], "until": "2026-04-12"}),
    ("assessment", {"stage": "intake", "summary": "", "direction": ""}),
    ("assessment", {"screening": None, "handed_over_to": []}),
    ("assessment", {"main_issue": ""}),
    ("evaluation", {"outcome": "replanned", "reason": "", "follow_up": False, "follow_up_method": ""}),
    ("evaluation", {"changes": ["none"]}),
    ("protection", {"kind": "own_wish", "reason": "", "until": "2026-04-20"}),
    ("allocation", {"until": None}),
    ("ground", {"kind": "emergency", "law": ""}),
    ("ground", {"until": None}),
    ("closure", {"note": "", "lead_agency": ""}),
    ("plan", NO_REPLAN),
    ("plan", {"until": None, "agreed_on": None, "monitoring_on": "2026-05-11", "allocations": [ROW]}),
    ("plan", {"until": "2026-05-11", "agreed_on": "2026-05-01", "allocations": [{**ROW, "until": "2026-05-11"}]}),
    ("plan", PARTICIPATION),
    ("plan", {**PARTICIPATION, "issues": "", "allocations": [], "lead_agency": "", "trial_on": None}),
    ("plan", {**PARTICIPATION, "begins_on": "2026-06-01", "settled_check_on": "2026-06-01"}),
    ("plan", OUTREACH),
    ("plan", {**OUTREACH, "issues": "", "allocations": [], "lead_agency": ""}),
    ("meeting", {"ends_at": "", "method": "online", "place": ""}),
    ("meeting", {"method": "written", "place": "", "chair": "", "note_taker": ""}),
    ("agenda_item", {"occasion": "resource", "case_number": "", "plan_number": ""}),
    ("agenda_item", {"occasion": "sharing", "plan_number": "", "papers": []}),
    ("agenda_item", MINIMAL),
    ("agenda_item", {**MINIMAL, "occasion": "end"}),
    ("meeting_member", {"user": "", "title": "", "told_on": None, "chosen": False, "attends": False}),
    ("minutes", {"decision": "ended", "decision_note": "", "allocations": []}),
    ("minutes", {"hands_over_to": "", "community_issue": "", "missing_resource": ""}),
    ("minutes", {"consent_checked_on": None, "consent_scope": [], "follow_up": False, "follow_up_method": ""}),
    ("information_request", {"law": "", "due_on": "2026-11-23"}),
    ("contact_log", {"until": "2026-04-01", "note": ""}),
]


@pytest.mark.parametrize(("kind", "changes"), ALLOWED)
def test_what_may_be_left_out_may_be(fussa: Profile, kind: str, changes: dict[str, Any]) -> None:
    """The rules between fields ask for no more than they say, and the last day of a period is its own first at least."""
    assert errors_of(fussa, kind, changed(kind, changes)) == ()


@pytest.mark.parametrize("status", ["not_asked", "asking", "refused", "unable"])
def test_where_a_person_stands_without_consent_is_recorded(fussa: Profile, status: str) -> None:
    """Without consent the person and the status are enough."""
    assert errors_of(fussa, "consent", {"person": PERSON, "status": status}) == ()


def test_all_contradictions_at_once_in_form_order(fussa: Profile) -> None:
    """Wrong values and every rule that does not hold come in one answer, in the order of the form."""
    raw = sample(
        "consent",
        person="",
        signer="legal_representative",
        signer_name="",
        explained_on="そのうち",
        given_on="2026-04-02",
        heard_by="",
        purpose="",
        scope=[],
        agencies=["sample-care"],
        excluded_agencies=["sample-care"],
        until="2025-01-01",
    )
    raw["no_such_field"] = 1
    assert [(error.path, error.code) for error in errors_of(fussa, "consent", raw)] == [
        ("person", "required"),
        ("signer_name", "required"),
        ("authority", "required"),
        ("explained_on", "not-a-date"),
        ("heard_by", "required"),
        ("purpose", "required"),
        ("scope", "required"),
        ("excluded_agencies", "named-and-excluded"),
        ("until", "before-start"),
        ("no_such_field", "unknown-field"),
    ]


def test_a_wrong_value_brings_no_second_error(fussa: Profile) -> None:
    """A field that is refused for itself is not also said to be missing."""
    wrong = "あ" * 5000
    for kind, path, changes in (
        ("reply", "reason", {"decision": "returned", "lead_agency": ""}),
        ("consent", "agencies.0", {"agencies": ["nowhere"]}),
        ("consent", "lists.0", {"agencies": [], "lists": ["nowhere"]}),
        ("consent", "given_on", {}),
        ("consent_withdrawal", "agencies.0", {"agencies": ["nowhere"]}),
        ("consent_extension", "until", {"agencies": []}),
        ("assessment", "summary", {}),
        ("assessment", "issues.0", {"issues": ["nothing"], "household_issues": []}),
        ("evaluation", "reason", {}),
        ("evaluation", "follow_up_method", {}),
        ("ground", "law", {}),
        ("ground", "decided_by", {"kind": "emergency"}),
        ("ground", "until", {"kind": "emergency"}),
        ("protection", "reason", {"kind": "other"}),
        ("plan", "change", {}),
        ("plan", "previous", {}),
        ("plan", "lead_agency", {}),
        ("plan", "allocations.0.agency", {"allocations": [{**ROW, "agency": "nowhere"}]}),
        ("meeting", "place", {}),
        ("meeting", "method", {"place": ""}),
        ("agenda_item", "case_number", {}),
        ("agenda_item", "plan_number", {}),
        ("minutes", "presences.0.agency", {"presences": [{**PRESENT, "agency": "nowhere"}]}),
        ("minutes", "decision_note", {}),
        ("minutes", "community_issue", {"missing_resource": ""}),
    ):
        values = dict(changes) if "." in path else {**changes, path: wrong}
        assert [error.path for error in errors_of(fussa, kind, changed(kind, values))] == [path]


def every_field(fields: tuple[Field, ...]) -> list[Field]:
    return [inner for field in fields for inner in (field, *every_field(field.fields))]


@pytest.mark.parametrize("kind", FORMS)
def test_a_definition_is_complete(kind: str) -> None:
    """Every field of every kind has Japanese words; texts and lists have limits; no two fields share a title in a form."""
    definition = FORMS[kind]
    assert definition.kind == kind
    assert not definition.title.isascii()
    fields = every_field(fields_of(definition.struct))
    for field in fields:
        assert not field.title.isascii()
        assert all(code.isascii() and not label.isascii() for code, label in field.choices)
        open_ended = (Kind.DATE, Kind.CHOICE, Kind.FLAG, Kind.GROUP, Kind.ENTRY)
        assert field.limit or field.kind in open_ended
        assert not (field.kind is Kind.FLAG and field.default)  # a page cannot say no to a box that is ticked unseen
    titles = [field.title for field in fields_of(definition.struct)]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("kind", list(PlanKind))
def test_each_kind_of_plan_has_its_own_fields(kind: PlanKind) -> None:
    """What a page of one kind leaves out are the fields of the two others, all of them fields of the form."""
    left_out = plan.fields_left_out(kind)
    assert left_out < set(Plan.__struct_fields__)
    assert left_out.isdisjoint(plan.OF_KIND[kind])
    assert left_out | {*plan.OF_KIND[kind]} == {name for names in plan.OF_KIND.values() for name in names}


def minutes_of(fussa: Profile, **changes: Any) -> Minutes:
    checked = check(Minutes, sample("minutes", **changes), codes_of(fussa, "minutes"))
    assert checked.form is not None, checked.errors
    return checked.form


def test_minutes_hold_what_belongs_to_their_item(fussa: Profile) -> None:
    """Each of the two sheets refuses the other's fields; 支援会議 says why there is no consent; both say what was discussed."""
    layered, support = LegalRole.LAYERED_SUPPORT_MEETING, LegalRole.SUPPORT_MEETING
    without_consent: dict[str, Any] = {
        "consent_checked_on": None,
        "consent_scope": [],
        "no_consent_reason": "会えていない。",
    }

    def found(role: LegalRole, **changes: Any) -> list[tuple[str, str]]:
        return [(name, code) for name, code, _ in minutes.out_of_place(minutes_of(fussa, **changes), role)]

    assert found(layered) == []
    assert found(layered, discussion="") == [("discussion", "required")]
    assert found(layered, watch="月に一度", papers_returned=True) == [
        ("watch", "not-of-this-item"), ("papers_returned", "not-of-this-item"),
    ]  # fmt: skip
    assert found(support, **without_consent) == []
    assert found(support) == [
        ("consent_checked_on", "not-of-this-item"), ("consent_scope", "not-of-this-item"), ("no_consent_reason", "required"),
    ]  # fmt: skip
    assert found(LegalRole.COMMUNITY_CARE_MEETING) == []


def test_minutes_of_a_minimal_item_hold_next_to_nothing(fussa: Profile) -> None:
    """Who was there, what was decided, who stays in charge: no discussion, no allocation, no word about the person."""
    role = LegalRole.LAYERED_SUPPORT_MEETING
    full = {name for name, code, _ in minutes.out_of_place(minutes_of(fussa), role, minimal=True)}
    assert full >= {"discussion", "decision_note", "allocations", "person_attended", "consent_scope"}
    bare = check(Minutes, {"presences": [PRESENT], "decision": "ended"}, codes_of(fussa, "minutes")).form
    assert bare is not None
    assert list(minutes.out_of_place(bare, role, minimal=True)) == []
    assert minutes.fields_left_out(role, minimal=True).isdisjoint(minutes.OF_A_MINIMAL_ITEM)


def test_forms_with_fields_of_the_city_are_those_of_its_profile() -> None:
    """Where a form takes a municipality's own fields, its settings stand under one name of the profile, used only there."""
    with_local = [
        definition.settings for definition in FORMS.values() if "local" in definition.struct.__struct_fields__
    ]
    assert len(with_local) == len(set(with_local))


@pytest.mark.parametrize("kind", FORMS)
def test_every_code_list_of_a_schema_says_its_labels(kind: str) -> None:
    """The JSON Schema of each form names every code in Japanese, and closes every object."""
    schema = form_schema(FORMS[kind].struct, ())
    for part in schema["$defs"].values():
        if "enum" in part:
            assert [choice["const"] for choice in part["oneOf"]]
            assert {choice["const"] for choice in part["oneOf"]} == set(part["enum"])
        if part.get("type") == "object":
            assert part["additionalProperties"] is False


def test_code_lists_of_one_name_are_one() -> None:
    """The schema tells code lists apart by their name, so no two of them share one."""
    lists = {field.code_list for form in FORMS.values() for field in every_field(fields_of(form.struct))} - {None}
    names = [found.__name__ for found in lists if found is not None and issubclass(found, CodeList)]
    assert len(names) == len(set(names))


def test_a_city_adds_and_renames_issues(fussa: Profile) -> None:
    """Codes of the profile are taken, offered and described beside the form's own, under the city's words."""
    base = codes_of(fussa, "assessment")
    codes = msgspec.structs.replace(base, code_lists={"issues": {"snow": "雪かきができない", "debt": "借金"}})
    raw = sample("assessment", issues=["snow", "care"], main_issue="snow")
    form = check(Assessment, raw, codes).form
    assert form is not None
    assert form.issues == ["snow", "care"]
    by_name = {field.name: field for field in fields_for(Assessment, codes)}
    choices = by_name["issues"].choices
    assert [choices[-1], len(choices)] == [("snow", "雪かきができない"), len(Issue) + 1]
    assert dict(choices)["debt"] == "借金"
    described = form_schema(Assessment, codes.local, codes.code_lists)["$defs"]["Assessment"]["properties"]
    assert {"const": "snow", "title": "雪かきができない"} in described["issues"]["items"]["oneOf"]
    assert described["main_issue"]["oneOf"][0] == {"const": "", "title": "選択しない"}
    assert (
        dict(fussa.codes(FORMS["assessment"].settings, TODAY).code_lists)["issues"]["poverty"] == "貧困（経済的困窮）"
    )


def test_an_event_can_say_the_citys_words(fussa: Profile) -> None:
    """Titles of the city's own fields, labels of their choices and of codes it added go with the form; no more than that."""
    ward = Field(
        name="ward", path="local.ward", kind=Kind.CHOICE, title="地区", choices=(("east", "東"), ("west", "西"))
    )
    codes = msgspec.structs.replace(
        codes_of(fussa, "assessment"), code_lists={"issues": {"snow": "雪かき"}, "other": {"x": "別"}}, local=(ward,)
    )
    with_local = check(Assessment, sample("assessment", local={"ward": "east"}), codes).form
    without = check(Assessment, sample("assessment"), codes).form
    assert with_local is not None
    assert without is not None
    words = {"ward": "地区", "ward.east": "東", "ward.west": "西", "issues.snow": "雪かき"}
    assert local_labels(with_local, codes) == words
    assert local_labels(without, codes) == {"issues.snow": "雪かき"}


def test_tables_of_the_profile_are_offered(fussa: Profile) -> None:
    """The page offers the annexes, the bodies and the laws that the profile has on that day."""
    consent = {field.name: field for field in fields_for(ConsentForm, codes_of(fussa, "consent"))}
    assert consent["lists"].choices == (("annex", "別紙1 見本の機関"),)
    pledge = {field.name: field for field in fields_for(FORMS["pledge"].struct, codes_of(fussa, "pledge"))}
    assert ("layered-support", "重層的支援会議") in pledge["body"].choices
    meeting = {field.name: field for field in fields_for(FORMS["meeting"].struct, codes_of(fussa, "meeting"))}
    assert meeting["bodies"].choices == pledge["body"].choices
    ground = {field.name: field for field in fields_for(FORMS["ground"].struct, codes_of(fussa, "ground"))}
    assert "provision-by-municipality" in dict(ground["law"].choices)
