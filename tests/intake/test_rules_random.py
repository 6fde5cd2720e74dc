"""Random cases: whatever people try, in whatever order, nobody sees what nobody agreed to, and no state is reached that the
rules forbid. What is allowed is worked out here a second time, in the plainest way, from what is on record."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.intake.case_facts import (
    CHILD,
    DAY,
    PARENT,
    PERSON,
    TODAY,
    contract,
    entrusted,
    fussa,
    with_contracts,
)
from tests.intake.plain_case import AGENCIES, PERSONS, PlainCase
from tsunagi_intake.audience import Audience, FormFacts, GroundFact, ProtectionFact, SittingFact, of_form
from tsunagi_intake.consents import ConsentFact
from tsunagi_shared.contracts.audience import AudienceEntry, BasisKind, View
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.referral import ConsentStatus

CASES, STEPS = 100, 110  # 11,000 steps
_YESTERDAY, _TOMORROW = TODAY - DAY, TODAY + DAY
PROFILES: tuple[Profile, ...] = (
    fussa(),
    entrusted(),
    with_contracts(fussa(), contract("前の法人", TODAY - 9 * DAY, TODAY), contract("次の法人", _TOMORROW)),
    with_contracts(entrusted(), contract("前の法人", TODAY - 9 * DAY, TODAY), contract("次の法人", TODAY + 3 * DAY)),
    with_contracts(entrusted(), contract("見本法人", TODAY - 9 * DAY, TODAY), contract("見本法人", _TOMORROW)),
)


# What is right, said a second time ------------------------------------------------------------------------------------


def contractor(profile: Profile, agency: str, day: dt.date) -> str | None:
    """Who acts for the agency that day: a contractor, the agency itself (empty), or nobody (None)."""
    for row in profile.agencies:
        if row.id == agency:
            if not row.operated_by or "direct" in row.operation:
                return ""
            running = [one for one in row.operated_by if one.starts <= day and (one.until is None or one.until >= day)]
            return running[0].contractor if running else None
    return None


def agreed(facts: FormFacts, person: str, agency: str, profile: Profile, day: dt.date) -> bool:
    """Whether the person agreed that the agency, as it is run that day, may know."""
    return any(
        fact.person == person
        and in_force(fact, day)
        and agency in fact.agencies - fact.excluded - fact.withdrawn_agencies
        and contractor(profile, agency, day) is not None
        and (fact.covers_successor or same_contractor_since(fact, agency, profile, day))
        and not any(
            other.person == person
            and agency in other.excluded
            and (other.given_on or other.recorded_on or dt.date.max) >= (fact.given_on or day)
            for other in facts.consents
        )
        for fact in facts.consents
    )


def in_force(fact: ConsentFact, day: dt.date) -> bool:
    """Whether the consent is one on that day."""
    given = fact.status == ConsentStatus.GIVEN and fact.given_on is not None and fact.given_on <= day
    return given and (fact.until or day) >= day and (fact.withdrawn_on is None or fact.withdrawn_on > day)


def same_contractor_since(fact: ConsentFact, agency: str, profile: Profile, day: dt.date) -> bool:
    """Whether each day since the consent was given the agency was run by who ran it then."""
    assert fact.given_on is not None
    first = contractor(profile, agency, fact.given_on)
    days = (day - fact.given_on).days
    return first is not None and all(
        contractor(profile, agency, fact.given_on + n * DAY) == first for n in range(days + 1)
    )


def provider_may(facts: FormFacts, person: str, profile: Profile, day: dt.date) -> bool:
    """Whether the provider may know of the person: by its office, or by a consent that does not leave it out."""
    if profile.is_provider_exempt_from_consent:
        return True
    provider = profile.roles.multi_agency_provider
    mine = [fact for fact in facts.consents if fact.person == person]
    if any(provider in fact.excluded | fact.withdrawn_agencies for fact in mine):
        return agreed(facts, person, provider, profile, day)
    return any(
        in_force(fact, day) and (fact.covers_successor or same_contractor_since(fact, provider, profile, day))
        for fact in mine
    )


def check_entry(entry: AudienceEntry, facts: FormFacts, profile: Profile, day: dt.date, computed: dt.date) -> None:
    """The entry, worked out on one day, rests on something on that or a later day, and shows nobody and nothing that it must
    not. A consent that begins later (forms refuse one) may find the secretariat there: it shows nothing to anybody new."""
    agency, kind, subject = entry.agency, entry.basis.kind, facts.persons[0]
    assert contractor(profile, agency, day) is not None
    shown = [person for person in facts.persons if person not in entry.hidden]
    assert subject in shown
    if kind is BasisKind.CONSENT:
        assert entry.view is View.SUMMARY
        assert agency in (*facts.destinations, *facts.allocated)
        assert all(agreed(facts, person, agency, profile, day) for person in shown)
    else:
        assert entry.view is View.FULL
    if kind is BasisKind.PROVIDER:
        assert agency == profile.roles.multi_agency_provider
        assert all(provider_may(facts, person, profile, day) for person in shown)
    if kind is BasisKind.RESPONSIBLE_SECTION:
        assert agency == profile.municipality.responsible_section
    if kind is BasisKind.ORIGIN:
        assert agency in (facts.origin, facts.answers)
    if kind in (BasisKind.LEGAL_DUTY, BasisKind.EMERGENCY):
        assert any(
            (ground.agency, ground.kind) == (agency, kind) and (ground.until or day) >= day for ground in facts.grounds
        )
    if kind is BasisKind.SITTING and not entry.basis.ref.startswith("body/"):
        assert any(
            (sitting.agency, sitting.members) == (agency, entry.members) and (sitting.until or day) >= day
            for sitting in facts.sittings
        )
    elif kind is BasisKind.SITTING:
        assert agency == profile.roles.support_meeting_secretariat
        begun = [fact for fact in facts.consents if fact.given_on is not None and fact.given_on <= computed]
        assert not any(in_force(fact, day) for fact in begun if fact.person == subject)
    for protection in facts.protections:
        held = protection.since <= day and (protection.until or day) >= day
        if held and protection.person in facts.persons and agency not in protection.cleared:
            assert {f"{protection.person}:{field}" for field in protection.fields} <= set(entry.withheld)
    if facts.withdrawn:
        assert agency in (facts.origin, profile.municipality.responsible_section)


def expected_agencies(facts: FormFacts, profile: Profile, day: dt.date) -> set[str]:
    """The formula of the rule on the audience, as sets."""
    found = {facts.origin, profile.municipality.responsible_section}
    closing = facts.kind in ("referral", "assessment", "evaluation", "reply")
    if not facts.withdrawn:
        found |= {facts.answers} - {""}
        if facts.kind != "pledge" and provider_may(facts, facts.persons[0], profile, day):
            found.add(profile.roles.multi_agency_provider)
        mine = [fact for fact in facts.consents if fact.person == facts.persons[0]]
        if closing and not any(in_force(fact, day) for fact in mine):
            found.add(profile.roles.support_meeting_secretariat)
        if facts.kind in ("referral", "assessment"):
            wanted = {*facts.destinations, *facts.allocated}
            found |= {agency for agency in wanted if agreed(facts, facts.persons[0], agency, profile, day)}
        if facts.kind in ("referral", "assessment", "evaluation"):
            found |= {ground.agency for ground in facts.grounds if (ground.until or day) >= day}
            found |= {sitting.agency for sitting in facts.sittings if (sitting.until or day) >= day}
    return {agency for agency in found if contractor(profile, agency, day) is not None}


def check_audience(facts: FormFacts, profile: Profile, day: dt.date) -> Audience:
    """Exactly those are in it who may be; each entry holds today, and on every later day for which it says so."""
    found = of_form(facts, profile, day)
    assert {entry.agency for entry in found.entries} == expected_agencies(facts, profile, day)
    assert len({entry.agency for entry in found.entries}) == len(found.entries)
    for entry in found.entries:
        for later in (day, day + DAY, day + 3 * DAY):
            # a contract is looked at anew at each read, and so is whose people somebody belongs to
            if entry.live_on(later) and contractor(profile, entry.agency, later) is not None:
                check_entry(entry, facts, profile, later, day)
    left_out = {row.agency for row in found.withheld}
    assert left_out.isdisjoint(entry.agency for entry in found.entries)
    if facts.kind in ("referral", "assessment"):
        assert left_out | {entry.agency for entry in found.entries} >= {*facts.destinations, *facts.allocated}
    return found


_profiles = st.integers(0, len(PROFILES) - 1)  # by its place: a failure does not spell it out


# Random steps ---------------------------------------------------------------------------------------------------------


@settings(max_examples=CASES, deadline=None, database=None)
@given(seed=st.integers(0, 2**32 - 1), which=_profiles)
def test_random_steps_never_reach_what_the_rules_forbid(seed: int, which: int) -> None:
    """Valid and invalid actions by anybody, days that pass: every audience and every state stays what it may be."""
    case = PlainCase(PROFILES[which], random.Random(seed))
    for _ in range(STEPS):
        case.step()
        for facts in case.forms():
            check_audience(facts, case.profile, case.day)
        case.check_states()


# What a change may do --------------------------------------------------------------------------------------------------


_days = st.integers(-3, 3).map(lambda days: TODAY + days * DAY)
_some_agencies = st.frozensets(st.sampled_from(AGENCIES), max_size=4)


@st.composite
def consent_facts(draw: st.DrawFn) -> ConsentFact:
    """A consent of anybody in the household, mostly given."""
    return ConsentFact(
        id=draw(st.text("abcdef", min_size=4, max_size=4)),
        person=draw(st.sampled_from((PERSON, PERSON, CHILD, PARENT))),
        status=draw(st.sampled_from((ConsentStatus.GIVEN, ConsentStatus.GIVEN, ConsentStatus.REFUSED))),
        agencies=draw(_some_agencies),
        given_on=draw(_days),
        until=draw(st.none() | _days),
        covers_successor=draw(st.booleans()),
        excluded=draw(st.just(frozenset()) | _some_agencies),
        withdrawn_on=draw(st.none() | _days),
        withdrawn_agencies=draw(st.just(frozenset()) | _some_agencies),
    )


@st.composite
def protection_facts(draw: st.DrawFn) -> ProtectionFact:
    """A protection of anybody in the household."""
    return ProtectionFact(
        id=draw(st.text("abcdef", min_size=4, max_size=4)),
        person=draw(st.sampled_from(PERSONS)),
        fields=draw(st.sampled_from((("address",), ("phone",), ("address", "phone")))),
        cleared=draw(_some_agencies),
        since=draw(_days),
        until=draw(st.none() | _days),
    )


@st.composite
def form_facts(draw: st.DrawFn) -> FormFacts:
    """A form of any kind, with whatever may stand on it."""
    ground = st.builds(
        GroundFact, id=st.sampled_from("ab"), agency=st.sampled_from(AGENCIES), law=st.just("law"),
        kind=st.sampled_from((BasisKind.LEGAL_DUTY, BasisKind.EMERGENCY)), until=st.none() | _days,
    )  # fmt: skip
    sitting = st.builds(
        SittingFact, ref=st.sampled_from("ab"), agency=st.sampled_from(AGENCIES), until=st.none() | _days,
        members=st.sampled_from(((), ("user-a",))),
    )  # fmt: skip
    kind = draw(st.sampled_from(("referral", "referral", "assessment", "evaluation", "reply", "consent", "contact")))
    return FormFacts(
        form=f"{kind}/1",
        kind=kind,
        origin=draw(st.sampled_from(AGENCIES)),
        destinations=tuple(draw(st.lists(st.sampled_from(AGENCIES), max_size=4))),
        persons=(PERSON, *draw(st.permutations((CHILD, PARENT)))[: draw(st.integers(0, 2))]),
        consents=tuple(draw(st.lists(consent_facts(), max_size=4))),
        protections=tuple(draw(st.lists(protection_facts(), max_size=2))),
        grounds=tuple(draw(st.lists(ground, max_size=2))),
        allocated=tuple(draw(st.lists(st.sampled_from(AGENCIES), max_size=3))),
        sittings=tuple(draw(st.lists(sitting, max_size=2))),
        answers=draw(st.sampled_from(AGENCIES)) if kind == "reply" else "",
        wrote_of=draw(
            st.dictionaries(st.sampled_from(AGENCIES), st.frozensets(st.sampled_from((CHILD, PARENT))), max_size=2)
        ),
        withdrawn=draw(st.sampled_from(("", "", "", "withdrawn", "misdirected"))),
    )


_quick = settings(max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def by_agency(facts: FormFacts, profile: Profile) -> dict[str, AudienceEntry]:
    """Agency → its entry today."""
    return {entry.agency: entry for entry in of_form(facts, profile, TODAY).entries}


def with_consent(facts: FormFacts, place: int, **changes: Any) -> FormFacts:
    """The form with one of its consents changed."""
    found = list(facts.consents)
    found[place] = msgspec.structs.replace(found[place], **changes)
    return msgspec.structs.replace(facts, consents=tuple(found))


@_quick
@given(facts=form_facts(), which=_profiles)
def test_any_facts_give_only_who_may(facts: FormFacts, which: int) -> None:
    """Whatever is on record, also what no page would let through."""
    check_audience(facts, PROFILES[which], TODAY)


@_quick
@given(facts=form_facts(), which=_profiles, agency=st.sampled_from(AGENCIES), place=st.integers(0, 3))
def test_adding_an_agency_to_a_consent_removes_nobody(facts: FormFacts, which: int, agency: str, place: int) -> None:
    """Everybody who had an entry has one, of no narrower view and with nobody more hidden."""
    profile = PROFILES[which]
    if place >= len(facts.consents):
        return
    added = with_consent(facts, place, agencies=facts.consents[place].agencies | {agency})
    before, after = by_agency(facts, profile), by_agency(added, profile)
    assert before.keys() <= after.keys()
    for agency_, entry in before.items():
        assert after[agency_].view is entry.view or after[agency_].view is View.FULL
        assert set(after[agency_].hidden) <= set(entry.hidden)


@_quick
@given(facts=form_facts(), which=_profiles, agencies=st.none() | _some_agencies, place=st.integers(0, 3))
def test_withdrawing_adds_nobody_by_consent(
    facts: FormFacts, which: int, agencies: frozenset[str] | None, place: int
) -> None:
    """Wholly or for some: no new entry by consent or of a provider that needs it, and nobody more is shown to anybody."""
    profile = PROFILES[which]
    if place >= len(facts.consents):
        return
    gone: dict[str, Any] = {"withdrawn_on": TODAY}
    if agencies is not None:
        gone = {"withdrawn_agencies": agencies | facts.consents[place].withdrawn_agencies}
    before, after = by_agency(facts, profile), by_agency(with_consent(facts, place, **gone), profile)
    for agency, entry in after.items():
        rests = entry.basis.kind is BasisKind.CONSENT or entry.basis.ref == facts.form
        if rests and agency not in (facts.origin, facts.answers):
            assert agency in before
            assert set(entry.hidden) >= set(before[agency].hidden)


@_quick
@given(facts=form_facts(), which=_profiles, dice=st.randoms())
def test_the_order_of_what_is_on_record_does_not_matter(facts: FormFacts, which: int, dice: random.Random) -> None:
    """Consents, protections, grounds, sittings and agencies in any order, some of them twice, give the same entries."""
    profile = PROFILES[which]
    names = ("consents", "protections", "grounds", "sittings", "destinations", "allocated")
    found: dict[str, Any] = {name: list(getattr(facts, name)) for name in names}
    for rows in found.values():
        rows += rows[:1]
        dice.shuffle(rows)
    shuffled = msgspec.structs.replace(facts, **{name: tuple(rows) for name, rows in found.items()})
    assert by_agency(shuffled, profile) == by_agency(facts, profile)


@_quick
@given(facts=form_facts(), which=_profiles, more=protection_facts())
def test_a_protection_opens_nothing(facts: FormFacts, which: int, more: ProtectionFact) -> None:
    """The same agencies, with no field less withheld from any of them, and none of them for longer."""
    profile = PROFILES[which]
    added = msgspec.structs.replace(facts, protections=(*facts.protections, more))
    before, after = by_agency(facts, profile), by_agency(added, profile)
    assert before.keys() == after.keys()
    for agency, entry in before.items():
        assert set(entry.withheld) <= set(after[agency].withheld)
        assert (after[agency].until or dt.date.max) <= (entry.until or dt.date.max)
