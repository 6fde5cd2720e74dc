"""GET /audit: the record of reads, writes and refusals, for the auditor and the responsible section. Reading it is on record."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Stream
from sqlalchemy import Connection

from tsunagi_shared import audit
from tsunagi_shared.auth import check_contract, principal_of, roles
from tsunagi_shared.clock import JST
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.japanese import ReadingError, read_date
from tsunagi_shared.problems import Refusal, wants_page
from tsunagi_shared.runtime import Runtime

PAGE_LIMIT = 200
CSV_BATCH = 1_000
NO_STORE = {"Cache-Control": "no-store"}
COLUMNS = (
    "番号", "日時", "利用者", "機関", "方法", "操作", "対象", "結果", "根拠・理由の符号", "ケース番号", "ほかの回数",
    "入力された理由",
)  # fmt: skip

_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,120}")
_may_audit = roles("auditor", "responsible_section", scope="audit:read")

Text = Annotated[str, QueryParameter(max_length=120)]


class AuditPage(msgspec.Struct, frozen=True):
    """A page of the record; `next` goes into `?before=` (0: this is the end)."""

    items: tuple[audit.AuditLine, ...]
    next: int


@get("/audit", summary="閲覧・操作・拒否の記録", guards=[_may_audit])
async def audit_record(
    request: Request[Any, Any, Any],
    runtime: NamedDependency[Runtime],
    case: Text = "",
    user: Text = "",
    agency: Text = "",
    action: Text = "",
    outcome: Annotated[str, QueryParameter(pattern="^(done|refused)?$")] = "",
    since: Text = "",
    until: Text = "",
    before: Annotated[int, QueryParameter(ge=0)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
    format: Annotated[str, QueryParameter(pattern="^(csv)?$")] = "",  # noqa: A002 - the parameter's public name
) -> Response[Any] | Stream:
    """The newest first. Filters leave out what they do not match; days are Japanese and inclusive (和暦 or ISO)."""
    principal = principal_of(request)
    check_contract(runtime.profile, principal)
    typed = {
        "case": case,
        "user": user,
        "agency": agency,
        "action": action,
        "outcome": outcome,
        "since": since,
        "until": until,
    }
    first, last = _days(since, until)
    query = audit.Query(
        case=case,
        user=user,
        agency=agency,
        action=action,
        outcome=outcome,
        first=first,
        last=last,
        before=before,
        limit=limit,
    )
    wanted = ",".join(sorted(name for name, value in typed.items() if value))

    def put_on_record(connection: Connection) -> None:
        known = case if case and audit.is_on_record(connection, case) else ""
        audit.record(connection, principal, "audit.read", "audit", basis=wanted, case=known)

    await runtime.database.write(put_on_record)
    if format == "csv":
        return Stream(
            _csv(runtime, query),
            media_type="text/csv; charset=utf-8",
            headers={**NO_STORE, "Content-Disposition": f'attachment; filename="audit-{runtime.name}.csv"'},
        )
    found = await runtime.database.read(lambda connection: audit.find(connection, query))
    page = AuditPage(tuple(found), found[-1].seq if len(found) == limit else 0)
    if not wants_page(request):
        return Response(msgspec.json.encode(page), media_type=MediaType.JSON, headers=NO_STORE)
    kept = {name: value for name, value in typed.items() if value}
    text = runtime.pages.render(
        "audit.html", principal=principal, page=page, typed=typed, agencies=runtime.profile.agency_names, words=words_of,
        here=urlencode(kept), limit=limit, before=before,
    )  # fmt: skip
    return Response(text, media_type=MediaType.HTML, headers=NO_STORE)


def _days(since: str, until: str) -> tuple[dt.date | None, dt.date | None]:
    days: list[dt.date | None] = []
    errors = []
    for name, text in (("since", since), ("until", until)):
        try:
            days.append(read_date(text) if text.strip() else None)
        except ReadingError as error:
            days.append(None)
            errors.append(FieldError(name, error.code, "日付を読み取れません。例：令和8年11月23日、2026-11-23"))
    if errors:
        raise Refusal(
            422, "invalid-filter", "絞り込みの条件に直すところがあります。", "日付を直してください。", tuple(errors)
        )
    return days[0], days[1]


async def _csv(runtime: Runtime, query: audit.Query) -> AsyncIterator[bytes]:
    """Every row that matches, a thousand at a time, so that a long record neither fills memory nor stops anybody."""
    yield "\ufeff".encode() + _lines([COLUMNS])
    step = msgspec.structs.replace(query, limit=CSV_BATCH)
    while True:
        wanted = step
        found = await runtime.database.read(lambda connection, wanted=wanted: audit.find(connection, wanted))  # type: ignore[misc]
        if found:
            yield _lines([_row(line) for line in found])
        if len(found) < CSV_BATCH:
            return
        step = msgspec.structs.replace(step, before=found[-1].seq)


def _row(line: audit.AuditLine) -> tuple[str, ...]:
    return (
        str(line.seq), line.at.astimezone(JST).isoformat(timespec="seconds"), line.user, line.agency, line.via, line.action,
        line.subject, line.outcome, line.basis, line.case_number, str(line.repeats), line.reason,
    )  # fmt: skip


def _lines(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([[safe_cell(cell) for cell in row] for row in rows])
    return text.getvalue().encode()


def safe_cell(text: str) -> str:
    """A cell that a spreadsheet takes as text and never as a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text


_NOUNS = {
    "referral": "共通様式", "case": "ケース", "consent": "同意", "assessment": "アセスメント", "contact": "支援経過記録",
    "evaluation": "評価シート", "pledge": "誓約書", "reply": "つなぎ回答", "record": "記録", "document": "文書",
    "audit": "この記録",
    "protection": "秘匿", "allocation": "役割分担", "ground": "同意以外の根拠", "disposal": "廃棄簿", "disclosure": "開示",
    "evidence": "同意書の写し", "draft": "下書き", "delivery": "お知らせ", "hold": "廃棄の保留", "request": "要求",
}  # fmt: skip
_VERBS = {
    "submit": "提出", "read": "閲覧", "open": "ファイルを開く", "show": "画面を見る", "remake": "再作成",
    "withdraw": "取下げ・撤回",
    "answer": "回答", "correct": "訂正", "give": "記録", "extend": "追加・延長", "set": "設定", "lift": "解除", "end": "終了",
    "add": "追加", "join": "統合", "close": "終了", "lead": "主担当の決定", "approve": "承認", "refuse": "差戻し", "make": "作成",
    "erase": "消去", "block": "閲覧の停止", "search": "検索", "list": "一覧", "review": "確認",
}  # fmt: skip


def words_of(action: str) -> str:
    """An action in Japanese, as far as its words are known."""
    noun, _, verb = action.partition(".")
    known = [_NOUNS.get(noun, noun)] + ([_VERBS.get(verb, verb)] if verb else [])
    return "：".join(known)


ROUTES = (audit_record,)
