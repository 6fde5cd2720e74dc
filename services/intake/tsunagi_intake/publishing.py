"""The events of intake's forms: each carries all that its documents print, as the form and its audience stand now.

What is published depends on the stored rows alone, so that the same can be published again at any time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import audience as audiences
from tsunagi_intake import cases, form_facts, meeting_events, numbering, persons, plan_facts, report_events
from tsunagi_intake.lifecycle import PlanState
from tsunagi_intake.tables import cases as cases_table
from tsunagi_intake.tables import consents, protections, records, referrals
from tsunagi_shared import clock
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.audience import AudienceEntry
from tsunagi_shared.contracts.events import FormRecorded, ReferralSubmitted, Retention, Staff
from tsunagi_shared.contracts.profile import AgencyList, FormKind, Profile
from tsunagi_shared.forms.answers import Reply
from tsunagi_shared.forms.codes import local_labels
from tsunagi_shared.forms.consent import ConsentForm
from tsunagi_shared.forms.fields import Field, Kind, fields_of
from tsunagi_shared.forms.japanese import format_wareki
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.plan import Plan
from tsunagi_shared.forms.pledge import Pledge
from tsunagi_shared.forms.referral import ConsentStatus, Referral
from tsunagi_shared.outbox import Outbox

Row = Any  # of `records`, with `case_number`


def publish_form(connection: Connection, form: str, profile: Profile, outbox: Outbox) -> None:
    """Put the event of a form (`<kind>/<id>`) into the outbox, as the form stands. EventTooLarge.

    Nothing is published of a kind that no document is drawn from, and of a form that is not there (any more).
    """
    kind, _, identity = form.partition("/")
    if kind == "referral":
        _publish_referral(connection, identity, profile, outbox)
    elif kind in _PUBLISHED:
        _publish_record(connection, kind, identity, profile, outbox)
    elif kind == report_events.KIND:
        report_events.publish(connection, identity, profile, outbox)


def _publish_referral(connection: Connection, identity: str, profile: Profile, outbox: Outbox) -> None:
    row = connection.execute(
        sa.select(*referrals.c, cases_table.c.number.label("case_number"))
        .join(cases_table, cases_table.c.seq == referrals.c.case)
        .where(referrals.c.id == identity)
    ).first()
    if row is None or not row.form:
        return
    event = referral_event(
        row,
        msgspec.json.decode(row.form, type=Referral),
        profile,
        cases.audience_of(connection, f"referral/{identity}"),
    )
    event = msgspec.structs.replace(
        event,
        other_ids=persons.other_ids(connection, row.case, event.persons),
        former_names=persons.once_called(connection, row.case, identity),
    )
    outbox.add(connection, events.REFERRAL_SUBMITTED, event, aggregate=f"referral/{identity}", revision=row.revision)


def referral_event(row: Any, form: Referral, profile: Profile, entries: tuple[AudienceEntry, ...]) -> ReferralSubmitted:
    """The event of a referral out of its row (with `case_number`)."""
    provider = profile.roles.multi_agency_provider
    return ReferralSubmitted(
        referral_id=row.id, revision=row.revision, referral_number=row.number, case_number=row.case_number,
        received_at=clock.moment_of(row.submitted_at), submitted_by=_staff(row, profile), form=form,
        audience=entries, audience_revision=row.audience_revision, persons=tuple(msgspec.json.decode(row.persons)),
        support_meeting_only=bool(row.support_meeting_only), withdrawn=row.state if row.state in persons.TAKEN_BACK else "",
        retention=_retention_of(row),
        destination_names=_named(form.destinations, profile), consent_agency_names=_named(form.consent.agencies, profile),
        local_labels=_local_labels(form, FormKind.REFERRAL, profile), summary_to_destinations=profile.summary_to_destinations,
        provider=provider, provider_name=profile.agency_names[provider], municipality_name=profile.municipality.name,
    )  # fmt: skip


def _named(agencies: Iterable[str], profile: Profile) -> tuple[str, ...]:
    """The names of agencies; one that the profile does not know any more goes by its id."""
    return tuple(profile.agency_names.get(agency, agency) for agency in agencies)


def _staff(row: Any, profile: Profile) -> Staff:
    return Staff(row.user, row.user_name, row.agency, profile.agency_names.get(row.agency, row.agency))


def _retention_of(row: Any) -> Retention:
    completed_on = dt.date.fromisoformat(row.completed_on) if row.completed_on else None
    return Retention(row.retention_class, completed_on, bool(row.legal_hold))


def _local_labels(form: Any, kind: FormKind, profile: Profile) -> dict[str, str]:
    """What the profile calls the municipality's own fields, choices and codes that stand in the form."""
    return local_labels(form, profile.codes(kind, clock.today()))


def _publish_record(connection: Connection, kind: str, identity: str, profile: Profile, outbox: Outbox) -> None:
    row = connection.execute(
        sa.select(*records.c, cases_table.c.number.label("case_number"))
        .outerjoin(cases_table, cases_table.c.seq == records.c.case)
        .where(records.c.id == identity, records.c.kind == kind)
    ).first()
    if row is None or not row.form:
        return
    published = _PUBLISHED[kind]
    form = msgspec.json.decode(row.form, type=FORMS[kind].struct)
    more = published.more(connection, row, form, profile)
    if more is None:
        return
    person_ids = tuple(msgspec.json.decode(row.persons))
    provider = profile.roles.multi_agency_provider
    event_type, data = more.get("event", (published.type, published.data))
    event = data(
        form_id=identity, revision=row.revision, number=row.number, case_number=row.case_number or "",
        received_at=clock.moment_of(row.submitted_at), submitted_by=_staff(row, profile),
        audience=entries_of(connection, row, profile), audience_revision=max(row.audience_revision, 1),
        persons=person_ids, person_names=persons.names_of(connection, row.case, person_ids),
        other_ids=persons.other_ids(connection, row.case, person_ids),
        former_names=persons.once_called(connection, row.case),
        agency_names=_agencies_named(form, more, profile), support_meeting_only=bool(row.support_meeting_only),
        provider=provider, provider_name=profile.agency_names[provider], municipality_name=profile.municipality.name,
        local_labels=_local_labels(form, FORMS[kind].settings, profile), retention=_retention_of(row), form=form,
        **{name: value for name, value in more.items() if name not in ("aggregate_revision", "addressed", "event")},
    )  # fmt: skip
    outbox.add(
        connection, event_type, event, aggregate=f"{kind}/{identity}",
        revision=more.get("aggregate_revision", row.revision),
    )  # fmt: skip


def entries_of(connection: Connection, row: Any, profile: Profile) -> tuple[AudienceEntry, ...]:
    """The audience of a record. A pledge belongs to no case: what it rests on never changes, and nothing is stored of it."""
    form = f"{row.kind}/{row.id}"
    if row.case is not None:
        return cases.audience_of(connection, form)
    facts = form_facts.facts_of(connection, profile, form)
    return audiences.of_form(facts, profile, clock.today()).entries if facts else ()


def _agencies_named(form: msgspec.Struct, more: Mapping[str, Any], profile: Profile) -> dict[str, str]:
    found = dict.fromkeys(
        (*_agencies_in(fields_of(type(form)), form), *more.get("shared_with", ()), *more.get("addressed", ()))
    )
    return dict(zip(found, _named(found, profile), strict=True))


def _agencies_in(fields: Iterable[Field], form: Any) -> Iterable[str]:
    for field in fields:
        value = getattr(form, field.name)
        if field.kind is Kind.AGENCY and value:
            yield value
        elif field.kind is Kind.AGENCIES:
            yield from value
        elif field.kind is Kind.ROWS:
            for row in value:
                yield from _agencies_in(field.fields, row)


def _nothing_more(connection: Connection, row: Row, form: Any, profile: Profile) -> dict[str, Any] | None:
    return {}


def _of_reply(connection: Connection, row: Row, form: Reply, profile: Profile) -> dict[str, Any] | None:
    """Which referral it answers, and the agency it is addressed to."""
    identity = row.about.partition("/")[2]
    asked = connection.execute(
        sa.select(referrals.c.number, referrals.c.agency).where(referrals.c.id == identity)
    ).first()
    number, agency = asked or ("", "")
    return {"referral_id": identity, "referral_number": number, "addressed": (agency,) if agency else ()}


def _of_consent(connection: Connection, row: Row, form: ConsentForm, profile: Profile) -> dict[str, Any] | None:
    """Whom it names. Where the person did not consent there is no paper, unless one was drawn before a correction."""
    if form.status is not ConsentStatus.GIVEN and row.revision == 1:
        return None
    fact = connection.execute(sa.select(consents).where(consents.c.id == row.id)).one()
    day = form.given_on or clock.japanese_date(row.submitted_at)
    lists = (profile.agency_list_on(list_id, day) for list_id in form.lists)
    return {
        "shared_with": tuple(msgspec.json.decode(fact.agencies)),
        "list_names": tuple(_list_name(found) for found in lists if found is not None),
        "aggregate_revision": fact.revision,
    }


def _list_name(found: AgencyList) -> str:
    return f"{found.name}（{format_wareki(found.starts)}現在）"


def _of_pledge(connection: Connection, row: Row, form: Pledge, profile: Profile) -> dict[str, Any] | None:
    """What the body is called and the duty it rests on, as they stood on the day of the pledge."""
    body = profile.bodies_by_id.get(form.body)
    if body is None:
        return {"body_name": form.body}
    basis = profile.legal_basis_on(body.secrecy_basis, form.given_on) if body.secrecy_basis else None
    law = f"{basis.law}{basis.article}" if basis else ""
    return {"body_name": body.name_on(form.given_on), "law_text": f"{law}　{basis.text}" if basis else ""}


def _of_plan(connection: Connection, row: Row, form: Plan, profile: Profile) -> dict[str, Any] | None:
    """Where the plan stands. A draft has no paper; what was decided has another than a proposal."""
    plan = plan_facts.find(connection, row.id)
    if plan is None or plan.state is PlanState.DRAFT:
        return None
    decided = plan.provisional or plan.confirmed_on is not None or plan.effective_on is not None
    previous = plan_facts.find(connection, plan.previous) if plan.previous else None
    day = plan.meeting_on or plan.confirmed_on
    body = profile.bodies_by_id.get(plan.body)
    return {
        "event": (events.PLAN_DECIDED, events.PlanDecided) if decided else (events.PLAN_PROPOSED, events.PlanProposed),
        "plan_number": plan.number,
        "round": plan.round,
        "state": plan.state.value,
        "state_name": plan.state.label,
        "previous_number": previous.number if previous else "",
        "provisional": plan.provisional,
        "decided": events.PlanDates(
            meeting_on=day, body_name=body.name_on(day) if body and day else "",
            legal_role_name=plan.heard_under.label if plan.heard_under else "", agreed_on=plan.agreed_on,
            municipal_on=plan.municipal_on,
        ),
    }  # fmt: skip


class _Published(msgspec.Struct, frozen=True):
    type: str
    data: Callable[..., FormRecorded]
    more: Callable[[Connection, Row, Any, Profile], dict[str, Any] | None]


_PUBLISHED = {
    "reply": _Published(events.REFERRAL_ANSWERED, events.ReferralAnswered, _of_reply),
    "consent": _Published(events.CONSENT_GIVEN, events.ConsentGiven, _of_consent),
    "assessment": _Published(events.ASSESSMENT_SUBMITTED, events.AssessmentSubmitted, _nothing_more),
    "evaluation": _Published(events.EVALUATION_SUBMITTED, events.EvaluationSubmitted, _nothing_more),
    "plan": _Published(events.PLAN_PROPOSED, events.PlanProposed, _of_plan),
    "pledge": _Published(events.PLEDGE_GIVEN, events.PledgeGiven, _of_pledge),
    "meeting": _Published(events.MEETING_CONVENED, events.MeetingConvened, meeting_events.of_meeting),
    "minutes": _Published(events.MEETING_RECORDED, events.MeetingRecorded, meeting_events.of_minutes),
    "information_request": _Published(
        events.INFORMATION_REQUESTED, events.InformationRequested, meeting_events.of_information_request
    ),
    "contact_log": _Published(events.CONTACT_LOG_ISSUED, events.ContactLogIssued, meeting_events.of_contact_log),
}


def publish_consent_end(
    connection: Connection, outbox: Outbox, row: Any, code: str, day: dt.date, agencies: tuple[str, ...] = ()
) -> None:
    """Say that a consent no longer holds (for these agencies; none: for all). `row`: of `consents`, with `case_number`."""
    event = events.ConsentWithdrawn(
        consent_id=row.id, case_number=row.case_number, person=row.person, agencies=agencies, withdrawn_on=day, code=code,
        at=clock.now(),
    )  # fmt: skip
    outbox.add(connection, events.CONSENT_WITHDRAWN, event, aggregate=f"consent/{row.id}", revision=row.revision)


def is_protected(connection: Connection, case: int) -> bool:
    """Whether anybody is protected in the case, or in those joined with it."""
    group = form_facts.group_of(connection, case)
    held = sa.select(1).where(protections.c.case.in_(group), protections.c.lifted_at.is_(None))
    return connection.execute(held.limit(1)).first() is not None


def publish_protection(connection: Connection, case: int, profile: Profile, outbox: Outbox) -> None:
    """Say what must be kept from whom, as it stands today: in the case, and in those joined with it.

    A field kept by two protections is open to an agency only if both clear it.
    """
    today = clock.today()
    for one in form_facts.group_of(connection, case):
        found = form_facts.of_case(connection, profile, one, today)
        if found is None or not found.forms:
            continue
        cleared: dict[str, frozenset[str]] = {}
        for fact in found.forms[0].facts.protections:
            if fact.since <= today and (fact.until is None or today <= fact.until):
                for field in fact.fields:
                    kept = f"{fact.person}:{field}"
                    cleared[kept] = cleared.get(kept, fact.cleared) & fact.cleared
        revision = numbering.following(connection, f"protection/{one}")
        event = events.ProtectionChanged(
            case_number=found.number, revision=revision, withheld=tuple(sorted(cleared)),
            cleared={kept: tuple(sorted(agencies)) for kept, agencies in cleared.items()}, at=clock.now(),
        )  # fmt: skip
        outbox.add(
            connection, events.PROTECTION_CHANGED, event, aggregate=f"protection/{found.number}", revision=revision
        )
