"""地域課題 and 不足する社会資源: handed to a body by its coordinators, proposed, and made a project. Nobody is named in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList

_NO_NAMES = "個人の名前や、だれのことか分かることは書かないでください。"


class IssueKind(CodeList):
    """What is handed on."""

    ISSUE = "issue", "地域課題"
    RESOURCE = "resource", "不足する社会資源"


class ProjectState(CodeList):
    """How far a project has come."""

    PLANNED = "planned", "計画中"
    RUNNING = "running", "実施中"
    DONE = "done", "終わった"


class CommunityIssue(msgspec.Struct, frozen=True, kw_only=True):
    """地域課題 handed to a body directly, or (what a body has) further to another."""

    to_body: Annotated[str, ask.body("伝える先の会議体")]
    kind: Annotated[IssueKind, ask.choice("種類")]
    text: Annotated[str, ask.text("内容", _NO_NAMES, limit=1000)]


class IssueProposal(msgspec.Struct, frozen=True, kw_only=True):
    """提案: what the body that has an issue would do about it."""

    proposal: Annotated[str, ask.text("提案の内容", _NO_NAMES, limit=2000)]


class IssueProject(msgspec.Struct, frozen=True, kw_only=True):
    """プロジェクト that came of a proposal: who leads it, from when until when (inclusive), how far it is."""

    name: Annotated[str, ask.line("プロジェクトの名称", _NO_NAMES, limit=100)]
    lead_agency: Annotated[str, ask.agency("主担当の機関")]
    starts: Annotated[dt.date, ask.date("始まりの日")]
    until: Annotated[dt.date | None, ask.date("終わりの日")] = None
    state: Annotated[ProjectState, ask.choice("進み具合")]

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        starts, until = values.get("starts"), values.get("until")
        if starts and until and until < starts:
            yield "until", "before-start", "終わりの日は、始まりの日と同じか、それより後の日にしてください。"
