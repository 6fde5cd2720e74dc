"""What happens when something that the audience depends on changes (rule `audience`; docs/decisions/0011).

`recompute` looks at a whole case: it works out who may see each form now, stores it, publishes it, and keeps the lists and
the search keys of each agency in step. It is called in the transaction of the change itself, so that nothing is answered
before the new audience is on its way. A recompute that finds nothing changed writes and publishes nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
from sqlalchemy import Connection

from tsunagi_intake import cases, form_facts, publishing, timeline
from tsunagi_intake.audience import Audience, FormFacts, of_form
from tsunagi_intake.form_facts import CaseForms, StoredForm
from tsunagi_intake.tables import audience, case_keys, case_lists, records, referrals
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import AudienceEntry
from tsunagi_shared.contracts.events import AUDIENCE_CHANGED, AudienceChanged
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.database import Statement, insert_of
from tsunagi_shared.outbox import Outbox

# Of these kinds nothing is drawn, so that nothing of them is published
WITHOUT_DOCUMENTS = frozenset(
    {"contact", "withdrawal", "consent_withdrawal", "consent_extension", "support_answer", "information_answer"}
)

Row = tuple[str | None, ...]  # of the audience, as stored: the columns named next
_COLUMNS = ("basis_kind", "basis_ref", "law", "view", "members", "until", "hidden", "withheld")
_VIEW, _HIDDEN, _WITHHELD = 3, 6, 7

_INSERT = insert_of(audience)
_STORED = Statement(
    sa.select(audience.c.form, audience.c.agency, *(audience.c[name] for name in _COLUMNS)).where(
        audience.c.form.in_(
            sa.select(sa.literal_column("'referral/'").concat(referrals.c.id))
            .where(referrals.c.case == sa.bindparam("of_case"))
            .union_all(
                sa.select(records.c.kind.concat(sa.literal_column("'/'")).concat(records.c.id)).where(
                    records.c.case == sa.bindparam("of_case")
                )
            )
        )
    )
)
_CLOSE = Statement(audience.delete().where(audience.c.form == sa.bindparam("of_form")))
_KEEP_REFERRAL = Statement(
    referrals.update()
    .where(referrals.c.id == sa.bindparam("identity"))
    .values({name: sa.bindparam(name) for name in ("audience_revision", "support_meeting_only", "persons", "withheld")})
)
_KEEP_RECORD = Statement(
    records.update()
    .where(records.c.id == sa.bindparam("identity"))
    .values({name: sa.bindparam(name) for name in ("audience_revision", "support_meeting_only", "persons")})
)
_LIST = Statement(
    sa.dialects.sqlite.insert(case_lists)
    .values({column.name: sa.bindparam(column.name) for column in case_lists.c})
    .on_conflict_do_update(
        index_elements=["agency", "case"],
        set_={name: sa.bindparam(name) for name in ("state", "fiscal_year", "origin")},
    )
)
_LINE = tuple(column.name for column in case_lists.c)
_LISTED = Statement(sa.select(*case_lists.c).where(case_lists.c.case == sa.bindparam("of_case")))
_UNLIST = Statement(
    case_lists.delete().where(
        case_lists.c.agency == sa.bindparam("of_agency"), case_lists.c.case == sa.bindparam("of_case")
    )
)
_KEYS = Statement(
    sa.select(case_keys.c.agency, case_keys.c.search_key, case_keys.c.person).where(
        case_keys.c.case == sa.bindparam("of_case")
    )
)
_ADD_KEY = insert_of(case_keys)
_DROP_KEY = Statement(
    case_keys.delete().where(
        case_keys.c.agency == sa.bindparam("of_agency"),
        case_keys.c.search_key == sa.bindparam("of_key"),
        case_keys.c.case == sa.bindparam("of_case"),
        case_keys.c.person == sa.bindparam("of_person"),
    )
)


class Change(msgspec.Struct, frozen=True):
    """A form whose audience is another than before: the agencies that may see it now and could not, and the other way round.

    Both are empty when only the view, the basis or what is hidden changed.
    """

    form: str
    gained: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()


def recompute(
    connection: Connection,
    profile: Profile,
    outbox: Outbox,
    case: int,
    *,
    reason: str,
    principal: Principal | None = None,
) -> tuple[Change, ...]:
    """Work out the audience of every form of the case, and of the cases joined with it; the forms where it changed.

    Writes the audience, the lists and the search keys, and publishes `intake.audience.changed` for each changed form. A form
    of `audience_revision` 0 was never looked at before: it gets its first audience and is published with its content,
    which carries the audience. Content is published too where a view, or something hidden or withheld, is there that was
    not there before, for documents can draw from an event alone. One line of the time line says that something changed;
    `reason` is its code. EventTooLarge.
    """
    looked_at = [
        found
        for one in form_facts.group_of(connection, case)
        if (found := _look_at(connection, profile, outbox, one, reason, principal)) is not None
    ]
    _keep_lists(connection, looked_at)
    return tuple(change for found in looked_at for change in found.changes)


def first_audience(
    connection: Connection,
    profile: Profile,
    facts: FormFacts,
    *,
    case: int,
    state: str,
    fiscal_year: int,
    keys: Mapping[str, str],
) -> Audience:
    """Store the audience of the first referral of a new case, and put the case on the lists of those who may see it.

    `keys`: the search key of each person of the form, by id. The form's row and its event, both with audience revision 1,
    are the caller's.
    """
    found = of_form(facts, profile, clock.today())
    _insert(connection, facts.form, case, 1, _rows_of(found.entries))
    _LIST.many(
        connection,
        [
            {"agency": entry.agency, "case": case, "state": state, "fiscal_year": fiscal_year, "origin": facts.origin}
            for entry in found.entries
        ],
    )
    _ADD_KEY.many(
        connection,
        [
            {"agency": entry.agency, "search_key": keys[person], "case": case, "person": person}
            for entry in found.entries
            for person in facts.persons
            if person not in entry.hidden and keys.get(person)
        ],
    )
    return found


class _Case(msgspec.Struct, frozen=True):
    """A case being looked at, and what is needed to write and publish."""

    connection: Connection
    profile: Profile
    outbox: Outbox
    forms: CaseForms


class _LookedAt(msgspec.Struct, frozen=True):
    """What came of a case: its forms that changed, and the agencies that are in an audience of any of its forms."""

    forms: CaseForms
    changes: list[Change]
    agencies: set[str]


def _look_at(
    connection: Connection, profile: Profile, outbox: Outbox, case: int, reason: str, principal: Principal | None
) -> _LookedAt | None:
    day = clock.today()
    found = form_facts.of_case(connection, profile, case, day)
    if found is None:
        return None
    here = _Case(connection, profile, outbox, found)
    stored = _stored(connection, case)
    changes: list[Change] = []
    told: list[Change] = []
    agencies: set[str] = set()
    keys: set[tuple[str, str, str]] = set()
    for form in found.forms:
        now = of_form(form.facts, profile, day)
        agencies.update(entry.agency for entry in now.entries)
        sought = tuple(person for person in form.facts.persons if person not in form.former)
        _add_keys(keys, sought, now.entries, found.keys)
        change = _settle(here, form, now, stored.get(form.facts.form, {}))
        if change is not None:
            changes.append(change)
            if form.audience_revision:
                told.append(change)
    _keep_keys(connection, case, keys)
    if told:
        ref = told[0].form if len(told) == 1 else ""
        kind = timeline.Happening.AUDIENCE_CHANGED
        timeline.add(connection, case, kind, ref, code=reason, principal=principal, state=found.state)
    return _LookedAt(found, changes, agencies)


def _settle(here: _Case, form: StoredForm, now: Audience, before: dict[str, Row]) -> Change | None:
    """Store and publish what changed for one form; None when nothing did."""
    rows = _rows_of(now.entries)
    persons = msgspec.json.encode(form.facts.persons).decode()
    left_out = msgspec.json.encode(now.withheld).decode() if form.facts.kind == "referral" else ""
    as_before = rows == before and now.support_meeting_only == form.support_meeting_only and persons == form.persons
    if as_before and form.audience_revision:
        if left_out != form.left_out:  # only the reason why somebody gets nothing
            _keep(here.connection, form, now, form.audience_revision, persons, left_out)
        return None
    revision = form.audience_revision + 1
    if before:
        _CLOSE.run(here.connection, of_form=form.facts.form)
    _insert(here.connection, form.facts.form, here.forms.case, revision, rows)
    _keep(here.connection, form, now, revision, persons, left_out)
    if form.facts.kind not in WITHOUT_DOCUMENTS:
        provider = here.profile.roles.multi_agency_provider
        drawn = _projections(before, form.support_meeting_only, provider) if form.audience_revision else set()
        undrawn = _projections(rows, now.support_meeting_only, provider) - drawn
        _publish(here, form, now, revision, with_content=bool(undrawn))
    gained, cut = sorted(rows.keys() - before.keys()), sorted(before.keys() - rows.keys())
    return Change(form.facts.form, tuple(gained), tuple(cut))


def _publish(here: _Case, form: StoredForm, now: Audience, revision: int, *, with_content: bool) -> None:
    """The new audience, and the content where something is to be drawn from it that was not drawn before.

    A form that is published for the first time brings its audience with it.
    """
    if form.audience_revision or not with_content:
        publish_audience(here.connection, here.profile, here.outbox, here.forms.number, form, now, revision)
    if with_content:
        publishing.publish_form(here.connection, form.facts.form, here.profile, here.outbox)


def publish_audience(
    connection: Connection,
    profile: Profile,
    outbox: Outbox,
    case_number: str,
    form: StoredForm,
    now: Audience,
    revision: int,
) -> None:
    """Say who may see a form, as it stands with that revision of its audience."""
    event = AudienceChanged(
        form=form.facts.form, case_number=case_number, audience_revision=revision, entries=now.entries,
        persons=form.facts.persons, other_ids=dict(form.other_ids), support_meeting_only=now.support_meeting_only,
        provider=profile.roles.multi_agency_provider,
    )  # fmt: skip
    outbox.add(connection, AUDIENCE_CHANGED, event, aggregate=f"audience/{form.facts.form}", revision=revision)


def _projections(
    rows: Mapping[str, Row], support_meeting_only: bool, provider: str
) -> set[tuple[str | bool | None, ...]]:
    """What is drawn for these rows. The provider has papers that nobody else has."""
    return {
        (row[_VIEW], row[_HIDDEN], row[_WITHHELD], support_meeting_only, agency == provider)
        for agency, row in rows.items()
    }


@functools.lru_cache(maxsize=4096)
def _json(texts: tuple[str, ...]) -> str:
    return msgspec.json.encode(sorted(texts)).decode()


def _rows_of(entries: Iterable[AudienceEntry]) -> dict[str, Row]:
    return {
        entry.agency: (
            entry.basis.kind.value, entry.basis.ref, entry.basis.law, entry.view.value, _json(entry.members),
            entry.until.isoformat() if entry.until else None, _json(entry.hidden), _json(entry.withheld),
        )
        for entry in entries
    }  # fmt: skip


def _stored(connection: Connection, case: int) -> dict[str, dict[str, Row]]:
    """The audience of each form of the case as it is stored, by agency."""
    found: dict[str, dict[str, Row]] = {}
    cursor = _STORED.run(connection, of_case=case)
    for form, agency, *row in cursor:
        found.setdefault(form, {})[agency] = tuple(row)
    cursor.close()
    return found


def _insert(connection: Connection, form: str, case: int, revision: int, rows: Mapping[str, Row]) -> None:
    _INSERT.many(
        connection,
        [
            {
                "agency": agency,
                "case": case,
                "form": form,
                "revision": revision,
                **dict(zip(_COLUMNS, row, strict=True)),
            }
            for agency, row in rows.items()
        ],
    )


def _keep(connection: Connection, form: StoredForm, now: Audience, revision: int, persons: str, left_out: str) -> None:
    columns: dict[str, Any] = {
        "identity": form.identity,
        "audience_revision": revision,
        "support_meeting_only": int(now.support_meeting_only),
        "persons": persons,
    }
    if form.facts.kind == "referral":
        _KEEP_REFERRAL.run(connection, **columns, withheld=left_out)
    else:
        _KEEP_RECORD.run(connection, **columns)


def _keep_lists(connection: Connection, group: list[_LookedAt]) -> None:
    """Put each case on the lists of those who see a form of it, and take it off the lists of those who do not any more.

    A case that others were joined to stands in their place: it is on the lists of those who see a form of any of them.
    """
    everybody = {agency for one in group for agency in one.agencies}
    for one in group:
        case = one.forms.case
        listed = one.agencies if one.forms.joined else everybody
        wanted = {agency: _line(one.forms, agency) for agency in listed}
        cursor = _LISTED.run(connection, of_case=case)
        stored = {row[0]: dict(zip(_LINE, row, strict=True)) for row in cursor}
        cursor.close()
        for agency in stored.keys() - wanted.keys():
            _UNLIST.run(connection, of_agency=agency, of_case=case)
        _LIST.many(connection, [row for agency, row in sorted(wanted.items()) if stored.get(agency) != row])


def _line(found: CaseForms, agency: str) -> dict[str, Any]:
    state = cases.JOINED if found.joined else found.state
    return dict(zip(_LINE, (agency, found.case, state, found.fiscal_year, found.origin), strict=True))


def _add_keys(
    wanted: set[tuple[str, str, str]],
    persons: tuple[str, ...],
    entries: Iterable[AudienceEntry],
    keys: Mapping[str, frozenset[str]],
) -> None:
    for entry in entries:
        for person in persons:
            if person not in entry.hidden:
                wanted.update((entry.agency, key, person) for key in keys.get(person, ()))


def _keep_keys(connection: Connection, case: int, wanted: set[tuple[str, str, str]]) -> None:
    """Bring the search keys of the case to what is wanted."""
    cursor = _KEYS.run(connection, of_case=case)
    stored = set(cursor.fetchall())
    cursor.close()
    for agency, key, person in stored - wanted:
        _DROP_KEY.run(connection, of_agency=agency, of_key=key, of_case=case, of_person=person)
    _ADD_KEY.many(
        connection,
        [
            {"agency": agency, "search_key": key, "case": case, "person": person}
            for agency, key, person in sorted(wanted - stored)
        ],
    )
