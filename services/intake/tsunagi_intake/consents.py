"""Whether a person agreed that an agency may know, and until when (rules `consent-live`, `consent-names`,
`consent-exclusion`, `consent-successor`, `per-person`).

Pure functions over plain data. What is not known counts as not agreed. Dates are Japanese dates; a last day is inclusive.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec

from tsunagi_shared.contracts.profile import Agency, Contract, Operation, Profile
from tsunagi_shared.forms.referral import ConsentStatus

_DAY = dt.timedelta(days=1)


class ConsentFact(msgspec.Struct, frozen=True, kw_only=True):
    """One consent of one person, as it is on record. `agencies`: named or copied from a list on the day it was given.

    `withdrawn_on`: the day from which it is withdrawn as a whole; `withdrawn_agencies`: withdrawn for these alone;
    `recorded_on`: the day on which it was put on record as it stands.
    """

    id: str
    person: str
    status: ConsentStatus
    agencies: frozenset[str]
    given_on: dt.date | None
    until: dt.date | None
    covers_successor: bool = False
    excluded: frozenset[str] = frozenset()
    withdrawn_on: dt.date | None = None
    withdrawn_agencies: frozenset[str] = frozenset()
    recorded_on: dt.date | None = None

    @property
    def said_on(self) -> dt.date | None:
        """The day of what the person said: that of the consent, else (a refusal has none) the day it was put on record."""
        return self.given_on or self.recorded_on


def live(fact: ConsentFact, day: dt.date) -> bool:
    """Whether the consent holds on that day for anybody: given, not run out (`until` inclusive), not withdrawn as a whole."""
    return (
        fact.status is ConsentStatus.GIVEN
        and fact.given_on is not None
        and fact.given_on <= day
        and (fact.until is None or day <= fact.until)
        and (fact.withdrawn_on is None or day < fact.withdrawn_on)
    )


def end_for(fact: ConsentFact, agency: str, profile: Profile) -> dt.date | None:
    """The last day on which the consent can cover the agency; None: open.

    Unless it covers the next contractor, it ends with the contractor who ran the agency on the day it was given. Nobody ran
    it that day, or the profile does not know it: a day before the consent was given, so that it covers nothing.
    """
    end = _end(fact)
    if fact.covers_successor:
        return end
    known = profile.agencies_by_id.get(agency)
    if known is None or fact.given_on is None:
        return _never(fact)
    if Operation.DIRECT in known.operation or not known.operated_by:
        return end
    contract = known.contract_on(fact.given_on)
    if contract is None:
        return _never(fact)
    return earlier(end, _last_day(known, contract))


def _end(fact: ConsentFact) -> dt.date | None:
    """The last day on which it holds for anybody; None: open."""
    return fact.until if fact.withdrawn_on is None else earlier(fact.until, _before(fact.withdrawn_on))


def _never(fact: ConsentFact) -> dt.date:
    return dt.date.min if fact.given_on is None else _before(fact.given_on)


def _before(day: dt.date) -> dt.date:
    """The day before; before the first day there is, that day itself (a consent that never was one is withdrawn on it)."""
    return max(day, dt.date.min + _DAY) - _DAY


def _last_day(agency: Agency, contract: Contract) -> dt.date | None:
    """The last day of that contractor: a contract renewed with the same one, without a gap, goes on."""
    while contract.until is not None:
        following = agency.contract_on(contract.until + _DAY)
        if following is None or following.contractor != contract.contractor:
            break
        contract = following
    return contract.until


def earlier(one: dt.date | None, other: dt.date | None) -> dt.date | None:
    """The earlier of two last days, of which None is open."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def later(one: dt.date | None, other: dt.date | None) -> dt.date | None:
    """The later of two last days, of which None is open."""
    return None if one is None or other is None else max(one, other)


def names(fact: ConsentFact, agency: str) -> bool:
    """Whether the consent was given for that agency, and neither withdrawn for it nor made with its exclusion."""
    return agency in fact.agencies and agency not in fact.excluded and agency not in fact.withdrawn_agencies


def covers(fact: ConsentFact, agency: str, profile: Profile, day: dt.date) -> bool:
    """Whether that consent alone lets the agency know of the person on that day."""
    if not (names(fact, agency) and live(fact, day)):
        return False
    end = end_for(fact, agency, profile)
    return end is None or day <= end


def shut_out(facts: Iterable[ConsentFact], agency: str, given: ConsentFact) -> bool:
    """Whether that person excluded the agency in another consent that is not older than the one `given`.

    An exclusion outlives the consent it stands in: with that withdrawn or run out, nobody may know who was excluded before.
    Only a consent given on a later day, which names the agency, takes it back.
    """
    return any(
        agency in fact.excluded
        and fact.person == given.person
        and (fact.said_on is None or given.given_on is None or given.given_on <= fact.said_on)
        for fact in facts
    )


def covering(
    facts: Iterable[ConsentFact], person: str, agency: str, profile: Profile, day: dt.date
) -> ConsentFact | None:
    """The person's consent that covers the agency on that day, the one with the latest end; None: there is none."""
    facts = tuple(facts)
    found: ConsentFact | None = None
    best: tuple[dt.date, str] | None = None
    for fact in facts:
        if fact.person == person and covers(fact, agency, profile, day) and not shut_out(facts, agency, fact):
            rank = (end_for(fact, agency, profile) or dt.date.max, fact.id)
            if best is None or rank > best:
                found, best = fact, rank
    return found


def consented(facts: Iterable[ConsentFact], person: str, day: dt.date) -> bool:
    """Whether the person has any live consent on that day, whoever it names."""
    return any(fact.person == person and live(fact, day) for fact in facts)


def ever_consented(facts: Iterable[ConsentFact], person: str) -> bool:
    """Whether the person ever gave a consent, live or not."""
    return any(fact.person == person and fact.status is ConsentStatus.GIVEN for fact in facts)


def admitting(
    facts: Iterable[ConsentFact], person: str, agency: str, profile: Profile, day: dt.date
) -> tuple[bool, dt.date | None]:
    """Whether a live consent of the person leaves room for an agency that acts by its role (the provider), and its last day.

    Such an agency need not be named. But once excluded, or the consent withdrawn for it, it must be: by a later consent. Its
    next contractor has to be agreed to like that of any agency.
    """
    facts = tuple(facts)
    unwanted = any(
        fact.person == person and (agency in fact.excluded or agency in fact.withdrawn_agencies) for fact in facts
    )
    found, end = False, None
    for fact in facts:
        last = end_for(fact, agency, profile)
        if fact.person != person or not live(fact, day) or (last is not None and last < day):
            continue
        if unwanted and (not names(fact, agency) or shut_out(facts, agency, fact)):
            continue
        end = later(end, last) if found else last
        found = True
    return found, end
