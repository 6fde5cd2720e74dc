"""The event of an issued 実績報告, out of the stored row alone, so that the same can be published again at any time."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.tables import records
from tsunagi_shared import clock
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View, of_role
from tsunagi_shared.contracts.events import Retention, Staff
from tsunagi_shared.contracts.profile import Profile, Role
from tsunagi_shared.contracts.report import YearReport
from tsunagi_shared.outbox import Outbox

KIND = "report"
READERS = frozenset({Role.RESPONSIBLE_SECTION, Role.COORDINATOR, Role.AUDITOR})  # of the figures, by their role
MEMBERS = tuple(sorted(of_role(role) for role in READERS))
EXEMPT = "exempt"  # the provider reads figures without anybody's consent: they name nobody


def publish(connection: Connection, identity: str, profile: Profile, outbox: Outbox) -> None:
    """Put the event of an issued report into the outbox, as it stands; nothing where there is none. EventTooLarge."""
    row = connection.execute(sa.select(records).where(records.c.id == identity, records.c.kind == KIND)).first()
    if row is None or not row.form:
        return
    provider = profile.roles.multi_agency_provider
    event = events.ReportIssued(
        form_id=identity, revision=row.revision, number=row.number, case_number="",
        received_at=clock.moment_of(row.submitted_at),
        submitted_by=Staff(row.user, row.user_name, row.agency, profile.agency_names.get(row.agency, row.agency)),
        audience=readers(profile), audience_revision=max(row.audience_revision, 1), provider=provider,
        provider_name=profile.agency_names[provider], municipality_name=profile.municipality.name,
        retention=Retention(row.retention_class, dt.date.fromisoformat(row.completed_on) if row.completed_on else None),
        form=msgspec.json.decode(row.form, type=YearReport),
    )  # fmt: skip
    outbox.add(connection, events.REPORT_ISSUED, event, aggregate=f"{KIND}/{identity}", revision=row.revision)


def readers(profile: Profile) -> tuple[AudienceEntry, ...]:
    """Who gets the paper: of the responsible section and of the 多機関協働事業者 those who may open the page of the figures by
    their role, and no other staff."""
    section, provider = profile.municipality.responsible_section, profile.roles.multi_agency_provider
    found = [AudienceEntry(section, Basis(BasisKind.RESPONSIBLE_SECTION, section), View.FULL, members=MEMBERS)]
    if provider != section:
        found.append(AudienceEntry(provider, Basis(BasisKind.PROVIDER, EXEMPT), View.FULL, members=MEMBERS))
    return tuple(found)
