"""Drafts: what somebody typed into a form and did not hand in yet. Theirs alone, under the post they typed it, for 30 days.

A draft is kept as the form's JSON shape, however incomplete or wrong; it is checked when it is handed in.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.tables import drafts as table
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.database import delete_some
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.problems import Refusal, not_found

KEPT_DAYS = 30
MOST = 100  # of one person: a draft is no archive
FIELD = "_draft"  # of a page: the draft that its form was taken from
_ID = re.compile(r"[0-9a-f-]{36}", re.ASCII)


class DraftLine(msgspec.Struct, frozen=True):
    """One draft in the list of its owner. `about`: what the form belongs to, as in the form's address."""

    id: str
    kind: str
    about: str
    saved_at: dt.datetime


class Draft(msgspec.Struct, frozen=True):
    """A draft with what was typed, in the shape of the form's JSON."""

    id: str
    kind: str
    about: str
    saved_at: dt.datetime
    content: dict[str, Any]


def save(connection: Connection, principal: Principal, kind: str, about: str, content: Any, draft: str = "") -> str:
    """Keep what was typed; its id. With `draft`, that draft of the same person and form is replaced.

    Refusal 404 for a form that there is not, 409 when the person has MOST drafts already.
    """
    if kind not in FORMS:
        raise not_found()
    values = {"kind": kind, "about": about, "content": msgspec.json.encode(content), "saved_at": clock.now_us()}
    if draft and _ID.fullmatch(draft):
        mine = table.update().where(*_own(principal), table.c.id == draft, table.c.kind == kind)
        if connection.execute(mine.values(values)).rowcount:
            return draft
    number = connection.execute(sa.select(sa.func.count()).select_from(table).where(*_own(principal))).scalar_one()
    if number >= MOST:
        raise Refusal(
            409,
            "too-many-drafts",
            f"下書きは{MOST}件まで保存できます。",
            "使わない下書きを消してから、保存してください。",
        )
    draft = uuid7(clock.now_us())
    connection.execute(table.insert().values(id=draft, user=principal.user, agency=principal.agency, **values))
    return draft


def _own(principal: Principal) -> tuple[sa.ColumnElement[bool], ...]:
    """The drafts of this person under this post that are still kept."""
    kept = table.c.saved_at >= clock.now_us() - KEPT_DAYS * 86_400_000_000
    return (table.c.user == principal.user, table.c.agency == principal.agency, kept)


def list_drafts(connection: Connection, principal: Principal) -> tuple[DraftLine, ...]:
    """The person's drafts, newest first."""
    columns = (table.c.id, table.c.kind, table.c.about, table.c.saved_at)
    rows = connection.execute(sa.select(*columns).where(*_own(principal)).order_by(table.c.saved_at.desc()).limit(MOST))
    return tuple(DraftLine(row.id, row.kind, row.about, clock.moment_of(row.saved_at)) for row in rows)


def find(connection: Connection, principal: Principal, draft: str) -> Draft:
    """One draft of this person; the common 404 otherwise."""
    row = connection.execute(sa.select(table).where(*_own(principal), table.c.id == draft)).first()
    if row is None:
        raise not_found()
    content = msgspec.json.decode(row.content)
    return Draft(row.id, row.kind, row.about, clock.moment_of(row.saved_at), content)


def discard(connection: Connection, principal: Principal, draft: str) -> bool:
    """Take a draft of this person away: it was handed in, or is no longer wanted. Whether it was there."""
    if not _ID.fullmatch(draft):
        return False
    return connection.execute(table.delete().where(*_own(principal), table.c.id == draft)).rowcount > 0


def forget_old(connection: Connection) -> int:
    """Take away some of the drafts older than 30 days; how many. Call again until none."""
    return delete_some(connection, table, table.c.saved_at < clock.now_us() - KEPT_DAYS * 86_400_000_000)
