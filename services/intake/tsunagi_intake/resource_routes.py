"""社会資源・参加先, follow-ups and outreach over HTTP, and what becomes of 地域課題."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import HttpMethod, Response, get, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from tsunagi_intake import follow_ups, issue_steps, outreach_cases, pages, posting, resources
from tsunagi_intake.form_places import Place
from tsunagi_intake.posting import AnyRequest, Revision, Way, late_write, take
from tsunagi_shared.auth import roles
from tsunagi_shared.contracts.profile import ResourceKind, Role
from tsunagi_shared.forms.community import CommunityIssue, IssueProject, IssueProposal
from tsunagi_shared.forms.plan import ContactState
from tsunagi_shared.forms.resource import FollowUp, FollowUpSide, ResourceEntry
from tsunagi_shared.runtime import Runtime

PAGE = 50
# A resource has no case in it: whoever works here may know of it, but for those who only administer
reader = roles(*(role for role in Role if role is not Role.ADMINISTRATOR), scope="cases:read")
Kind = Annotated[str, QueryParameter(name="kind", pattern=r"^[a-z_]{0,20}$", description="社会資源の種類")]
After = Annotated[str, QueryParameter(max_length=80, pattern=r"^[0-9a-z.-]*$", description="この行より後を示す")]
Before = Annotated[str, QueryParameter(max_length=40, pattern=r"^[0-9A-Za-z-]*$", description="このケースより前を示す")]

_WORDS: dict[str, Any] = {
    "resource_kinds": dict(ResourceKind.choices()),
    "sides": dict(FollowUpSide.choices()),
    "contact_states": dict(ContactState.choices()),
}


def _to_resource(answer: bytes) -> str:
    return f"/resources/{msgspec.json.decode(answer)['id']}"


@get("/resources", summary="社会資源・参加先の一覧", guards=[reader])
async def resource_list(
    request: AnyRequest, runtime: NamedDependency[Runtime], kind: Kind = "", after: After = ""
) -> Response[Any]:
    """The places that take people in, with how many adopted plans name each; says nothing of who goes there."""
    principal = posting.acting(request, runtime)
    page = await runtime.database.read(
        lambda connection: resources.list_of(connection, principal, runtime.profile, kind, after, PAGE)
    )
    return pages.answer(request, runtime, "resources.html", page, kind=kind, after=after, **_WORDS)


@post(
    "/resources",
    summary="社会資源・参加先を登録する",
    guards=[late_write],
    status_code=201,
    opt={"form": ResourceEntry},
)
async def add_resource(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Put a place on record."""
    way = Way(action="resource.add", kind="resource", then=_to_resource, carry_out=resources.add)
    return await take(request, runtime, way)


@get("/resources/{identity:str}", summary="社会資源・参加先", guards=[reader])
async def resource(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """One place; the plans that name it only as far as the caller may read them."""
    page = await posting.look_up(
        request, runtime, identity, "resource.read",
        lambda connection, principal: resources.page_of(connection, principal, runtime.profile, identity),
    )  # fmt: skip
    return pages.answer(request, runtime, "resource.html", page, **_WORDS)


@route(
    "/resources/{identity:str}", http_method=[HttpMethod.PUT, HttpMethod.POST], summary="社会資源・参加先を直す",
    guards=[late_write], status_code=200, opt={"form": ResourceEntry},
)  # fmt: skip
async def change_resource(
    identity: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Put what is known of a place anew; kind and name of one of the profile stay."""
    way = Way(
        action="resource.change", subject=identity, kind="resource", place=Place(resource=identity), revision=revision,
        status=200, then=_to_resource,
        carry_out=lambda connection, write, form: resources.change(connection, write, identity, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@get("/follow-ups", summary="フォローの予定", guards=[reader])
async def follow_up_list(request: AnyRequest, runtime: NamedDependency[Runtime], after: After = "") -> Response[Any]:
    """What is due of the plans that the caller may read whole, or where their agency has a part."""
    principal = posting.acting(request, runtime)
    page = await runtime.database.read(
        lambda connection: follow_ups.list_of(connection, principal, runtime.profile, after, PAGE)
    )
    return pages.answer(request, runtime, "follow_ups.html", page, after=after, **_WORDS)


@post(
    "/follow-ups/{identity:str}/completion", summary="フォローを記録する", guards=[late_write], status_code=201,
    opt={"form": FollowUp},
)  # fmt: skip
async def complete(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """A follow-up was done; the next of its side becomes due."""
    way = Way(
        action="follow_up.done", subject=identity, kind="follow_up", place=Place(follow_up=identity),
        then=lambda _: "/follow-ups",
        carry_out=lambda connection, write, form: follow_ups.done(connection, write, identity, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@get("/outreach", summary="アウトリーチ等の一覧", guards=[reader])
async def outreach_list(request: AnyRequest, runtime: NamedDependency[Runtime], before: Before = "") -> Response[Any]:
    """The cases under outreach, as far as the caller sees all of the forms that say so."""
    principal = posting.acting(request, runtime)
    page = await runtime.database.read(lambda connection: outreach_cases.list_of(connection, principal, before, PAGE))
    return pages.answer(request, runtime, "outreach.html", page, before=before, **_WORDS)


def _to_issues(_: bytes) -> str:
    return "/community-issues"


@post(
    "/community-issues",
    summary="地域課題を直接伝える",
    guards=[late_write],
    status_code=201,
    opt={"form": CommunityIssue},
)
async def hand_issue(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Hand an issue to a body, without a case and without minutes."""
    way = Way(action="community_issue.hand", kind="community_issue", then=_to_issues, carry_out=issue_steps.hand)
    return await take(request, runtime, way)


@post(
    "/community-issues/{identity:str}/handing-on", summary="地域課題をさらに伝える", guards=[late_write], status_code=201,
    opt={"form": CommunityIssue},
)  # fmt: skip
async def hand_issue_further(
    identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Hand an issue further, to a body that the profile names for the one that has it."""
    way = Way(
        action="community_issue.hand_further", subject=identity, kind="community_issue", place=Place(issue=identity),
        then=_to_issues,
        carry_out=lambda connection, write, form: issue_steps.hand_further(connection, write, identity, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post(
    "/community-issues/{identity:str}/proposal", summary="地域課題に提案する", guards=[late_write], status_code=201,
    opt={"form": IssueProposal},
)  # fmt: skip
async def propose_on_issue(
    identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """What the body that has the issue would do about it."""
    way = Way(
        action="community_issue.propose", subject=identity, kind="issue_proposal", place=Place(issue=identity),
        then=_to_issues,
        carry_out=lambda connection, write, form: issue_steps.propose(connection, write, identity, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post(
    "/community-issues/{identity:str}/project", summary="地域課題のプロジェクトを記録する", guards=[late_write],
    status_code=201, opt={"form": IssueProject},
)  # fmt: skip
async def run_project(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """The project that came of a proposal: begun, or how far it has come."""
    way = Way(
        action="community_issue.project", subject=identity, kind="issue_project", place=Place(issue=identity),
        then=_to_issues,
        carry_out=lambda connection, write, form: issue_steps.run(connection, write, identity, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post("/community-issues/{identity:str}/withdrawal", summary="地域課題を取り消す", guards=[late_write], status_code=201)
async def withdraw_issue(
    identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Take back what should not have been written, also where it was handed further."""
    way = Way(
        action="community_issue.withdraw", subject=identity, then=_to_issues,
        carry_out=lambda connection, write: issue_steps.withdraw(connection, write, identity),
    )  # fmt: skip
    return await posting.act(request, runtime, way)


ROUTES = (
    resource_list, add_resource, resource, change_resource, follow_up_list, complete, outreach_list, hand_issue,
    hand_issue_further, propose_on_issue, run_project, withdraw_issue,
)  # fmt: skip
