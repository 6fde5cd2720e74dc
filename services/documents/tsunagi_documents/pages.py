"""What the pages and the JSON of documents show, and the Japanese words for the codes in it."""

from __future__ import annotations

import datetime as dt
import re
import urllib.parse
from collections.abc import Mapping

import msgspec

from tsunagi_documents.reading import DocumentView, FileView, Grant, ListQuery, OlderVersion, Opening
from tsunagi_documents.tables import FAILED, PENDING, STORED
from tsunagi_shared import audit, clock
from tsunagi_shared.contracts.audience import BasisKind
from tsunagi_shared.forms.referral import Urgency

BASES: Mapping[BasisKind, str] = {
    BasisKind.ORIGIN: "あなたの機関が、この文書のもとになった様式を書いたため",
    BasisKind.PROVIDER: "あなたの機関が、多機関協働事業者であるため",
    BasisKind.RESPONSIBLE_SECTION: "あなたの機関が、この事業の所管課であるため",
    BasisKind.CONSENT: "本人が、あなたの機関との情報共有に同意しているため",
    BasisKind.SITTING: "あなたの機関が、この件を扱う会議の構成員であるため",
    BasisKind.LEGAL_DUTY: "法令に定める通告・通報の相手であるため",
    BasisKind.EMERGENCY: "生命・身体・財産を守るため、緊急に必要と判断されたため",
}
VIEWS: Mapping[str, str] = {
    "full": "全体",
    "summary": "概要",
    "own_allocation": "自機関の役割分担",
    "own_item": "自機関の議題",
    "minimal": "最小限",
}
FORMATS: Mapping[str, str] = {"docx": "Word", "pdf": "PDF"}
REASONS: Mapping[str, str] = {
    "template-error": "様式（Wordのひな型）に誤りがあります",
    "missing-name": "様式（Wordのひな型）に、使えない項目名があります",
    "render-timeout": "文書を作る時間が上限を超えました",
    "render-crashed": "文書を作る途中でプログラムが止まりました",
    "pdf-timeout": "PDFにする時間が上限を超えました",
    "pdf-crashed": "PDFにする途中でLibreOfficeが止まりました",
    "pdf-missing": "LibreOfficeが見つからないか、PDFができませんでした",
    "pdf-empty": "LibreOfficeが中身のないPDFを返しました",
    "word-damaged": "保管先のWordファイルが壊れています",
    "read-back-differs": "保管先から読み直したファイルが、保管したものと違いました",
    "bucket-unreachable": "文書の保管先につながりませんでした",
}
UNKNOWN_AGENCY_WORDS = "このサービスの設定（プロファイル）にない機関です"
_URGENCIES = {member.value: member.label for member in Urgency}
_BRACKETS = re.compile(r"（[^（）]*）")
_NOT_IN_FILE_NAME = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9-]")
_NOT_TYPED = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class FileLine(msgspec.Struct, frozen=True):
    """One format of the current version. `address` is empty until it is stored."""

    format: str
    state: str
    code: str
    address: str
    bytes: int
    sha256: str


class DocumentLine(msgspec.Struct, frozen=True):
    """One line of the list of documents."""

    id: str
    kind: str
    title: str
    view: str
    number: str
    case_number: str
    state: str
    code: str
    version: int
    support_meeting_only: bool
    urgency: str
    reply_by: dt.date | None
    received_at: dt.datetime
    made_at: dt.datetime | None
    address: str


class DocumentList(msgspec.Struct, frozen=True):
    """A page of the list; `next` goes into `after` for the page that follows (empty: there is none)."""

    items: tuple[DocumentLine, ...]
    next: str


class GrantLine(msgspec.Struct, frozen=True):
    """Why the caller may read: code, sentence, until when (inclusive; None: open)."""

    kind: str
    reason: str
    until: dt.date | None


class OpeningLine(msgspec.Struct, frozen=True):
    """Who opened a version first. `closed`: that agency may not read that document any more; `view`: how much it shows."""

    version: int
    agency: str
    user_name: str
    opened_at: dt.datetime
    document_id: str
    view: str
    closed: bool


class OlderLine(msgspec.Struct, frozen=True):
    """A version that a newer one took the place of (旧版), with the address of each format."""

    version: int
    made_at: dt.datetime
    addresses: dict[str, str]


class UnreachedLine(msgspec.Struct, frozen=True):
    """An agency that should read and cannot; `code` says why."""

    agency: str
    code: str


class DocumentPage(msgspec.Struct, frozen=True):
    """A document for one reader. `openings` and `unreached` are for those who watch over the case, else None.

    `consents_known_at`: the moment up to which consents are known; `consents_stale`: that is too long ago for this reader's
    basis, so that a file opens with a typed reason alone.
    """

    document: DocumentLine
    files: tuple[FileLine, ...]
    older: tuple[OlderLine, ...]
    basis: GrantLine
    consents_known_at: dt.datetime
    consents_stale: bool
    openings: tuple[OpeningLine, ...] | None
    unreached: tuple[UnreachedLine, ...] | None


def document_line(document: DocumentView) -> DocumentLine:
    """The document as a line of a list."""
    return DocumentLine(
        id=document.id,
        kind=document.kind,
        title=document.title,
        view=document.view,
        number=document.number,
        case_number=document.case_number,
        state=document.state,
        code=document.code,
        version=document.version,
        support_meeting_only=document.support_meeting_only,
        urgency=document.urgency,
        reply_by=document.reply_by,
        received_at=clock.moment_of(document.received_at),
        made_at=clock.moment_of(document.made_at) if document.made_at is not None else None,
        address=f"/documents/{document.id}",
    )


def document_list(documents: list[DocumentView], *, more: bool) -> DocumentList:
    """The page of a list, with the place to go on from."""
    return DocumentList(tuple(document_line(document) for document in documents), _place(documents[-1]) if more else "")


def document_page(
    document: DocumentView,
    grant: Grant,
    openings: list[Opening] | None,
    unreached: list[tuple[str, str]] | None,
) -> DocumentPage:
    """The document for one reader."""
    return DocumentPage(
        document=document_line(document),
        files=tuple(_file_line(document, file) for file in document.files),
        older=tuple(_older_line(document, older) for older in document.older),
        basis=GrantLine(grant.kind.value, BASES[grant.kind], grant.until),
        consents_known_at=clock.moment_of(grant.known_at),
        consents_stale=grant.stale,
        openings=None if openings is None else tuple(_opening_line(opening) for opening in openings),
        unreached=None if unreached is None else tuple(UnreachedLine(agency, code) for agency, code in unreached),
    )


def _file_line(document: DocumentView, file: FileView) -> FileLine:
    stored = file.state == STORED
    return FileLine(
        format=file.format,
        state=file.state,
        code=file.code,
        address=file_address(document.id, document.version, file.format) if stored else "",
        bytes=file.stored.bytes,
        sha256=file.stored.sha256,
    )


def _opening_line(opening: Opening) -> OpeningLine:
    return OpeningLine(
        opening.version,
        opening.agency,
        opening.user_name,
        clock.moment_of(opening.opened_at),
        opening.document_id,
        opening.view,
        opening.closed,
    )


def _older_line(document: DocumentView, older: OlderVersion) -> OlderLine:
    addresses = {file_format: file_address(document.id, older.version, file_format) for file_format in older.formats}
    return OlderLine(older.version, clock.moment_of(older.made_at), addresses)


def file_address(document_id: str, version: int, file_format: str) -> str:
    """The path of a file."""
    return f"/documents/{document_id}/versions/{version}/{file_format}"


def content_disposition(document: DocumentView, file_format: str) -> str:
    """Number and kind as a file name (RFC 6266, RFC 5987), never a resident's name. A browser shows PDFs itself."""
    manner = "inline" if file_format == "pdf" else "attachment"
    name = _NOT_IN_FILE_NAME.sub("_", f"{document.number}_{_BRACKETS.sub('', document.title)}.{file_format}")
    plain = f"{_NOT_PLAIN.sub('_', document.number)}_{document.kind}.{file_format}"
    return f"{manner}; filename=\"{plain}\"; filename*=UTF-8''{urllib.parse.quote(name, safe='')}"


def _place(document: DocumentView) -> str:
    return f"{document.received_at}.{document.id}"


def place_in(text: str) -> tuple[int, str] | None:
    """The place in a list out of `after`; None for the beginning. ValueError when it is no place."""
    if not text:
        return None
    moment, _, identity = text.partition(".")
    if not (moment.isascii() and moment.isdigit() and len(moment) <= 18 and identity):
        raise ValueError("not a place in a list")
    return int(moment), identity


def next_address(query: ListQuery, following: str) -> str:
    """The page of the list that follows; empty at its end."""
    if not following:
        return ""
    fields = {"limit": str(query.limit), "after": following} | ({"case": query.case} if query.case else {})
    return f"/documents?{urllib.parse.urlencode(fields)}"


def urgency_words(code: str) -> str:
    """The urgency as people read it; a code of a newer build is shown as it is."""
    return _URGENCIES.get(code, code)


def state_words(state: str) -> tuple[str, str]:
    """(words, tone) of a document's state."""
    return {
        PENDING: ("作成中", "information"),
        STORED: ("作成済み", "success"),
        FAILED: ("作成できませんでした", "error"),
    }[state]


def reason_words(code: str) -> str:
    """Why something could not be made."""
    return REASONS.get(code, "予期しない不具合がありました")


def known_words(known_at: int, now: int) -> str:
    """Up to when consents are known, as pages say it: 10:32時点, with the day when it is not today's. Empty: not known."""
    if not known_at:
        return ""
    moment, today = clock.moment_of(known_at).astimezone(clock.JST), clock.japanese_date(now)
    day = "" if moment.date() == today else f"{moment.month}月{moment.day}日 "
    return f"{day}{moment:%H:%M}時点"


CONSENT_UNKNOWN_WAY_OUT = (
    "受付サービスとの接続が戻ると、開けるようになります。"
    "いますぐ必要なときは、サインインした職員が理由を示せば開けます。"
)


def consent_unknown_words(known: str) -> str:
    """Why a file does not open, given what `known_words` says."""
    since = f"わかっているのは、{known}の状態です" if known else "いまの状態が、まだ届いていません"
    return f"本人の同意がいまも続いているかを確かめられないため、開けません（{since}）。"


NO_REASON = "理由を入力してください。"


def mistake_in(reason: str) -> str:
    """What is wrong with a typed reason; empty when nothing is, also when none was typed."""
    if len(reason) > audit.REASON_LIMIT:
        return f"理由は、{audit.REASON_LIMIT}文字までにしてください。"
    if _NOT_TYPED.search(reason):
        return "理由に、使えない文字が入っています。"
    return ""
