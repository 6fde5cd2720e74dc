"""A person's sittings as a calendar their own program reads (RFC 5545): times, bodies and place; no case, no name.

The address holds a token that only that program knows; here its digest is kept. It is shown once, and can be taken back.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Iterator

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import agenda
from tsunagi_intake.agenda import MeetingState, Sitting
from tsunagi_intake.meeting_office import is_office_of
from tsunagi_intake.meeting_tables import calendar_tokens, meeting_members, meetings
from tsunagi_intake.records import Write
from tsunagi_intake.tables import records as records_table
from tsunagi_shared import audit, clock
from tsunagi_shared.contracts.profile import Profile

TOKEN_BYTES = 32
PAST_DAYS = 92
_LONGEST_LINE = 75  # octets, with the fold
_JAPAN = dt.timezone(dt.timedelta(hours=9))


class CalendarToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new token, told this once; every earlier one of the person no longer opens anything. Empty: taken back."""

    token: str
    path: str


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calendar a token opens."""

    user: str
    agency: str
    contractor: str


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def renew(connection: Connection, write: Write, *, revoke: bool = False) -> bytes:
    """Give the caller a new token in the place of the one before, or (`revoke`) none; the encoded CalendarToken.

    The answer is kept under no key, so that the token stands nowhere: asked again, there is another one.
    """
    return msgspec.json.encode(_renew(connection, write, revoke=revoke))


def _renew(connection: Connection, write: Write, *, revoke: bool) -> CalendarToken:
    principal, moment = write.principal, clock.now_us()
    own = calendar_tokens.c.user == principal.user, calendar_tokens.c.agency == principal.agency
    connection.execute(calendar_tokens.delete().where(*own))
    subject = f"calendar/{principal.agency}"
    audit.record(connection, principal, "calendar.revoke" if revoke else "calendar.open", subject)
    if revoke:
        return CalendarToken(token="", path="")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    connection.execute(
        calendar_tokens.insert().values(
            hash=digest_of(token), user=principal.user, agency=principal.agency, contractor=principal.contractor,
            made_at=moment, revoked_at=None,
        )
    )  # fmt: skip
    return CalendarToken(token=token, path=f"/meetings.ics?token={token}")


def has_token(connection: Connection, user: str, agency: str) -> bool:
    """Whether a calendar program may read the person's sittings."""
    own = sa.select(1).where(calendar_tokens.c.user == user, calendar_tokens.c.agency == agency)
    return connection.execute(own.limit(1)).first() is not None


def holder_of(connection: Connection, token: str) -> Holder | None:
    """Whose token it is; None for one that opens nothing (any more)."""
    row = connection.execute(
        sa.select(calendar_tokens).where(
            calendar_tokens.c.hash == digest_of(token), calendar_tokens.c.revoked_at.is_(None)
        )
    ).first()
    return Holder(user=row.user, agency=row.agency, contractor=row.contractor) if row is not None else None


def calendar_of(connection: Connection, profile: Profile, holder: Holder) -> str:
    """The sittings to which the person was called, or that their agency runs, as text/calendar.

    Of an agency whose members have no account here, everybody's calendar shows what the agency was called to.
    """
    first = (clock.today() - dt.timedelta(PAST_DAYS)).isoformat()
    rows = connection.execute(
        sa.select(meetings, records_table.c.form, records_table.c.agency)
        .join(records_table, records_table.c.id == meetings.c.id)
        .where(meetings.c.convened_at.is_not(None), meetings.c.held_on >= first)
        .order_by(meetings.c.held_on, meetings.c.id)
    ).all()
    called = set(
        connection.execute(
            sa.select(meeting_members.c.meeting).where(
                meeting_members.c.agency == holder.agency, agenda.TOLD,
                meeting_members.c.user.in_((holder.user, "")),
            )
        ).scalars()
    )  # fmt: skip
    own = [sitting for row in rows if _is_own(sitting := agenda.sitting_of(row), called, profile, holder)]
    return "".join(folded(line) for line in _lines(profile, own))


def _is_own(sitting: Sitting, called: set[str], profile: Profile, holder: Holder) -> bool:
    return sitting.id in called or any(
        is_office_of(holder.agency, profile, body, sitting.held_on) for body in sitting.form.bodies
    )


def _lines(profile: Profile, sittings: list[Sitting]) -> Iterator[str]:
    yield from (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tsunagi//Meetings//JA",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
    )
    yield f"X-WR-CALNAME:{text_value(profile.municipality.name + ' 会議')}"
    for sitting in sittings:
        yield from _event(profile, sitting)
    yield "END:VCALENDAR"


def _event(profile: Profile, sitting: Sitting) -> Iterator[str]:
    form, day = sitting.form, sitting.held_on
    names = "・".join(
        profile.bodies_by_id[body].name_on(day) if body in profile.bodies_by_id else body for body in form.bodies
    )
    stamp = clock.moment_of(sitting.convened_at or 0)
    yield "BEGIN:VEVENT"
    yield f"UID:{sitting.id}@{profile.municipality.code}.tsunagi"
    yield f"DTSTAMP:{utc_stamp(stamp)}"
    yield f"SEQUENCE:{sitting.revision}"
    yield f"DTSTART:{utc_stamp(moment_on(day, form.starts_at))}"
    if form.ends_at:
        yield f"DTEND:{utc_stamp(moment_on(day, form.ends_at))}"
    yield f"SUMMARY:{text_value(names)}"
    if form.place:
        yield f"LOCATION:{text_value(form.place)}"
    yield f"DESCRIPTION:{text_value(sitting.number)}"
    yield f"STATUS:{'CANCELLED' if sitting.state is MeetingState.CANCELLED else 'CONFIRMED'}"
    yield "END:VEVENT"


def moment_on(day: dt.date, time: str) -> dt.datetime:
    """A time of day (13:30) in Japan."""
    return dt.datetime.combine(day, dt.time.fromisoformat(time), _JAPAN)


def utc_stamp(at: dt.datetime) -> str:
    """As iCalendar writes a moment (RFC 5545, 3.3.5)."""
    return at.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")


def text_value(value: str) -> str:
    """As iCalendar writes text (RFC 5545, 3.3.11)."""
    for character in ("\\", ";", ","):
        value = value.replace(character, f"\\{character}")
    return value.replace("\r\n", "\\n").replace("\n", "\\n")


def folded(line: str) -> str:
    """The line with its end, broken between characters into pieces of at most 75 octets."""
    pieces, piece = [], ""
    for character in line:
        if len((piece + character).encode()) > _LONGEST_LINE:
            pieces.append(piece)
            piece = " "
        piece += character
    return "\r\n".join([*pieces, piece]) + "\r\n"
