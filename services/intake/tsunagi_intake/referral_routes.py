"""Referrals over HTTP: handed in, listed, read, answered, corrected, taken back."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Any

import msgspec
from litestar import HttpMethod, MediaType, Response, get, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy import Connection

from tsunagi_intake import actions, cases, leak_note, pages, publishing, referrals
from tsunagi_intake.audience import Withheld
from tsunagi_intake.form_pages import Place
from tsunagi_intake.posting import (
    NO_STORE,
    URLENCODED,
    AnyRequest,
    Revision,
    Way,
    acting,
    look_up,
    may_refer,
    take,
    to_case,
)
from tsunagi_intake.records import Receipt
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import TOKEN_FIELD, check_token, late, roles
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.profile import Role
from tsunagi_shared.forms.answers import RecordWithdrawal, Reply, WithdrawalKind
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.referral import Referral
from tsunagi_shared.problems import not_found
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.sign_in import posted_fields

PAGE_LIMIT = 100
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT, description="1ページの件数")]
After = Annotated[str, QueryParameter(pattern=r"^[0-9]{1,18}(-[0-9]{1,18})?$", description="前のページの next の値")]
Format = Annotated[str, QueryParameter(pattern="^(csv)?$", description="csv: 表計算で開ける形")]

reader = roles(*Role, scope="cases:read")
_may_remake = roles(*Role, scope="referrals:write")  # who has the full view; the route's own query decides
_may_answer = roles(
    "clerk", "promoter", "coordinator", "chair", "agency_staff", "responsible_section", scope="referrals:write"
)


def _to_referral(answer: bytes) -> str:
    return f"/referrals/{msgspec.json.decode(answer, type=referrals.Receipt).referral_number}"


def _is_misdirected(answer: bytes) -> bool:
    return msgspec.json.decode(answer, type=Receipt).code == WithdrawalKind.MISDIRECTED


def _unknown_case(connection: Connection, principal: Principal, raw: object) -> tuple[FieldError, ...]:
    number = raw.get("case_number") if isinstance(raw, dict) else None
    if not isinstance(number, str) or not number or cases.readable(connection, principal, number) is not None:
        return ()
    return (referrals.UNKNOWN_CASE,)


@post("/referrals", summary="共通様式を提出する", guards=[late(may_refer)], status_code=201, opt={"form": Referral})
async def submit(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Take a referral from the page or as JSON. 201 with the numbers; 422 with every error; 409, 413 by their codes."""
    way = Way(
        action="referral.submit",
        kind="referral",
        carry_out=referrals.submit,
        then=_to_referral,
        more_errors=_unknown_case,
    )
    return await take(request, runtime, way)


@get("/referrals", summary="受け付けた共通様式の一覧", guards=[reader])
async def referral_list(
    request: AnyRequest, runtime: NamedDependency[Runtime], after: After = "0", limit: Limit = 50
) -> Response[Any]:
    """The referrals the caller may see, newest first."""
    principal = acting(request, runtime)
    case, _, seq = after.partition("-")
    found = await runtime.database.read(
        lambda connection: cases.list_referrals(connection, principal, (int(case), int(seq or 0)), limit)
    )
    return pages.answer(request, runtime, "referrals.html", found, after=after)


@get("/referrals/{number:str}", summary="受け付けた共通様式", guards=[reader])
async def referral(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """One referral's receipt: its numbers, who is told, who is not and why. The form itself is in its documents."""

    def find(connection: Connection, principal: Principal) -> pages.ReferralPage:
        row: Any = cases.referral(connection, principal, number)
        full = View(row.view) is View.FULL
        found = cases.audience_of(connection, f"referral/{row.id}")
        return pages.ReferralPage(
            referral_number=row.number, case_number=row.case_number, received_at=clock.moment_of(row.submitted_at),
            agency=row.agency, user_name=row.user_name, urgency=row.urgency, consent_status=row.consent_status,
            support_meeting_only=bool(row.support_meeting_only), revision=row.revision, state=row.state,
            audience=found if full else tuple(entry for entry in found if entry.agency == principal.agency),
            withheld=tuple(msgspec.json.decode(row.withheld, type=list[Withheld])) if full else (),
        )  # fmt: skip

    found = await look_up(request, runtime, number, "referral.read", find)
    return pages.answer(request, runtime, "referral.html", found)


@route(
    "/referrals/{number:str}",
    http_method=[HttpMethod.PUT, HttpMethod.POST],
    summary="共通様式を訂正する",
    guards=[late(_may_answer)],
    status_code=200,
    opt={"form": Referral},
)
async def correct(
    number: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Put a corrected form in its place; a page posts to the same address. 409 `changed-meanwhile` when it changed."""
    way = Way(
        action="referral.correct", subject=number, kind="referral", place=Place(record=f"referral/{number}"),
        revision=revision, status=200, then=_to_referral,
        carry_out=lambda connection, write, form: referrals.correct(connection, write, number, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post(
    "/referrals/{number:str}/reply",
    summary="つなぎ回答",
    guards=[late(_may_answer)],
    status_code=201,
    opt={"form": Reply},
)
async def reply(
    number: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """受理 or 差戻し."""
    way = Way(
        action="referral.reply", subject=number, kind="reply", place=Place(referral=number), revision=revision, then=to_case,
        carry_out=lambda connection, write, form: actions.reply(connection, write, number, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post(
    "/referrals/{number:str}/withdrawal",
    summary="共通様式の取下げ・誤送付の取消し",
    guards=[late(_may_answer)],
    status_code=201,
    opt={"form": RecordWithdrawal},
)
async def take_back(
    number: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Take a referral back; after 誤送付 the page goes on to the note on who had what."""
    way = Way(
        action="referral.withdraw", subject=number, kind="withdrawal", place=Place(referral=number), revision=revision,
        carry_out=lambda connection, write, form: actions.take_back(connection, write, number, form),
        then=lambda answer: f"/referrals/{number}/leak-note" if _is_misdirected(answer) else to_case(answer),
    )  # fmt: skip
    return await take(request, runtime, way)


@get("/referrals/{number:str}/leak-note", summary="漏えい等の確認のための記録", guards=[reader])
async def leaks(
    number: FromPath[str],
    request: AnyRequest,
    runtime: NamedDependency[Runtime],
    format: Format = "",  # noqa: A002 - the word of the address
) -> Response[Any]:
    """Who had been told of the referral's documents, and who had opened them: page, JSON or CSV."""

    def find(connection: Connection, principal: Principal) -> leak_note.LeakNote:
        return leak_note.note_of(connection, principal, runtime.profile, number)

    note = await look_up(request, runtime, number, "referral.leak_note", find)
    if format == "csv":
        text = io.StringIO()
        csv.writer(text).writerows(leak_note.table_of(note, runtime.profile))
        headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="leak-note-{note.referral_number}.csv"'}
        return Response(text.getvalue().encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)
    return pages.answer(request, runtime, "leak_note.html", note)


@post(
    "/referrals/{number:str}/documents",
    summary="作成できなかった文書を作り直すよう頼む",
    guards=[_may_remake],
    status_code=202,
)
async def make_again(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Publish the referral again: documents makes what is missing or failed, and leaves the rest as it is."""
    principal = acting(request, runtime)
    form = request.headers.get("content-type", "").startswith(URLENCODED)
    if form:
        check_token(principal, (await posted_fields(request)).get(TOKEN_FIELD, ""))

    def ask(connection: Connection) -> str:
        row: Any = cases.referral(connection, principal, number)
        if View(row.view) is not View.FULL:
            raise not_found()
        publishing.publish_form(connection, f"referral/{row.id}", runtime.profile, runtime.outbox)
        audit.record(connection, principal, "document.remake", f"referral/{row.id}", case=row.case_number)
        return str(row.case_number)

    case_number = await runtime.database.write(ask)
    if form:
        return Response("", status_code=303, headers={"Location": f"/cases/{case_number}?asked=1"})
    return Response({"case_number": case_number}, status_code=202, media_type=MediaType.JSON)


ROUTES = (submit, referral_list, referral, correct, reply, take_back, leaks, make_again)
