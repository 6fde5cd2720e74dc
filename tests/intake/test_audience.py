"""Who gets what comes of a form, on what basis, until when and without what; and whom the clerk is told is left out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from tests.intake.case_facts import (
    CARE,
    CHILD,
    CLINIC,
    CONTRACTED,
    DAY,
    NURSERY,
    PARENT,
    PERSON,
    PROVIDER,
    SECTION,
    TODAY,
    WRITER,
    audience,
    changed,
    consent,
    contract,
    entries,
    entrusted,
    form,
    fussa,
    ground,
    protection,
    with_contracts,
)
from tsunagi_intake.audience import FormFacts, SittingFact
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.referral import ConsentStatus

HOUSEHOLD = (PERSON, CHILD, PARENT)
DECEMBER = dt.date(2026, 12, 1)
CASE_KINDS = ("referral", "assessment", "evaluation", "reply", "consent", "contact")


def bases(facts: FormFacts, profile: Profile | None = None, day: dt.date = TODAY) -> dict[str, tuple[BasisKind, View]]:
    """Agency → (basis, view)."""
    return {entry.agency: (entry.basis.kind, entry.view) for entry in entries(facts, profile, day).values()}


def left_out(facts: FormFacts, profile: Profile | None = None, day: dt.date = TODAY) -> dict[str, str]:
    """Agency → code of those who get nothing, each once."""
    found = audience(facts, profile, day).withheld
    assert len({row.agency for row in found}) == len(found)
    assert all(row.reason.endswith("。") and row.way_out.endswith("。") for row in found)
    return {row.agency: row.code for row in found}


@pytest.mark.parametrize("kind", [*CASE_KINDS, "pledge"])
def test_rule_audience_origin(kind: str) -> None:
    """Who wrote a form sees all of it, on record as its origin, with or without consent."""
    for facts in (form(kind=kind, form=f"{kind}/1"), form(consent(CARE), kind=kind, form=f"{kind}/1")):
        assert entries(facts)[WRITER] == AudienceEntry(WRITER, Basis(BasisKind.ORIGIN, f"{kind}/1"), View.FULL)


def test_a_reply_goes_to_who_asked() -> None:
    """The agency that wrote the referral reads the answer to it."""
    facts = form(kind="reply", form="reply/1", origin=CARE, answers=WRITER, wrote_of={WRITER: frozenset(HOUSEHOLD)})
    assert bases(facts) == {
        CARE: (BasisKind.ORIGIN, View.FULL),
        WRITER: (BasisKind.ORIGIN, View.FULL),
        SECTION: (BasisKind.RESPONSIBLE_SECTION, View.FULL),
        PROVIDER: (BasisKind.PROVIDER, View.FULL),
    }
    assert entries(facts)[WRITER].basis == Basis(BasisKind.ORIGIN, "reply/1")
    assert left_out(facts) == {}


@pytest.mark.parametrize("kind", CASE_KINDS)
def test_rule_audience_provider(kind: str) -> None:
    """直営 or the secretariat sees all of it; another provider only with the person's consent, and only who agreed."""
    facts = form(kind=kind, persons=HOUSEHOLD, wrote_of={WRITER: frozenset(HOUSEHOLD)})
    assert entries(facts)[PROVIDER] == AudienceEntry(PROVIDER, Basis(BasisKind.PROVIDER, "exempt"), View.FULL)
    assert CONTRACTED not in entries(facts, entrusted())
    theirs = msgspec.structs.replace(facts, consents=(consent(CARE, person=CHILD),))
    assert CONTRACTED not in entries(theirs, entrusted())
    agreed = msgspec.structs.replace(facts, consents=(consent(CARE), consent(CARE, person=CHILD, until=DECEMBER)))
    assert entries(agreed, entrusted())[CONTRACTED] == AudienceEntry(
        CONTRACTED, Basis(BasisKind.PROVIDER, "referral/r1"), View.FULL, until=DECEMBER, hidden=(PARENT,)
    )
    assert entries(agreed)[PROVIDER].hidden == ()


def test_a_provider_that_is_secretariat_needs_no_consent() -> None:
    """Under a contract, but keeping the secretariat of the 支援会議: bound by its duty of secrecy."""
    roles = msgspec.structs.replace(entrusted().roles, support_meeting_secretariat=CONTRACTED)
    found = entries(form(), changed(entrusted(), roles=roles))
    assert found[CONTRACTED].basis == Basis(BasisKind.PROVIDER, "exempt")


def test_a_provider_that_the_person_excluded_gets_nothing_by_consent() -> None:
    """Needing consent, it is excluded like any agency; one that needs none acts by its office."""
    facts = form(consent(CARE, excluded=frozenset({CONTRACTED, PROVIDER, SECTION, WRITER})))
    assert CONTRACTED not in entries(facts, entrusted())
    assert set(entries(facts)) == {WRITER, SECTION, PROVIDER, CARE}


def test_a_provider_that_needs_consent_gets_nothing_that_shows_nobody() -> None:
    """A form without persons rests on nobody's consent."""
    assert CONTRACTED not in entries(form(consent(CARE), persons=()), entrusted())


@pytest.mark.parametrize("kind", [*CASE_KINDS, "pledge"])
def test_rule_audience_section(kind: str) -> None:
    """The responsible section always sees all of it."""
    for facts in (form(kind=kind), form(consent(CARE), kind=kind, persons=HOUSEHOLD)):
        assert entries(facts)[SECTION] == AudienceEntry(
            SECTION, Basis(BasisKind.RESPONSIBLE_SECTION, SECTION), View.FULL
        )


def test_a_part_in_the_case_ends_with_its_last_day() -> None:
    """An agency that is there by its part alone sees until the part ends; one that it was sent to, as long as the consent."""
    both = form(
        consent(CARE, CLINIC, until=DECEMBER), destinations=(CARE,), allocated=(CARE, CLINIC),
        allocated_until={CARE: TODAY, CLINIC: TODAY + DAY},
    )  # fmt: skip
    found = entries(both)
    assert (found[CARE].until, found[CLINIC].until) == (DECEMBER, TODAY + DAY)
    assert entries(msgspec.structs.replace(both, allocated_until={}))[CLINIC].until == DECEMBER


def test_rule_audience_consent() -> None:
    """Destinations and agencies the case was allocated to get a summary while the person's consent names them."""
    facts = form(consent(CARE, CLINIC, CONTRACTED, until=DECEMBER), allocated=(CLINIC,))
    assert bases(facts) == {
        WRITER: (BasisKind.ORIGIN, View.FULL),
        SECTION: (BasisKind.RESPONSIBLE_SECTION, View.FULL),
        PROVIDER: (BasisKind.PROVIDER, View.FULL),
        CARE: (BasisKind.CONSENT, View.SUMMARY),
        CLINIC: (BasisKind.CONSENT, View.SUMMARY),
    }
    for agency in (CARE, CLINIC):
        assert entries(facts)[agency].basis == Basis(BasisKind.CONSENT, "consent/c1")
        assert entries(facts)[agency].until == DECEMBER
        assert agency not in entries(facts, day=DECEMBER + DAY)
    assert left_out(facts) == {NURSERY: "consent-does-not-name"}
    assert not audience(facts).support_meeting_only


@pytest.mark.parametrize("status", [status for status in ConsentStatus if status is not ConsentStatus.GIVEN])
def test_without_consent(status: ConsentStatus) -> None:
    """No destination gets anything, and the clerk reads why; it stays within the 支援会議."""
    facts = form(consent(CARE, status=status), destinations=(CARE, NURSERY, CARE), allocated=(NURSERY, CLINIC))
    assert set(entries(facts)) == {WRITER, SECTION, PROVIDER}
    assert left_out(facts) == dict.fromkeys((CARE, NURSERY, CLINIC), "consent-missing")
    assert (facts.answers, facts.withdrawn) == ("", "")
    assert audience(facts).support_meeting_only


def test_the_consent_that_counts_is_the_persons_own() -> None:
    """A household member's consent opens nothing by itself."""
    facts = form(consent(CARE, person=CHILD), persons=HOUSEHOLD)
    assert CARE not in entries(facts)
    assert left_out(facts)[CARE] == "consent-missing"
    assert left_out(form(consent(CARE), persons=())) == {CARE: "consent-missing", NURSERY: "consent-missing"}
    assert audience(form(consent(CARE), persons=())).support_meeting_only


def test_rule_audience_exclusion() -> None:
    """Whom the person excluded gets nothing as destination or by allocation, also under another consent of theirs."""
    excluded = consent(NURSERY, excluded=frozenset({CARE}))
    named = consent(CARE, id="c2")
    facts = form(excluded, named, allocated=(CARE,))
    assert CARE not in entries(facts)
    assert left_out(facts) == {CARE: "agency-excluded"}
    dead = msgspec.structs.replace(excluded, withdrawn_on=TODAY)
    assert left_out(form(dead, named)) == {CARE: "agency-excluded", NURSERY: "consent-does-not-name"}
    later = msgspec.structs.replace(named, given_on=TODAY + DAY)
    assert CARE in entries(form(excluded, later), day=TODAY + DAY)
    theirs = consent(CARE, id="c3", person=CHILD, excluded=frozenset({NURSERY}))
    assert left_out(form(named, theirs, persons=HOUSEHOLD)) == {NURSERY: "consent-does-not-name"}
    assert entries(form(excluded, origin=CARE))[CARE].basis.kind is BasisKind.ORIGIN


def test_rule_audience_sitting() -> None:
    """Members chosen for a sitting read it until its end; without consent the secretariat does, and says by which law."""
    sitting = SittingFact(ref="sitting/1", agency=CLINIC, members=("user-a", "user-b"), until=DECEMBER)
    found = entries(form(sittings=(sitting,), persons=HOUSEHOLD), entrusted())
    assert found[CLINIC] == AudienceEntry(
        CLINIC, Basis(BasisKind.SITTING, "sitting/1"), View.FULL, ("user-a", "user-b"), DECEMBER
    )
    assert CLINIC in entries(form(sittings=(sitting,)), day=DECEMBER)
    assert CLINIC not in entries(form(sittings=(sitting,)), day=DECEMBER + DAY)
    assert CLINIC in entries(form(sittings=(msgspec.structs.replace(sitting, until=None),)), day=DECEMBER + DAY)
    roles = msgspec.structs.replace(entrusted().roles, support_meeting_secretariat=NURSERY)
    profile = changed(entrusted(), roles=roles)
    secretariat = Basis(BasisKind.SITTING, "body/support-meeting", "support-meeting-secrecy")
    for kind in ("referral", "assessment", "evaluation", "reply"):
        closed = audience(form(kind=kind), profile)
        assert AudienceEntry(NURSERY, secretariat, View.FULL) in closed.entries
        assert closed.support_meeting_only
        opened = audience(form(consent(CARE), kind=kind), profile)
        assert NURSERY not in {entry.agency for entry in opened.entries}
        assert not opened.support_meeting_only
    for kind in ("consent", "contact", "pledge"):
        assert NURSERY not in entries(form(kind=kind), profile)
        assert not audience(form(kind=kind), profile).support_meeting_only


def test_a_body_that_is_no_support_meeting_that_day_opens_nothing() -> None:
    """The secretariat's right is that of the legal role, which has its dates."""
    roles = msgspec.structs.replace(
        entrusted().roles, support_meeting_secretariat=NURSERY, support_meeting_body="layered-support"
    )
    assert NURSERY not in entries(form(), changed(entrusted(), roles=roles))
    before = dt.date(2025, 3, 31)
    roles = msgspec.structs.replace(entrusted().roles, support_meeting_secretariat=NURSERY)
    assert NURSERY not in entries(form(), changed(entrusted(), roles=roles), before)


def check_ground(kind: BasisKind, law: str) -> None:
    """It opens the whole form to its addressee alone, until its last day, whoever agreed to what."""
    fact = ground(CLINIC, kind=kind, law=law, until=DECEMBER)
    for form_kind in ("referral", "assessment", "evaluation"):
        facts = form(grounds=(fact,), persons=HOUSEHOLD, kind=form_kind)
        assert entries(facts)[CLINIC] == AudienceEntry(CLINIC, Basis(kind, "ground/g1", law), View.FULL, until=DECEMBER)
        assert CARE not in entries(facts)
        assert CLINIC in entries(facts, day=DECEMBER)
        assert CLINIC not in entries(facts, day=DECEMBER + DAY)
        without_end = msgspec.structs.replace(facts, grounds=(ground(CLINIC, kind=kind, law=law),))
        assert entries(without_end, day=DECEMBER + DAY)[CLINIC].until is None
    for form_kind in ("reply", "consent", "contact", "pledge"):
        assert CLINIC not in entries(form(grounds=(fact,), kind=form_kind))


def test_rule_audience_legal_duty() -> None:
    """通告等: the addressee, with the law that was relied on."""
    check_ground(BasisKind.LEGAL_DUTY, "provision-by-municipality")


def test_rule_audience_emergency() -> None:
    """緊急: whom it was decided to tell, also one that the person excluded."""
    check_ground(BasisKind.EMERGENCY, "")
    facts = form(consent(NURSERY, excluded=frozenset({CARE})), grounds=(ground(CARE),))
    assert entries(facts)[CARE].basis.kind is BasisKind.EMERGENCY
    assert left_out(facts) == {}


@pytest.mark.parametrize(
    ("facts", "agency", "kind"),
    [
        (form(origin=PROVIDER), PROVIDER, BasisKind.PROVIDER),
        (form(origin=SECTION), SECTION, BasisKind.ORIGIN),
        (form(consent(SECTION), destinations=(SECTION,)), SECTION, BasisKind.RESPONSIBLE_SECTION),
        (form(consent(WRITER), destinations=(WRITER,)), WRITER, BasisKind.ORIGIN),
        (form(consent(PROVIDER), destinations=(PROVIDER,)), PROVIDER, BasisKind.PROVIDER),
        (form(consent(CARE), grounds=(ground(CARE),)), CARE, BasisKind.EMERGENCY),
        (form(consent(CARE), grounds=(ground(CARE, until=TODAY),)), CARE, BasisKind.EMERGENCY),
        (form(grounds=(ground(CARE, id="g1", until=DECEMBER), ground(CARE, id="g2"))), CARE, BasisKind.EMERGENCY),
    ],
)
def test_rule_audience_one_entry(facts: FormFacts, agency: str, kind: BasisKind) -> None:
    """Of several bases the one that opens most is on record: the fuller view first, the longest last."""
    entry = entries(facts)[agency]
    assert (entry.basis.kind, entry.view) == (kind, View.FULL)
    if len(facts.grounds) == 2:
        assert entry.until is None


def test_of_two_bases_the_wider_one_is_taken() -> None:
    """All staff before chosen members, everybody shown before some hidden, a longer one before a shorter, in any order."""
    members = SittingFact(ref="sitting/1", agency=CARE, members=("user-a",))
    everyone = SittingFact(ref="sitting/2", agency=CARE, members=(), until=TODAY)
    for sittings in ((members, everyone), (everyone, members)):
        assert entries(form(sittings=sittings))[CARE].basis.ref == "sitting/2"
    later = SittingFact(ref="sitting/3", agency=CARE, members=(), until=TODAY + DAY)
    for sittings in ((later, everyone), (everyone, later)):
        assert entries(form(sittings=sittings))[CARE].basis.ref == "sitting/3"
    duty = ground(CARE, kind=BasisKind.LEGAL_DUTY, until=TODAY)
    assert entries(form(grounds=(duty,), sittings=(everyone,)))[CARE].basis.kind is BasisKind.SITTING
    facts = form(consent(CARE), origin=CONTRACTED, persons=HOUSEHOLD)
    assert entries(facts, entrusted())[CONTRACTED] == AudienceEntry(
        CONTRACTED, Basis(BasisKind.ORIGIN, "referral/r1"), View.FULL
    )
    shown = form(consent(CARE), origin=CONTRACTED)
    assert entries(shown, entrusted())[CONTRACTED].basis.kind is BasisKind.PROVIDER
    twins = (ground(CARE, id="g1"), ground(CARE, id="g2"))
    for grounds in (twins, twins[::-1]):
        assert entries(form(grounds=grounds))[CARE].basis.ref == "ground/g1"
    emergency = ground(CARE, id="g2", until=TODAY)
    for grounds in ((duty, emergency), (emergency, duty)):
        assert entries(form(grounds=grounds))[CARE].basis.kind is BasisKind.LEGAL_DUTY


def test_rule_audience_kinds() -> None:
    """A destination gets summaries of referrals and assessments and nothing else; each form opens to those it is meant for."""
    agreed = consent(CARE, NURSERY)
    everybody = {WRITER, SECTION, PROVIDER}
    expected = {
        "referral": everybody | {CARE, NURSERY},
        "assessment": everybody | {CARE, NURSERY},
        "evaluation": everybody,
        "reply": everybody,
        "consent": everybody,
        "consent_withdrawal": everybody,
        "consent_extension": everybody,
        "contact": everybody,
        "pledge": {WRITER, SECTION},
        "withdrawal": {WRITER, SECTION},
    }
    assert expected.keys() <= FORMS.keys()
    assert {kind: set(entries(form(agreed, kind=kind))) for kind in expected} == expected
    for kind in expected.keys() - {"referral", "assessment"}:
        assert left_out(form(kind=kind)) == {}
    with pytest.raises(KeyError):
        audience(form(kind="unheard-of"))


@pytest.mark.parametrize("code", ["withdrawn", "misdirected"])
@pytest.mark.parametrize("kind", ["referral", "assessment", "reply"])
def test_rule_audience_withdrawn(code: str, kind: str) -> None:
    """Taken back: only who wrote it and the section read it, and protections hold as before."""
    facts = form(
        consent(CARE, NURSERY), kind=kind, withdrawn=code, answers=CLINIC, grounds=(ground(CLINIC),),
        protections=(protection(),), sittings=(SittingFact(ref="s", agency=CLINIC, members=()),),
    )  # fmt: skip
    found = entries(facts)
    assert bases(facts) == {
        WRITER: (BasisKind.ORIGIN, View.FULL),
        SECTION: (BasisKind.RESPONSIBLE_SECTION, View.FULL),
    }
    assert all(entry.withheld == (f"{PERSON}:address",) for entry in found.values())
    expected = {} if kind == "reply" else dict.fromkeys((CARE, NURSERY), "record-withdrawn")
    assert left_out(facts) == expected
    assert set(entries(msgspec.structs.replace(facts, consents=()))) == {WRITER, SECTION}


@pytest.mark.parametrize(
    ("changes", "hidden", "until"),
    [
        ((), (CHILD, PARENT), None),
        (((CHILD, {}),), (PARENT,), None),
        (((CHILD, {"until": DECEMBER}), (PARENT, {})), (), DECEMBER),
        (((CHILD, {"until": DECEMBER}), (PARENT, {"until": DECEMBER - DAY})), (), DECEMBER - DAY),
        (((CHILD, {"agencies": frozenset({NURSERY})}),), (CHILD, PARENT), None),
        (((CHILD, {"excluded": frozenset({CARE})}),), (CHILD, PARENT), None),
        (((CHILD, {"withdrawn_on": TODAY}),), (CHILD, PARENT), None),
        (((CHILD, {"status": ConsentStatus.REFUSED}),), (CHILD, PARENT), None),
    ],
)
def test_rule_per_person(changes: tuple[Any, ...], hidden: tuple[str, ...], until: dt.date | None) -> None:
    """Of the household, only who agreed to the agency is shown to it, and no longer than they agreed."""
    theirs = [consent(CARE, id=person, person=person, **change) if "agencies" not in change
              else consent(id=person, person=person, **change) for person, change in changes]  # fmt: skip
    facts = form(consent(CARE, NURSERY), *theirs, persons=(PERSON, CHILD, PARENT, CHILD))
    found = entries(facts)
    assert (found[CARE].hidden, found[CARE].until) == (hidden, until)
    assert all(found[agency].hidden == () for agency in (WRITER, SECTION, PROVIDER))
    assert found[NURSERY].hidden[-1] == PARENT


def test_a_writer_who_came_later_sees_of_the_household_who_agreed() -> None:
    """An assessment does not tell an allocated agency who else lives there; who wrote the referral knows them already."""
    facts = form(consent(CARE), consent(CARE, person=CHILD, until=DECEMBER), kind="assessment", origin=CARE,
                 persons=HOUSEHOLD, wrote_of={WRITER: frozenset(HOUSEHOLD)})  # fmt: skip
    entry = entries(facts)[CARE]
    assert (entry.basis.kind, entry.view, entry.hidden) == (BasisKind.ORIGIN, View.FULL, (PARENT,))
    assert entry.until == DECEMBER
    knows = msgspec.structs.replace(facts, wrote_of={CARE: frozenset(HOUSEHOLD)})
    assert (entries(knows)[CARE].hidden, entries(knows)[CARE].until) == ((), None)
    one_of_them = msgspec.structs.replace(facts, wrote_of={CARE: frozenset({PERSON, CHILD})})
    assert (entries(one_of_them)[CARE].hidden, entries(one_of_them)[CARE].until) == ((PARENT,), None)
    reply = msgspec.structs.replace(facts, kind="reply", answers=WRITER)
    assert entries(reply)[CARE].hidden == (PARENT,)
    assert entries(reply)[WRITER].hidden == ()
    asked = msgspec.structs.replace(reply, wrote_of={WRITER: frozenset({PERSON})})
    assert entries(asked)[WRITER].hidden == (CHILD, PARENT)
    own = msgspec.structs.replace(facts, kind="referral", wrote_of={})
    assert entries(own)[CARE].hidden == ()


def test_rule_protection() -> None:
    """A field that is withheld reaches nobody who is not cleared, whatever their basis, the writer included."""
    facts = form(
        consent(CARE, NURSERY), persons=HOUSEHOLD, allocated=(CLINIC,), grounds=(ground(CLINIC),),
        protections=(
            protection(fields=("phone", "address"), cleared=frozenset({SECTION})),
            protection(id="p2", person=CHILD, cleared=frozenset({SECTION, CARE})),
            protection(id="p3", person="another-case.0"),
        ),
    )  # fmt: skip
    found = entries(facts)
    both = (f"{PERSON}:address", f"{PERSON}:phone", f"{CHILD}:address")
    assert found[SECTION].withheld == ()
    assert found[CARE].withheld == both[:2]
    assert all(found[agency].withheld == both for agency in (WRITER, PROVIDER, NURSERY, CLINIC))
    assert [found[agency].until for agency in found] == [None] * len(found)


@pytest.mark.parametrize("until", [None, TODAY, TODAY + DAY])
def test_two_protections_of_a_field_clear_only_whom_both_clear(until: dt.date | None) -> None:
    """Each withholds by itself, as long as it lasts."""
    first = protection(cleared=frozenset({SECTION, WRITER}), until=until)
    second = protection(id="p2", cleared=frozenset({WRITER}))
    found = entries(form(protections=(first, second)))
    assert (found[WRITER].withheld, found[SECTION].withheld) == ((), (f"{PERSON}:address",))
    tomorrow = entries(form(protections=(first,)), day=TODAY + DAY)
    assert tomorrow[PROVIDER].withheld == (() if until == TODAY else (f"{PERSON}:address",))


def test_a_protection_that_begins_later_closes_the_day_before() -> None:
    """Should nobody make the audience anew that day, whoever is not cleared reads nothing rather than the field."""
    later = protection(since=DECEMBER, cleared=frozenset({SECTION}))
    facts = form(consent(CARE, NURSERY, until=DECEMBER - 2 * DAY), protections=(later,))
    found = entries(facts)
    assert all(entry.withheld == () for entry in found.values())
    assert {agency: entry.until for agency, entry in found.items()} == {
        WRITER: DECEMBER - DAY,
        PROVIDER: DECEMBER - DAY,
        SECTION: None,
        CARE: DECEMBER - 2 * DAY,
        NURSERY: DECEMBER - 2 * DAY,
    }
    assert entries(facts, day=DECEMBER)[WRITER].withheld == (f"{PERSON}:address",)
    assert entries(facts, day=DECEMBER)[WRITER].until is None
    never = protection(since=DECEMBER, until=TODAY - DAY)
    assert entries(form(protections=(never,)))[WRITER].until is None


MARCH_END, APRIL_FIRST = dt.date(2027, 3, 31), dt.date(2027, 4, 1)


def test_rule_contract() -> None:
    """Out of contract, an agency gets nothing on any basis, and the clerk is told so before anything about consent."""
    profile = with_contracts(fussa(), contract("見本法人", dt.date(2025, 4, 1), MARCH_END))
    wants = form(
        consent(CONTRACTED), destinations=(CONTRACTED,), allocated=(CONTRACTED,), grounds=(ground(CONTRACTED),),
        sittings=(SittingFact(ref="s", agency=CONTRACTED, members=()),),
    )  # fmt: skip
    for facts in (wants, msgspec.structs.replace(wants, origin=CONTRACTED), form(destinations=(CONTRACTED,))):
        assert CONTRACTED not in entries(facts, profile, APRIL_FIRST)
        assert left_out(facts, profile, APRIL_FIRST) == {CONTRACTED: "contract-ended"}
    assert CONTRACTED in entries(wants, profile, MARCH_END)
    assert CONTRACTED not in entries(form(consent(CARE)), with_contracts(entrusted(), *_ended()), APRIL_FIRST)
    stranger = form(consent("nobody"), destinations=("nobody",), origin="nobody")
    assert "nobody" not in entries(stranger)
    assert left_out(stranger) == {"nobody": "contract-ended"}


def _ended() -> tuple[Any, ...]:
    return (contract("見本法人", dt.date(2025, 4, 1), MARCH_END),)


def test_the_next_contractor_needs_its_own_consent() -> None:
    """The entry ends with the contractor; the clerk reads that the consent was given to the one before."""
    profile = with_contracts(fussa(), *_ended(), contract("次の法人", APRIL_FIRST))
    facts = form(consent(CONTRACTED), destinations=(CONTRACTED,))
    assert entries(facts, profile)[CONTRACTED].until == MARCH_END
    assert left_out(facts, profile, APRIL_FIRST) == {CONTRACTED: "consent-of-earlier-contractor"}
    partly = form(consent(CONTRACTED, withdrawn_agencies=frozenset({CONTRACTED})), destinations=(CONTRACTED,))
    assert left_out(partly, profile, APRIL_FIRST) == {CONTRACTED: "consent-does-not-name"}
    both = msgspec.structs.replace(facts, consents=(*facts.consents, consent(CARE, id="c2")))
    assert left_out(both, profile, APRIL_FIRST) == {CONTRACTED: "consent-of-earlier-contractor"}
    also = form(consent(CONTRACTED, covers_successor=True), destinations=(CONTRACTED,))
    assert entries(also, profile, APRIL_FIRST)[CONTRACTED].until is None
