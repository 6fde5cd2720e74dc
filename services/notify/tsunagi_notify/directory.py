"""Who is reached how: the profile's agencies and contracts, and the addresses of contacts.toml."""

from __future__ import annotations

import datetime as dt

import msgspec

from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Contacts, Profile
from tsunagi_shared.forms.referral import Urgency

UNKNOWN_AGENCY = "unknown-agency"
CONTRACT_ENDED = "contract-ended"


class Enquiries(msgspec.Struct, frozen=True):
    """Whom to ask about a notice: the responsible section and its telephone."""

    name: str
    phone: str


class Directory:
    """Answers from one profile and its contacts; both are read at start."""

    def __init__(self, profile: Profile, contacts: Contacts) -> None:
        self._profile = profile
        self._contacts = contacts
        section = profile.agency(profile.municipality.responsible_section)
        self.enquiries = Enquiries(section.name, section.phone)
        self.municipality = profile.municipality.name

    def refusal(self, agency: str, day: dt.date) -> str:
        """Why the agency may not be told on that Japanese date; empty when it may."""
        if agency not in self._profile.agencies_by_id:
            return UNKNOWN_AGENCY
        return "" if self._profile.contract_live(agency, day) else CONTRACT_ENDED

    def turns_away(self, principal: Principal, day: dt.date) -> bool:
        """Whether the caller's post or key opens nothing on that Japanese date: the contract it was given under has ended,
        or has not begun."""
        return not self._profile.acts_for(principal.agency, principal.contractor, day)

    def addresses(self, agency: str, urgency: str, day: dt.date) -> tuple[str, ...]:
        """The e-mail addresses for a notice of that urgency on that Japanese date, those of the contractor of that day
        before the office's own; none: the inbox alone."""
        contact = self._contacts.of(agency, self._profile.contractor_on(agency, day))
        return (contact.urgent_email if urgency == Urgency.URGENT else ()) or contact.email

    def name(self, agency: str) -> str:
        """The agency as people know it; its id when the profile does not know it."""
        return self._profile.agency_names.get(agency, agency)
