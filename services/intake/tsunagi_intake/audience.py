"""Who may get what comes of a form, on what basis, and who gets nothing and why (rules `audience-…`, `protection`,
`per-person`).

Pure functions over plain data. The audience is made anew from the facts whenever one of them changes; nothing is carried
over from the audience before. An entry never outlasts the consents it rests on, nor reaches into a protection that begins
later: should nobody make the audience anew that day, it is closed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

import msgspec

from tsunagi_intake import consents
from tsunagi_intake.consents import ConsentFact
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.profile import LegalRole, Profile

_DAY = dt.timedelta(days=1)
_OPEN = dt.date.max
_NOBODY: frozenset[str] = frozenset()
# Of two bases that open as much, the first is the one on record. A provider that wrote the form acts on it as the provider,
# and a section that is the secretariat of the 支援会議 as that: it may answer.
_ORDER = {
    kind: place
    for place, kind in enumerate(
        (
            BasisKind.PROVIDER,
            BasisKind.ORIGIN,
            BasisKind.SITTING,
            BasisKind.RESPONSIBLE_SECTION,
            BasisKind.CONSENT,
            BasisKind.LEGAL_DUTY,
            BasisKind.EMERGENCY,
        )
    )
}


class Withheld(msgspec.Struct, frozen=True):
    """A destination that gets nothing: the rule's code, the reason, and what the clerk can do."""

    agency: str
    code: str
    reason: str
    way_out: str


class Audience(msgspec.Struct, frozen=True):
    """The entries of a form, the destinations left out, and whether its papers stay within the 支援会議."""

    entries: tuple[AudienceEntry, ...]
    withheld: tuple[Withheld, ...]
    support_meeting_only: bool


class ProtectionFact(msgspec.Struct, frozen=True, kw_only=True):
    """住所等の秘匿 of one person: which fields (`ProtectionField` values), and the agencies that may see them all the same."""

    id: str
    person: str
    fields: tuple[str, ...]
    cleared: frozenset[str]
    since: dt.date
    until: dt.date | None


class GroundFact(msgspec.Struct, frozen=True, kw_only=True):
    """A basis other than consent that somebody put on record: LEGAL_DUTY or EMERGENCY."""

    id: str
    agency: str
    kind: BasisKind
    law: str
    until: dt.date | None


class SittingFact(msgspec.Struct, frozen=True, kw_only=True):
    """An agency's people who hear the form in a 支援会議. `members` are their user ids; none: all its staff. `forms`: what
    they hear (`<kind>/<id>`); empty: whatever form the facts are of."""

    ref: str
    agency: str
    members: tuple[str, ...]
    until: dt.date | None = None
    forms: frozenset[str] = frozenset()


class FormFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides who may see one form.

    `form`: `referral/<id>`; `persons`: whom it shows, the subject first; `answers`: the agency that wrote the referral a
    reply is about; `allocated_until`: the last day of those allocated until one; `own_rows`: of a plan in force, the agencies
    of its rows with the last day of each (None: open); `wrote_of`: by agency, who stands on the referrals of the case that it
    wrote, and so is known to it; `withdrawn`: the code of its 取下げ or 誤送付. Of minutes: `hearing`, the
    agencies that were there for the item; `closed`: it was heard as 支援会議; `minimal`: as a minimal item. Of a request for
    information: `addressee`, the `law` it rests on (empty: consent), and `asked_until`, the addressee's last day.
    """

    form: str
    kind: str
    origin: str
    destinations: tuple[str, ...] = ()
    persons: tuple[str, ...]
    consents: tuple[ConsentFact, ...]
    protections: tuple[ProtectionFact, ...]
    grounds: tuple[GroundFact, ...]
    allocated: tuple[str, ...] = ()
    allocated_until: Mapping[str, dt.date] = {}
    sittings: tuple[SittingFact, ...] = ()
    own_rows: Mapping[str, dt.date | None] = {}
    answers: str = ""
    wrote_of: Mapping[str, frozenset[str]] = {}
    withdrawn: str = ""
    hearing: frozenset[str] = frozenset()
    closed: bool = False
    minimal: bool = False
    addressee: str = ""
    law: str = ""
    asked_until: dt.date | None = None


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of form opens: to the provider, to agencies in the consent (in a summary), to the 支援会議 and on grounds."""

    provider: bool = True
    consent: bool = False
    grounds: bool = False
    support_meeting: bool = False  # without the subject's consent it stays within the 支援会議
    sitting: View | None = None  # what those who hear it in a sitting see; None: as `grounds` says, all of it


_KINDS = {
    "referral": _Kind(consent=True, grounds=True, support_meeting=True),
    "assessment": _Kind(consent=True, grounds=True, support_meeting=True),
    "evaluation": _Kind(grounds=True, support_meeting=True),
    "reply": _Kind(support_meeting=True),
    "consent": _Kind(),
    "consent_withdrawal": _Kind(),
    "consent_extension": _Kind(),
    "contact": _Kind(),
    "plan": _Kind(grounds=True, support_meeting=True),
    "plan_agreement": _Kind(),
    "municipal_decision": _Kind(),
    "support_answer": _Kind(),
    "pledge": _Kind(provider=False),
    "withdrawal": _Kind(provider=False),
    "meeting": _Kind(provider=False, sitting=View.OWN_ITEM),
    "minutes": _Kind(sitting=View.OWN_ITEM),
    "information_request": _Kind(),
    "information_answer": _Kind(),
    "contact_log": _Kind(),
}


def of_form(facts: FormFacts, profile: Profile, day: dt.date) -> Audience:
    """The audience of a form on that day: one entry an agency, the one that opens most. KeyError for an unknown kind.

    Nobody is in it whose contract does not cover the day or whom the profile does not know.
    """
    kind = _KINDS[facts.kind]
    persons = tuple(dict.fromkeys(facts.persons))
    consented = bool(persons) and consents.consented(facts.consents, persons[0], day)
    support_meeting_only = facts.closed or (kind.support_meeting and not consented)
    widest: dict[str, AudienceEntry] = {}
    for entry in _found(facts, kind, persons, support_meeting_only, profile, day):
        known = widest.get(entry.agency)
        if (known is None or _width(entry) < _width(known)) and _acts(profile, entry.agency, day):
            widest[entry.agency] = entry
    entries = tuple(widest.values())
    if facts.protections:
        entries = tuple(_protected(entry, facts.protections, persons, day) for entry in entries)
    left_out: tuple[Withheld, ...] = ()
    if kind.consent or facts.own_rows:
        wanted = dict.fromkeys(facts.own_rows or (*facts.destinations, *facts.allocated))
        left_out = tuple(_why_not(agency, facts, profile, day) for agency in wanted if agency not in widest)
    return Audience(entries, left_out, support_meeting_only)


def _acts(profile: Profile, agency: str, day: dt.date) -> bool:
    return agency in profile.agencies_by_id and profile.contract_live(agency, day)


def _width(entry: AudienceEntry) -> tuple[bool, bool, bool, int, int, str]:
    """Smaller: opens more. The view first, then everybody on it, to all staff, for longest; the rest only settles ties."""
    end = _OPEN if entry.until is None else entry.until
    kind = _ORDER[entry.basis.kind]
    return (
        entry.view is not View.FULL,
        bool(entry.hidden),
        bool(entry.members),
        -end.toordinal(),
        kind,
        entry.basis.ref,
    )


def _found(
    facts: FormFacts, kind: _Kind, persons: tuple[str, ...], support_meeting_only: bool, profile: Profile, day: dt.date
) -> Iterator[AudienceEntry]:
    yield from _writers(facts, persons, profile, day)
    section = profile.municipality.responsible_section
    yield AudienceEntry(section, Basis(BasisKind.RESPONSIBLE_SECTION, section), View.FULL)
    if facts.withdrawn:
        return
    if kind.provider and not facts.closed:
        yield from _provider(facts, persons, profile, day)
    if kind.consent and persons:
        yield from _consented(facts, persons, profile, day)
    if facts.own_rows and persons:
        yield from _asked(facts, persons, profile, day)
    if support_meeting_only:
        yield from _secretariat(profile, day)
    yield from _of_meetings(facts, kind, persons, profile, day)
    if kind.grounds:
        yield from _grounds(facts, day)


def _writers(facts: FormFacts, persons: tuple[str, ...], profile: Profile, day: dt.date) -> Iterator[AudienceEntry]:
    """Who wrote it, and of a reply who asked. Of other forms than the referral itself, they see the others of the household
    only as far as these agreed, or stand on a referral of that agency's own."""
    basis = Basis(BasisKind.ORIGIN, facts.form)
    for agency in (facts.origin,) if facts.withdrawn else (facts.origin, facts.answers):
        hidden: tuple[str, ...] = ()
        until: dt.date | None = None
        if facts.kind != "referral":
            hidden, until = _others(facts, persons, agency, profile, day, facts.wrote_of.get(agency, _NOBODY))
        yield AudienceEntry(agency, basis, View.FULL, until=until, hidden=hidden)


def _provider(facts: FormFacts, persons: tuple[str, ...], profile: Profile, day: dt.date) -> Iterator[AudienceEntry]:
    """The 多機関協働事業者: by its role where it is 直営 or the secretariat of the 支援会議, else as far as there is consent."""
    provider = profile.roles.multi_agency_provider
    if profile.is_provider_exempt_from_consent:
        yield AudienceEntry(provider, Basis(BasisKind.PROVIDER, "exempt"), View.FULL)
        return
    hidden: list[str] = []
    until: dt.date | None = None
    for place, person in enumerate(persons):
        admitted, end = consents.admitting(facts.consents, person, provider, profile, day)
        if admitted:
            until = consents.earlier(until, end)
        elif place == 0:
            return
        else:
            hidden.append(person)
    if persons:
        basis = Basis(BasisKind.PROVIDER, facts.form)
        yield AudienceEntry(provider, basis, View.FULL, until=until, hidden=tuple(hidden))


def _consented(facts: FormFacts, persons: tuple[str, ...], profile: Profile, day: dt.date) -> Iterator[AudienceEntry]:
    for agency in dict.fromkeys((*facts.destinations, *facts.allocated)):
        consent = consents.covering(facts.consents, persons[0], agency, profile, day)
        if consent is None:
            continue
        hidden, until = _others(facts, persons, agency, profile, day)
        until = consents.earlier(consents.end_for(consent, agency, profile), until)
        if agency not in facts.destinations:
            until = consents.earlier(until, facts.allocated_until.get(agency))
        basis = Basis(BasisKind.CONSENT, f"consent/{consent.id}")
        yield AudienceEntry(agency, basis, View.SUMMARY, until=until, hidden=hidden)


def _asked(facts: FormFacts, persons: tuple[str, ...], profile: Profile, day: dt.date) -> Iterator[AudienceEntry]:
    """The agencies of a plan's rows: each its own rows, as far as there is consent, until its part ends."""
    for agency, last in facts.own_rows.items():
        consent = consents.covering(facts.consents, persons[0], agency, profile, day)
        if consent is not None:
            hidden, until = _others(facts, persons, agency, profile, day)
            until = consents.earlier(consents.earlier(consents.end_for(consent, agency, profile), until), last)
            basis = Basis(BasisKind.CONSENT, f"consent/{consent.id}")
            yield AudienceEntry(agency, basis, View.OWN_ALLOCATION, until=until, hidden=hidden)


def _others(
    facts: FormFacts, persons: tuple[str, ...], agency: str, profile: Profile, day: dt.date,
    known: frozenset[str] = _NOBODY,
) -> tuple[tuple[str, ...], dt.date | None]:  # fmt: skip
    """Those besides the subject whom the agency may not see, and the last day on which it may see the rest of them.

    `known`: whom it may see in any case.
    """
    hidden: list[str] = []
    until: dt.date | None = None
    for person in persons[1:]:
        if person in known:
            continue
        consent = consents.covering(facts.consents, person, agency, profile, day)
        if consent is None:
            hidden.append(person)
        else:
            until = consents.earlier(until, consents.end_for(consent, agency, profile))
    return tuple(hidden), until


def _secretariat(profile: Profile, day: dt.date) -> Iterator[AudienceEntry]:
    body = profile.body(profile.roles.support_meeting_body)
    if LegalRole.SUPPORT_MEETING in body.roles_on(day):
        basis = Basis(BasisKind.SITTING, f"body/{body.id}", body.secrecy_basis)
        yield AudienceEntry(profile.roles.support_meeting_secretariat, basis, View.FULL)


def _of_meetings(
    facts: FormFacts, kind: _Kind, persons: tuple[str, ...], profile: Profile, day: dt.date
) -> Iterator[AudienceEntry]:
    """Who hears it in a sitting, and who was there for the item whose minutes it is; who is asked for information."""
    for sitting in facts.sittings if kind.grounds or kind.sitting is not None else ():
        if sitting.until is None or day <= sitting.until:
            basis = Basis(BasisKind.SITTING, sitting.ref)
            yield AudienceEntry(sitting.agency, basis, kind.sitting or View.FULL, sitting.members, sitting.until)
    if facts.minimal:
        yield AudienceEntry(profile.roles.multi_agency_provider, Basis(BasisKind.PROVIDER, facts.form), View.FULL)
    elif persons and not facts.closed:
        for agency in sorted(facts.hearing):
            yield from _named(facts, persons, agency, View.OWN_ITEM, profile, day)
    if facts.addressee and (facts.asked_until is None or day <= facts.asked_until):
        yield from _addressed(facts, persons, profile, day)


def _addressed(facts: FormFacts, persons: tuple[str, ...], profile: Profile, day: dt.date) -> Iterator[AudienceEntry]:
    """Who is asked for information, by law or as far as there is consent, until some time after the answer was due."""
    if facts.law:
        basis = Basis(BasisKind.LEGAL_DUTY, facts.form, facts.law)
        yield AudienceEntry(facts.addressee, basis, View.FULL, until=facts.asked_until)
    elif persons:
        for entry in _named(facts, persons, facts.addressee, View.FULL, profile, day):
            yield msgspec.structs.replace(entry, until=consents.earlier(entry.until, facts.asked_until))


def _named(
    facts: FormFacts, persons: tuple[str, ...], agency: str, view: View, profile: Profile, day: dt.date
) -> Iterator[AudienceEntry]:
    """An agency that the subject agreed to, as long as that holds."""
    consent = consents.covering(facts.consents, persons[0], agency, profile, day)
    if consent is not None:
        hidden, until = _others(facts, persons, agency, profile, day)
        until = consents.earlier(consents.end_for(consent, agency, profile), until)
        basis = Basis(BasisKind.CONSENT, f"consent/{consent.id}")
        yield AudienceEntry(agency, basis, view, until=until, hidden=hidden)


def _grounds(facts: FormFacts, day: dt.date) -> Iterator[AudienceEntry]:
    for ground in facts.grounds:
        if ground.until is None or day <= ground.until:
            basis = Basis(ground.kind, f"ground/{ground.id}", ground.law)
            yield AudienceEntry(ground.agency, basis, View.FULL, until=ground.until)


def _protected(
    entry: AudienceEntry, protections: tuple[ProtectionFact, ...], persons: tuple[str, ...], day: dt.date
) -> AudienceEntry:
    """The entry with what it must not show, whatever its basis; one that a later protection will narrow ends the day before."""
    withheld: set[str] = set()
    until = entry.until
    for protection in protections:
        if protection.person not in persons or entry.agency in protection.cleared:
            continue
        if protection.until is not None and protection.until < day:
            continue
        if protection.since > day:
            until = consents.earlier(until, protection.since - _DAY)
        else:
            withheld |= {f"{protection.person}:{field}" for field in protection.fields}
    return msgspec.structs.replace(entry, withheld=tuple(sorted(withheld)), until=until)


def _why_not(agency: str, facts: FormFacts, profile: Profile, day: dt.date) -> Withheld:
    broken = REFUSALS[_code(agency, facts, profile, day)]
    return Withheld(agency, broken.code, broken.reason, broken.way_out)


def _code(agency: str, facts: FormFacts, profile: Profile, day: dt.date) -> str:
    if facts.withdrawn:
        return "record-withdrawn"
    if not _acts(profile, agency, day):
        return "contract-ended"
    given = [fact for fact in facts.consents if fact.person in facts.persons[:1]]
    mine = [fact for fact in given if consents.live(fact, day)]
    if not mine:
        return "consent-missing"
    if any(agency in fact.excluded for fact in given):
        return "agency-excluded"
    if any(consents.names(fact, agency) for fact in mine):
        return "consent-of-earlier-contractor"
    return "consent-does-not-name"
