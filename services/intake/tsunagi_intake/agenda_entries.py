"""The items and members of a sitting: put on its agenda, called, chosen, taken off again (rules `gate-…`, `sitting-…`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite as sqlite
from sqlalchemy import Connection

from tsunagi_intake import (
    agenda,
    cases,
    convening,
    meetings,
    plan_facts,
    publishing,
    records,
    standing,
    timeline,
)
from tsunagi_intake.agenda import Item, ItemState, MeetingState, Member, Sitting
from tsunagi_intake.meeting_office import (
    case_of,
    check_office,
    follow,
    on_record,
    open_sitting,
    receipt,
    touch,
)
from tsunagi_intake.meeting_tables import agenda_items, item_members, meeting_members, minutes_drafts
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.rules import Action
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import audience, referrals
from tsunagi_intake.tables import records as records_table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.profile import LegalRole
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.meeting import AgendaItem, MeetingMember
from tsunagi_shared.problems import not_found

_SHOWABLE = ("assessment", "plan", "evaluation")  # besides the referral
# What the rule on an item says whatever becomes of consents and members until the sitting
_AT_ONCE = frozenset(
    {"gate-one-role", "gate-body-role", "gate-body-cases", "gate-minimal-purpose", "gate-minimal-content"}
)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the convener chose a member for one item."""

    member: str
    chosen: bool


# items -----------------------------------------------------------------------------------------------------------------


def add_item(connection: Connection, write: Write, identity: str, form: AgendaItem) -> bytes:
    """Put an item on the agenda; returns the encoded Receipt. Refusal by the rules, Stale, KeyReused."""
    return records.once(connection, write, lambda: _add_item(connection, write, identity, form))


def _add_item(connection: Connection, write: Write, identity: str, form: AgendaItem) -> Receipt:
    found = open_sitting(connection, write, identity)
    if form.body not in found.form.bodies:
        message = "この開催の会議体から選んでください。"
        raise records.invalid(FieldError("body", "not-of-this-sitting", message))
    check_office(write, (form.body,), found.held_on)
    case = _case_for(connection, write, form.case_number)
    plan = _plan_of(connection, write, case, form)
    papers = _papers_of(connection, write, case, form)
    last = connection.execute(
        sa.select(sa.func.max(agenda_items.c.position)).where(agenda_items.c.meeting == identity)
    ).scalar()
    item_id = uuid7(clock.now_us())
    connection.execute(
        agenda_items.insert().values(
            id=item_id, meeting=identity, position=(last or 0) + 1, case=case.seq if case else None,
            plan=plan.id if plan else "", plan_number=plan.number if plan else "", plan_seen="", body=form.body,
            legal_role=form.legal_role.value, occasion=form.occasion.value,
            minimal_reason=form.minimal_reason.value if form.minimal_reason else "",
            papers=msgspec.json.encode(papers).decode(), note=form.note, minutes="", state=ItemState.OPEN.value, revision=0,
        )
    )  # fmt: skip
    item = agenda.item(connection, identity, item_id)
    _check_at_once(connection, write, item, found.held_on)
    if case is not None:
        timeline.add(
            connection, case.seq, Happening.ITEM_ADDED, f"meeting/{identity}", code=form.occasion.value,
            principal=write.principal, state=case.state,
        )  # fmt: skip
    revision = touch(connection, found)
    on_record(connection, write, "meeting.item", identity, item=item_id, case=case.number if case else "")
    return receipt(write, found, "item", revision, kind="agenda_item", identity=item_id)


def _case_for(connection: Connection, write: Write, number: str) -> CaseRow | None:
    if not number:
        return None
    case = standing.case_row(connection, number=number)
    own = standing.on_case(connection, write.principal, write.profile, case)
    standing.allow(Action.PUT_ON_AGENDA, write.principal, write.profile, own)
    return case


def _plan_of(connection: Connection, write: Write, case: CaseRow | None, form: AgendaItem) -> plan_facts.PlanRow | None:
    """The plan of the case, or of one joined to it, that the number names, where the caller may see it."""
    if not form.plan_number:
        return None
    plan = plan_facts.by_number(connection, form.plan_number)
    group = (case.seq, *cases.joined_to(connection, case.seq)) if case else ()
    if plan is None or plan.case not in group or not _is_seen(connection, write.principal, plan.form):
        message = "このケースに、その番号のプランはありません。番号を確かめてください。"
        raise records.invalid(FieldError("plan_number", "unknown-number", message))
    return plan


def _papers_of(connection: Connection, write: Write, case: CaseRow | None, form: AgendaItem) -> tuple[str, ...]:
    """The forms that the numbers name, of those that the caller may see."""
    found: list[str] = []
    errors: list[FieldError] = []
    for place, paper in enumerate(form.papers):
        shown = _paper(connection, write.principal, case.seq, paper.number) if case else None
        if shown is None:
            message = "このケースに、その番号の共通様式・アセスメント・プラン・評価シートはありません。"
            errors.append(FieldError(f"papers.{place}.number", "unknown-number", message))
        else:
            found.append(shown)
    if errors:
        raise records.invalid(*errors)
    return tuple(dict.fromkeys(found))


def _paper(connection: Connection, principal: Principal, case: int, number: str) -> str | None:
    of_referral = sa.select(("referral/" + referrals.c.id).label("form")).where(
        referrals.c.case == case, referrals.c.number == number
    )
    of_record = sa.select((records_table.c.kind + "/" + records_table.c.id).label("form")).where(
        records_table.c.case == case, records_table.c.number == number, records_table.c.kind.in_(_SHOWABLE)
    )
    named = connection.execute(sa.union_all(of_referral, of_record).limit(1)).scalar()
    plan = plan_facts.by_number(connection, number)
    form = f"plan/{plan.id}" if plan is not None and plan.case == case else named
    if form is None:
        return None
    return str(form) if _is_seen(connection, principal, str(form)) else None


def _is_seen(connection: Connection, principal: Principal, form: str) -> bool:
    seen = sa.select(1).where(audience.c.form == form, *cases.may_read(principal)).limit(1)
    return connection.execute(seen).first() is not None


def _check_at_once(connection: Connection, write: Write, item: Item, day: dt.date) -> None:
    """Refusal for what no consent and no choice of members can mend."""
    facts = convening.facts_of(connection, write.profile, item, item.papers, (), day)
    broken = convening.against(facts, write.profile, day, about_a_case=bool(item.case))
    if broken is not None and broken.code in _AT_ONCE:
        raise standing.refusal_of(broken)


def withdraw_item(connection: Connection, write: Write, identity: str, item_id: str) -> bytes:
    """Take an item off the agenda; its papers are closed to the sitting, what was typed of its minutes goes. Refusal, Stale,
    KeyReused."""
    return records.once(connection, write, lambda: _withdraw_item(connection, write, identity, item_id))


def _withdraw_item(connection: Connection, write: Write, identity: str, item_id: str) -> Receipt:
    found = open_sitting(connection, write, identity)
    item = agenda.item(connection, identity, item_id)
    check_office(write, (item.body,), found.held_on)
    if item.state is not ItemState.OPEN:
        raise standing.refusal_of(REFUSALS["item-not-open"])
    connection.execute(
        agenda_items.update().where(agenda_items.c.id == item_id).values(state=ItemState.WITHDRAWN.value)
    )
    connection.execute(minutes_drafts.delete().where(minutes_drafts.c.item == item_id))
    follow(connection, write, item, Happening.ITEM_WITHDRAWN)
    revision = touch(connection, found)
    places = agenda.places(connection, [item_id]).values()
    if found.state is MeetingState.CONVENED and any(place.convened for place in places):
        publishing.publish_form(connection, f"meeting/{identity}", write.profile, write.outbox)
    on_record(connection, write, "meeting.item.withdraw", identity, item=item_id, case=item.case_number)
    return receipt(write, found, "withdrawn", revision, kind="agenda_item", identity=item_id)


# members ---------------------------------------------------------------------------------------------------------------


def add_member(connection: Connection, write: Write, identity: str, form: MeetingMember, member: str = "") -> bytes:
    """Call somebody to the sitting, or (`member`) put what is known of them anew. Refusal, Stale, KeyReused."""
    return records.once(connection, write, lambda: _add_member(connection, write, identity, form, member))


def _add_member(connection: Connection, write: Write, identity: str, form: MeetingMember, member: str) -> Receipt:
    found = open_sitting(connection, write, identity)
    if form.chosen:  # who is chosen for a 支援会議 is decided by its office alone
        check_office(write, _choosers(write, found), found.held_on)
    values: dict[str, Any] = {
        "agency": form.agency, "contractor": write.profile.contractor_on(form.agency, clock.today()), "user": form.user,
        "name": form.name, "title": form.title, "chosen": int(form.chosen),
        "told_on": form.told_on.isoformat() if form.told_on else None, "attends": int(form.attends),
    }  # fmt: skip
    before = _member_to_change(connection, write, found, member) if member else None
    is_same = before is not None and all(
        values[name] == getattr(before, name) for name in ("agency", "contractor", "user")
    )
    if is_same:
        connection.execute(meeting_members.update().where(meeting_members.c.id == member).values(values))
    else:
        member = uuid7(clock.now_us())
        connection.execute(meeting_members.insert().values(id=member, meeting=identity, removed=0, **values))
    revision = touch(connection, found)
    if before is not None and not is_same:  # somebody else: nothing of what was opened to the one before is theirs
        _take_away(connection, write, found, before)
    elif before is not None:
        _close_lost(connection, write, found, member, agenda.items(connection, identity))
    on_record(connection, write, "meeting.member", identity)
    return receipt(write, found, "member", revision, kind="meeting_member", identity=member)


def _choosers(write: Write, sitting: Sitting) -> list[str]:
    """The bodies of the sitting that may hear items as 支援会議."""
    role, day = LegalRole.SUPPORT_MEETING, sitting.held_on
    return [body for body in sitting.form.bodies if role in write.profile.body(body).roles_on(day)]


def _member_to_change(connection: Connection, write: Write, sitting: Sitting, member: str) -> Member:
    """A member of whom something is to be changed, by the office of every body on whose items they stand. Refusal."""
    found = _member(connection, sitting.id, member)
    items = agenda.items(connection, sitting.id)
    places = agenda.places(connection, [item.id for item in items])
    bodies = set(_choosers(write, sitting)) if found.chosen else set()
    for item in items:
        place = places.get((item.id, member))
        if place is not None and (place.chosen or not place.leaves):
            bodies.add(item.body)
    check_office(write, bodies, sitting.held_on)
    return found


def _close_lost(connection: Connection, write: Write, sitting: Sitting, member: str, items: Iterable[Item]) -> None:
    """Close at once what a member, as they are now, may not hear any more of these items, and tell everybody of it."""
    one, day = _member(connection, sitting.id, member), max(sitting.held_on, clock.today())
    items = tuple(items)
    places = agenda.places(connection, [item.id for item in items])
    closed = []
    for item in items:
        place = places.get((item.id, member))
        if place is None or place.leaves:
            continue
        why = convening.lost(connection, write.profile, item, one, place, day)
        if why:
            meetings.put_in_place(connection, write.profile, sitting, item.id, one, hears=False, why=why)
            closed.append(item)
    if closed:
        _close(connection, write, sitting, closed)


def _close(connection: Connection, write: Write, sitting: Sitting, items: Iterable[Item]) -> None:
    """What was opened through these items is worked out anew, and the notice of a convened sitting published anew."""
    for seq in sorted({item.case for item in items if item.case}):
        case = case_of(connection, seq)
        if case is not None:
            records.recompute(connection, write, case, "sitting")
    if sitting.state is MeetingState.CONVENED:
        publishing.publish_form(connection, f"meeting/{sitting.id}", write.profile, write.outbox)


def _member(connection: Connection, identity: str, member: str) -> Member:
    found = next((one for one in agenda.members(connection, identity) if one.id == member), None)
    if found is None:
        raise not_found()
    return found


def remove_member(connection: Connection, write: Write, identity: str, member: str) -> bytes:
    """Somebody is no longer called: what they could read through the sitting is closed. Refusal, Stale, KeyReused."""
    return records.once(connection, write, lambda: _remove_member(connection, write, identity, member))


def _remove_member(connection: Connection, write: Write, identity: str, member: str) -> Receipt:
    found = open_sitting(connection, write, identity)
    before = _member_to_change(connection, write, found, member)
    revision = touch(connection, found)
    _take_away(connection, write, found, before)
    on_record(connection, write, "meeting.member.remove", identity)
    return receipt(write, found, "removed", revision, kind="meeting_member", identity=member)


def _take_away(connection: Connection, write: Write, sitting: Sitting, member: Member) -> None:
    """Take a member off the sitting, with all that was opened to them through it."""
    connection.execute(meeting_members.update().where(meeting_members.c.id == member.id).values(removed=1))
    if member.notified:  # else nothing was opened to them, and nobody was told of them
        _close(connection, write, sitting, agenda.items(connection, sitting.id))


def choose(connection: Connection, write: Write, identity: str, item_id: str, choice: Choice) -> bytes:
    """Choose a member for one item, which takes effect when the sitting is convened (again), or leave them out of it, which
    does so at once. Refusal, Stale, KeyReused."""
    return records.once(connection, write, lambda: _choose(connection, write, identity, item_id, choice))


def _choose(connection: Connection, write: Write, identity: str, item_id: str, choice: Choice) -> Receipt:
    found = open_sitting(connection, write, identity)
    item = agenda.item(connection, identity, item_id)
    check_office(write, (item.body,), found.held_on)
    _member(connection, identity, choice.member)
    kept = sqlite.insert(item_members).values(
        item=item_id, member=choice.member, chosen=int(choice.chosen), leaves=1, why="", until=None
    )  # no `why` before it is convened with them
    connection.execute(
        kept.on_conflict_do_update(index_elements=["item", "member"], set_={"chosen": int(choice.chosen)})
    )
    revision = touch(connection, found)
    if not choice.chosen:
        _close_lost(connection, write, found, choice.member, (item,))
    on_record(connection, write, "meeting.choose", identity, item=item_id, case=item.case_number)
    return receipt(write, found, "chosen", revision, kind="agenda_item", identity=item_id)
