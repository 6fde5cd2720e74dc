"""The page of any form: drawn from its definition, filled with what was typed, posted to the same resource as JSON."""

from __future__ import annotations

import secrets
import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from litestar import MediaType, Response
from sqlalchemy import Connection

from tsunagi_intake import cases, meeting_pages, pages, people, plan_pages, resource_pages, resources, rules, standing
from tsunagi_intake.drafts import FIELD as DRAFT_FIELD
from tsunagi_intake.form_places import BY_THEMSELVES, PAGES, FormPage, Place
from tsunagi_intake.rules import Action, Standing
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import cases as cases_table
from tsunagi_intake.tables import consents, records
from tsunagi_intake.withholding import Kept, of_form, shown
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Agency, Profile
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.codes import Codes, fields_for
from tsunagi_shared.forms.fields import Field, Kind
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.withheld_text import WITHHELD
from tsunagi_shared.problems import Refusal, not_found, problem_of
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.web.forms import form_values

__all__ = ["BY_THEMSELVES", "KEY_FIELD", "Place", "form_page_for", "has_page", "opening"]

KEY_FIELD = "_idempotency_key"
_ABOUT_A_PERSON = frozenset({"consent", "protection"})


class _Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows around the fields, as the database has it."""

    case_number: str = ""
    revision: int | None = None
    people: tuple[tuple[str, str], ...] = ()
    some_hidden: bool = False
    withheld: bool = False
    variant: str = ""
    left_out: frozenset[str] = frozenset()  # fields that are not asked
    resources: tuple[tuple[str, str], ...] = ()  # 社会資源 that a plan may name


class _Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a form is about: its case, how the caller stands to it, and the revision a write would be made on."""

    case: CaseRow
    own: Standing
    revision: int
    row: Any = None  # of the record that is corrected


def has_page(kind: str) -> bool:
    """Whether there is a page for that kind of form."""
    return kind in PAGES


def opening(connection: Connection, principal: Principal, profile: Profile, kind: str, place: Place) -> dict[str, Any]:
    """What the page shows at first, for somebody who may hand the form in there. Refusal otherwise: 404, or a rule's 409."""
    page = PAGES.get(kind)
    if page is None:
        raise not_found()
    if page.about == "meeting" and not place.record:
        return meeting_pages.opening(connection, principal, profile, kind, place)
    if page.about in resource_pages.ABOUT and not place.record:
        return resource_pages.opening(connection, principal, profile, kind, place)
    if not page.about and not place.record:
        return {"case_number": place.case} if place.case and kind == "referral" else _started(kind, place, principal)
    subject = _subject(connection, principal, profile, page, place)
    if place.record:
        if kind == "plan":
            plan_pages.check_draft(connection, principal, profile, subject.row.id)
        else:
            standing.allow(Action.CORRECT, principal, profile, subject.own)
        return _to_correct(connection, principal, subject)
    allowed = page.permissions[-1]
    for action in page.permissions:
        if rules.permitted(action, rules.actor_of(principal, profile, clock.today()), subject.own) is None:
            allowed = action
    standing.allow(allowed, principal, profile, subject.own)
    if kind == "plan":
        return plan_pages.started(connection, principal, profile, place)
    return _started(kind, place, principal)


def _to_correct(connection: Connection, principal: Principal, subject: _Subject) -> dict[str, Any]:
    """The form as it stands. What is withheld from the caller's agency is left empty, and cut out of texts that repeat it:
    what a correction leaves empty there stays as it was."""
    kind = getattr(subject.row, "kind", "referral")
    kept = of_form(connection, principal, f"{kind}/{subject.row.id}", subject.row.case)
    form: dict[str, Any] = msgspec.json.decode(subject.row.form)
    if kept == Kept():
        return form
    cut = shown(kind, form, kept)
    for part in ("person", "reception"):
        if isinstance(group := cut.get(part), dict):
            cut[part] = {name: "" if value == WITHHELD else value for name, value in group.items()}
    return cut


def _withheld(connection: Connection, principal: Principal, subject: _Subject) -> tuple[str, ...]:
    """What a protection keeps from the caller's agency on the record that is corrected."""
    entries = cases.audience_of(connection, f"{getattr(subject.row, 'kind', 'referral')}/{subject.row.id}")
    return next((entry.withheld for entry in entries if entry.agency == principal.agency), ())


def _started(kind: str, place: Place, principal: Principal) -> dict[str, Any]:
    """What most would type: today, their own name, the person they came from."""
    today, name = clock.today().isoformat(), principal.name if principal.via == "session" else ""
    begun: dict[str, dict[str, Any]] = {
        "assessment": {"received_on": today, "author": name},
        "contact": {"at": today, "recorder": name},
        "evaluation": {"evaluated_on": today},
        "allocation": {"since": today},
        "protection": {"since": today, "person": place.person},
        "consent": {"person": place.person, "explained_by": name},
        "consent_withdrawal": {"withdrawn_on": today, "heard_by": name},
        "consent_extension": {"given_on": today, "heard_by": name},
        "withdrawal": {"noticed_on": today},
        "plan_agreement": {"agreed_on": today},
        "contact_log": {"until": today},
        "information_answer": {"given_by": name},
        "municipal_decision": {"decided_on": today},
    }
    return begun.get(kind, {})


def _subject(connection: Connection, principal: Principal, profile: Profile, page: FormPage, place: Place) -> _Subject:
    """What the place names, if this person may see it; the common 404 otherwise."""
    row: Any
    kind, _, identity = place.record.partition("/")
    if page.about == "referral" or kind == "referral":
        row = cases.referral(connection, principal, identity or place.referral)
        case = standing.case_row(connection, seq=row.case)
        own = standing.on_referral(connection, principal, profile, row, case)
        return _Subject(case=case, own=own, revision=row.revision, row=row)
    if place.record:
        row = connection.execute(sa.select(records).where(records.c.id == identity, records.c.kind == kind)).first()
        if row is None or row.case is None:
            raise not_found()
        case = standing.case_row(connection, seq=row.case)
        own = standing.on_record(connection, principal, profile, row, case)
        return _Subject(case=case, own=own, revision=row.revision, row=row)
    if page.about == "request":
        case, own = meeting_pages.asked(connection, principal, profile, place)
        return _Subject(case=case, own=own, revision=case.revision)
    if page.about == "plan":
        plan, own = plan_pages.subject(connection, principal, profile, place)
        return _Subject(case=standing.case_row(connection, seq=plan.case), own=own, revision=plan.revision)
    revision, number = 0, place.case
    if page.about == "consent":
        of_case = cases_table.c.seq == consents.c.case
        row = connection.execute(
            sa.select(consents.c.revision, cases_table.c.number).join(cases_table, of_case)
            .where(consents.c.id == place.consent)
        ).first()  # fmt: skip
        if row is None:
            raise not_found()
        revision, number = row.revision, row.number
    if not number or cases.readable(connection, principal, number) is None:
        raise not_found()
    case = standing.case_row(connection, number=number)
    own = standing.on_case(connection, principal, profile, case)
    if place.variant:
        own = plan_pages.on_variant(own, principal, profile, place.variant)
    return _Subject(case=case, own=own, revision=revision or case.revision)


def _scene(connection: Connection, principal: Principal, profile: Profile, kind: str, place: Place) -> _Scene:
    """What stands around the fields. Nothing for somebody who may not see what the form is about."""
    page = PAGES[kind]
    if not page.about and not place.record:
        return _Scene()
    if not profile.acts_for(principal.agency, principal.contractor, clock.today()):
        return _Scene()
    try:
        if page.about == "meeting" and not place.record:
            around = meeting_pages.scene(connection, principal, profile, kind, place)
            return _Scene(case_number=around.case_number, revision=around.revision, left_out=around.left_out)
        if page.about in resource_pages.ABOUT and not place.record:
            return _Scene(revision=resource_pages.revision(connection, profile, place))
        subject = _subject(connection, principal, profile, page, place)
    except Refusal:
        return _Scene()
    shown = people.People()
    if kind in _ABOUT_A_PERSON:
        shown = people.people_of(connection, principal, (subject.case.seq,))
    return _Scene(
        withheld=bool(place.record and _withheld(connection, principal, subject)),
        case_number=subject.case.number, revision=subject.revision,
        people=tuple((line.id, line.label) for line in shown.lines), some_hidden=shown.some_hidden,
        variant=plan_pages.variant_of(subject.row.form) if place.record and kind == "plan" else "",
        resources=resources.choices(connection, profile) if kind == "plan" else (),
    )  # fmt: skip


async def form_page_for(
    runtime: Runtime,
    principal: Principal,
    kind: str,
    place: Place | None = None,
    *,
    key: str = "",
    raw: object = None,
    errors: tuple[FieldError, ...] = (),
    rows: Mapping[str, int] | None = None,
    revision: int | None = None,
    draft: str = "",
    status: int = 200,
) -> Response[str]:
    """The page of a form with whatever was typed (`raw`, the shape of its JSON) and what is wrong with it.

    `revision`: what the write was made on; None (a new page, or one that was told to look again): what there is now.
    Whatever fails around the fields, what was typed is shown.
    """
    place = place or Place()
    try:
        scene = await runtime.database.read(
            lambda connection: _scene(connection, principal, runtime.profile, kind, place)
        )
    except Exception as error:  # noqa: BLE001 - nothing that was typed may be lost
        problem_of(error)
        scene = _Scene()
    definition, page = FORMS[kind], PAGES[kind]
    codes = runtime.profile.codes(definition.settings, clock.today())
    text = runtime.pages.render(
        "form_page.html",
        principal=principal,
        kind=kind,
        title=f"{definition.title}の訂正" if place.record else definition.title,
        lead=page.lead,
        button="訂正する" if place.record else page.button,
        fields=_fields(definition.struct, codes, scene, scene.variant or place.variant),
        values=form_values(definition.struct, raw, errors, rows, codes.local),
        agencies={agency.id: agency.name for agency in runtime.profile.agencies if _offered(kind, agency)},
        case_number=scene.case_number,
        some_hidden=scene.some_hidden,
        withheld=scene.withheld,
        action=_action(page, place, scene.revision if revision is None else revision),
        drafts=""
        if kind == "minutes"
        else f"/drafts?{urllib.parse.urlencode({'kind': kind})}&{place.query()}".rstrip("&"),
        hidden=[(KEY_FIELD, key or secrets.token_urlsafe(16)), (DRAFT_FIELD, draft)],
    )
    return Response(text, media_type=MediaType.HTML, status_code=status, headers=pages.NO_STORE)


def _offered(kind: str, agency: Agency) -> bool:
    return agency.accepts_referrals or kind != "referral"


def _fields(struct: type[msgspec.Struct], codes: Codes, scene: _Scene, variant: str) -> tuple[Field, ...]:
    """The fields as this page asks them: a person of the case, and a resource, is chosen, not typed; of a variant its own."""
    fields = plan_pages.fields_of_variant(fields_for(struct, codes), variant) if variant else fields_for(struct, codes)
    chosen = {"person": scene.people, "resource_id": scene.resources}
    return tuple(
        msgspec.structs.replace(field, kind=Kind.CHOICE, choices=chosen[field.name])
        if field.kind is Kind.LINE and chosen.get(field.name)
        else field
        for field in fields
        if field.name not in scene.left_out and (field.name != "resource_id" or scene.resources)
    )


def _action(page: FormPage, place: Place, revision: int | None) -> str:
    """Where the page posts to."""
    kind, _, identity = place.record.partition("/")
    if place.record:
        path = (
            f"/referrals/{_quoted(identity)}" if kind == "referral" else f"/records/{_quoted(kind)}/{_quoted(identity)}"
        )
    else:
        path = page.action.format(**{name: _quoted(value) for name, value in msgspec.structs.asdict(place).items()})
        path = path.replace("//handing-on", "").rstrip("/")  # an issue that comes from no other is handed directly
    return f"{path}?revision={revision}" if revision is not None and (page.made_on or place.record) else path


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")
