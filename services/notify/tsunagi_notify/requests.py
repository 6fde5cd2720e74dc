"""What people and programs send to notify, read so that every error is told at once: posted pages and JSON bodies."""

from __future__ import annotations

import datetime as dt
import typing
import uuid
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Request
from msgspec import Meta

from tsunagi_notify.channels.inbox import Cursor
from tsunagi_notify.deliveries import MOST_RESENT
from tsunagi_notify.receipts import Misdelivery
from tsunagi_shared import clock
from tsunagi_shared.auth import TOKEN_FIELD, check_token, principal_of
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.fields import choice
from tsunagi_shared.forms.japanese import ReadingError, read_date
from tsunagi_shared.problems import Refusal
from tsunagi_shared.web.forms import PostError, posted_pairs

FORM = "application/x-www-form-urlencoded"
T = TypeVar("T", bound=msgspec.Struct)
Asked = Request[Any, Any, Any]


class Acknowledgement(msgspec.Struct, frozen=True):
    """Nothing to say but that it was received: who says it is known from the sign-in."""


class MisdeliveryReport(msgspec.Struct, frozen=True):
    """Why it should not have come: a code."""

    code: Annotated[Misdelivery, choice("理由")]


class Resending(msgspec.Struct, frozen=True):
    """Which failed deliveries to try again: those named, or those announced from `since` up to before `until`."""

    deliveries: Annotated[list[uuid.UUID], Meta(max_length=MOST_RESENT, description="配送の番号")] = []
    since: Annotated[dt.datetime, Meta(tz=True, description="この時刻から（時差つき）")] | None = None
    until: Annotated[dt.datetime, Meta(tz=True, description="この時刻の前まで（時差つき）")] | None = None


def cursor_of(after: str) -> Cursor | None:
    """Where a list goes on; None at its beginning. Refusal 400."""
    try:
        return Cursor.read(after) if after else None
    except ValueError:
        raise Refusal(
            400, "bad-request", "続きの位置（after）を読み取れません。", "前の答えの next をそのまま送ってください。"
        ) from None


class WrongRange(ValueError):
    """The last day of a range lies before its first."""


def is_form(request: Asked) -> bool:
    """Whether a page of ours posted it, rather than a program."""
    return request.headers.get("content-type", "").startswith(FORM)


async def posted(request: Asked) -> list[tuple[str, str]]:
    """The fields of a posted page of this session."""
    try:
        pairs = posted_pairs(await request.body())
    except PostError:
        raise Refusal(
            400, "bad-request", "送られた内容を読み取れません。", "画面を開き直して、もう一度操作してください。"
        ) from None
    check_token(principal_of(request), dict(pairs).get(TOKEN_FIELD, ""))
    return pairs


async def sent(request: Asked, kind: type[T]) -> T:
    """The JSON body as a Struct, read field by field so that every error is told at once. Refusal 400, 422."""
    try:
        raw = msgspec.json.decode(await request.body() or b"{}")
    except msgspec.DecodeError:
        raw = None
    if not isinstance(raw, dict):
        raise Refusal(400, "bad-request", "送られた内容を読み取れません。", "JSON のオブジェクトを送ってください。")
    hints = typing.get_type_hints(kind, include_extras=True)
    errors: list[FieldError] = []
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name not in raw:
            if field.required:
                errors.append(FieldError(field.name, "required", f"{field.name} がありません。"))
            continue
        try:
            values[field.name] = msgspec.convert(raw[field.name], hints[field.name])
        except msgspec.ValidationError:
            errors.append(
                FieldError(
                    field.name, "wrong-value", f"{field.name} の値を読み取れません。APIの説明を確かめてください。"
                )
            )
    if not set(raw) <= set(hints):
        errors.append(FieldError("", "unknown-field", "この操作にない項目があります。APIの説明を確かめてください。"))
    if errors:
        raise refused_form(errors)
    return kind(**values)


def refused_form(errors: list[FieldError]) -> Refusal:
    """The answer that tells every error."""
    return Refusal(
        422, "form-refused", "直すところがあります。", "それぞれの項目を直して、もう一度送ってください。", tuple(errors)
    )


def wanted_of_page(ids: list[str], since: str, until: str) -> Resending:
    """What the page asks for: Japanese days, both inclusive. ValueError when a number or a day cannot be read."""
    if ids:
        return Resending(deliveries=[uuid.UUID(value) for value in ids[:MOST_RESENT]])
    first, last = read_date(since), read_date(until)
    if first > last:
        raise WrongRange
    start = dt.datetime.combine(first, dt.time(), clock.JST)
    return Resending(since=start, until=dt.datetime.combine(last, dt.time(), clock.JST) + dt.timedelta(days=1))


def words_of(error: ValueError) -> str:
    """What the person reads about it."""
    if isinstance(error, WrongRange):
        return "終わりの日が、始まりの日より前になっています。"
    if isinstance(error, ReadingError):
        return "日付を読み取れません。令和8年11月23日、2026-11-23 のように書いてください。"
    return "送られた内容を読み取れません。画面を開き直してください。"


def checked(wanted: Resending) -> Resending:
    """Either numbers or a range that is one. Refusal 422."""
    if bool(wanted.deliveries) == (wanted.since is not None or wanted.until is not None):
        error = FieldError(
            "deliveries", "required", "配送の番号か、期間（since と until）のどちらか一方を送ってください。"
        )
        raise refused_form([error])
    if not wanted.deliveries and (wanted.since is None or wanted.until is None or wanted.since >= wanted.until):
        error = FieldError("until", "wrong-range", "期間の始まりと、それより後の終わりの両方を送ってください。")
        raise refused_form([error])
    return wanted
