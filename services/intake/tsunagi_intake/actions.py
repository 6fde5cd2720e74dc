"""What people do to a referral and a case: answer, take back, withhold, allocate, declare a ground, pledge.

Each is one transaction: the gates, the rows, the events, the audience that follows, the time line, the audit. A refusal
leaves nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import consent_records, publishing, records, standing
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rules import Action, Standing
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import allocations, cases, grounds, protections, referrals
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.audience import BasisKind
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.forms.answers import RecordWithdrawal, Reply, WithdrawalKind
from tsunagi_shared.forms.case_actions import Allocation, Ground
from tsunagi_shared.forms.pledge import Pledge
from tsunagi_shared.forms.protection import Protection
from tsunagi_shared.forms.referral import Referral
from tsunagi_shared.problems import Refusal, not_found

# Whose answer settles what becomes of the referral: the provider's, or that of the 支援会議
_DECIDES = (BasisKind.PROVIDER, BasisKind.SITTING)


def _json(values: Any) -> str:
    return msgspec.json.encode(values).decode()


def _basis(here: Standing) -> str:
    return here.basis.value if here.basis else ""


def _done(
    connection: Connection, write: Write, case: CaseRow, action: str, subject: str, *, basis: str, revision: int = 1,
    number: str = "", reason: str, happening: Happening, code: str = "",
) -> Receipt:  # fmt: skip
    """What follows from every action: the audience, the time line, the state of the case, the audit; the receipt."""
    changed = records.recompute(connection, write, case, reason)
    state = standing.note(connection, case, happening, subject, write.principal, code=code)
    audit.record(connection, write.principal, action, subject, basis=basis, case=case.number)
    kind, _, identity = subject.partition("/")
    return Receipt(
        kind=kind, id=identity, number=number, case_number=case.number, revision=revision, received_at=clock.now(),
        code=code, case_state=state.value, changes=changed,
    )  # fmt: skip


# referrals -------------------------------------------------------------------------------------------------------------


def referral_row(connection: Connection, number: str) -> Any:
    """The row of a referral by its number; the common 404. What the caller may see of it is decided by their standing."""
    row = connection.execute(sa.select(referrals).where(referrals.c.number == number)).first()
    if row is None or not row.form:
        raise not_found()
    return row


def gate_referral(connection: Connection, write: Write, action: Action, row: Any) -> tuple[CaseRow, Standing]:
    """Let an action on a referral through; its case and how the caller stands to it. Refusal, Stale."""
    case = standing.case_row(connection, seq=row.case)
    here = standing.on_referral(connection, write.principal, write.profile, row, case)
    standing.allow(action, write.principal, write.profile, here)
    standing.check_revision(connection, write.profile, case.seq, write.revision, row.revision, f"referral/{row.id}")
    return case, here


def reply(connection: Connection, write: Write, number: str, form: Reply) -> bytes:
    """受理 or 差戻し of a referral; returns the encoded Receipt. Refusal, Stale, KeyReused: nothing is stored then."""
    return records.once(connection, write, lambda: _reply(connection, write, number, form))


def _reply(connection: Connection, write: Write, number: str, form: Reply) -> Receipt:
    row = referral_row(connection, number)
    case, here = gate_referral(connection, write, Action.REPLY, row)
    kept = records.keep(connection, write, case, "reply", form, about=f"referral/{row.id}")
    if here.basis in _DECIDES:
        connection.execute(referrals.update().where(referrals.c.id == row.id).values(state=form.decision.value))
        if form.lead_agency:
            _set_lead(connection, write, case, form.lead_agency)
    return _done(
        connection, write, case, "referral.reply", f"reply/{kept.id}", basis=_basis(here), number=kept.number,
        reason="reply", happening=Happening.REFERRAL_ANSWERED, code=form.decision.value,
    )  # fmt: skip


def _set_lead(connection: Connection, write: Write, case: CaseRow, agency: str) -> None:
    """主担当, as the answer that settles the referral names it."""
    connection.execute(cases.update().where(cases.c.seq == case.seq).values(lead=agency))
    standing.touch(connection, case)
    standing.note(connection, case, Happening.LEAD_SET, "", write.principal, code=agency)


def take_back(connection: Connection, write: Write, number: str, form: RecordWithdrawal) -> bytes:
    """取下げ or 誤送付 of a referral: only who wrote it and the responsible section may read it from now on.

    The consent that came with it ends with it. Returns the encoded Receipt, which tells who is cut.
    """
    return records.once(connection, write, lambda: _take_back(connection, write, number, form))


def _take_back(connection: Connection, write: Write, number: str, form: RecordWithdrawal) -> Receipt:
    misdirected = form.kind is WithdrawalKind.MISDIRECTED
    row = referral_row(connection, number)
    action = Action.RECALL_REFERRAL if misdirected else Action.WITHDRAW_REFERRAL
    case, here = gate_referral(connection, write, action, row)
    state = form.kind.value
    connection.execute(referrals.update().where(referrals.c.id == row.id).values(state=state))
    kept = records.keep(connection, write, case, "withdrawal", form, about=f"referral/{row.id}")
    profile, moment = write.profile, clock.now()
    keep = dict.fromkeys((row.agency, profile.municipality.responsible_section))
    withdrawn = events.RecordWithdrawn(
        form=f"referral/{row.id}", case_number=case.number, code=state, keep=tuple(keep), at=moment
    )
    # One past the revisions of the form itself: it wins over each of them
    write.outbox.add(
        connection, events.RECORD_WITHDRAWN, withdrawn, aggregate=f"referral/{row.id}", revision=row.revision + 1
    )
    consent_records.end_with_record(connection, write.outbox, row.id, "withdrawn")
    happening = Happening.REFERRAL_RECALLED if misdirected else Happening.REFERRAL_WITHDRAWN
    return _done(
        connection, write, case, "referral.recall" if misdirected else "referral.withdraw", f"referral/{row.id}",
        basis=_basis(here), number=kept.number, revision=row.revision, reason="withdrawal", happening=happening, code=state,
    )  # fmt: skip


# protection ------------------------------------------------------------------------------------------------------------


def keep_protection_of(
    connection: Connection, case: int, referral_id: str, person: str, form: Referral, user: str
) -> None:
    """住所等の秘匿 that was asked for with the referral itself; the row has the referral's id. Nobody is cleared."""
    assert form.protection_kind is not None
    connection.execute(
        protections.insert().values(
            id=referral_id, case=case, person=person, kind=form.protection_kind.value, fields=_json(form.protection),
            cleared="[]", since=clock.today().isoformat(), until=None, reason="", set_at=clock.now_us(), set_by=user,
            lifted_at=None,
        )
    )  # fmt: skip


def correct_protection_of(
    connection: Connection, case: int, referral_id: str, person: str, forms: tuple[Referral, Referral], user: str
) -> bool:
    """Let the protection of a referral follow its correction (`forms`: before, after); whether anything changed.

    A correction can withhold more, never less: to lift a protection is a decision of its own.
    """
    before, after = forms
    added = [field for field in after.protection if field not in before.protection]
    if not added:
        return False
    row = connection.execute(sa.select(protections).where(protections.c.id == referral_id)).first()
    if row is None:
        keep_protection_of(connection, case, referral_id, person, after, user)
        return True
    kept = msgspec.json.decode(row.fields) if row.lifted_at is None else []
    fields = list(dict.fromkeys((*kept, *added)))
    changed = protections.update().where(protections.c.id == referral_id)
    connection.execute(changed.values(fields=_json(fields), lifted_at=None, cleared="[]", until=None))
    return True


def protect(connection: Connection, write: Write, case_number: str, form: Protection) -> bytes:
    """Withhold where a person can be found from every agency that is not cleared; returns the encoded Receipt."""
    return records.once(connection, write, lambda: _protect(connection, write, case_number, form))


def _protect(connection: Connection, write: Write, case_number: str, form: Protection) -> Receipt:
    case, here = _gate_case(connection, write, case_number, Action.PROTECT)
    person, identity = consent_records.person_of(connection, case, form.person), uuid7(clock.now_us())
    connection.execute(
        protections.insert().values(
            id=identity, case=case.seq, person=person, kind=form.kind.value, fields=_json(form.fields),
            cleared=_json(form.cleared), since=form.since.isoformat(),
            until=form.until.isoformat() if form.until else None, reason=form.reason, set_at=clock.now_us(),
            set_by=write.principal.user, lifted_at=None,
        )
    )  # fmt: skip
    revision = standing.touch(connection, case)
    publishing.publish_protection(connection, case.seq, write.profile, write.outbox)
    return _done(
        connection, write, case, "protection.set", f"protection/{identity}", basis=_basis(here), revision=revision,
        reason="protection", happening=Happening.PROTECTION_SET,
    )  # fmt: skip


def _gate_case(connection: Connection, write: Write, case_number: str, action: Action) -> tuple[CaseRow, Standing]:
    """Let an action on a case through. Refusal, Stale."""
    case = standing.case_row(connection, number=case_number)
    here = standing.on_case(connection, write.principal, write.profile, case)
    standing.allow(action, write.principal, write.profile, here)
    standing.check_revision(connection, write.profile, case.seq, write.revision, case.revision)
    return case, here


def _gate_row(connection: Connection, write: Write, row: Any, action: Action) -> tuple[CaseRow, Standing]:
    """Let an action on something of a case through. Refusal."""
    if row is None:
        raise not_found()
    case = standing.case_row(connection, seq=row.case)
    here = standing.on_case(connection, write.principal, write.profile, case)
    if (
        here.view is None and not here.is_section
    ):  # whoever oversees it needs no view; nobody else learns that it is there
        raise not_found()
    standing.allow(action, write.principal, write.profile, here)
    return case, here


def _end(
    connection: Connection, write: Write, identity: str, action: Action, ended: sa.Column[Any], what: str
) -> tuple[sa.Row[Any], CaseRow, Standing]:
    """End something of a case now. `ended`: the column that says when it did; `what`: its Japanese name. Refusal."""
    row = connection.execute(sa.select(ended.table).where(ended.table.c.id == identity)).first()
    case, here = _gate_row(connection, write, row, action)
    assert row is not None
    if row._mapping[ended] is not None:
        raise Refusal(
            409,
            "already-ended",
            f"この{what}は、すでに終わっています。何も保存していません。",
            "ケースの画面を開き直してください。",
        )
    connection.execute(sa.update(ended.table).where(ended.table.c.id == identity).values({ended: clock.now_us()}))
    return row, case, here


def lift_protection(connection: Connection, write: Write, identity: str) -> bytes:
    """End a protection; returns the encoded Receipt. Who may see what it withheld is worked out at once."""
    return records.once(connection, write, lambda: _lift(connection, write, identity))


def _lift(connection: Connection, write: Write, identity: str) -> Receipt:
    _, case, here = _end(connection, write, identity, Action.LIFT_PROTECTION, protections.c.lifted_at, "秘匿")
    revision = standing.touch(connection, case)
    publishing.publish_protection(connection, case.seq, write.profile, write.outbox)
    return _done(
        connection, write, case, "protection.lift", f"protection/{identity}", basis=_basis(here), revision=revision,
        reason="protection", happening=Happening.PROTECTION_LIFTED,
    )  # fmt: skip


# allocations and grounds -----------------------------------------------------------------------------------------------


def allocate(connection: Connection, write: Write, case_number: str, form: Allocation) -> bytes:
    """Give an agency a part in the case; returns the encoded Receipt. It sees what the person's consent lets it see."""
    return records.once(connection, write, lambda: _allocate(connection, write, case_number, form))


def _allocate(connection: Connection, write: Write, case_number: str, form: Allocation) -> Receipt:
    case, here = _gate_case(connection, write, case_number, Action.ALLOCATE)
    identity = uuid7(clock.now_us())
    connection.execute(
        allocations.insert().values(
            id=identity, case=case.seq, agency=form.agency, part=form.part, since=form.since.isoformat(),
            until=form.until.isoformat() if form.until else None, ended_at=None,
        )
    )  # fmt: skip
    return _done(
        connection, write, case, "allocation.make", f"allocation/{identity}", basis=_basis(here),
        revision=standing.touch(connection, case), reason="allocation", happening=Happening.ALLOCATED, code=form.agency,
    )  # fmt: skip


def end_allocation(connection: Connection, write: Write, identity: str) -> bytes:
    """End an agency's part in a case; returns the encoded Receipt."""
    return records.once(connection, write, lambda: _end_allocation(connection, write, identity))


def _end_allocation(connection: Connection, write: Write, identity: str) -> Receipt:
    row, case, here = _end(connection, write, identity, Action.ALLOCATE, allocations.c.ended_at, "役割分担")
    return _done(
        connection, write, case, "allocation.end", f"allocation/{identity}", basis=_basis(here),
        revision=standing.touch(connection, case), reason="allocation", happening=Happening.ALLOCATION_ENDED,
        code=row.agency,
    )  # fmt: skip


def declare_ground(connection: Connection, write: Write, case_number: str, form: Ground) -> bytes:
    """Put a basis other than consent on record: 通告等 by law, or 緊急. Returns the encoded Receipt."""
    return records.once(connection, write, lambda: _declare(connection, write, case_number, form))


def _declare(connection: Connection, write: Write, case_number: str, form: Ground) -> Receipt:
    case, here = _gate_case(connection, write, case_number, Action.RECORD_GROUND)
    identity = uuid7(clock.now_us())
    connection.execute(
        grounds.insert().values(
            id=identity, case=case.seq, agency=form.agency, kind=form.kind.value, law=form.law, reason=form.reason,
            decided_by=form.decided_by, set_at=clock.now_us(), until=form.until.isoformat() if form.until else None,
            ended_at=None, reviewed_at=None, reviewed_by="",
        )
    )  # fmt: skip
    return _done(
        connection, write, case, "ground.record", f"ground/{identity}", basis=_basis(here), reason="ground",
        happening=Happening.GROUND_RECORDED, code=form.kind.value,
    )  # fmt: skip


def review_ground(connection: Connection, write: Write, identity: str) -> bytes:
    """The responsible section has looked at a ground; returns the encoded Receipt."""
    return records.once(connection, write, lambda: _review(connection, write, identity))


def _review(connection: Connection, write: Write, identity: str) -> Receipt:
    row = connection.execute(sa.select(grounds).where(grounds.c.id == identity)).first()
    case, here = _gate_row(connection, write, row, Action.REVIEW_GROUND)
    assert row is not None
    if row.reviewed_at is not None:
        raise Refusal(
            409, "already-reviewed", "この根拠は、すでに所管課が確認しています。", "ケースの画面を開き直してください。"
        )
    connection.execute(
        grounds.update().where(grounds.c.id == identity)
        .values(reviewed_at=clock.now_us(), reviewed_by=write.principal.name)
    )  # fmt: skip
    return _done(
        connection, write, case, "ground.review", f"ground/{identity}", basis=_basis(here), reason="ground",
        happening=Happening.GROUND_REVIEWED,
    )  # fmt: skip


def end_ground(connection: Connection, write: Write, identity: str) -> bytes:
    """Take a ground back, or end it early: what it opens closes at once. Returns the encoded Receipt."""
    return records.once(connection, write, lambda: _end_ground(connection, write, identity))


def _end_ground(connection: Connection, write: Write, identity: str) -> Receipt:
    row, case, here = _end(connection, write, identity, Action.END_GROUND, grounds.c.ended_at, "根拠")
    return _done(
        connection, write, case, "ground.end", f"ground/{identity}", basis=_basis(here), reason="ground",
        happening=Happening.GROUND_ENDED, code=row.kind,
    )  # fmt: skip


# pledges ---------------------------------------------------------------------------------------------------------------


def pledge(connection: Connection, write: Write, form: Pledge) -> bytes:
    """Put a 守秘義務誓約 on record; it belongs to no case. Returns the encoded Receipt."""
    return records.once(connection, write, lambda: _pledge(connection, write, form))


def _pledge(connection: Connection, write: Write, form: Pledge) -> Receipt:
    principal = write.principal
    is_section = principal.agency == write.profile.municipality.responsible_section
    standing.allow(Action.PLEDGE, principal, write.profile, Standing(is_section=is_section))
    kept = records.keep(connection, write, None, "pledge", form, about=f"body/{form.body}")
    publishing.publish_form(connection, f"pledge/{kept.id}", write.profile, write.outbox)
    audit.record(connection, principal, "pledge.submit", f"pledge/{kept.id}", basis="origin")
    return Receipt(
        kind="pledge", id=kept.id, number=kept.number, case_number="", revision=1,
        received_at=clock.moment_of(kept.received_at),
    )  # fmt: skip
