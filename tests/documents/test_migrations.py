"""A database of an earlier release: who could read before can read after, by the new way of keeping it."""

from __future__ import annotations

import shutil
from pathlib import Path

import sqlalchemy as sa

from deploy.local.servers import ObjectStore
from tests.documents.running_service import DESTINATION, ORIGIN, PROVIDER, idle_service, receive, rows_of, settings_in
from tests.documents.test_closing import changed
from tsunagi_documents import closing
from tsunagi_documents.kinds import document_id
from tsunagi_documents.tables import access, audience, documents, forms
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.database import Database
from tsunagi_shared.service import PLUMBING_MIGRATIONS

FORM = "referral/0193576a-0000-7000-8000-000000000001"
MIGRATIONS = Path(closing.__file__).parent / "migrations" / "versions"
# kind, view, agency, member, basis, until
READERS = (
    ("referral_sheet", View.FULL, ORIGIN, "", "origin", FORM, None),
    ("referral_sheet", View.FULL, PROVIDER, "", "provider", "", None),
    ("assessment_sheet", View.FULL, PROVIDER, "", "provider", "", None),
    ("referral_sheet", View.SUMMARY, DESTINATION, "ken", "consent", "consent/1", "2027-03-31"),
    ("referral_sheet", View.SUMMARY, DESTINATION, "mio", "consent", "consent/1", "2027-03-31"),
)


def fill(database: Database) -> None:
    """As the first release kept a referral."""
    with database.connection() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO forms (form, revision, audience_revision, audience_form_revision) VALUES (:form, 1, 1, 1)"
            ),
            {"form": FORM},
        )
        for kind, view in dict.fromkeys((kind, view) for kind, view, *_ in READERS):
            connection.execute(
                documents.insert().values(
                    id=document_id(FORM, kind, view), form=FORM, form_revision=1, kind=kind, view=view.value, title="見本",
                    number="R8-00012", case_number="C8-00034", recipient="", hidden="[]", withheld="[]", persons='["p"]',
                    planned=1, state="stored", code="", version=1, support_meeting_only=0, urgency="soon", received_at=7,
                    retention_class="case", legal_hold=0, revision=1,
                )
            )  # fmt: skip
        for kind, view, agency, member, basis, ref, until in READERS:
            connection.execute(
                access.insert().values(
                    document_id=document_id(FORM, kind, view), agency=agency, member=member, basis_kind=basis,
                    basis_ref=ref, view=view.value, until=until, revision=1, state="live", code="", received_at=7,
                )
            )  # fmt: skip


async def test_who_may_read_is_taken_over(tmp_path: Path, store: ObjectStore) -> None:
    """The audience is made of the access rows, the form of its documents; settling it changes no access row."""
    first = tmp_path / "first"
    first.mkdir()
    shutil.copy(MIGRATIONS / "0001_documents.py", first)
    database = Database(settings_in(tmp_path, store).database)
    database.open(PLUMBING_MIGRATIONS, (first, "alembic_documents"))
    fill(database)
    database.close()
    async with idle_service(tmp_path, store) as runtime:
        known = (await rows_of(runtime, forms))[0]
        assert (known["case_number"], known["provider"], known["persons"]) == ("C8-00034", PROVIDER, '["p"]')
        entries = {
            (row["agency"], row["basis_kind"], row["basis_ref"], row["view"]): (row["members"], row["until"])
            for row in await rows_of(runtime, audience)
        }
        assert entries == {
            (ORIGIN, "origin", FORM, "full"): ("[]", None),
            (PROVIDER, "provider", "", "full"): ("[]", None),
            (DESTINATION, "consent", "consent/1", "summary"): ('["ken","mio"]', "2027-03-31"),
        }
        before = await rows_of(runtime, access)
        doors = closing.doors_of(runtime)
        await runtime.database.write(lambda connection: doors.settle(connection, FORM, closing.AUDIENCE_CHANGED))
        assert await rows_of(runtime, access) == before
        only = AudienceEntry(ORIGIN, Basis(BasisKind.ORIGIN, FORM), View.FULL)
        await receive(runtime, changed(2, only))
        assert [row["agency"] for row in await rows_of(runtime, access)] == [ORIGIN]
