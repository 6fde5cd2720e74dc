"""Plain facts for the rules: a municipality whose provider is under contract, consents and forms that differ in one point."""

from __future__ import annotations

import datetime as dt
import functools
from typing import Any

import msgspec

from tests.data.services import PROFILE
from tsunagi_intake.audience import Audience, FormFacts, GroundFact, ProtectionFact, of_form
from tsunagi_intake.consents import ConsentFact
from tsunagi_shared.contracts.audience import AudienceEntry, BasisKind
from tsunagi_shared.contracts.profile import Agency, Contract, Operation, Profile, load_profile
from tsunagi_shared.forms.referral import ConsentStatus

TODAY = dt.date(2026, 11, 23)
DAY = dt.timedelta(days=1)
SECTION = "social-welfare"
PROVIDER = "welfare-desk"  # 直営 and secretariat of the 支援会議 in 福生市
WRITER = "disability"
CARE, NURSERY, CLINIC = "sample-care", "sample-nursery", "sample-clinic"
CONTRACTED = "welfare-council"  # run under a contract, in 福生市 an open one
PERSON, CHILD, PARENT = "r1.0", "r1.1", "r1.2"


@functools.cache
def fussa() -> Profile:
    """福生市: the provider needs no consent."""
    return load_profile(PROFILE)


@functools.cache
def entrusted() -> Profile:
    """As 福生市, but 社協 is the provider, under a contract, and the section is the secretariat: the provider needs consent."""
    roles = msgspec.structs.replace(
        fussa().roles, multi_agency_provider=CONTRACTED, support_meeting_secretariat=SECTION
    )
    return changed(fussa(), roles=roles)


def changed(profile: Profile, **changes: Any) -> Profile:
    """The profile with other tables."""
    values = {name: getattr(profile, name) for name in Profile.__struct_fields__}
    return Profile(**{**values, **changes})


def with_contracts(profile: Profile, *contracts: Contract, operation: tuple[Operation, ...] = ()) -> Profile:
    """The profile in which CONTRACTED is run under these contracts."""
    operation = operation or (Operation.ENTRUSTED,)

    def of(agency: Agency) -> Agency:
        if agency.id != CONTRACTED:
            return agency
        return msgspec.structs.replace(agency, operated_by=contracts, operation=operation)

    return changed(profile, agencies=tuple(of(agency) for agency in profile.agencies))


def contract(contractor: str, starts: dt.date, until: dt.date | None = None) -> Contract:
    """Who runs an agency, from when until when."""
    return Contract(contractor=contractor, starts=starts, until=until)


def consent(*agencies: str, **changes: Any) -> ConsentFact:
    """A consent of the person, given today for these agencies, without an end."""
    fact = ConsentFact(
        id="c1",
        person=PERSON,
        status=ConsentStatus.GIVEN,
        agencies=frozenset(agencies),
        given_on=TODAY,
        until=None,
    )
    return msgspec.structs.replace(fact, **changes)


def protection(**changes: Any) -> ProtectionFact:
    """A protection of the person's address, since today, nobody cleared."""
    fact = ProtectionFact(id="p1", person=PERSON, fields=("address",), cleared=frozenset(), since=TODAY, until=None)
    return msgspec.structs.replace(fact, **changes)


def ground(agency: str, **changes: Any) -> GroundFact:
    """An emergency on record for that agency, without an end."""
    fact = GroundFact(id="g1", agency=agency, kind=BasisKind.EMERGENCY, law="", until=None)
    return msgspec.structs.replace(fact, **changes)


def form(*consents: ConsentFact, **changes: Any) -> FormFacts:
    """A referral of WRITER about one person, to CARE and NURSERY."""
    facts = FormFacts(
        form="referral/r1",
        kind="referral",
        origin=WRITER,
        destinations=(CARE, NURSERY),
        persons=(PERSON,),
        consents=consents,
        protections=(),
        grounds=(),
        wrote_of={WRITER: frozenset({PERSON, CHILD, PARENT})},
    )
    return msgspec.structs.replace(facts, **changes)


def entries(facts: FormFacts, profile: Profile | None = None, day: dt.date = TODAY) -> dict[str, AudienceEntry]:
    """Agency → its one entry."""
    found = audience(facts, profile, day).entries
    assert len({entry.agency for entry in found}) == len(found)
    return {entry.agency: entry for entry in found}


def audience(facts: FormFacts, profile: Profile | None = None, day: dt.date = TODAY) -> Audience:
    """The audience on that day, in 福生市 unless another municipality is named."""
    return of_form(facts, profile or fussa(), day)
