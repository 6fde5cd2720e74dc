"""Plans over HTTP: drawn up, proposed, agreed to, decided upon, stepped by hand; the answers of the agencies."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy import Connection

from tsunagi_intake import form_pages, pages, plan_reading, plans, posting
from tsunagi_intake.case_routes import may_read
from tsunagi_intake.form_pages import Place
from tsunagi_intake.plan_decisions import Step
from tsunagi_intake.posting import AnyRequest, Revision, Way, act, late_write, look_up, take
from tsunagi_intake.records import Receipt
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import person
from tsunagi_shared.forms.plan import MunicipalDecision, Plan, PlanAgreement, PlanKind, SupportAnswer, SupportReply
from tsunagi_shared.problems import Refusal, wants_page
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.sign_in import posted_fields

KindOfPlan = Annotated[str, QueryParameter(name="kind", max_length=40, description="プランの種類")]
Replaces = Annotated[
    str, QueryParameter(name="previous", pattern=r"^[0-9a-f-]{0,40}$", description="替えるプランのid（再プラン）")
]

_WORDS: dict[str, Any] = {
    "replies": dict(SupportReply.choices()),
    "steps": dict(Step.choices()),
    "ended_because": {
        "dropped": "取りやめ",
        "closed": "ケースの終了",
        "superseded": "再プランに替わった",
        "ended": "会議の決定",
        "suspended": "会議の決定",
    },
}


def to_plan(answer: bytes) -> str:
    """A page goes on to the plan of a receipt."""
    return f"/plans/{msgspec.json.decode(answer, type=Receipt).id}"


@get("/cases/{number:str}/plans/new", summary="プランを作る画面", guards=[person], include_in_schema=False)
async def new_plan(
    number: FromPath[str],
    request: AnyRequest,
    runtime: NamedDependency[Runtime],
    kind: KindOfPlan = PlanKind.MULTI_AGENCY.value,
    previous: Replaces = "",
) -> Response[Any]:
    """The form of that kind alone; `previous`: the plan that a 再プラン replaces, whose content it starts with."""
    principal = posting.acting(request, runtime)
    place = Place(case=number, variant=kind, plan=previous)

    def find(connection: Connection) -> dict[str, Any]:
        return form_pages.opening(connection, principal, runtime.profile, "plan", place)

    raw = await runtime.database.read(find)
    return await form_pages.form_page_for(runtime, principal, "plan", place, raw=raw)


@post(
    "/cases/{number:str}/plans",
    summary="プランを作る（作成中）",
    guards=[late_write],
    status_code=201,
    opt={"form": Plan},
)
async def draft(
    number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime], kind: KindOfPlan = ""
) -> Response[Any]:
    """Take a plan into a case as a draft; nobody is told yet. `kind`: which page it comes from."""
    way = Way(
        action="plan.draft", subject=number, kind="plan", place=Place(case=number, variant=kind), then=to_plan,
        carry_out=lambda connection, write, form: plans.draft(connection, write, number, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@get("/plans/{identity:str}", summary="プラン", guards=[may_read])
async def plan(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """One plan: its dates, the parts of the agencies with their answers, what it says where the reader has the full view."""
    page = await _page(request, runtime, identity)
    return pages.answer(request, runtime, "plan.html", page, problem=None, **_WORDS)


async def _page(request: AnyRequest, runtime: Runtime, identity: str) -> plan_reading.PlanPage:
    def find(connection: Connection, principal: Principal) -> plan_reading.PlanPage:
        return plan_reading.page_of(connection, principal, runtime.profile, identity)

    page: plan_reading.PlanPage = await look_up(request, runtime, identity, "plan.read", find)
    return page


@post("/plans/{identity:str}/proposal", summary="プランを付議する", guards=[late_write], status_code=201)
async def propose(
    identity: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Put a draft before a meeting; the sheet of the proposal is drawn."""
    way = Way(
        action="plan.propose", subject=identity, revision=revision, then=to_plan,
        carry_out=lambda connection, write: plans.propose(connection, write, identity),
    )  # fmt: skip
    return await _act(request, runtime, identity, way)


@post(
    "/plans/{identity:str}/agreement",
    summary="プランへの本人の合意を記録する",
    guards=[late_write],
    status_code=201,
    opt={"form": PlanAgreement},
)
async def agree(
    identity: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """The day on which the person agreed; the plan is adopted if that was the last of the three dates."""
    way = Way(
        action="plan.agree", subject=identity, kind="plan_agreement", place=Place(plan=identity), revision=revision,
        then=to_plan, carry_out=lambda connection, write, form: plans.agree(connection, write, identity, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post(
    "/plans/{identity:str}/municipal-decision",
    summary="支援決定を記録する",
    guards=[late_write],
    status_code=201,
    opt={"form": MunicipalDecision},
)
async def municipal(
    identity: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """The day of the municipality's decision; the plan is adopted if that was the last of the three dates."""
    way = Way(
        action="plan.municipal", subject=identity, kind="municipal_decision", place=Place(plan=identity), revision=revision,
        then=to_plan, carry_out=lambda connection, write, form: plans.municipal(connection, write, identity, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post("/plans/{identity:str}/steps", summary="プランの状態を進める", guards=[late_write], status_code=201)
async def step(
    identity: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """`{"step": …}`: adopt | replan | end | suspend | return | drop. What needs a decision is refused while none is on
    record."""
    wanted = await _step(request)
    way = Way(
        action=f"plan.{wanted.value}", subject=identity, revision=revision, then=to_plan,
        carry_out=lambda connection, write: plans.step(connection, write, identity, wanted),
    )  # fmt: skip
    return await _act(request, runtime, identity, way)


async def _step(request: AnyRequest) -> Step:
    """The step that a page's button or JSON asks for. Refusal 400."""
    value: object = None
    if request.headers.get("content-type", "").startswith(posting.URLENCODED):
        value = (await posted_fields(request)).get("step", "")
    else:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            value = msgspec.json.decode(await request.body(), type=dict[str, str]).get("step")
    found = next((known for known in Step if known.value == value), None)
    if found is None:
        codes = "、".join(known.value for known in Step)
        raise Refusal(
            400, "unknown-step", "プランの操作を読み取れません。", f"step を {codes} のどれかにしてください。"
        )
    return found


async def _act(request: AnyRequest, runtime: Runtime, identity: str, way: Way) -> Response[Any]:
    """Carry it out; what is refused to a page brings the plan's page back, with the reason."""
    try:
        return await act(request, runtime, way)
    except Refusal as refusal:
        if not wants_page(request) or refusal.problem.status != 409:
            raise
        await runtime.refusals.after_exception(refusal, request.scope)
        page = await _page(request, runtime, identity)
        return pages.answer(
            request, runtime, "plan.html", page, status=refusal.problem.status, problem=refusal.problem, **_WORDS
        )


@post(
    "/plans/{identity:str}/allocations/{place:int}/answer",
    summary="支援依頼に回答する",
    guards=[late_write],
    status_code=201,
    opt={"form": SupportAnswer},
)
async def answer(
    identity: FromPath[str], place: FromPath[int], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """The answer of the agency of that row (from 1); the newest one counts."""
    way = Way(
        action="plan.answer", subject=identity, kind="support_answer", place=Place(plan=identity, row=str(place)), then=to_plan,
        carry_out=lambda connection, write, form: plans.answer(connection, write, identity, place, form),
    )  # fmt: skip
    return await take(request, runtime, way)


ROUTES = (new_plan, draft, plan, propose, agree, municipal, step, answer)
