"""Figures of 参加支援, アウトリーチ等 and 地域課題, as the modules that keep them count them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from sqlalchemy import Connection

from tsunagi_intake import community_issues, outreach, resources
from tsunagi_intake.community_issues import IssueState
from tsunagi_intake.outreach import OutreachFigures
from tsunagi_intake.report_rows import rows
from tsunagi_intake.resources import UNLISTED, ResourceFigures
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.contracts.profile_codes import ResourceKind
from tsunagi_shared.contracts.report import Figure, FigureGroup
from tsunagi_shared.forms.community import ProjectState
from tsunagi_shared.forms.contact import OutreachAction
from tsunagi_shared.forms.plan import ContactState


class Activities(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted of a year."""

    resources: ResourceFigures
    outreach: OutreachFigures
    issues: dict[str, int]


def of_year(connection: Connection, profile: Profile, fiscal_year: int) -> Activities:
    """What there is of the 年度."""
    return Activities(
        resources=resources.figures(connection, fiscal_year, profile),
        outreach=outreach.figures(connection, fiscal_year),
        issues=community_issues.figures(connection, fiscal_year),
    )


def groups(counts: Activities, routes: Mapping[str, str]) -> Iterator[FigureGroup]:
    """The groups of the report. `routes`: 把握の経路 by code."""
    yield _participation(counts.resources)
    yield from _outreach(counts.outreach, routes)
    projects = {f"project_{state.value}": f"プロジェクト（{state.label}）" for state in ProjectState}
    states = {state.value: state.label for state in IssueState if state is not IssueState.PROJECT} | projects
    says = (
        "その年度に会議体へ伝えた地域課題・不足する社会資源を、いまの状態で数えたもの。さらに別の会議体へ伝えたときは、"
        "伝えた先ごとに1件と数える。"
    )
    yield FigureGroup(
        id="issues", title="地域課題・不足する社会資源", figures=rows("issues", says, states.items(), counts.issues)
    )


def _participation(counts: ResourceFigures) -> FigureGroup:
    named = "その年度に効力が生じた参加支援のプランに、マッチング先の記載があるケース。同じケースは1人と数える。"
    kinds = [*ResourceKind.choices(), (UNLISTED, "一覧にない場所")]
    return FigureGroup(
        id="participation",
        title="参加支援",
        figures=(
            Figure(
                id="participation.participants", name="参加の場の利用につながった人", value=counts.participants, unit="人",
                definition=named,
            ),
            Figure(
                id="participation.partners", name="協力企業・団体", value=counts.partner_resources, unit="か所",
                definition="その年度に受け入れのできた社会資源・参加先のうち、企業・商店・農家（福祉施設・事業所、居場所などは数えない）。",
            ),
            Figure(
                id="participation.follow_ups_due", name="フォローアップの予定", value=counts.follow_ups_due,
                definition="その年度に予定の日が来るフォローアップ（本人と受入先の両方）。",
            ),
            Figure(
                id="participation.follow_ups_done", name="行ったフォローアップ", value=counts.follow_ups_done,
                definition="その年度に行ったと記録したフォローアップ（本人と受入先の両方）。",
            ),
            *rows("participation.by_kind", f"{named}マッチング先の種類ごとに数えたもの。", kinds, counts.by_kind, unit="人"),
        ),
    )  # fmt: skip


def _outreach(counts: OutreachFigures, routes: Mapping[str, str]) -> Iterator[FigureGroup]:
    says = (
        "その年度に作ったアウトリーチ等のプランのケースを、把握の経路ごとに数えたもの。作成中と取りやめたプランを除く。"
    )
    yield FigureGroup(
        id="outreach_by_channel", title="アウトリーチ等（把握の経路別）",
        figures=rows("outreach_by_channel", says, routes.items(), counts.by_channel),
    )  # fmt: skip
    actions = [*OutreachAction.choices(), (outreach.VISIT, "訪問をした")]
    says = "その年度の支援経過のうち、アウトリーチとしてそれを行ったもの。1回に2つ行えば、それぞれに数える。"
    yield FigureGroup(
        id="outreach",
        title="アウトリーチ等（行ったこと）",
        figures=(
            *rows("outreach.contacts", says, actions, counts.contacts_by_kind, unit="回"),
            Figure(
                id="outreach.accompanied", name="同行訪問など、ほかの人といっしょに行った回数", value=counts.accompanied,
                unit="回", definition="その年度の支援経過のうち、保健師などが同行したもの。",
            ),
            Figure(
                id="outreach.consultations", name="地域住民・関係機関からの相談", value=counts.consultations,
                definition="その年度の支援経過のうち、地域住民や関係機関から相談を受けたもの。",
            ),
            Figure(
                id="outreach.trigger_users", name="きっかけ事業の利用", value=counts.trigger_users,
                definition="その年度に、きっかけ事業（経済的支援、親の会など）につながったケース。同じケースは1件と数える。",
            ),
        ),
    )  # fmt: skip
    says = "その年度の支援経過とアウトリーチ等のプランにある最後の接触状況で、ケースを数えたもの。"
    yield FigureGroup(
        id="outreach_by_state", title="アウトリーチ等（接触状況別）",
        figures=rows("outreach_by_state", says, ContactState.choices(), counts.by_contact_state),
    )  # fmt: skip
