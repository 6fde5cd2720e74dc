"""漏えい等の確認のための記録: after a referral went to the wrong place, all that the responsible section needs to report.

Who was told of which document, when and how; who opened it; what it showed, by kinds of data and never by value.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import actions, standing, withholding
from tsunagi_intake.tables import deliveries, documents, receipts, records
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.answers import RecordWithdrawal
from tsunagi_shared.forms.fields import fields_of
from tsunagi_shared.forms.referral import Reception, Referral, Trouble
from tsunagi_shared.forms.withheld_text import without
from tsunagi_shared.problems import not_found
from tsunagi_shared.web.pages import jst

# What may point to 要配慮個人情報 (個人情報保護法2条3項); the section decides what it is
_SENSITIVE = {
    Trouble.HEALTH: "病歴など健康に関すること",
    Trouble.MENTAL_HEALTH: "病歴など健康に関すること",
    Trouble.DISABILITY: "障害があること",
    Trouble.VIOLENCE: "犯罪により害を被った事実",
}


class ToldLine(msgspec.Struct, frozen=True, kw_only=True):
    """One agency and one version of a document: told when and how, opened and received by whom."""

    agency: str
    document: str
    version: int
    title: str
    view: str
    channels: dict[str, str]  # channel → sent | failed
    told_at: dt.datetime | None = None
    opened_at: dt.datetime | None = None
    opened_by: str = ""
    acknowledged_at: dt.datetime | None = None
    acknowledged_by: str = ""
    misdelivered_at: dt.datetime | None = None
    misdelivered_by: str = ""
    misdelivered_code: str = ""
    is_wrong: bool = False  # named as sent to by mistake


class LeakNote(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one referral. `parts`: the titles of what the form held; `sensitive`: what may be 要配慮個人情報."""

    referral_number: str
    case_number: str
    state: str
    submitted_at: dt.datetime
    agency: str
    user_name: str
    consent_status: str
    persons: int
    parts: tuple[str, ...]
    sensitive: tuple[str, ...]
    withheld: tuple[str, ...]  # kinds of data under 住所等の秘匿
    noticed_on: dt.date | None = None
    recalled_at: dt.datetime | None = None
    recalled_by: str = ""
    reason: str = ""
    measures: str = ""
    sent_to_wrong: tuple[str, ...] = ()
    lines: tuple[ToldLine, ...] = ()


def note_of(connection: Connection, principal: Principal, profile: Profile, number: str) -> LeakNote:
    """The record, for who wrote the referral and for the responsible section; the common 404 for anybody else."""
    row = actions.referral_row(connection, number)
    case = standing.case_row(connection, seq=row.case)
    here = standing.on_referral(connection, principal, profile, row, case)
    if here.view is not View.FULL or not (here.is_writer or here.is_section):
        raise not_found()
    form = msgspec.json.decode(row.form, type=Referral)
    back = connection.execute(
        sa.select(records).where(
            records.c.case == case.seq, records.c.kind == "withdrawal", records.c.about == f"referral/{row.id}"
        )
    ).first()
    said = msgspec.json.decode(back.form, type=RecordWithdrawal) if back is not None else None
    wrong = tuple(said.sent_to_wrong) if said else ()
    cut = withholding.of_case(connection, principal, case.seq)
    return LeakNote(
        referral_number=row.number, case_number=case.number, state=row.state,
        submitted_at=clock.moment_of(row.submitted_at), agency=row.agency, user_name=row.user_name,
        consent_status=row.consent_status, persons=len(msgspec.json.decode(row.persons)), parts=_parts(form),
        sensitive=_sensitive(form), withheld=tuple(field.label for field in form.protection),
        noticed_on=said.noticed_on if said else None,
        recalled_at=clock.moment_of(back.submitted_at) if back is not None else None,
        recalled_by=back.user_name if back is not None else "", reason=without(said.reason, cut) if said else "",
        measures=without(said.measures, cut) if said else "", sent_to_wrong=wrong,
        lines=_lines(connection, row, case.number, wrong),
    )  # fmt: skip


def _parts(form: Referral) -> tuple[str, ...]:
    """The titles of the fields that were filled in, those of 本人 one by one."""
    found = []
    for field in fields_of(Referral):
        value = getattr(form, field.name)
        if field.name == "person":
            found += [f"本人：{part.title}" for part in field.fields if getattr(value, part.name)]
        elif value and value != Reception():
            found.append(field.title)
    return tuple(found)


def _sensitive(form: Referral) -> tuple[str, ...]:
    found = [_SENSITIVE[trouble] for trouble in form.troubles if trouble in _SENSITIVE]
    if form.safety_notes:
        found.append("安全上の留意（DV・虐待のおそれなど）")
    if any(member.note for member in form.household):
        found.append("世帯員についての備考")
    return tuple(dict.fromkeys(found))


def _lines(connection: Connection, row: Any, case_number: str, wrong: tuple[str, ...]) -> tuple[ToldLine, ...]:
    drawn = {
        (found.id, found.version): found
        for found in connection.execute(
            sa.select(documents).where(documents.c.case_number == case_number, documents.c.form == f"referral/{row.id}")
        )
    }
    told: dict[tuple[str, int, str], dict[str, Any]] = {}
    for sent in connection.execute(sa.select(deliveries).where(deliveries.c.case_number == case_number)):
        if (sent.document, sent.version) in drawn:
            line = told.setdefault((sent.document, sent.version, sent.agency), {"channels": {}, "at": sent.at})
            line["channels"][sent.channel] = sent.state
            line["at"] = min(line["at"], sent.at)
    received = {
        (found.document, found.version, found.agency): found
        for found in connection.execute(sa.select(receipts).where(receipts.c.case_number == case_number))
        if (found.document, found.version) in drawn
    }
    return tuple(
        _line(drawn[key[:2]], key[2], told.get(key), received.get(key), wrong) for key in sorted({*told, *received})
    )


def _line(document: Any, agency: str, told: dict[str, Any] | None, received: Any, wrong: tuple[str, ...]) -> ToldLine:
    steps: dict[str, Any] = {}
    for step in ("opened", "acknowledged", "misdelivered") if received is not None else ():
        at = getattr(received, f"{step}_at")
        steps |= {
            f"{step}_at": None if at is None else clock.moment_of(at),
            f"{step}_by": getattr(received, f"{step}_by") or "",
        }
    return ToldLine(
        agency=agency, document=document.id, version=document.version, title=document.title or "",
        view=document.view or "", channels=told["channels"] if told else {},
        told_at=clock.moment_of(told["at"]) if told else None, is_wrong=agency in wrong,
        misdelivered_code=(received.misdelivered_code or "") if received is not None else "", **steps,
    )  # fmt: skip


COLUMNS = (
    "受付番号", "ケース番号", "気付いた日", "取り消した日時", "機関", "誤って送った先", "文書", "範囲", "版", "知らせた日時",
    "知らせた方法", "開いた日時", "開いた人", "受領した日時", "受領した人", "担当外とした日時", "人数", "要配慮のおそれ",
)  # fmt: skip


def table_of(note: LeakNote, profile: Profile) -> list[list[str]]:
    """The record as rows of a table, the headings first; one row an agency and version."""
    views = {View.FULL.value: "全部", View.SUMMARY.value: "概要"}
    channels = {"inbox": "お知らせ画面", "email": "メール"}
    rows = [
        [
            note.referral_number, note.case_number, note.noticed_on.isoformat() if note.noticed_on else "",
            jst(note.recalled_at), profile.agency_names.get(line.agency, line.agency), "○" if line.is_wrong else "",
            line.title, views.get(line.view, line.view), str(line.version), jst(line.told_at),
            "、".join(channels.get(channel, channel) for channel in sorted(line.channels)), jst(line.opened_at),
            line.opened_by, jst(line.acknowledged_at), line.acknowledged_by, jst(line.misdelivered_at), str(note.persons),
            "、".join(note.sensitive),
        ]
        for line in note.lines
    ]  # fmt: skip
    return [list(COLUMNS), *([_plain(cell) for cell in row] for row in rows)]


def _plain(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
