"""Sittings over HTTP: planned, filled, tried out, convened, written down, closed; and what minutes hand on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import HttpMethod, Response, get, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy import Connection

from tsunagi_intake import (
    agenda_entries,
    community_issues,
    convening,
    meeting_reading,
    meetings,
    minutes,
    pages,
    posting,
)
from tsunagi_intake.agenda import ItemState, MeetingState
from tsunagi_intake.agenda_entries import Choice
from tsunagi_intake.community_issues import IssueReply, IssueState
from tsunagi_intake.form_places import Place
from tsunagi_intake.meeting_reading import MeetingPage
from tsunagi_intake.posting import AnyRequest, Revision, Way, late_write, may_write
from tsunagi_intake.records import Write
from tsunagi_intake.referral_routes import reader
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import LegalRole
from tsunagi_shared.forms.community import IssueKind, ProjectState
from tsunagi_shared.forms.meeting import AgendaItem, Meeting, MeetingMember, MeetingMethod, MinimalReason, Occasion
from tsunagi_shared.problems import Problem, Refusal, wants_page
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.sign_in import posted_fields

PAGE = 50
Before = Annotated[str, QueryParameter(max_length=60, pattern=r"^[0-9a-f.-]*$", description="この行より前を示す")]
_WAY_OUT = "項目の名前と値を確かめてください（/docs）。"
WORDS = {
    "meeting_states": dict(MeetingState.choices()),
    "item_states": dict(ItemState.choices()),
    "occasions": dict(Occasion.choices()),
    "methods": dict(MeetingMethod.choices()),
    "legal_roles": dict(LegalRole.choices()),
    "minimal_reasons": dict(MinimalReason.choices()),
    "issue_kinds": dict(IssueKind.choices()),
    "issue_states": dict(IssueState.choices()),
    "issue_origins": {"minutes": "会議録", "screening": "アセスメントのスクリーニング", "direct": "直接"},
    "issue_steps": (
        ("propose", "issue_proposal", "提案を記録する"),
        ("project", "issue_project", "プロジェクトを記録する"),
        ("hand_on", "community_issue", "さらに伝える"),
    ),
    "project_states": dict(ProjectState.choices()),
    "rule_reasons": {code: broken.reason for code, broken in REFUSALS.items()} | {"absent": "欠席しました。"},
}


def answer(request: AnyRequest, runtime: Runtime, template: str, page: Any, **context: Any) -> Response[Any]:
    """The page for a browser, JSON for a program, with the words of meetings."""
    day = page.form.held_on if isinstance(page, MeetingPage) else getattr(page, "held_on", None) or clock.today()
    bodies = {body.id: body.name_on(day) for body in runtime.profile.bodies}
    words: dict[str, Any] = {**WORDS, **context}
    return pages.answer(request, runtime, template, page, body_names=bodies, **words)


def to_meeting(identity: str) -> Callable[[bytes], str]:
    """A page goes on to the sitting."""
    return lambda _: f"/meetings/{identity}"


# the sitting -----------------------------------------------------------------------------------------------------------


@get("/meetings", summary="会議の開催の一覧", guards=[reader])
async def meeting_list(request: AnyRequest, runtime: NamedDependency[Runtime], before: Before = "") -> Response[Any]:
    """The sittings that the caller may know of, and the days on which the bodies they run are due to meet."""
    principal = posting.acting(request, runtime)
    page = await runtime.database.read(
        lambda connection: meeting_reading.list_of(connection, principal, runtime.profile, before, PAGE)
    )
    return answer(request, runtime, "meetings.html", page, before=before)


@post("/meetings", summary="開催を作る", guards=[late_write], status_code=201, opt={"form": Meeting})
async def create(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Plan a sitting of one body, or of several together."""
    way = Way(
        action="meeting.create", kind="meeting", carry_out=meetings.create,
        then=lambda receipt: f"/meetings/{msgspec.json.decode(receipt)['id']}",
    )  # fmt: skip
    return await posting.take(request, runtime, way)


@get("/meetings/{identity:str}", summary="会議の開催", guards=[reader])
async def meeting(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """One sitting with its items and members, as far as the caller may know of them."""
    return answer(request, runtime, "meeting.html", await _page(request, runtime, identity), problem=None)


async def _page(request: AnyRequest, runtime: Runtime, identity: str) -> MeetingPage:
    def find(connection: Connection, principal: Principal) -> MeetingPage:
        return meeting_reading.page_of(connection, principal, runtime.profile, identity)

    page: MeetingPage = await posting.look_up(request, runtime, identity, "meeting.read", find)
    return page


@route(
    "/meetings/{identity:str}", http_method=[HttpMethod.PUT, HttpMethod.POST], summary="開催の内容を直す",
    guards=[late_write], status_code=200, opt={"form": Meeting},
)  # fmt: skip
async def change(
    identity: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Put another head in its place; notices go out again where it was convened."""
    way = Way(
        action="meeting.change", subject=identity, kind="meeting", place=Place(meeting=identity), revision=revision,
        status=200, then=to_meeting(identity),
        carry_out=lambda connection, write, form: meetings.change(connection, write, identity, form),
    )  # fmt: skip
    return await posting.take(request, runtime, way)


@post("/meetings/{identity:str}/cancellation", summary="開催を取りやめる", guards=[may_write], status_code=201)
async def cancel(
    identity: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """The notices are taken back, the papers closed."""
    return await _act(
        request, runtime, identity, "meeting.cancel", revision,
        lambda connection, write: meetings.cancel(connection, write, identity),
    )  # fmt: skip


async def _act(
    request: AnyRequest,
    runtime: Runtime,
    identity: str,
    action: str,
    revision: int | None,
    carry_out: Callable[[Connection, Write], bytes],
) -> Response[Any]:
    """Carry it out; what is refused to a page brings the sitting's page back, with the reason."""
    way = Way(action=action, subject=identity, revision=revision, carry_out=carry_out, then=to_meeting(identity))
    try:
        return await posting.act(request, runtime, way)
    except Refusal as refusal:
        if not wants_page(request) or refusal.problem.status not in (409, 422):
            raise
        await runtime.refusals.after_exception(refusal, request.scope)
        page = await _page(request, runtime, identity)
        problem: Problem = refusal.problem
        return answer(request, runtime, "meeting.html", page, problem=problem, status=problem.status)


# items and members -----------------------------------------------------------------------------------------------------


@post(
    "/meetings/{identity:str}/items", summary="付議する", guards=[late_write], status_code=201, opt={"form": AgendaItem}
)
async def add_item(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Put a case, or a resource, on the agenda under one legal role."""
    way = Way(
        action="meeting.item", subject=identity, kind="agenda_item", place=Place(meeting=identity),
        then=to_meeting(identity),
        carry_out=lambda connection, write, form: agenda_entries.add_item(connection, write, identity, form),
    )  # fmt: skip
    return await posting.take(request, runtime, way)


@post(
    "/meetings/{identity:str}/items/{item:str}/withdrawal", summary="議題を取り下げる", guards=[may_write],
    status_code=201,
)  # fmt: skip
async def withdraw_item(
    identity: FromPath[str], item: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Take an item off the agenda."""
    return await _act(
        request, runtime, identity, "meeting.item.withdraw", None,
        lambda connection, write: agenda_entries.withdraw_item(connection, write, identity, item),
    )  # fmt: skip


@post(
    "/meetings/{identity:str}/members", summary="構成員を加える", guards=[late_write], status_code=201,
    opt={"form": MeetingMember},
)  # fmt: skip
async def add_member(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Call somebody to the sitting."""
    return await posting.take(request, runtime, _member_way(identity, ""))


@route(
    "/meetings/{identity:str}/members/{member:str}", http_method=[HttpMethod.PUT, HttpMethod.POST],
    summary="構成員の内容を直す", guards=[late_write], status_code=200, opt={"form": MeetingMember},
)  # fmt: skip
async def change_member(
    identity: FromPath[str], member: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Put what is known of a member anew: 告知, 選定, whether they come. Another agency or account is another member, with an
    id of its own: the answer has it."""
    return await posting.take(request, runtime, _member_way(identity, member))


def _member_way(identity: str, member: str) -> Way:
    return Way(
        action="meeting.member", subject=identity, kind="meeting_member", place=Place(meeting=identity, member=member),
        status=200 if member else 201, then=to_meeting(identity),
        carry_out=lambda connection, write, form: agenda_entries.add_member(connection, write, identity, form, member),
    )  # fmt: skip


@post(
    "/meetings/{identity:str}/members/{member:str}/removal", summary="構成員から外す", guards=[may_write],
    status_code=201,
)  # fmt: skip
async def remove_member(
    identity: FromPath[str], member: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Somebody is no longer called."""
    return await _act(
        request, runtime, identity, "meeting.member.remove", None,
        lambda connection, write: agenda_entries.remove_member(connection, write, identity, member),
    )  # fmt: skip


@post(
    "/meetings/{identity:str}/items/{item:str}/members", summary="議題の構成員に選ぶ・外す", guards=[may_write],
    status_code=201,
)  # fmt: skip
async def choose(
    identity: FromPath[str], item: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """The convener chooses a member for one item, or leaves them out: `{"member": "<id>", "chosen": true}`."""
    if request.headers.get("content-type", "").startswith(posting.URLENCODED):
        fields = await posted_fields(request)
        choice = Choice(member=fields.get("member", "")[:64], chosen=fields.get("chosen") == "true")
    else:
        choice = posting.decoded(await request.body(), Choice, _WAY_OUT)
    return await _act(
        request, runtime, identity, "meeting.choose", None,
        lambda connection, write: agenda_entries.choose(connection, write, identity, item, choice),
    )  # fmt: skip


# convening and closing -------------------------------------------------------------------------------------------------


@get("/meetings/{identity:str}/convening", summary="招集の下調べ", guards=[reader])
async def try_out(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """The dry run: who hears which item, who leaves for which and why, what each notice will say. Nothing is sent."""

    def find(connection: Connection, principal: Principal) -> convening.Outlook:
        return meetings.look_at(connection, principal, runtime.profile, identity)

    page = await posting.look_up(request, runtime, identity, "meeting.outlook", find)
    return answer(request, runtime, "convening.html", page)


@post("/meetings/{identity:str}/convening", summary="招集する", guards=[may_write], status_code=201)
async def convene(
    identity: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Send the notices out."""
    return await _act(
        request, runtime, identity, "meeting.convene", revision,
        lambda connection, write: meetings.convene(connection, write, identity),
    )  # fmt: skip


@post("/meetings/{identity:str}/closing", summary="開催を終了する", guards=[may_write], status_code=201)
async def close(
    identity: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Close the sitting: minutes become records, decisions change plans and cases, in one transaction."""
    return await _act(
        request, runtime, identity, "meeting.close", revision,
        lambda connection, write: minutes.close(connection, write, identity),
    )  # fmt: skip


# what is handed on -----------------------------------------------------------------------------------------------------


@get("/community-issues", summary="地域課題・社会資源の一覧", guards=[reader])
async def issue_list(request: AnyRequest, runtime: NamedDependency[Runtime], before: Before = "") -> Response[Any]:
    """What was handed to and from the bodies that the caller's agency runs."""
    principal = posting.acting(request, runtime)
    page = await runtime.database.read(
        lambda connection: community_issues.list_issues(connection, principal, runtime.profile, before, PAGE)
    )
    return answer(request, runtime, "community_issues.html", page, before=before)


@post("/community-issues/{identity:str}/reply", summary="地域課題に回答する", guards=[may_write], status_code=201)
async def issue_reply(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """The body it was handed to has it, or answers: `{"answer": "…"}`."""
    if request.headers.get("content-type", "").startswith(posting.URLENCODED):
        told = IssueReply(answer=(await posted_fields(request)).get("answer", ""))
    else:
        told = posting.decoded(await request.body(), IssueReply, _WAY_OUT)
    way = Way(
        action="community_issue.reply", subject=identity, then=lambda _: "/community-issues",
        carry_out=lambda connection, write: community_issues.reply(connection, write, identity, told),
    )  # fmt: skip
    return await posting.act(request, runtime, way)


ROUTES = (
    meeting_list, create, meeting, change, cancel, add_item, withdraw_item, add_member, change_member, remove_member, choose,
    try_out, convene, close, issue_list, issue_reply,
)  # fmt: skip
