"""Who hears which item of a sitting, who leaves for which and why, and which items cannot be heard: worked out before any
notice goes out (rules `gate-…`), and again with who was really there when the sitting is closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import agenda, consents, form_facts, plan_facts, rules
from tsunagi_intake.agenda import Item, Member, Place, Sitting
from tsunagi_intake.consents import ConsentFact
from tsunagi_intake.form_facts import TAKEN_BACK, CaseForms
from tsunagi_intake.lifecycle import DecisionPurpose, PlanAction, PlanFacts, plan_step
from tsunagi_intake.rulebook import REFUSALS, Broken
from tsunagi_intake.rules import MINIMAL_CONTENT, Attendee, ItemFacts
from tsunagi_intake.tables import records, referrals
from tsunagi_shared import clock
from tsunagi_shared.contracts.profile import AgencyKind, LegalRole, Profile
from tsunagi_shared.forms.meeting import Occasion
from tsunagi_shared.forms.pledge import Pledge

PURPOSES = {
    Occasion.ADOPT: DecisionPurpose.ADOPT,
    Occasion.REPLAN: DecisionPurpose.REPLAN,
    Occasion.END: DecisionPurpose.END,
    Occasion.SUSPEND: DecisionPurpose.SUSPEND,
}
# What closing will ask of the item's plan; from where the first two start, a plan may also be confirmed or returned
_STEPS = {
    Occasion.ADOPT: PlanAction.ADOPT,
    Occasion.REPLAN: PlanAction.ADOPT,
    Occasion.END: PlanAction.END,
    Occasion.SUSPEND: PlanAction.SUSPEND,
}
ABSENT = "absent"  # instead of a rule's code: called, and does not come
# What the rule says of one member of a 支援会議 alone
_OF_A_MEMBER = frozenset({"gate-not-chosen", "gate-not-told", "gate-not-pledged"})
# Whoever the rule names so leaves for the item; everything else stands in the way of the item itself
LEAVES = frozenset({"gate-agency-unnamed", "gate-not-chosen", "gate-minimal-present"})


class Attending(msgspec.Struct, frozen=True, kw_only=True):
    """One member and one item. `why`: the code of the rule by which they leave, empty where they hear it."""

    member: str
    agency: str
    name: str
    title: str
    chosen: bool
    hears: bool
    why: str = ""


class ItemOutlook(msgspec.Struct, frozen=True, kw_only=True):
    """An item as it would be heard. `blocked`: the rule that stands against it, with what is possible instead; `is_own`: the
    reader is of the office of its body; `hidden`: of another body's item, and nothing is said but that it is there."""

    id: str
    position: int
    case_number: str
    plan_number: str
    body: str
    legal_role: LegalRole
    occasion: Occasion | None
    minimal: bool
    papers: tuple[str, ...]
    blocked: Broken | None
    members: tuple[Attending, ...]
    is_own: bool = True
    hidden: bool = False


class AgencyOutlook(msgspec.Struct, frozen=True, kw_only=True):
    """What an agency's notice will say: the items it hears, and those for which all of its people leave, with the reason."""

    agency: str
    agency_name: str
    people: tuple[str, ...]
    hears: tuple[int, ...]
    leaves: tuple[int, ...]
    reasons: tuple[str, ...]


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """The dry run of a convening. `ready`: nothing stands against it; `may_convene`: the reader may go on to it."""

    meeting: str
    number: str
    revision: int
    held_on: dt.date
    ready: bool
    missing: Broken | None
    items: tuple[ItemOutlook, ...]
    agencies: tuple[AgencyOutlook, ...]
    may_convene: bool = False


# what an item shows ---------------------------------------------------------------------------------------------------


def case_forms(connection: Connection, profile: Profile, item: Item, day: dt.date) -> CaseForms | None:
    """The forms of the item's case on that day; None for an item without one, or whose case was erased."""
    return form_facts.of_case(connection, profile, item.case, day) if item.case else None


def usual_papers(connection: Connection, item: Item) -> tuple[str, ...]:
    """What is shown where nothing else was said: the referrals, the newest assessment and the item's plan."""
    if not item.case or item.minimal_reason is not None:
        return ()
    taken = _live_referrals(connection, item.case)
    newest = connection.execute(
        sa.select(records.c.id)
        .where(records.c.case == item.case, records.c.kind == "assessment", records.c.state == "live")
        .order_by(records.c.seq.desc())
        .limit(1)
    ).scalar()
    return (*taken, *([f"assessment/{newest}"] if newest else ()), *([f"plan/{item.plan}"] if item.plan else ()))


def _live_referrals(connection: Connection, case: int) -> tuple[str, ...]:
    rows = connection.execute(
        sa.select(referrals.c.id)
        .where(referrals.c.case == case, referrals.c.state.not_in(TAKEN_BACK))
        .order_by(referrals.c.seq)
    )
    return tuple(f"referral/{row.id}" for row in rows)


def _persons(found: CaseForms | None, papers: Collection[str], day: dt.date) -> tuple[str, ...]:
    """Whom the papers show: the subject, and of the others those who agreed to anything at all. Who did not is hidden from
    every agency's view."""
    if found is None:
        return ()
    shown = dict.fromkeys(person for form in found.forms if form.facts.form in papers for person in form.facts.persons)
    everybody = tuple(shown)
    facts = _consents(found)
    return tuple(
        person for place, person in enumerate(everybody) if place == 0 or consents.consented(facts, person, day)
    )


def _consents(found: CaseForms | None) -> tuple[ConsentFact, ...]:
    return found.forms[0].facts.consents if found is not None and found.forms else ()


# the gate -------------------------------------------------------------------------------------------------------------


def pledged(connection: Connection, body: str) -> frozenset[tuple[str, str]]:
    """(agency, name as `same_name` has it) of everybody whose 誓約 for the body is on record."""
    rows = connection.execute(
        sa.select(records.c.form).where(
            records.c.kind == "pledge", records.c.about == f"body/{body}", records.c.state == "live"
        )
    )
    forms = (msgspec.json.decode(row.form, type=Pledge) for row in rows)
    return frozenset((form.agency, same_name(form.name)) for form in forms)


def same_name(name: str) -> str:
    """The name of a member of staff without its spaces, by which one form knows them from another."""
    return "".join(name.split())


def facts_of(
    connection: Connection,
    profile: Profile,
    item: Item,
    papers: tuple[str, ...],
    present: Iterable[Attendee],
    day: dt.date,
) -> ItemFacts:
    """The item with its papers as the rule looks at it on that day."""
    found = case_forms(connection, profile, item, day)
    minimal = item.minimal_reason is not None
    return ItemFacts(
        body=item.body, roles=(item.legal_role,), persons=() if minimal else _persons(found, papers, day),
        present=tuple(present), consents=_consents(found), purpose=PURPOSES.get(item.occasion), minimal=item.minimal_reason,
        municipality=municipality(profile, item.body), shows=MINIMAL_CONTENT if minimal else frozenset(),
        consented=form_facts.is_consented(found, day),
    )  # fmt: skip


def municipality(profile: Profile, body: str) -> frozenset[str]:
    """The agencies that are the municipality itself where a minimal item is heard: the responsible section, and whoever
    convenes or runs the body, where that is a section too."""
    found = {profile.municipality.responsible_section}
    known = profile.bodies_by_id.get(body)
    for agency in (known.convener, known.organizer) if known else ():
        if profile.agency(agency).kind is AgencyKind.CITY_SECTION:
            found.add(agency)
    return frozenset(found)


def against(item: ItemFacts, profile: Profile, day: dt.date, *, about_a_case: bool) -> Broken | None:
    """What stands against hearing the item. What is about nobody asks only for a body that has the role."""
    if about_a_case:
        return rules.consent_gate(item, profile, day)
    body = profile.bodies_by_id.get(item.body)
    held = body is not None and item.roles[0] in body.roles_on(day)
    return None if held else REFUSALS["gate-body-role"]


def attendee_of(member: Member, *, chosen: bool, day: dt.date, has_pledged: bool) -> Attendee:
    """A member as the rule looks at them."""
    told = member.told_on is not None and member.told_on <= day
    return Attendee(user=member.user or member.id, agency=member.agency, chosen=chosen, told=told, pledged=has_pledged)


def against_plan(connection: Connection, item: Item, day: dt.date) -> Broken | None:
    """`plan-step` where the plan is not, or no longer, in a state from which the item's occasion leads anywhere."""
    action = _STEPS.get(item.occasion)
    plan = plan_facts.find(connection, item.plan) if item.plan and action is not None else None
    if plan is None or action is None:
        return None
    found = plan_step(plan.state, action, PlanFacts(kind=plan.kind, day=day, consented=True))
    return found if isinstance(found, Broken) and found.code == "plan-step" else None


def _is_chosen(member: Member, place: Place | None) -> bool:
    return member.chosen if place is None or place.chosen is None else place.chosen


def lost(
    connection: Connection, profile: Profile, item: Item, member: Member, place: Place | None, day: dt.date
) -> str:
    """Why a member with whom an item was convened may not hear it any more, as they are now; empty where they may."""
    if not member.attends:
        return ABSENT
    if item.legal_role is not LegalRole.SUPPORT_MEETING or not item.case:
        return ""
    signed = pledged(connection, item.body) if profile.pledge_required else frozenset()
    present = attendee_of(
        member, chosen=_is_chosen(member, place), day=day, has_pledged=(member.agency, same_name(member.name)) in signed
    )
    broken = against(facts_of(connection, profile, item, item.papers, (present,), day), profile, day, about_a_case=True)
    return broken.code if broken is not None and broken.code in _OF_A_MEMBER else ""


def look_at_item(
    connection: Connection,
    profile: Profile,
    item: Item,
    members: Iterable[Member],
    places: dict[tuple[str, str], Place],
    day: dt.date,
) -> ItemOutlook:
    """Who of these members hears the item on that day, who leaves, and what stands against it."""
    papers = item.papers or usual_papers(connection, item)
    facts = facts_of(connection, profile, item, papers, (), day)
    about_a_case = bool(item.case)
    blocked = against(facts, profile, day, about_a_case=about_a_case) or against_plan(connection, item, day)
    signed = pledged(connection, item.body) if profile.pledge_required else frozenset()
    attending: list[Attending] = []
    for member in members:
        chosen = _is_chosen(member, places.get((item.id, member.id)))
        has_pledged = (member.agency, same_name(member.name)) in signed
        alone = msgspec.structs.replace(
            facts, present=(attendee_of(member, chosen=chosen, day=day, has_pledged=has_pledged),)
        )
        broken = against(alone, profile, day, about_a_case=about_a_case) if blocked is None else None
        leaves = broken is not None and broken.code in LEAVES
        if broken is not None and not leaves:
            blocked = broken
        attending.append(
            Attending(
                member=member.id, agency=member.agency, name=member.name, title=member.title, chosen=chosen,
                hears=not leaves, why=broken.code if broken is not None and leaves else "",
            )
        )  # fmt: skip
    if blocked is None and not any(one.hears for one in attending):
        blocked = REFUSALS["nobody-hears-item"]
    return ItemOutlook(
        id=item.id, position=item.position, case_number=item.case_number, plan_number=item.plan_number, body=item.body,
        legal_role=item.legal_role, occasion=item.occasion, minimal=item.minimal_reason is not None, papers=papers,
        blocked=blocked, members=tuple(attending),
    )  # fmt: skip


def look_at(
    connection: Connection,
    profile: Profile,
    sitting: Sitting,
    *,
    own: Collection[str] | None = None,
    sees_all: bool = False,
) -> Outlook:
    """The dry run: what convening the sitting now would do, and what its notices would say.

    `own`: the bodies whose office the reader is of (None: of all). Of other bodies' items such a reader is told that they
    are there, unless `sees_all`.
    """
    day = max(sitting.held_on, clock.today())
    found = [item for item in agenda.items(connection, sitting.id) if item.state is agenda.ItemState.OPEN]
    called = agenda.members(connection, sitting.id)
    coming = [member for member in called if member.attends]
    places = agenda.places(connection, [item.id for item in found])
    items = tuple(look_at_item(connection, profile, item, coming, places, day) for item in found)
    missing = REFUSALS["nothing-on-agenda"] if not items or not coming else None
    ready = missing is None and all(item.blocked is None for item in items)
    if own is not None:
        items = tuple(_for_office(item, is_own=item.body in own, sees_all=sees_all) for item in items)
    return Outlook(
        meeting=sitting.id, number=sitting.number, revision=sitting.revision, held_on=sitting.held_on, ready=ready,
        missing=missing, items=items, agencies=_agencies(profile, called, items),
    )  # fmt: skip


def _for_office(item: ItemOutlook, *, is_own: bool, sees_all: bool) -> ItemOutlook:
    """An item for somebody of the office of some bodies: of another body's, its position, body and role alone."""
    if is_own or sees_all:
        return msgspec.structs.replace(item, is_own=is_own)
    return ItemOutlook(
        id="", position=item.position, case_number="", plan_number="", body=item.body, legal_role=item.legal_role,
        occasion=None, minimal=False, papers=(), blocked=None, members=(), is_own=False, hidden=True,
    )  # fmt: skip


def _agencies(profile: Profile, called: Iterable[Member], items: tuple[ItemOutlook, ...]) -> tuple[AgencyOutlook, ...]:
    people: dict[str, list[str]] = {}
    for member in called:
        people.setdefault(member.agency, []).append(member.name)
    found = []
    for agency, names in people.items():
        hears = tuple(
            item.position for item in items if any(one.agency == agency and one.hears for one in item.members)
        )
        leaving = {
            item.position: one.why
            for item in items
            for one in item.members
            if one.agency == agency and not one.hears and item.position not in hears
        }
        reasons = tuple(dict.fromkeys(REFUSALS[why].reason for why in leaving.values()))
        found.append(
            AgencyOutlook(
                agency=agency, agency_name=profile.agency_names.get(agency, agency), people=tuple(names), hears=hears,
                leaves=tuple(leaving), reasons=reasons,
            )
        )  # fmt: skip
    return tuple(found)
