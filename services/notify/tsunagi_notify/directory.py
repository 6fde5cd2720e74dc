"""Who is reached how: the profile's agencies and contracts, and the addresses of contacts.toml."""

from __future__ import annotations

import datetime as dt

import msgspec

from tsunagi_shared.contracts.profile import Contact, Contacts, Profile
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
        self._contacts = {contact.agency: contact for contact in contacts.contacts}
        section = profile.agency(profile.municipality.responsible_section)
        self.enquiries = Enquiries(section.name, section.phone)
        self.municipality = profile.municipality.name

    def refusal(self, agency: str, day: dt.date) -> str:
        """Why the agency may not be told, nor its people read, on that Japanese date; empty when they may."""
        if agency not in self._profile.agencies_by_id:
            return UNKNOWN_AGENCY
        return "" if self._profile.contract_live(agency, day) else CONTRACT_ENDED

    def addresses(self, agency: str, urgency: str) -> tuple[str, ...]:
        """The e-mail addresses for a notice of that urgency; none: the inbox alone."""
        contact = self._contacts.get(agency, Contact(agency=agency))
        return (contact.urgent_email if urgency == Urgency.URGENT else ()) or contact.email

    def name(self, agency: str) -> str:
        """The agency as people know it; its id when the profile does not know it."""
        return self._profile.agency_names.get(agency, agency)
