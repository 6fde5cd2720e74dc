"""The forms over HTTP: which there are, their pages and schemas, and what was saved of them before it was handed in."""

from __future__ import annotations

import re
import urllib.parse
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect
from sqlalchemy import Connection

from tsunagi_intake import drafts, form_pages, pages, posting
from tsunagi_intake.form_pages import Place, form_page_for
from tsunagi_intake.posting import AnyRequest
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import TOKEN_FIELD, check_contract, check_token, person, staff
from tsunagi_shared.contracts.profile import Role
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.schema import form_schema
from tsunagi_shared.problems import not_found, problem_of, too_large, wants_page
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.sign_in import posted_fields, sign_in_page
from tsunagi_shared.web.forms import (
    PostError,
    decode_urlencoded,
    posted_pairs,
    rows_wanted,
    typed_pairs,
    wants_page_again,
)

_PLACE = re.compile(
    r"[A-Za-z0-9./_-]{1,80}", re.ASCII
)  # numbers and ids: nothing that a person types goes into an address
_MAY_REFER = frozenset({Role.CLERK, Role.PROMOTER, Role.COORDINATOR, Role.AGENCY_STAFF})
DraftId = Annotated[str, QueryParameter(name="draft", pattern=r"^[0-9a-f-]{0,36}$", description="続きを書く下書き")]


class FormLine(msgspec.Struct, frozen=True):
    """One kind of form. `page`: where it is filled in, empty where that depends on what it belongs to."""

    kind: str
    title: str
    page: str
    schema: str


class DraftListLine(msgspec.Struct, frozen=True):
    """One draft on its owner's page; `label` names the case or referral it belongs to."""

    id: str
    kind: str
    about: str
    label: str
    saved_at: Any


class FormsPage(msgspec.Struct, frozen=True):
    """The forms, and the reader's drafts."""

    forms: tuple[FormLine, ...]
    drafts: tuple[DraftListLine, ...]


_FORMS = tuple(
    FormLine(
        kind, form.title, f"/forms/{kind}" if kind in form_pages.BY_THEMSELVES else "", f"/forms/{kind}/schema.json"
    )
    for kind, form in FORMS.items()
)


def place_in(request: AnyRequest) -> Place:
    """What a form belongs to, out of the query. Refusal for what is no number or id."""
    found = {name: request.query_params.get(name, "") for name in Place.__struct_fields__}
    if any(value and not _PLACE.fullmatch(value) for value in found.values()):
        raise not_found()
    return Place(**found)


@get("/forms", summary="様式の一覧", guards=[staff])
async def forms(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """The forms this service takes; the page also lists the reader's drafts."""
    if not wants_page(request):
        return Response(msgspec.json.encode(_FORMS), media_type=MediaType.JSON)
    principal = posting.acting(request, runtime)
    lines = await runtime.database.read(lambda connection: drafts.list_drafts(connection, principal))
    shown = tuple(DraftListLine(line.id, line.kind, line.about, _label(line.about), line.saved_at) for line in lines)
    query = request.query_params
    return pages.answer(
        request, runtime, "forms.html", FormsPage(_FORMS, shown), saved="saved" in query, discarded="discarded" in query
    )


def _label(about: str) -> str:
    place = dict(urllib.parse.parse_qsl(about))
    number = place.get("case") or place.get("referral") or place.get("record", "").partition("/")[2]
    return f"{number}の訂正" if place.get("record") else number


@get("/forms/{kind:str}/schema.json", summary="様式の項目（JSON Schema）", guards=[staff])
async def schema(kind: FromPath[str], runtime: NamedDependency[Runtime]) -> Response[bytes]:
    """The form's JSON Schema, the municipality's own fields among it."""
    if kind not in FORMS:
        raise not_found()
    codes = runtime.profile.codes(FORMS[kind].settings, clock.today())
    described = form_schema(FORMS[kind].struct, codes.local, codes.code_lists)
    return Response(msgspec.json.encode(described), media_type="application/schema+json")


@get("/forms/{kind:str}", summary="様式の入力画面", media_type=MediaType.HTML, guards=[posting.may_write])
async def form_page(
    kind: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime], draft: DraftId = ""
) -> Response[str]:
    """The form for who may hand it in there: empty, as it stands (to be corrected), or as a draft left it.

    Reading what is stored, of a form or a draft, is put on record.
    """
    principal = posting.acting(request, runtime)
    if not form_pages.has_page(kind):
        raise not_found()
    if kind == "referral" and principal.roles.isdisjoint(_MAY_REFER):
        raise PermissionDeniedException
    place = place_in(request)

    def find(connection: Connection, reader: Principal) -> dict[str, Any]:
        return form_pages.opening(connection, reader, runtime.profile, kind, place)

    if place.record:
        number = place.record.partition("/")[2]
        raw = await posting.look_up(request, runtime, number, "form.read", find)
    else:
        raw = await runtime.database.read(lambda connection: find(connection, principal))
    if draft:
        raw = (await _draft_read(request, runtime, draft)).content
    return await form_page_for(runtime, principal, kind, place, raw=raw, draft=draft)


async def _draft_read(request: AnyRequest, runtime: Runtime, identity: str) -> drafts.Draft:
    """A draft of the caller, which they are seen to read."""

    def find(connection: Connection, principal: Principal) -> drafts.Draft:
        return drafts.find(connection, principal, identity)

    found: drafts.Draft = await posting.look_up(request, runtime, identity, "draft.read", find)
    return found


class DraftList(msgspec.Struct, frozen=True):
    """The caller's drafts, newest first."""

    items: tuple[drafts.DraftLine, ...]


class Saved(msgspec.Struct, frozen=True):
    """The draft that was kept."""

    id: str


@get("/drafts", summary="自分の下書きの一覧", guards=[staff])
async def draft_list(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """The caller's drafts under the post they act for; a browser goes on to the page of forms."""
    if wants_page(request):
        return Redirect("/forms", status_code=303)
    principal = posting.acting(request, runtime)
    lines = await runtime.database.read(lambda connection: drafts.list_drafts(connection, principal))
    return Response(msgspec.json.encode(DraftList(lines)), media_type=MediaType.JSON, headers=pages.NO_STORE)


@get("/drafts/{identity:str}", summary="自分の下書き", guards=[staff])
async def draft(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[bytes]:
    """One draft of the caller with what was typed."""
    found = await _draft_read(request, runtime, identity)
    return Response(msgspec.json.encode(found), media_type=MediaType.JSON, headers=pages.NO_STORE)


@post("/drafts", summary="下書きを保存する", guards=[posting.late_write], status_code=201)
async def save(
    request: AnyRequest,
    runtime: NamedDependency[Runtime],
    kind: Annotated[str, QueryParameter(max_length=40, description="様式の種類")],
) -> Response[Any]:
    """Keep what was typed, unchecked. As JSON the body is the form as far as it goes; a page goes on to the list of drafts."""
    place = place_in(request)
    if not form_pages.has_page(kind):
        raise not_found()
    body = await request.body()
    if request.headers.get("content-type", "").startswith(posting.URLENCODED):
        return await _save_page(request, runtime, kind, place, body)
    principal = posting.acting(request, runtime)
    content = posting.decoded(body, dict[str, Any], "様式の項目名と値の組で送ってください。")
    wanted = request.query_params.get("draft", "")
    saved = await runtime.database.write(
        lambda connection: drafts.save(connection, principal, kind, place.query(), content, wanted)
    )
    return Response(msgspec.json.encode(Saved(saved)), status_code=201, media_type=MediaType.JSON)


async def _save_page(request: AnyRequest, runtime: Runtime, kind: str, place: Place, body: bytes) -> Response[Any]:
    """The page's way in: whatever is wrong, the form comes back with everything that was typed."""
    definition = FORMS[kind]
    address = f"/drafts?{urllib.parse.urlencode({'kind': kind})}&{place.query()}".rstrip("&")
    try:
        fields = dict(posted_pairs(body))
        principal: Principal | None = request.scope.get("user")
        if principal is None:
            return sign_in_page(runtime, following=address, typed=typed_pairs(body), status=401)
        local = runtime.profile.codes(definition.settings, clock.today()).local
        raw, wanted, again = (
            decode_urlencoded(body, definition.struct, local),
            rows_wanted(body),
            wants_page_again(body),
        )
    except PostError:
        raise HTTPException(status_code=400) from None
    key, known = fields.get(form_pages.KEY_FIELD, ""), fields.get(drafts.FIELD, "")
    errors: tuple[FieldError, ...] = ()
    status = 200
    if not again:
        try:
            check_token(principal, fields.get(TOKEN_FIELD, ""))
            check_contract(runtime.profile, principal)
            if len(msgspec.json.encode(raw)) > posting.FORM_LIMIT_BYTES:
                raise too_large()
            await runtime.database.write(
                lambda connection: drafts.save(connection, principal, kind, place.query(), raw, known)
            )
            return Redirect("/forms?saved=1", status_code=303)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing that was typed may be lost
            problem = problem_of(error)
            errors, status = (FieldError("", problem.code, f"{problem.title}{problem.detail}"),), problem.status
    return await form_page_for(
        runtime, principal, kind, place, key=key, raw=raw, errors=errors, rows=wanted, draft=known, status=status
    )


@delete("/drafts/{identity:str}", summary="下書きを消す", guards=[staff], status_code=204)
async def discard(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> None:
    """Take a draft of the caller away."""
    await _discard(runtime, posting.acting(request, runtime), identity)


@post("/drafts/{identity:str}/discard", summary="下書きを消す（画面）", guards=[person], include_in_schema=False)
async def discard_page(identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Redirect:
    """The same from the page."""
    principal = posting.acting(request, runtime)
    check_token(principal, (await posted_fields(request)).get(TOKEN_FIELD, ""))
    await _discard(runtime, principal, identity)
    return Redirect("/forms?discarded=1", status_code=303)


async def _discard(runtime: Runtime, principal: Principal, identity: str) -> None:
    if not await runtime.database.write(lambda connection: drafts.discard(connection, principal, identity)):
        raise not_found()


ROUTES = (forms, schema, form_page, draft_list, draft, save, discard, discard_page)
