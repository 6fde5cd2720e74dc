"""Who may get what comes of a form, and on what basis (the audience that intake computes and documents enforces)."""

from __future__ import annotations

import datetime as dt
import enum

import msgspec

ROLE_MEMBER = "role:"  # no account is called so (tsunagi_shared.accounts)


def of_role(role: str) -> str:
    """As a member of an audience: whoever holds that role at the agency, who signed in; a post that has nothing to do with
    cases counts too (an auditor may be shown figures)."""
    return f"{ROLE_MEMBER}{role}"


class View(enum.StrEnum):
    """How much of a form a document shows. The cut is made before the template sees the data."""

    FULL = "full"
    SUMMARY = "summary"
    OWN_ALLOCATION = "own_allocation"
    OWN_ITEM = "own_item"
    MINIMAL = "minimal"


class BasisKind(enum.StrEnum):
    """Why an agency may read. Each kind is one sentence of the rule on the audience (docs/rules.md)."""

    ORIGIN = "origin"
    PROVIDER = "provider"
    RESPONSIBLE_SECTION = "responsible_section"
    CONSENT = "consent"
    SITTING = "sitting"
    LEGAL_DUTY = "legal_duty"
    EMERGENCY = "emergency"


class Basis(msgspec.Struct, frozen=True):
    """The ground of one entry: its kind and the record it rests on (`consent/<id>`, `referral/<id>`, a body's id).

    `law`: the id of the profile's `legal_basis` that an entry without consent relies on.
    """

    kind: BasisKind
    ref: str = ""
    law: str = ""


class AudienceEntry(msgspec.Struct, frozen=True):
    """One agency that may read, the view it may read, and until when (a Japanese date, inclusive; None: open).

    `hidden`: ids of persons whose data it may not see (rule `per-person`). `withheld`: what protection keeps from it
    (rule `protection`), each `<person id>:<field>` with the field one of `ProtectionField`. Both are part of the projection.
    `members`: ids of people, or by `of_role` whoever holds that role there; none: all staff that has to do with cases.
    """

    agency: str
    basis: Basis
    view: View
    members: tuple[str, ...] = ()
    until: dt.date | None = None
    hidden: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()

    def live_on(self, day: dt.date) -> bool:
        """Whether the basis still holds on that Japanese date."""
        return self.until is None or day <= self.until
