"""`tsunagi-documents block`: access cut by hand, for a case, a person or a document, and given back. Every read looks there."""

from __future__ import annotations

import uuid

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_documents.blocked import is_person
from tsunagi_documents.closing import Doors
from tsunagi_documents.reading import readers_of
from tsunagi_documents.tables import blocks, documents, forms, versions
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Profile

SCOPES = {"case": "ケース", "person": "人", "document": "文書"}
COMMAND_LINE = Principal("command-line", "コマンド", "", frozenset(), "command")


class Block(msgspec.Struct, frozen=True):
    """What is cut: a case by its number, a person or a document by its id."""

    scope: str
    ref: str


class BlockRefused(Exception):
    """What was asked cannot be done; the text says why, in Japanese."""


def block(connection: Connection, profile: Profile, doors: Doors, wanted: Block, reason: str) -> int:
    """Cut access at once; how many documents are concerned. Those who could read are told of it. BlockRefused."""
    found = _concerned(connection, wanted)
    if not found and wanted.scope != "case":
        raise BlockRefused("そのIDの文書、又はその人が出てくる文書はありません。IDを確かめてください。")
    before = _readers(connection, profile, found)
    values = {"scope": wanted.scope, "ref": wanted.ref, "at": clock.now_us()}
    if not connection.execute(sa.dialects.sqlite.insert(blocks).values(values).on_conflict_do_nothing()).rowcount:
        raise BlockRefused("すでに閉じてあります。")
    for document in found:
        readers = readers_of(connection, profile, document.id, clock.today())
        cut = before[document.id] - set(readers.may_read)
        version = _stored_version(connection, document.id)
        if cut and version:
            doors.announcer.withdrawn(connection, document, version, cut, readers, "blocked")
    _record(connection, "document.block", wanted, found, reason)
    return len(found)


def lift(connection: Connection, profile: Profile, doors: Doors, wanted: Block, reason: str) -> int:
    """Give access back to whoever has a live basis; how many documents are concerned. BlockRefused."""
    found = _concerned(connection, wanted)
    before = _readers(connection, profile, found)
    gone = connection.execute(blocks.delete().where(blocks.c.scope == wanted.scope, blocks.c.ref == wanted.ref))
    if not gone.rowcount:
        raise BlockRefused("閉じてありません。番号を確かめてください。")
    for document in found:
        readers = readers_of(connection, profile, document.id, clock.today())
        gained = set(readers.may_read) - before[document.id]
        version = _stored_version(connection, document.id)
        if gained and version:
            doors.announcer.shared(connection, document, version, gained, readers)
    _record(connection, "document.unblock", wanted, found, reason)
    return len(found)


def _concerned(connection: Connection, wanted: Block) -> list[sa.Row[tuple[object, ...]]]:
    if wanted.scope == "document":
        condition: sa.ColumnElement[bool] = documents.c.id == wanted.ref
    elif wanted.scope == "case":
        condition = documents.c.case_number == wanted.ref
    else:
        person = sa.func.json_each(forms.c.persons).table_valued("value", name="person")
        shows = is_person(person.c.value, wanted.ref)
        named = sa.select(forms.c.form).select_from(forms.join(person, sa.true())).where(shows)
        condition = documents.c.form.in_(named)
    return list(connection.execute(sa.select(documents).where(condition).order_by(documents.c.id)))


def _readers(
    connection: Connection, profile: Profile, found: list[sa.Row[tuple[object, ...]]]
) -> dict[str, frozenset[str]]:
    return {
        document.id: frozenset(readers_of(connection, profile, document.id, clock.today()).may_read)
        for document in found
    }


def _stored_version(connection: Connection, document_id: str) -> int:
    newest = sa.select(sa.func.max(versions.c.version)).where(versions.c.document_id == document_id)
    return connection.execute(newest).scalar() or 0


def _record(
    connection: Connection, action: str, wanted: Block, found: list[sa.Row[tuple[object, ...]]], reason: str
) -> None:
    """One row for each case concerned, so that the reason goes with the case. One about papers of no case that is still there
    would stay for good: it is not kept."""
    cases = {wanted.ref} if wanted.scope == "case" else {str(document.case_number) for document in found}
    for case in sorted(cases) or [""]:
        told = reason if case else ""
        audit.record(connection, COMMAND_LINE, action, f"{wanted.scope}/{wanted.ref}", case=case, reason=told)


def listed(connection: Connection) -> list[tuple[Block, int]]:
    """What is cut by hand, and since when (UTC microseconds), the oldest first."""
    rows = connection.execute(sa.select(blocks).order_by(blocks.c.at))
    return [(Block(row.scope, row.ref), row.at) for row in rows]


def wanted(scope: str, ref: str) -> Block:
    """What somebody typed. BlockRefused when it cannot be the id of a document."""
    if scope == "document":
        try:
            ref = str(uuid.UUID(ref))
        except ValueError:
            raise BlockRefused("文書のIDの形ではありません。") from None
    return Block(scope, ref)
