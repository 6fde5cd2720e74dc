"""Retention over HTTP: the hold on a case, what is due, 廃棄簿 and their approval, disclosure. For the responsible section."""

from __future__ import annotations

import csv
import io
import secrets
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy import Connection

from tsunagi_intake import disclosure, disposal_pages, disposals, pages, posting, retention
from tsunagi_intake.disposals import DisposalReceipt, DisposalState, Refusing
from tsunagi_intake.posting import NO_STORE, URLENCODED, AnyRequest, Way, acting, look_up, may_write
from tsunagi_intake.retention import Hold
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.audit_pages import safe_cell
from tsunagi_shared.auth import roles
from tsunagi_shared.contracts.profile import Role
from tsunagi_shared.forms.checks import Checked, Codes, check
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.problems import Refusal, wants_page
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.web.forms import PostError, decode_urlencoded

PAGE_LIMIT = 100

Form = TypeVar("Form", bound=msgspec.Struct)
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT, description="1ページの件数")]
After = Annotated[
    str, QueryParameter(pattern=r"^([0-9-]{10}\.[0-9]{1,18})?$", description="前のページの due.next の値")
]
Before = Annotated[int, QueryParameter(ge=0, le=1 << 62, description="前のページの made.next の値")]
Format = Annotated[str, QueryParameter(pattern="^(csv)?$", description="csv: 表計算で開ける形")]
Whom = Annotated[str, QueryParameter(max_length=80, description="ケースの人のID")]

_reader = roles(*Role, scope="cases:read")  # the rules say who may; a refusal of theirs is on record


async def _typed(request: AnyRequest, form: type[Form]) -> tuple[dict[str, Any], Checked[Form]]:
    """What was posted as JSON or from a page, as typed and checked. Refusal for what is neither."""
    body = await request.body()
    try:
        if request.headers.get("content-type", "").startswith(URLENCODED):
            raw: Any = decode_urlencoded(body, form)
        else:
            raw = msgspec.json.decode(body)
    except (PostError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refusal(
            400,
            "invalid-json",
            "送られた内容を読み取れません。",
            "書き方（引用符、かっこ、文字コードUTF-8）を確かめてください。",
        ) from None
    checked = check(form, raw, Codes(today=clock.today(), agencies={}))
    return raw if isinstance(raw, dict) else {}, checked


def _again(request: AnyRequest, raw: dict[str, Any], checked: Checked[Any]) -> tuple[str, Refusal]:
    """With what a page comes back: the reason as typed, and what is wrong. Programs are told the latter alone."""
    refusal = Refusal(
        422,
        "invalid-form",
        "入力に直すところがあります。何も保存していません。",
        "直して、もう一度送ってください。",
        checked.errors,
    )
    if not wants_page(request):
        raise refusal
    return str(raw.get("reason", "")), refusal


async def _on_page(request: AnyRequest, runtime: Runtime, refusal: Refusal) -> None:
    """Let a refusal through that brings the page back with what was typed: a rule's, to a browser. Others are raised."""
    if not wants_page(request) or refusal.problem.status != 409:
        raise refusal
    await runtime.refusals.after_exception(refusal, request.scope)


# the hold -------------------------------------------------------------------------------------------------------------


@get("/cases/{number:str}/hold", summary="廃棄の停止", guards=[_reader])
async def hold_page(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Whether the disposal of a case is stopped, with the form to change that."""
    return await _hold_page(request, runtime, number)


async def _hold_page(
    request: AnyRequest, runtime: Runtime, number: str, typed: str = "", refusal: Refusal | None = None
) -> Response[Any]:
    page = await look_up(
        request, runtime, number, "hold.read",
        lambda connection, principal: retention.hold_page(connection, principal, runtime.profile, number),
    )  # fmt: skip
    return pages.answer(
        request, runtime, "hold.html", page, status=refusal.problem.status if refusal else 200,
        problem=refusal.problem if refusal else None, typed=typed, key=secrets.token_urlsafe(16), limit=audit.REASON_LIMIT,
    )  # fmt: skip


@post(
    "/cases/{number:str}/hold",
    summary="廃棄を止める・停止を解く",
    guards=[may_write],
    status_code=201,
    opt={"form": Hold},
)
async def hold(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Stop the disposal of a case, as in a dispute (審査請求など), or let it go on."""
    raw, checked = await _typed(request, Hold)
    if checked.form is None:
        return await _hold_page(request, runtime, number, *_again(request, raw, checked))
    form = checked.form
    way = Way(
        action="hold.set", subject=number, then=lambda _: f"/cases/{number}/hold",
        carry_out=lambda connection, write: retention.hold(connection, write, number, form),
    )  # fmt: skip
    try:
        return await posting.act(request, runtime, way)
    except Refusal as refusal:
        await _on_page(request, runtime, refusal)
        return await _hold_page(request, runtime, number, form.reason, refusal)


# 廃棄簿 ---------------------------------------------------------------------------------------------------------------


@get("/disposals", summary="保存年限の過ぎたケースと廃棄簿", guards=[_reader])
async def disposal_list(
    request: AnyRequest, runtime: NamedDependency[Runtime], after: After = "", before: Before = 0, limit: Limit = 50
) -> Response[Any]:
    """What is due and on no list yet, and the lists that were made, newest first."""
    day, _, seq = after.partition(".")

    def find(connection: Connection, principal: Principal) -> disposal_pages.Disposals:
        place = (day, int(seq or 0))
        return disposal_pages.overview(connection, principal, runtime.profile, place, before, limit)

    page = await look_up(request, runtime, "disposals", "disposal.list", find)
    return pages.answer(
        request, runtime, "disposals.html", page, after=after, before=before, key=secrets.token_urlsafe(16),
        disposal_states=dict(DisposalState.choices()), classes=_class_names(runtime), most=disposals.MOST_CASES,
    )  # fmt: skip


def _class_names(runtime: Runtime) -> dict[str, str]:
    return {row.id: row.name for row in runtime.profile.retention.classes}


@post("/disposals", summary="廃棄簿を作る", guards=[may_write], status_code=201)
async def propose(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Put what is due today on a new list. 409 `nothing-due`."""
    return await posting.act(request, runtime, Way(action="disposal.make", carry_out=disposals.propose, then=_to_list))


def _to_list(answer: bytes) -> str:
    return f"/disposals/{msgspec.json.decode(answer, type=DisposalReceipt).id}"


@get("/disposals/{identity:str}", summary="廃棄簿", guards=[_reader])
async def disposal(
    identity: FromPath[str],
    request: AnyRequest,
    runtime: NamedDependency[Runtime],
    format: Format = "",  # noqa: A002 - the word of the address
) -> Response[Any]:
    """One list as page (to be printed too), JSON or CSV."""
    if format == "csv":
        page = await _disposal(request, runtime, identity)
        text = io.StringIO()
        rows = disposal_pages.table_of(page, _class_names(runtime))
        csv.writer(text, lineterminator="\r\n").writerows([[safe_cell(cell) for cell in row] for row in rows])
        headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="disposal-{page.number}.csv"'}
        return Response(text.getvalue().encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)
    return await _disposal_page(request, runtime, identity)


async def _disposal(request: AnyRequest, runtime: Runtime, identity: str) -> disposal_pages.DisposalPage:
    found: disposal_pages.DisposalPage = await look_up(
        request, runtime, identity, "disposal.read",
        lambda connection, principal: disposal_pages.disposal_of(connection, principal, runtime.profile, identity),
    )  # fmt: skip
    return found


async def _disposal_page(
    request: AnyRequest, runtime: Runtime, identity: str, typed: str = "", refusal: Refusal | None = None
) -> Response[Any]:
    page = await _disposal(request, runtime, identity)
    return pages.answer(
        request, runtime, "disposal.html", page, status=refusal.problem.status if refusal else 200,
        problem=refusal.problem if refusal else None, typed=typed, key=secrets.token_urlsafe(16), limit=audit.REASON_LIMIT,
        disposal_states=dict(DisposalState.choices()), classes=_class_names(runtime),
        item_states=disposal_pages.ITEM_STATES, stopped=disposal_pages.STOPPED,
    )  # fmt: skip


@post("/disposals/{identity:str}/approval", summary="廃棄簿を承認する", guards=[may_write], status_code=201)
async def approve(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Have the cases of a list erased; another person than who made it decides."""
    way = Way(
        action="disposal.approve", subject=identity, then=_to_list,
        carry_out=lambda connection, write: disposals.approve(connection, write, identity),
    )  # fmt: skip
    return await posting.act(request, runtime, way)


@post("/disposals/{identity:str}/refusal", summary="廃棄簿を差し戻す", guards=[may_write], status_code=201)
async def refuse(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Send a list back; what stood on it is due again."""
    raw, checked = await _typed(request, Refusing)
    if checked.form is None:
        return await _disposal_page(request, runtime, identity, *_again(request, raw, checked))
    form = checked.form
    way = Way(
        action="disposal.refuse", subject=identity, then=_to_list,
        carry_out=lambda connection, write: disposals.refuse(connection, write, identity, form),
    )  # fmt: skip
    try:
        return await posting.act(request, runtime, way)
    except Refusal as refusal:
        await _on_page(request, runtime, refusal)
        return await _disposal_page(request, runtime, identity, form.reason, refusal)


# disclosure -----------------------------------------------------------------------------------------------------------


@get("/cases/{number:str}/disclosure", summary="開示のための一覧（一人について保有するすべて）", guards=[_reader])
async def disclosed(
    number: FromPath[str], person: Whom, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Everything held on one person of a case, other people's data cut out; that it was made is on record."""
    principal = acting(request, runtime)

    def find(connection: Connection) -> disclosure.Disclosure:
        return disclosure.disclosure_of(connection, principal, runtime.profile, number, person)

    try:
        page = await runtime.database.read(find)
    except Refusal as refusal:
        await posting.put_on_record(runtime, principal, "disclosure.make", number, refusal)
        raise
    await runtime.database.write(lambda connection: disclosure.put_on_record(connection, principal, number, person))
    return pages.answer(
        request, runtime, "disclosure.html", page, section=principal.agency,
        titles={kind: definition.title for kind, definition in FORMS.items()},
    )  # fmt: skip


ROUTES = (hold_page, hold, disposal_list, propose, disposal, approve, refuse, disclosed)
