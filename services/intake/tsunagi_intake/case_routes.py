"""Cases over HTTP: the list, the search, one case, who had opened what, lead, closure, matches and joining."""

from __future__ import annotations

import datetime as dt
import urllib.parse
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect
from sqlalchemy import Connection

from tsunagi_intake import (
    case_lists,
    case_pages,
    case_sections,
    cases,
    joining,
    openings,
    pages,
    posting,
    standing,
    steering,
)
from tsunagi_intake.case_lists import CaseList, Filters
from tsunagi_intake.case_pages import CasePage
from tsunagi_intake.form_pages import Place
from tsunagi_intake.lifecycle import CaseState
from tsunagi_intake.posting import AnyRequest, Revision, Way
from tsunagi_intake.steering import Lead
from tsunagi_shared import audit
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import TOKEN_FIELD, check_token, roles
from tsunagi_shared.contracts.profile import Role
from tsunagi_shared.forms.japanese import format_wareki
from tsunagi_shared.problems import Problem, Refusal, not_found, wants_page
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.sign_in import posted_fields

PAGE_LIMIT = 100
WORDS_LIMIT = 100  # characters of what is searched for
PAGE_SIZE = 50

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT, description="1ページの件数")]
After = Annotated[
    str, QueryParameter(pattern=r"^[0-9]{1,18}(-[0-9a-f.-]{1,60})?$", description="前のページの next の値")
]
Before = Annotated[int, QueryParameter(ge=0, le=1 << 62, description="前のページの older の値")]
Words = Annotated[
    str, QueryParameter(max_length=WORDS_LIMIT, description="ふりがな（はじめの数文字でも）、ケース番号、受付番号")
]
State = Annotated[str, QueryParameter(name="state", max_length=40, description="状態")]
Year = Annotated[str, QueryParameter(pattern=r"^[0-9]{0,4}$", description="年度")]
OfAgency = Annotated[str, QueryParameter(max_length=64, description="つなぎ元の機関")]

may_read = roles(*Role, scope="cases:read")

_NOTHING_YET = "見ることのできるケースは、まだありません。共通様式（つなぎシート）が出されると、ここに並びます。"
_NOTHING_FITS = "この条件に合うケースはありません。条件を変えるか、絞り込みをやめてください。"
_NOTHING_FOUND = (
    "見つかりませんでした。ふりがなと番号を確かめてください。"
    "あなたの機関が見ることのできないケースは、ここには出ません。"
)
_NO_CASES = "あなたの役割では、ケースを見ることはできません。相談の担当者か、所管課にたずねてください。"
_NOT_SEARCHABLE = "ふりがな（ひらがな、カタカナ）か、番号で探してください。漢字では探せません。"
_NO_WORDS = "ふりがな、ケース番号、受付番号のどれかを入力してください。"


@get("/cases", summary="ケースの一覧と検索", guards=[may_read])
async def case_list(
    request: AnyRequest,
    runtime: NamedDependency[Runtime],
    q: Words = "",
    in_state: State = "",
    fiscal_year: Year = "",
    agency: OfAgency = "",
    after: After = "0",
    limit: Limit = PAGE_SIZE,
) -> Response[Any]:
    """The cases the caller may see, newest first, with how many there are of each state; with `q` those that are found."""
    principal = posting.acting(request, runtime)
    filters = Filters(in_state, int(fiscal_year or 0), agency)
    if q:
        return await _searched(request, runtime, principal, q, filters, "" if after == "0" else after, limit)
    first = int(after.partition("-")[0])

    def find(connection: Connection) -> tuple[CaseList, tuple[int, ...]]:
        found = case_lists.list_cases(connection, principal, filters, first, limit)
        return found, case_lists.years_of(connection, principal)

    found, years = await runtime.database.read(find)
    narrowed = filters != Filters()
    empty = _NO_CASES if not principal.reads_cases else _NOTHING_FITS if narrowed else _NOTHING_YET
    return _list_page(request, runtime, found, filters=filters, after=after, years=years, empty=empty)


@post("/cases/search", summary="ケースを探した結果の画面", guards=[may_read], status_code=200, include_in_schema=False)
async def case_search(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """The page of what was found. A post, so that no name stands in an address or in a browser's history."""
    principal = posting.acting(request, runtime)
    fields = await posted_fields(request)
    check_token(principal, fields.get(TOKEN_FIELD, ""))
    words, after = fields.get("q", "")[:WORDS_LIMIT], fields.get("after", "")[:80]
    return await _searched(request, runtime, principal, words, Filters(), after, PAGE_SIZE)


async def _searched(
    request: AnyRequest, runtime: Runtime, principal: Principal, words: str, filters: Filters, after: str, limit: int
) -> Response[Any]:
    refused = _NO_WORDS if not words.strip() else "" if case_lists.is_searchable(words) else _NOT_SEARCHABLE
    found = CaseList((), "")
    if not refused:
        found = await runtime.database.read(
            lambda connection: case_lists.search(connection, principal, words, filters, after, limit)
        )
        await runtime.database.write(lambda connection: audit.record(connection, principal, "case.search", "cases"))
    empty = _NO_CASES if not principal.reads_cases else _NOTHING_FOUND
    return _list_page(request, runtime, found, words=words, searched=True, refused=refused, empty=empty)


def _list_page(
    request: AnyRequest,
    runtime: Runtime,
    found: CaseList,
    *,
    empty: str,
    filters: Filters = Filters(),  # noqa: B008 - a constant
    after: str = "0",
    years: tuple[int, ...] = (),
    words: str = "",
    searched: bool = False,
    refused: str = "",
) -> Response[Any]:
    def address(**changes: str) -> str:
        """This list with other filters."""
        query = {
            "state": filters.state,
            "fiscal_year": str(filters.fiscal_year or ""),
            "agency": filters.agency,
            **changes,
        }
        kept = urllib.parse.urlencode({name: value for name, value in query.items() if value})
        return f"/cases?{kept}" if kept else "/cases"

    return pages.answer(
        request, runtime, "cases.html", found, after=after, filters=filters, words=words, searched=searched,
        refused=refused, empty=empty, address=address, received=_received,
        years=[(year, _fiscal_year(year)) for year in years], case_states=CaseState.choices(),
    )  # fmt: skip


def _received(line: Any) -> str:
    """How far the agencies that were told have come, in words."""
    if not line.told:
        return "―"
    words = f"{line.told}機関のうち{line.acknowledged}機関"
    return f"{words}（誤配の申し出あり）" if line.misdelivered else words


def _fiscal_year(year: int) -> str:
    era = format_wareki(dt.date(year, 4, 1)).partition("年")[0]
    return f"{era}年度（{year}年度）"


@get("/cases/{number:str}", summary="ケース", guards=[may_read])
async def case(
    number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime], before: Before = 0
) -> Response[Any]:
    """One case: where it stands, people and consents, forms, documents and who received them, what has happened."""
    page = await _case_page(request, runtime, number, before)
    if page.joined_into and wants_page(request):
        return Redirect(f"/cases/{page.joined_into}?from={urllib.parse.quote(page.case_number)}", status_code=303)
    return _case_answer(request, runtime, page)


async def _case_page(request: AnyRequest, runtime: Runtime, number: str, before: int = 0) -> CasePage:
    def find(connection: Connection, principal: Principal) -> CasePage:
        return case_pages.case_page(connection, principal, runtime.profile, number, before)

    page: CasePage = await posting.look_up(request, runtime, number, "case.read", find)
    return page


def _case_answer(
    request: AnyRequest,
    runtime: Runtime,
    page: CasePage,
    *,
    problem: Problem | None = None,
    lead: str | None = None,
    into: str = "",
) -> Response[Any]:
    query = request.query_params
    joined_from = query.get("from", "")
    return pages.answer(
        request, runtime, "case.html", page, status=problem.status if problem else 200, problem=problem,
        asked=query.get("asked") == "1", joined_from=joined_from if joined_from in page.joined else "",
        lead=page.lead if lead is None else lead, into=into,
        people={person.id: person.label for person in page.people},
        laws={row.id: f"{row.law}{row.article}" for row in runtime.profile.legal_basis},
        older=query.get("before", "0") != "0",
    )  # fmt: skip


def _group(connection: Connection, principal: Principal, number: str) -> tuple[int, ...]:
    """The case and those joined to it, if this person may see it; the common 404 otherwise."""
    seq = cases.readable(connection, principal, number)
    if seq is None:
        raise not_found()
    return (seq, *cases.joined_to(connection, seq))


@get("/cases/{number:str}/openings", summary="だれが文書を開いたか", guards=[may_read])
async def case_openings(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Every agency that was told of, or opened, a document of the case; those that lost their access included."""

    def find(connection: Connection, principal: Principal) -> openings.Openings:
        return openings.openings_of(connection, principal, number, _group(connection, principal, number))

    page = await posting.look_up(request, runtime, number, "case.openings", find)
    return pages.answer(request, runtime, "case_openings.html", page)


class RecordList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the records of one kind; `next` goes into `?before=`."""

    case_number: str
    kind: str
    items: tuple[case_sections.RecordLine, ...]
    next: str


@get("/cases/{number:str}/records/{kind:str}", summary="ケースの記録の一覧", guards=[may_read])
async def case_records(
    number: FromPath[str],
    kind: FromPath[str],
    request: AnyRequest,
    runtime: NamedDependency[Runtime],
    before: Before = 0,
    limit: Limit = PAGE_SIZE,
) -> Response[Any]:
    """The records of one kind of a case that the caller may see, newest first."""
    if kind not in case_sections.KINDS:
        raise not_found()

    def find(connection: Connection, principal: Principal) -> RecordList:
        group = _group(connection, principal, number)
        lines = case_sections.records_of(connection, principal, group, limit + 1, kind, before)
        following = str(lines[limit - 1].seq) if len(lines) > limit else ""
        return RecordList(case_number=number, kind=kind, items=lines[:limit], next=following)

    page = await posting.look_up(request, runtime, number, "case.records", find)
    return pages.answer(request, runtime, "case_records.html", page, before=before)


class MatchList(msgspec.Struct, frozen=True, kw_only=True):
    """Cases that may be about the same people."""

    case_number: str
    items: tuple[joining.MatchLine, ...]


@get("/cases/{number:str}/matches", summary="同じ人かもしれないケース", guards=[may_read])
async def case_matches(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Likely matches, for those who steer the case; 409 for others who see it."""

    def find(connection: Connection, principal: Principal) -> MatchList:
        _group(connection, principal, number)
        row = standing.case_row(connection, number=number)
        lines = joining.matches(connection, principal, runtime.profile, row)
        return MatchList(case_number=number, items=lines)

    page = await posting.look_up(request, runtime, number, "case.matches", find)
    return Response(msgspec.json.encode(page), media_type=MediaType.JSON, headers=pages.NO_STORE)


@post("/cases/{number:str}/lead", summary="主担当を決める", guards=[posting.may_write], status_code=201)
async def case_lead(
    number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime], revision: Revision
) -> Response[Any]:
    """Say which agency has the lead; empty: none."""
    lead = await _field(request, "lead")
    way = Way(
        action="case.lead", subject=number, revision=revision, then=posting.to_case,
        carry_out=lambda connection, write: steering.set_lead(connection, write, number, Lead(lead=lead)),
    )  # fmt: skip
    return await _act(request, runtime, number, way, lead=lead)


@post("/cases/{number:str}/joining", summary="ほかのケースにまとめる", guards=[posting.may_write], status_code=201)
async def case_joining(
    number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime], revision: Revision
) -> Response[Any]:
    """Join the case to another one, by that one's number."""
    into = await _field(request, "into")
    way = Way(
        action="case.join", subject=number, revision=revision,
        then=lambda answer: f"/cases/{into}?from={urllib.parse.quote(number)}",
        carry_out=lambda connection, write: joining.join(connection, write, number, into),
    )  # fmt: skip
    return await _act(request, runtime, number, way, into=into)


@post("/cases/{number:str}/closure", summary="ケースを終了する", guards=[posting.late_write], status_code=201)
async def case_closure(
    number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime], revision: Revision
) -> Response[Any]:
    """End a case for which no plan was adopted."""
    way = Way(
        action="case.close", subject=number, kind="closure", place=Place(case=number), revision=revision, then=posting.to_case,
        carry_out=lambda connection, write, form: steering.close(connection, write, number, form),
    )  # fmt: skip
    return await posting.take(request, runtime, way)


async def _field(request: AnyRequest, name: str) -> str:
    """The one value of a small post, from a page or as JSON: of at most 64 characters."""
    if request.headers.get("content-type", "").startswith(posting.URLENCODED):
        return (await posted_fields(request)).get(name, "").strip()[:64]
    try:
        value = msgspec.json.decode(await request.body(), type=dict[str, str]).get(name)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        value = None
    if value is None:
        raise Refusal(400, "invalid-json", "JSONとして読み取れません。", f"{name} を文字で送ってください。")
    return value.strip()[:64]


async def _act(
    request: AnyRequest, runtime: Runtime, number: str, way: Way, *, lead: str | None = None, into: str = ""
) -> Response[Any]:
    """Carry it out; what is refused to a page brings the case's page back, with the reason and what was chosen."""
    try:
        return await posting.act(request, runtime, way)
    except Refusal as refusal:
        if not wants_page(request) or refusal.problem.status not in (409, 422):
            raise
        await runtime.refusals.after_exception(refusal, request.scope)
        page = await _case_page(request, runtime, number)
        return _case_answer(request, runtime, page, problem=refusal.problem, lead=lead, into=into)


ROUTES = (
    case_list,
    case_search,
    case,
    case_openings,
    case_records,
    case_matches,
    case_lead,
    case_joining,
    case_closure,
)
