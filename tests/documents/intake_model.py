"""A small intake for tests of documents: a case whose consents, protections and forms change, and the events that tell of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from tests.data.events import SAMPLES
from tests.documents.sample_referrals import submitted
from tsunagi_shared import clock
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.envelope import Envelope

CASE = "C8-00034"
ORIGIN, PROVIDER, SECTION = "social-welfare", "welfare-desk", "health"
DESTINATIONS = ("sample-care", "hardship-support", "sample-clinic")
REFERRAL, ASSESSMENT, CONSENT_PAPER = "referral/r1", "assessment/a1", "consent/c0"
PERSONS = ("r1.0", "r1.1", "r1.2")
STARTED_AT = 1_790_000_000_000_000
STEP_US = 1_000_000


class Published(msgspec.Struct, frozen=True):
    """An event and when it was published."""

    envelope: Envelope
    data: msgspec.Struct

    @property
    def type(self) -> str:
        return self.envelope.type


class Consent(msgspec.Struct):
    """One consent of a person: the agencies that it names still."""

    id: str
    person: str
    agencies: set[str]


class Form(msgspec.Struct):
    """What intake keeps of a form."""

    name: str
    revision: int = 1
    audience_revision: int = 0
    entries: tuple[AudienceEntry, ...] = ()
    support_meeting_only: bool = False
    kept: tuple[str, ...] | None = None
    erased: bool = False


class IntakeModel:
    """Every method is one transaction of intake; `published` is what it has sent, in order."""

    def __init__(self) -> None:
        self.published: list[Published] = []
        self.consents = [Consent("k0", PERSONS[0], set(DESTINATIONS[:2]))]
        self.protected: dict[str, set[str]] = {}  # <person>:<field> → cleared
        self.protections = 0
        self.forms = {name: Form(name) for name in (REFERRAL, ASSESSMENT, CONSENT_PAPER)}
        self._at = STARTED_AT
        self._recompute()

    # what people do ----------------------------------------------------------------------------------------------------

    def give(self, person: int, agencies: set[str]) -> None:
        """A new consent."""
        self.consents.append(Consent(f"k{len(self.consents)}", PERSONS[person], set(agencies)))
        self._recompute()

    def withdraw(self, which: int, agencies: set[str]) -> None:
        """An earlier consent ends for some agencies; for all when none is named."""
        if not self.consents:
            return
        consent = self.consents[which % len(self.consents)]
        gone = (agencies or set(consent.agencies)) & consent.agencies
        if not gone:
            return
        consent.agencies -= gone
        whole = not agencies
        self._publish(
            events.CONSENT_WITHDRAWN,
            events.ConsentWithdrawn(
                consent_id=consent.id,
                case_number=CASE,
                person=consent.person,
                agencies=() if whole else tuple(sorted(gone)),
                withdrawn_on=dt.date(2026, 11, 23),
                code="withdrawn" if whole else "partly_withdrawn",
                at=clock.moment_of(self._at),
            ),
        )
        self._recompute()

    def extend(self, which: int, agencies: set[str]) -> None:
        """An earlier consent names further agencies, also such as it was withdrawn for."""
        if self.consents:
            self.consents[which % len(self.consents)].agencies |= agencies
            self._recompute()

    def protect(self, person: int, field: str, cleared: set[str]) -> None:
        """A person's address or telephone is to be withheld."""
        self.protected[f"{PERSONS[person]}:{field}"] = set(cleared)
        self._tell_protection()

    def lift(self) -> None:
        """Nothing is withheld any more."""
        if self.protected:
            self.protected = {}
            self._tell_protection()

    def correct(self, form: str) -> None:
        """The form's next revision."""
        if not self.forms[form].erased:
            self.forms[form].revision += 1
            self._publish_content(self.forms[form])

    def publish_again(self, form: str) -> None:
        """再作成, or `republish`."""
        if not self.forms[form].erased:
            self._publish_content(self.forms[form])

    def take_back(self, form: str) -> None:
        """取下げ."""
        kept = self.forms[form]
        if kept.kept is None and not kept.erased:
            kept.kept = (ORIGIN, SECTION)
            self._publish(
                events.RECORD_WITHDRAWN,
                events.RecordWithdrawn(
                    form=form, case_number=CASE, code="withdrawn", keep=kept.kept, at=clock.moment_of(self._at)
                ),
            )
            self._recompute()

    def erase(self, form: str) -> None:
        """Disposal."""
        if not self.forms[form].erased:
            self.forms[form].erased = True
            self._publish(
                events.RECORD_ERASED,
                events.RecordErased(forms=(form,), case_number=CASE, code="disposal", at=clock.moment_of(self._at)),
            )

    def tick(self) -> None:
        """The minute's watermark."""
        self._publish(events.WATERMARK_PASSED, events.WatermarkPassed(at=clock.moment_of(self._at + STEP_US // 2)))

    # what intake makes of it -------------------------------------------------------------------------------------------

    def _tell_protection(self) -> None:
        self.protections += 1
        self._publish(
            events.PROTECTION_CHANGED,
            events.ProtectionChanged(
                case_number=CASE,
                revision=self.protections,
                withheld=tuple(sorted(self.protected)),
                cleared={field: tuple(sorted(cleared)) for field, cleared in self.protected.items()},
                at=clock.moment_of(self._at),
            ),
        )
        self._recompute()

    def _consented(self, person: str, agency: str) -> Consent | None:
        return next((row for row in self.consents if row.person == person and agency in row.agencies), None)

    def _entries(self, form: Form) -> tuple[AudienceEntry, ...]:
        full = [
            AudienceEntry(ORIGIN, Basis(BasisKind.ORIGIN, form.name), View.FULL),
            AudienceEntry(PROVIDER, Basis(BasisKind.PROVIDER, "exempt"), View.FULL),
            AudienceEntry(SECTION, Basis(BasisKind.RESPONSIBLE_SECTION, SECTION), View.FULL),
        ]
        entries = [entry for entry in full if form.kept is None or entry.agency in form.kept]
        for agency in DESTINATIONS:
            consent = self._consented(PERSONS[0], agency)
            if consent is not None and form.kept is None and form.name != CONSENT_PAPER:
                hidden = tuple(person for person in PERSONS[1:] if self._consented(person, agency) is None)
                basis = Basis(BasisKind.CONSENT, f"consent/{consent.id}")
                entries.append(AudienceEntry(agency, basis, View.SUMMARY, hidden=hidden))
        return tuple(
            msgspec.structs.replace(
                entry,
                withheld=tuple(
                    sorted(field for field, cleared in self.protected.items() if entry.agency not in cleared)
                ),
            )
            for entry in entries
        )

    def _recompute(self) -> None:
        for form in self.forms.values():
            if form.erased:
                continue
            only = not any(row.person == PERSONS[0] and row.agencies for row in self.consents)
            entries = self._entries(form)
            before = _projections(form.entries, form.support_meeting_only) if form.audience_revision else set()
            if form.audience_revision and (entries, only) == (form.entries, form.support_meeting_only):
                continue
            is_new = form.audience_revision == 0
            form.entries, form.support_meeting_only = entries, only
            form.audience_revision += 1
            if not is_new:
                self._publish(events.AUDIENCE_CHANGED, self._audience(form))
            if _projections(entries, only) - before:
                self._publish_content(form)

    def _audience(self, form: Form) -> events.AudienceChanged:
        return events.AudienceChanged(
            form=form.name,
            case_number=CASE,
            audience_revision=form.audience_revision,
            entries=form.entries,
            persons=PERSONS,
            support_meeting_only=form.support_meeting_only,
            provider=PROVIDER,
        )

    def _publish_content(self, form: Form) -> None:
        event_type, sample, identity = {
            REFERRAL: (events.REFERRAL_SUBMITTED, submitted(), {"referral_id": "r1"}),
            ASSESSMENT: (events.ASSESSMENT_SUBMITTED, SAMPLES[events.ASSESSMENT_SUBMITTED], {"form_id": "a1"}),
            CONSENT_PAPER: (events.CONSENT_GIVEN, SAMPLES[events.CONSENT_GIVEN], {"form_id": "c0"}),
        }[form.name]
        common: dict[str, Any] = {
            "revision": form.revision,
            "case_number": CASE,
            "audience": form.entries,
            "audience_revision": form.audience_revision,
            "persons": PERSONS,
            "support_meeting_only": form.support_meeting_only,
            "provider": PROVIDER,
        }
        self._publish(event_type, msgspec.structs.replace(sample, **common, **identity))

    def _publish(self, event_type: str, data: msgspec.Struct) -> None:
        self._at += STEP_US
        envelope = Envelope(
            id=f"event-{len(self.published)}",
            source="/132187/intake",
            type=event_type,
            time=clock.moment_of(self._at),
            aggregate="sample/1",
            revision=1,
            data=msgspec.Raw(msgspec.json.encode(data)),
        )
        self.published.append(Published(envelope, data))


def _projections(entries: tuple[AudienceEntry, ...], only: bool) -> set[tuple[Any, ...]]:
    return {(entry.view, entry.hidden, entry.withheld, only) for entry in entries}
