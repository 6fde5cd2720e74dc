"""What ended, as documents tells it: an agency lost a document, a version was replaced. Kept for documents of which nobody
was told yet, too, so that an ending that comes before its beginning still holds.

An event that gives a document to an agency counts only when its revision is higher than that of the last one that took it.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite as sqlite
from sqlalchemy import Connection

from tsunagi_notify.tables import cuts, newest_versions
from tsunagi_shared.database import Statement


class Cut(msgspec.Struct, frozen=True):
    """An agency lost a document: the revision of the event that said so, and the moment in UTC microseconds."""

    revision: int
    at: int


_CUT = Statement(
    sa.select(cuts.c.revision, cuts.c.at).where(
        cuts.c.document_id == sa.bindparam("document"), cuts.c.agency == sa.bindparam("of")
    )
)
_NEWEST = Statement(
    sa.select(newest_versions.c.version).where(newest_versions.c.document_id == sa.bindparam("document"))
)


def cut_of(connection: Connection, document_id: str, agency: str) -> Cut | None:
    """The last time that the agency lost the document, if ever."""
    row = _CUT.first(connection, document=document_id, of=agency)
    return None if row is None else Cut(*row)


def keep_cut(connection: Connection, document_id: str, agency: str, cut: Cut) -> bool:
    """Remember the cut; False when the same or a later one is known."""
    statement = (
        sqlite.insert(cuts)
        .values(document_id=document_id, agency=agency, revision=cut.revision, at=cut.at)
        .on_conflict_do_update(
            index_elements=["document_id", "agency"],
            set_={"revision": cut.revision, "at": cut.at},
            where=cuts.c.revision < cut.revision,
        )
    )
    return bool(connection.execute(statement).rowcount)


def newest_version(connection: Connection, document_id: str) -> int:
    """The newest version that is known to have replaced others; 0 when none has."""
    row = _NEWEST.first(connection, document=document_id)
    return 0 if row is None else int(row[0])


def keep_newest(connection: Connection, document_id: str, version: int) -> bool:
    """Remember that the version replaced those before it; False when that, or a newer one, is known."""
    statement = (
        sqlite.insert(newest_versions)
        .values(document_id=document_id, version=version)
        .on_conflict_do_update(
            index_elements=["document_id"], set_={"version": version}, where=newest_versions.c.version < version
        )
    )
    return bool(connection.execute(statement).rowcount)
