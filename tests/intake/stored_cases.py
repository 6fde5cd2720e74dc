"""Cases written straight into the tables, as the actions of the service leave them before the audience is worked out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.data.forms import sample
from tests.data.referrals import referral
from tsunagi_intake import cases, changes, form_facts, tables
from tsunagi_intake.audience import of_form
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import AudienceEntry
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.checks import check
from tsunagi_shared.forms.kinds import FORMS

_KEPT: dict[str, Any] = {"retention_class": "five-years", "completed_on": None, "legal_hold": 0}
_KANA = {"見本　太郎": ("みほんたろう", "1955-04-01"), "見本　花子": ("みほんはなこ", "1958-05-05")}


def _new_id() -> str:
    return uuid7(clock.now_us())


def _json(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()


def put(connection: Connection, table: sa.Table, **values: Any) -> None:
    """One row."""
    connection.execute(table.insert().values(values))


def add_case(connection: Connection, origin: str = "disability") -> int:
    """A case without forms."""
    seq = int(connection.execute(sa.select(sa.func.count()).select_from(tables.cases)).scalar_one()) + 1
    put(
        connection, tables.cases, seq=seq, number=f"C2026-{seq:05d}", fiscal_year=2026, state="received",
        opened_at=clock.now_us(), origin=origin, **_KEPT,
    )  # fmt: skip
    return seq


def _encoded(kind: str, raw: Any, profile: Profile) -> bytes:
    found = check(FORMS[kind].struct, raw, profile.codes(FORMS[kind].settings, clock.today()))
    assert found.form is not None, found.errors
    return msgspec.json.encode(found.form)


def add_referral(
    connection: Connection, profile: Profile, case: int, *, agency: str = "disability", **fields: Any
) -> str:
    """A referral of 見本 太郎 and his household, with his consent unless other fields are given; its id."""
    identity, raw = _new_id(), referral(**fields)
    ids = []
    known = {
        (row.search_key, row.birth_date): row.same_as
        for row in connection.execute(sa.select(tables.persons).where(tables.persons.c.case == case))
        if row.search_key and row.birth_date
    }
    for position, person in enumerate((raw["person"], *raw["household"])):
        key, birth_date = _KANA.get(person["name"], ("", None))
        row_id = f"{identity}.{position}"
        ids.append(known.setdefault((key, birth_date), row_id) if key else row_id)
        put(
            connection, tables.persons, id=row_id, referral=identity, case=case, position=position, search_key=key,
            birth_date=birth_date, phone_key="", same_as=ids[-1],
        )  # fmt: skip
    number = f"R2026-{int(connection.execute(sa.select(sa.func.count()).select_from(tables.referrals)).scalar_one()) + 1:05d}"
    put(
        connection, tables.referrals, id=identity, number=number, revision=1, fiscal_year=2026, case=case,
        submitted_at=clock.now_us(), user="mado", user_name="見本　窓子", agency=agency, urgency="normal",
        consent_status=raw["consent"]["status"], support_meeting_only=0, audience_revision=0, persons=_json(ids),
        withheld="[]", form=_encoded("referral", raw, profile), **_KEPT,
    )  # fmt: skip
    consent = raw["consent"]
    if consent["status"] == "given":
        add_consent(
            connection, case, ids[0], consent["agencies"], identity=identity, given_on=consent["given_on"],
            until=consent.get("until"),
        )  # fmt: skip
    return identity


def add_consent(
    connection: Connection, case: int, person: str, agencies: Iterable[str], *, identity: str = "", **columns: Any
) -> str:
    """A consent as the rules read it; its id."""
    values: dict[str, Any] = {
        "id": identity or _new_id(), "case": case, "person": person, "status": "given", "given_on": "2026-04-01", "until": None,
        "agencies": _json(agencies), "excluded": "[]", "covers_successor": 0, "withdrawn_on": None,
        "withdrawn_agencies": "[]", "revision": 1, "closed": 0, **columns,
    }  # fmt: skip
    put(connection, tables.consents, **values)
    return str(values["id"])


def add_record(
    connection: Connection, profile: Profile, case: int, kind: str, *, agency: str = "welfare-desk", about: str = ""
) -> str:
    """A further form; its id."""
    identity = _new_id()
    persons = form_facts.of_case(connection, profile, case, clock.today())
    subject = persons.forms[0].facts.persons[0] if persons and persons.forms else ""
    raw = sample(kind)
    if kind == "consent":
        raw["person"] = subject
        add_consent(connection, case, subject, raw["agencies"], identity=identity, until=raw["until"])
    put(
        connection, tables.records, id=identity, kind=kind, number=f"{kind}-{identity[-6:]}", case=case, about=about, revision=1,
        submitted_at=clock.now_us(), user="cord", user_name="見本　幸子", agency=agency, audience_revision=0,
        support_meeting_only=0, persons="[]", state="live", form=_encoded(kind, raw, profile), **_KEPT,
    )  # fmt: skip
    return identity


def add_protection(connection: Connection, case: int, person: str, *fields: str, **columns: Any) -> str:
    """Something withheld; its id."""
    values: dict[str, Any] = {
        "id": _new_id(), "case": case, "person": person, "kind": "own_wish", "fields": _json(fields or ("address",)),
        "cleared": "[]", "since": "2026-04-01", "until": None, "reason": "", "set_at": clock.now_us(), "set_by": "cord",
        **columns,
    }  # fmt: skip
    put(connection, tables.protections, **values)
    return str(values["id"])


def add_allocation(connection: Connection, case: int, agency: str, **columns: Any) -> str:
    """An agency that does a part; its id."""
    values: dict[str, Any] = {
        "id": _new_id(), "case": case, "agency": agency, "part": "訪問", "since": "2026-04-01", "until": None, **columns,
    }  # fmt: skip
    put(connection, tables.allocations, **values)
    return str(values["id"])


def add_ground(connection: Connection, case: int, agency: str, **columns: Any) -> str:
    """A basis other than consent; its id."""
    values: dict[str, Any] = {
        "id": _new_id(), "case": case, "agency": agency, "kind": "emergency", "law": "", "reason": "見本",
        "decided_by": "見本　幸子", "set_at": clock.now_us(), "until": None, "reviewed_by": "", **columns,
    }  # fmt: skip
    put(connection, tables.grounds, **values)
    return str(values["id"])


Entries = dict[str, AudienceEntry]


def _comparable(entry: AudienceEntry) -> AudienceEntry:
    return msgspec.structs.replace(
        entry, hidden=tuple(sorted(entry.hidden)), withheld=tuple(sorted(entry.withheld)), members=tuple(sorted(entry.members))
    )  # fmt: skip


def entries(found: Iterable[AudienceEntry]) -> Entries:
    """By agency, in one order."""
    return {entry.agency: _comparable(entry) for entry in found}


def stored(connection: Connection) -> dict[str, Entries]:
    """The audience of each form as it is in the tables."""
    forms = connection.execute(sa.select(tables.audience.c.form).distinct()).scalars().all()
    return {form: entries(cases.audience_of(connection, form)) for form in forms}


def wanted(connection: Connection, profile: Profile, day: dt.date) -> dict[str, Entries]:
    """The audience of each form as the rule gives it from the facts; forms nobody may see are left out."""
    seqs = connection.execute(sa.select(tables.cases.c.seq)).scalars().all()
    found = [form_facts.of_case(connection, profile, seq, day) for seq in seqs]
    forms = [form for case in found if case is not None for form in case.forms]
    every = {form.facts.form: entries(of_form(form.facts, profile, day).entries) for form in forms}
    return {form: there for form, there in every.items() if there}


def recompute(connection: Connection, runtime: Any, case: int, reason: str = "test") -> tuple[changes.Change, ...]:
    """As the actions call it."""
    return changes.recompute(connection, runtime.profile, runtime.outbox, case, reason=reason)
