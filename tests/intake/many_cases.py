"""A database with many cases, written straight into the tables: what lists and searches walk, and nothing besides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.lifecycle import CaseState
from tsunagi_intake.tables import audience, case_keys, case_lists, cases, consents, persons, referrals, timeline
from tsunagi_shared.forms.japanese import search_key

MINE = "welfare-desk"
OTHER = "sample-care"
START_US = 1_750_000_000_000_000
_AT_ONCE = 20_000  # so that a million fits into memory
_STATES = [state.value for state in CaseState]
_NAMES = ("みほん", "ためし", "れいだい", "しさく", "けんとう")


def kana_of(seq: int) -> str:
    """The furigana of the person of a case; no other has it."""
    return f"{_NAMES[seq % 5]}{seq:06d}"


def fill(connection: Connection, number: int, *, every: int = 1, kana: Callable[[int], str] = kana_of) -> None:
    """That many cases; every `every`-th is on the list of MINE, all are on that of OTHER."""
    for first in range(1, number + 1, _AT_ONCE):
        rows: dict[sa.Table, list[dict[str, Any]]] = {
            table: [] for table in (cases, referrals, persons, audience, case_lists, case_keys, consents, timeline)
        }
        for seq in range(first, min(first + _AT_ONCE, number + 1)):
            agencies = (MINE, OTHER) if seq % every == 0 else (OTHER,)
            _one(rows, seq, key=search_key(kana(seq)), agencies=agencies, year=2024 + seq * 3 // (number + 1))
        for table, values in rows.items():
            connection.execute(table.insert(), values)


def _one(
    rows: dict[sa.Table, list[dict[str, Any]]], seq: int, *, key: str, agencies: tuple[str, ...], year: int
) -> None:
    state, origin, moment = _STATES[seq % len(_STATES)], "disability" if seq % 3 else "long-term-care", START_US + seq
    referral = f"{seq:08x}-0000-7000-8000-000000000000"
    person = f"{referral}.0"
    rows[cases].append(
        {"seq": seq, "number": f"C{year}-{seq:06d}", "fiscal_year": year, "state": state, "opened_at": moment,
         "retention_class": "case", "legal_hold": 0, "origin": origin}
    )  # fmt: skip
    rows[referrals].append(
        {"seq": seq, "id": referral, "number": f"R{year}-{seq:06d}", "revision": 1, "fiscal_year": year, "case": seq,
         "submitted_at": moment, "user": "u", "user_name": "見本", "agency": origin, "urgency": "soon",
         "consent_status": "given", "support_meeting_only": 0, "audience_revision": 1, "persons": f'["{person}"]',
         "withheld": "[]", "form": b"", "retention_class": "case", "legal_hold": 0}
    )  # fmt: skip
    rows[persons].append(
        {"id": person, "referral": referral, "case": seq, "position": 0, "search_key": key, "birth_date": None,
         "phone_key": f"042{seq:07d}", "same_as": person}
    )  # fmt: skip
    rows[consents].append(
        {"id": referral, "case": seq, "person": person, "status": "given", "given_on": "2025-04-01", "until": None,
         "agencies": "[]", "excluded": "[]", "covers_successor": 0, "withdrawn_on": None, "withdrawn_agencies": "[]",
         "revision": 1, "closed": 0}
    )  # fmt: skip
    rows[timeline].append(
        {"case": seq, "at": moment, "kind": "referral_submitted", "ref": f"referral/{referral}", "code": "",
         "user_name": "見本", "agency": origin, "state": "received"}
    )  # fmt: skip
    for agency in agencies:
        rows[audience].append(
            {"agency": agency, "case": seq, "form": f"referral/{referral}", "basis_kind": "provider", "basis_ref": "",
             "view": "full", "members": "[]", "until": None, "revision": 1}
        )  # fmt: skip
        rows[case_lists].append({"agency": agency, "case": seq, "state": state, "fiscal_year": year, "origin": origin})
        rows[case_keys].append({"agency": agency, "search_key": key, "case": seq, "person": person})
