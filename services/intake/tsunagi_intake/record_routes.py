"""Consents, assessments, contacts, evaluations, pledges, protections, allocations and grounds over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import HttpMethod, Response, get, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy import Connection

from tsunagi_intake import actions, consent_changes, consent_records, minutes, pages, plans, record_reading, records
from tsunagi_intake.form_pages import Place
from tsunagi_intake.posting import AnyRequest, Revision, Way, act, late_write, look_up, take, to_case
from tsunagi_intake.records import Receipt
from tsunagi_intake.referral_routes import reader
from tsunagi_shared.accounts import Principal
from tsunagi_shared.forms.assessment import Assessment
from tsunagi_shared.forms.case_actions import Allocation, Ground
from tsunagi_shared.forms.consent import ConsentExtension, ConsentForm, ConsentWithdrawal
from tsunagi_shared.forms.contact import Contact
from tsunagi_shared.forms.evaluation import Evaluation
from tsunagi_shared.forms.pledge import Pledge
from tsunagi_shared.forms.protection import Protection
from tsunagi_shared.problems import not_found
from tsunagi_shared.runtime import Runtime


def _to_record(answer: bytes) -> str:
    receipt = msgspec.json.decode(answer, type=Receipt)
    if receipt.kind == "plan":
        return f"/plans/{receipt.id}"
    return f"/records/{receipt.kind}/{receipt.id}"


@post(
    "/cases/{number:str}/consents",
    summary="同意を記録する",
    guards=[late_write],
    status_code=201,
    opt={"form": ConsentForm},
)
async def give_consent(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Put a person's 同意書 on record; it takes the place of what the person consented to before."""
    way = Way(
        action="consent.give", subject=number, kind="consent", place=Place(case=number), then=to_case,
        carry_out=lambda connection, write, form: consent_records.give(connection, write, number, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post(
    "/consents/{identity:str}/withdrawal",
    summary="同意を撤回する",
    guards=[late_write],
    status_code=201,
    opt={"form": ConsentWithdrawal},
)
async def withdraw_consent(
    identity: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Take a consent back; the answer tells which agencies are cut. Their access has ended when it comes."""
    way = Way(
        action="consent.withdraw", subject=identity, kind="consent_withdrawal", place=Place(consent=identity),
        revision=revision, then=to_case,
        carry_out=lambda connection, write, form: consent_changes.withdraw(connection, write, identity, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post(
    "/consents/{identity:str}/extension",
    summary="同意を延ばす・機関を加える",
    guards=[late_write],
    status_code=201,
    opt={"form": ConsentExtension},
)
async def extend_consent(
    identity: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """A later last day, further agencies, or both."""
    way = Way(
        action="consent.extend", subject=identity, kind="consent_extension", place=Place(consent=identity),
        revision=revision, then=to_case,
        carry_out=lambda connection, write, form: consent_changes.extend(connection, write, identity, form),
    )  # fmt: skip
    return await take(request, runtime, way)


def _submission(kind: str, number: str) -> Way:
    return Way(
        action=f"{kind}.submit", subject=number, kind=kind, place=Place(case=number), then=to_case,
        carry_out=lambda connection, write, form: records.submit(connection, write, kind, number, form),
    )  # fmt: skip


@post(
    "/cases/{number:str}/assessments",
    summary="インテーク・アセスメントシートを提出する",
    guards=[late_write],
    status_code=201,
    opt={"form": Assessment},
)
async def assess(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Take an intake or assessment sheet into the case."""
    return await take(request, runtime, _submission("assessment", number))


@post(
    "/cases/{number:str}/contacts",
    summary="支援経過を記録する",
    guards=[late_write],
    status_code=201,
    opt={"form": Contact},
)
async def log_contact(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Put one contact on record."""
    return await take(request, runtime, _submission("contact", number))


@post(
    "/cases/{number:str}/evaluations",
    summary="評価シートを提出する",
    guards=[late_write],
    status_code=201,
    opt={"form": Evaluation},
)
async def evaluate(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Take an evaluation into the case; it decides nothing by itself."""
    return await take(request, runtime, _submission("evaluation", number))


@get("/records/{kind:str}/{identity:str}", summary="記録", guards=[reader])
async def record(
    kind: FromPath[str], identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """One record with what was typed, for who has its full view."""

    def find(connection: Connection, principal: Principal) -> record_reading.RecordPage:
        return record_reading.page_of(connection, principal, runtime.profile, kind, identity)

    found = await look_up(request, runtime, identity, "record.read", find)
    return pages.answer(request, runtime, "record.html", found)


@route(
    "/records/{kind:str}/{identity:str}",
    http_method=[HttpMethod.PUT, HttpMethod.POST],
    summary="記録を訂正する",
    guards=[late_write],
    status_code=200,
)
async def correct(
    kind: FromPath[str],
    identity: FromPath[str],
    revision: Revision,
    request: AnyRequest,
    runtime: NamedDependency[Runtime],
) -> Response[Any]:
    """Put a corrected form in its place; a page posts to the same address. 409 `changed-meanwhile` when it changed."""
    if kind not in (*records.CORRECTABLE, "consent", "plan"):
        raise not_found()

    def carry_out(connection: Connection, write: records.Write, form: Any) -> bytes:
        if kind == "plan":
            return plans.rewrite(connection, write, identity, form)
        if kind == "consent":
            return consent_records.correct(connection, write, identity, form)
        if kind == "minutes":
            return minutes.correct(connection, write, identity, form)
        return records.correct(connection, write, kind, identity, form)

    way = Way(
        action=f"{kind}.correct", subject=identity, kind=kind, place=Place(record=f"{kind}/{identity}"),
        revision=revision, status=200, then=_to_record, carry_out=carry_out,
    )  # fmt: skip
    return await take(request, runtime, way)


@post("/pledges", summary="守秘義務の誓約を記録する", guards=[late_write], status_code=201, opt={"form": Pledge})
async def pledge(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Put a 守秘義務誓約 on record."""
    way = Way(action="pledge.submit", kind="pledge", carry_out=actions.pledge, then=_to_record)
    return await take(request, runtime, way)


@post(
    "/cases/{number:str}/protections",
    summary="住所等の秘匿を設定する",
    guards=[late_write],
    status_code=201,
    opt={"form": Protection},
)
async def protect(
    number: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Withhold where a person can be found; documents that show it are closed at once."""
    way = Way(
        action="protection.set", subject=number, kind="protection", place=Place(case=number), revision=revision, then=to_case,
        carry_out=lambda connection, write, form: actions.protect(connection, write, number, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post("/protections/{identity:str}/lifting", summary="住所等の秘匿を解除する", guards=[late_write], status_code=201)
async def lift_protection(
    identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """End a protection."""
    way = Way(
        action="protection.lift", subject=identity, then=to_case,
        carry_out=lambda connection, write: actions.lift_protection(connection, write, identity),
    )  # fmt: skip
    return await act(request, runtime, way)


@post(
    "/cases/{number:str}/allocations",
    summary="役割分担を加える",
    guards=[late_write],
    status_code=201,
    opt={"form": Allocation},
)
async def allocate(
    number: FromPath[str], revision: Revision, request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Give an agency a part in the case."""
    way = Way(
        action="allocation.make", subject=number, kind="allocation", place=Place(case=number), revision=revision, then=to_case,
        carry_out=lambda connection, write, form: actions.allocate(connection, write, number, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post("/allocations/{identity:str}/end", summary="役割分担を終える", guards=[late_write], status_code=201)
async def end_allocation(
    identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """End an agency's part in a case."""
    way = Way(
        action="allocation.end", subject=identity, then=to_case,
        carry_out=lambda connection, write: actions.end_allocation(connection, write, identity),
    )  # fmt: skip
    return await act(request, runtime, way)


@post(
    "/cases/{number:str}/grounds",
    summary="同意以外の根拠を記録する",
    guards=[late_write],
    status_code=201,
    opt={"form": Ground},
)
async def declare_ground(
    number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Put 通告等 by law, or 緊急の対応, on record; the agency is told."""
    way = Way(
        action="ground.record", subject=number, kind="ground", place=Place(case=number), then=to_case,
        carry_out=lambda connection, write, form: actions.declare_ground(connection, write, number, form),
    )  # fmt: skip
    return await take(request, runtime, way)


@post("/grounds/{identity:str}/review", summary="同意以外の根拠を確認する", guards=[late_write], status_code=201)
async def review_ground(
    identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """The responsible section has looked at a ground."""
    way = Way(
        action="ground.review", subject=identity, then=to_case,
        carry_out=lambda connection, write: actions.review_ground(connection, write, identity),
    )  # fmt: skip
    return await act(request, runtime, way)


@post("/grounds/{identity:str}/end", summary="同意以外の根拠を終える", guards=[late_write], status_code=201)
async def end_ground(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """End a ground: what it opened is closed when the answer comes."""
    way = Way(
        action="ground.end", subject=identity, then=to_case,
        carry_out=lambda connection, write: actions.end_ground(connection, write, identity),
    )  # fmt: skip
    return await act(request, runtime, way)


ROUTES = (
    give_consent, withdraw_consent, extend_consent, assess, log_contact, evaluate, record, correct, pledge, protect,
    lift_protection, allocate, end_allocation, declare_ground, review_ground,
    end_ground,
)  # fmt: skip
