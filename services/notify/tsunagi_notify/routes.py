"""The HTTP side of notify: the inbox, a delivery, what a person says about it, and the overview for those in charge."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, cast

import msgspec
from litestar import MediaType, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter
from litestar.response import Redirect
from sqlalchemy import Connection

from tsunagi_notify import pages, receipts
from tsunagi_notify.channels import inbox
from tsunagi_notify.channels.email import Mailer
from tsunagi_notify.channels.inbox import Cursor, Message
from tsunagi_notify.deliveries import Deliveries, Delivery, Resent, State, find
from tsunagi_notify.directory import Directory
from tsunagi_notify.pages import Notice, Notices, Overview
from tsunagi_notify.receipts import Answer, Misdelivery, Receipts
from tsunagi_notify.requests import (
    Acknowledgement,
    Asked,
    MisdeliveryReport,
    Resending,
    checked,
    cursor_of,
    is_form,
    posted,
    sent,
    wanted_of_page,
    words_of,
)
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import check_contract, late, person, principal_of, roles
from tsunagi_shared.contracts.profile import Role
from tsunagi_shared.problems import Refusal, not_found, wants_page
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.sign_in import sign_in_page

SMALL_BODY = 64 * 1024
ENDED_SHOWN_US = 30 * 86_400 * 1_000_000
NO_STORE = {"Cache-Control": "no-store"}
Number = Annotated[uuid.UUID, PathParameter(description="お知らせの番号")]
Done = Annotated[str, QueryParameter(description="画面用：いま記録したこと")]
After = Annotated[str, QueryParameter(description="前の答えの next")]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="1回に返す件数")]
# Litestar keeps the name `state` for itself, so the query's name is given
Show = Annotated[Literal["open", "all"], QueryParameter(name="state", description="open: 確認を待つもの、all: すべて")]
ShowState = Annotated[
    Literal["all", "waiting", "sent", "failed", "withdrawn"], QueryParameter(name="state", description="配送の状態")
]

# Anyone with a post reads the own agency's inbox; a key needs the scope.
reader = roles(*Role, scope="inbox:read")
overseer = roles("administrator", "responsible_section", "coordinator", scope="deliveries:read")
resender = roles("administrator", "responsible_section", scope="deliveries:resend")


@dataclass(frozen=True)
class Resources:
    """What the routes work with."""

    directory: Directory
    deliveries: Deliveries
    receipts: Receipts
    mailer: Mailer


def _own(runtime: Runtime) -> Resources:
    return cast(Resources, runtime.parts.own)


def _acting(runtime: Runtime, request: Asked) -> Principal:
    """The caller, who must still act for the agency (rule `contract`)."""
    principal = principal_of(request)
    check_contract(runtime.profile, principal)
    return principal


def _json(body: msgspec.Struct, status: int = 200) -> Response[bytes]:
    return Response(
        msgspec.json.encode(body), status_code=status, media_type="application/json", headers=dict(NO_STORE)
    )


def _page(runtime: Runtime, template: str, request: Asked, status: int = 200, **context: Any) -> Response[bytes]:
    text = runtime.pages.render(template, principal=request.scope.get("user"), **context)
    return Response(text.encode(), status_code=status, media_type=MediaType.HTML, headers=dict(NO_STORE))


# the inbox -------------------------------------------------------------------------------------------------------------


@get("/", opt={"public": True}, include_in_schema=False)
async def home() -> Redirect:
    """The first page is the inbox."""
    return Redirect("/inbox", status_code=303)


@get(
    "/inbox",
    summary="自分の機関あてのお知らせ",
    guards=[reader],
    responses={200: ResponseSpec(Notices, description="お知らせの一覧（新しい順）")},
)
async def show_inbox(
    runtime: NamedDependency[Runtime], request: Asked, show: Show = "open", after: After = "", limit: Limit = 50
) -> Response[bytes]:
    """The messages of the caller's agency, newest first: those without an answer, or all."""
    principal, cursor = _acting(runtime, request), cursor_of(after)

    def read(connection: Connection) -> tuple[list[Message], int, list[Message]]:
        if not principal.reads_cases:
            return [], 0, []
        found = inbox.messages(connection, principal.agency, only_open=show == "open", after=cursor, limit=limit + 1)
        since = clock.now_us() - ENDED_SHOWN_US
        ended = [] if cursor else inbox.ended_since(connection, principal.agency, since)
        return found, inbox.open_count(connection, principal.agency), ended

    found, waiting, ended = await runtime.database.read(read)
    shown = found[:limit]
    last = shown[-1].delivery if len(found) > limit else None
    view = Notices(
        tuple(pages.notice_of(message) for message in shown),
        str(Cursor(last.announced_at, last.id)) if last else None,
        waiting,
        tuple(pages.notice_of(message) for message in ended),
    )
    if not wants_page(request):
        return _json(view)
    return _page(runtime, "inbox.html", request, view=view, state=show, after=after, limit=limit)


# one delivery ----------------------------------------------------------------------------------------------------------


def _message(connection: Connection, delivery: Delivery) -> Message:
    row = receipts.message_row(connection, delivery)
    return Message(row, receipts.receipt_of(connection, row.document_id, row.version, row.agency))


def _open(resources: Resources, principal: Principal, wanted: str, connection: Connection) -> Message | None:
    """The message for its own agency, with a line in the audit either way."""
    delivery = receipts.own_delivery(connection, resources.directory, principal, wanted, clock.today())
    basis, refused = ("", False) if delivery else (not_found().problem.code, True)
    audit.record(connection, principal, "delivery.open", f"delivery/{wanted}", basis=basis, refused=refused)
    return _message(connection, delivery) if delivery else None


async def _notice(runtime: Runtime, principal: Principal, wanted: str) -> Notice:
    message = await runtime.database.write(partial(_open, _own(runtime), principal, wanted))
    if message is None:
        refusal = not_found()
        refusal.recorded = True
        raise refusal
    return pages.notice_of(message)


def _delivery_page(
    runtime: Runtime,
    request: Asked,
    notice: Notice,
    *,
    done: Done = "",
    problem: str = "",
    status: int = 200,
) -> Response[bytes]:
    resources = _own(runtime)
    return _page(
        runtime,
        "delivery.html",
        request,
        status,
        notice=notice,
        agency_name=resources.directory.name(principal_of(request).agency),
        enquiries=resources.directory.enquiries,
        reasons=Misdelivery.choices(),
        done=done if done == notice.state else "",
        problem=problem,
    )


@get(
    "/deliveries/{delivery_id:uuid}",
    summary="お知らせを見る",
    guards=[reader],
    responses={200: ResponseSpec(Notice, description="お知らせ")},
)
async def show_delivery(
    runtime: NamedDependency[Runtime],
    request: Asked,
    delivery_id: Number,
    done: Done = "",
) -> Response[bytes]:
    """One notice of the caller's agency. Looking at it is on record and is no receipt."""
    notice = await _notice(runtime, _acting(runtime, request), str(delivery_id))
    return _delivery_page(runtime, request, notice, done=done) if wants_page(request) else _json(notice)


Say = Callable[[Connection], Answer | Refusal]


async def _say(runtime: Runtime, request: Asked, wanted: str, say: Say, done: pages.Receiving) -> Response[Any]:
    """Carry out what a person said, and answer in kind: a posted page goes back to the delivery, a program gets it."""
    answer = await runtime.database.write(say)
    if isinstance(answer, Refusal):
        raise answer
    if is_form(request):
        return Redirect(f"/deliveries/{wanted}", query_params={"done": done.value}, status_code=303, headers=NO_STORE)

    def read(connection: Connection) -> Message:
        delivery = find(connection, wanted)
        assert delivery is not None
        return _message(connection, delivery)

    notice = pages.notice_of(await runtime.database.read(read))
    return _json(notice, 201 if answer.first else 200)


@post(
    "/deliveries/{delivery_id:uuid}/acknowledgement",
    summary="受け取りました",
    guards=[late(person)],
    status_code=201,
    request_max_body_size=SMALL_BODY,
    opt={"form": Acknowledgement},
    responses={
        200: ResponseSpec(Notice, description="前に確認済み（同じ答え）"),
        201: ResponseSpec(Notice, description="受領を記録した"),
    },
)
async def acknowledge(runtime: NamedDependency[Runtime], request: Asked, delivery_id: Number) -> Response[Any]:
    """A signed-in person of the agency says: received. A machine key cannot: a receipt bears a name."""
    wanted = str(delivery_id)
    if request.scope.get("user") is None:
        return sign_in_page(runtime, following=f"/deliveries/{wanted}", status=401)
    principal = _acting(runtime, request)
    if is_form(request):
        await posted(request)
    else:
        await sent(request, Acknowledgement)
    say = partial(_own(runtime).receipts.acknowledge, principal=principal, wanted=wanted)
    return await _say(runtime, request, wanted, say, pages.Receiving.ACKNOWLEDGED)


@post(
    "/deliveries/{delivery_id:uuid}/misdelivery",
    summary="担当ではありません",
    guards=[late(person)],
    status_code=201,
    request_max_body_size=SMALL_BODY,
    opt={"form": MisdeliveryReport},
    responses={
        200: ResponseSpec(Notice, description="前に連絡済み（同じ答え）"),
        201: ResponseSpec(Notice, description="担当でないことを記録した"),
    },
)
async def misdeliver(runtime: NamedDependency[Runtime], request: Asked, delivery_id: Number) -> Response[Any]:
    """A signed-in person of the agency says: this should not have come to us, and why, by code."""
    wanted = str(delivery_id)
    if request.scope.get("user") is None:
        return sign_in_page(runtime, following=f"/deliveries/{wanted}", status=401)
    principal = _acting(runtime, request)
    if is_form(request):
        chosen = dict(await posted(request)).get("code", "")
        if chosen not in dict(Misdelivery.choices()):
            notice = await _notice(runtime, principal, wanted)
            return _delivery_page(runtime, request, notice, problem="理由を一つ選んでください。", status=422)
        code = msgspec.convert(chosen, Misdelivery)
    else:
        code = (await sent(request, MisdeliveryReport)).code
    say = partial(_own(runtime).receipts.misdeliver, principal=principal, wanted=wanted, code=code)
    return await _say(runtime, request, wanted, say, pages.Receiving.MISDELIVERED)


# all deliveries --------------------------------------------------------------------------------------------------------


async def _overview(runtime: Runtime, state: State | None, after: Cursor | None, limit: int) -> Overview:
    resources = _own(runtime)
    return await runtime.database.read(
        partial(
            pages.overview,
            directory=resources.directory,
            state=state,
            after=after,
            limit=limit,
            mail_problem=resources.mailer.problem,
        )
    )


@get(
    "/deliveries",
    summary="すべての配送と、その状態",
    guards=[overseer],
    responses={200: ResponseSpec(Overview, description="配送の一覧（新しい順）")},
)
async def show_deliveries(
    runtime: NamedDependency[Runtime],
    request: Asked,
    show: ShowState = "all",
    after: After = "",
    limit: Limit = 50,
    resent: Annotated[int | None, QueryParameter(ge=0)] = None,
    still_failed: Annotated[int, QueryParameter(ge=0)] = 0,
) -> Response[bytes]:
    """Every agency's deliveries with their states, for those who look after the system. No document can be opened here."""
    _acting(runtime, request)
    view = await _overview(runtime, None if show == "all" else msgspec.convert(show, State), cursor_of(after), limit)
    if not wants_page(request):
        return _json(view)
    result = None if resent is None else Resent(resent, still_failed)
    return _overview_page(runtime, request, view, state=show, after=after, limit=limit, result=result)


def _overview_page(
    runtime: Runtime,
    request: Asked,
    view: Overview,
    *,
    state: str = "all",
    after: After = "",
    limit: int = 50,
    result: Resent | None = None,
    typed: tuple[str, str] = ("", ""),
    problem: str = "",
) -> Response[bytes]:
    return _page(
        runtime,
        "deliveries.html",
        request,
        422 if problem else 200,
        view=view,
        state=state,
        after=after,
        limit=limit,
        result=result,
        typed=typed,
        problem=problem,
        may_resend=not principal_of(request).roles.isdisjoint({"administrator", "responsible_section"}),
        failed=[told.id for told in view.items if told.state == State.FAILED],
    )


@post(
    "/deliveries/resend",
    summary="失敗した配送を送り直す",
    guards=[resender],
    status_code=200,
    request_max_body_size=SMALL_BODY,
    responses={200: ResponseSpec(Resent, description="送り直した数と、まだ送れない数")},
)
async def resend(runtime: NamedDependency[Runtime], request: Asked) -> Response[Any]:
    """Try failed deliveries again, by number or by range; what was sent is never sent again."""
    principal = _acting(runtime, request)
    if is_form(request):
        pairs = await posted(request)
        since, until = dict(pairs).get("since", ""), dict(pairs).get("until", "")
        try:
            wanted = wanted_of_page([value for name, value in pairs if name == "delivery"], since, until)
        except ValueError as error:
            view = await _overview(runtime, State.FAILED, None, 50)
            return _overview_page(runtime, request, view, state="failed", typed=(since, until), problem=words_of(error))
    else:
        wanted = await sent(request, Resending)
    result = await runtime.database.write(partial(_resend, _own(runtime).deliveries, principal, checked(wanted)))
    if is_form(request):
        figures = {"state": "failed", "resent": str(result.resent), "still_failed": str(result.still_failed)}
        return Redirect("/deliveries", query_params=figures, status_code=303, headers=NO_STORE)
    return _json(result)


def _resend(deliveries: Deliveries, principal: Principal, wanted: Resending, connection: Connection) -> Resent:
    result = deliveries.resend(
        connection,
        ids=[str(value) for value in wanted.deliveries],
        since_us=None if wanted.since is None else clock.microseconds_of(wanted.since),
        until_us=None if wanted.until is None else clock.microseconds_of(wanted.until),
    )
    audit.record(connection, principal, "delivery.resend", "deliveries", basis=f"resent={result.resent}")
    return result


ROUTES = (home, show_inbox, show_delivery, acknowledge, misdeliver, show_deliveries, resend)
