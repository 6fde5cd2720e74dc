"""Every refusal has one shape: RFC 9457 with a stable code, a Japanese reason, the way out, and every error of a form at once.

No answer repeats a value that was sent.
"""

from __future__ import annotations

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException

from tsunagi_shared.database import Busy
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.jobs import log_traceback
from tsunagi_shared.web.pages import Pages

PROBLEM_JSON = "application/problem+json"

log = structlog.get_logger("http")


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a refusal."""

    status: int
    code: str
    title: str
    detail: str = ""  # the way out
    errors: tuple[FieldError, ...] = ()
    type: str = msgspec.field(default="about:blank")


class Refusal(Exception):
    """Raised anywhere below a route to answer with a problem."""

    def __init__(
        self, status: int, code: str, title: str, detail: str = "", errors: tuple[FieldError, ...] = ()
    ) -> None:
        super().__init__(code)
        self.recorded = False  # True: whoever raised it has put it into the audit (tsunagi_shared.refusals)
        self.problem = Problem(status=status, code=code, title=title, detail=detail, errors=errors)


NOT_FOUND = (
    "not-found",
    "見つからないか、見る権限がありません。",
    "番号を確かめてください。必要なときは、所管課か文書を作った機関にたずねてください。",
)


def not_found() -> Refusal:
    """The same answer for what does not exist and for what this person may not see."""
    return Refusal(404, *NOT_FOUND)


def contract_ended() -> Refusal:
    """To somebody whose agency's contract has ended: the same for every address, so that it tells nothing of what is there."""
    return Refusal(
        403, "contract-ended", "あなたの機関は、いま市町村との契約の期間にありません。", "所管課に相談してください。"
    )


def too_large() -> Refusal:
    """The form, or the event made of it, is over its limit."""
    return Refusal(413, "too-large", "内容が大きすぎます。", "文章を短くするか、分けて提出してください。")


_BY_STATUS = {
    400: ("bad-request", "送られた内容を読み取れません。", "形式を確かめて、もう一度送ってください。"),
    401: ("sign-in-needed", "サインインが必要です。", "サインインするか、有効なAPIキーを付けてください。"),
    403: (
        "forbidden",
        "この操作をする権限がありません。",
        "担当の役割を持つ職員か、システム管理者に相談してください。",
    ),
    404: NOT_FOUND,
    405: ("method-not-allowed", "この方法では操作できません。", "APIの説明（/docs）を確かめてください。"),
    413: ("too-large", "内容が大きすぎます。", "文章を短くするか、分けて提出してください。"),
    415: ("unsupported-media-type", "この形式は受け取れません。", "JSON か画面から送ってください。"),
    503: ("busy", "いま混み合っています。何も保存していません。", "少し待って、もう一度送ってください。"),
}
_FAULT = (
    "fault",
    "システムの不具合で処理できませんでした。何も保存していません。",
    "少し待っても直らないときは、システム管理者に知らせてください。",
)


def wants_page(request: Request) -> bool:  # type: ignore[type-arg]
    """Whether a browser is asking (it names text/html), rather than a program."""
    return "text/html" in request.headers.get("accept", "")


def answer(request: Request, pages: Pages, problem: Problem) -> Response[bytes]:  # type: ignore[type-arg]
    """The problem as a page for a browser, as problem+json for a program."""
    headers = {"Cache-Control": "no-store"}
    if problem.status == 503:
        headers["Retry-After"] = "5"
    if wants_page(request):
        body = pages.render("problem.html", principal=request.scope.get("user"), problem=problem).encode()
        return Response(body, status_code=problem.status, media_type=MediaType.HTML, headers=headers)
    return Response(msgspec.json.encode(problem), status_code=problem.status, media_type=PROBLEM_JSON, headers=headers)


def code_of(error: Refusal | HTTPException) -> str | None:
    """The code the caller is told; None for a fault of ours."""
    if isinstance(error, Refusal):
        return error.problem.code
    return None if error.status_code >= 500 else _BY_STATUS.get(error.status_code, _BY_STATUS[400])[0]


def problem_of(error: Exception) -> Problem:
    """The problem that an exception stands for; an unforeseen one is logged without values."""
    if isinstance(error, Refusal):
        return error.problem
    if isinstance(error, Busy):
        code, title, detail = _BY_STATUS[503]
        return Problem(status=503, code=code, title=title, detail=detail)
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status >= 500:
        log.error("fault", reason=type(error).__name__, where=log_traceback(error))
    code, title, detail = _BY_STATUS.get(status, _FAULT if status >= 500 else _BY_STATUS[400])
    return Problem(status=status, code=code, title=title, detail=detail)
