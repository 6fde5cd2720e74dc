"""Who may get what comes of a referral, and who gets nothing and why (rule `audience`, in its first form).

Pure functions over plain data. With the person's consent: the origin, the multi-agency provider, and those destinations
that the consent names. Without: the origin, the responsible section and the secretariat of the 支援会議, whose members are
bound by the duty of secrecy; what comes of it is marked 支援会議限り.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.referral import Consent, ConsentStatus, Referral


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


def consent_live(consent: Consent, day: dt.date) -> bool:
    """Whether the consent was given and has not run out on that Japanese date (`until` is inclusive)."""
    return consent.status is ConsentStatus.GIVEN and (consent.until is None or day <= consent.until)


def of_referral(form: Referral, referral_id: str, origin: str, profile: Profile, day: dt.date) -> Audience:
    """The audience of a referral on the day it is handed in."""
    consented = consent_live(form.consent, day)
    found = [AudienceEntry(origin, Basis(BasisKind.ORIGIN, f"referral/{referral_id}"), View.FULL)]
    found += _with_consent(form, referral_id, profile) if consented else _without_consent(profile)
    # One basis an agency, the first that follows. A provider that wrote the form itself acts on it as the provider.
    found.sort(key=lambda entry: entry.basis.kind is not BasisKind.PROVIDER)
    entries: dict[str, AudienceEntry] = {}
    for entry in found:
        if profile.contract_live(entry.agency, day):
            entries.setdefault(entry.agency, entry)
    withheld = tuple(
        _why_not(agency, form.consent, profile, day)
        for agency in dict.fromkeys(form.destinations)
        if agency not in entries
    )
    return Audience(tuple(entries.values()), withheld, not consented)


def _with_consent(form: Referral, referral_id: str, profile: Profile) -> list[AudienceEntry]:
    provider = AudienceEntry(
        profile.roles.multi_agency_provider, Basis(BasisKind.PROVIDER, f"referral/{referral_id}"), View.FULL
    )
    basis = Basis(BasisKind.CONSENT, f"consent/{referral_id}")
    named = [agency for agency in form.destinations if agency in form.consent.agencies]
    return [provider, *(AudienceEntry(agency, basis, View.SUMMARY, until=form.consent.until) for agency in named)]


def _without_consent(profile: Profile) -> list[AudienceEntry]:
    roles = profile.roles
    section = AudienceEntry(
        profile.municipality.responsible_section,
        Basis(BasisKind.RESPONSIBLE_SECTION, profile.municipality.responsible_section),
        View.FULL,
    )
    found = [section]
    if profile.is_provider_exempt_from_consent:
        found.append(AudienceEntry(roles.multi_agency_provider, Basis(BasisKind.PROVIDER, "exempt"), View.FULL))
    secretariat = Basis(BasisKind.SITTING, f"body/{roles.support_meeting_body}")
    return [*found, AudienceEntry(roles.support_meeting_secretariat, secretariat, View.FULL)]


def _why_not(agency: str, consent: Consent, profile: Profile, day: dt.date) -> Withheld:
    if not profile.contract_live(agency, day):
        return Withheld(
            agency,
            "contract-ended",
            "この機関は、いま市町村との契約の期間にありません。",
            "所管課にたずね、引き継いだ機関をつなぎ先にしてください。",
        )
    if not consent_live(consent, day):
        return Withheld(
            agency,
            "consent-missing",
            "本人の同意がないため、この機関には何も届けていません。",
            "支援会議で扱えます。同意を得たら、共有してよい機関を選んで、もう一度つないでください。",
        )
    return Withheld(
        agency,
        "consent-does-not-name",
        "本人の同意した共有先にこの機関が入っていないため、何も届けていません。",
        "この機関との共有にも同意を得て、もう一度つないでください。",
    )
