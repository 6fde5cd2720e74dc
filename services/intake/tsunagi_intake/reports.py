"""The figures of a 年度: every count with its definition, and the targets of the profile beside what came of them.

Figures name nobody. Counts of 1 or 2 by agency or area could still point to somebody: outside the responsible section, and
on whatever is issued, they are masked, with one more where the total would give them away.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping

import msgspec
from sqlalchemy import Connection

from tsunagi_intake import report_activities, report_counts, standing
from tsunagi_intake.cases import ERASED
from tsunagi_intake.lifecycle import CaseState
from tsunagi_intake.plan_facts import LAW_ITEMS
from tsunagi_intake.report_activities import Activities
from tsunagi_intake.report_counts import PlanCounts, Sittings, Year
from tsunagi_intake.report_events import READERS
from tsunagi_intake.report_masking import GONE, MASKING
from tsunagi_intake.report_rows import finding_routes, rows
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import LegalRole, Profile, Role, Target
from tsunagi_shared.contracts.profile_codes import TargetCount
from tsunagi_shared.contracts.report import Figure, FigureGroup, TargetFigure, YearReport
from tsunagi_shared.forms.plan import PlanKind

ERASURE = "保存年限が過ぎて廃棄したケースの分は、含まない。"


class YearCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What several figures and targets of a year are made of."""

    plans: Mapping[PlanKind, PlanCounts]
    sittings: Sittings
    referrals: Mapping[str, int]
    joint_cases: int
    activities: Activities


# who may ---------------------------------------------------------------------------------------------------------------


def is_of_section(principal: Principal, profile: Profile) -> bool:
    """Whether somebody sees every count as it is, and may issue the report."""
    return principal.agency == profile.municipality.responsible_section and Role.RESPONSIBLE_SECTION in principal.roles


def check_reader(principal: Principal, profile: Profile) -> None:
    """Let the section, coordinators, the auditor and whoever sits in a 推進会議 see the figures. Refusal."""
    if principal.via != "session" or not (
        READERS & principal.roles or (principal.reads_cases and _evaluates(principal.agency, profile))
    ):
        raise standing.refusal_of(REFUSALS["role-missing"])


def check_issuer(principal: Principal, profile: Profile) -> None:
    """Let the responsible section issue the report. Refusal."""
    if principal.via != "session" or not is_of_section(principal, profile):
        raise standing.refusal_of(REFUSALS["not-section"])


def _evaluates(agency: str, profile: Profile) -> bool:
    bodies = profile.bodies_with(LegalRole.PROMOTION, clock.today())
    return any(agency in (body.convener, body.organizer, *body.participants) for body in bodies)


# the report ------------------------------------------------------------------------------------------------------------


def of_year(connection: Connection, profile: Profile, fiscal_year: int) -> YearReport:
    """All figures of the 年度 as they stand now, nothing masked."""
    year = Year(fiscal_year)
    counts = YearCounts(
        plans=report_counts.plan_counts(connection, year),
        sittings=report_counts.sittings(connection, year),
        referrals=report_counts.referrals_by_agency(connection, year),
        joint_cases=report_counts.joint_cases(connection, year),
        activities=report_activities.of_year(connection, profile, fiscal_year),
    )
    groups = (
        *_plans(counts.plans),
        _plans_by_provider(connection, profile, year),
        *_sittings(profile, year, counts.sittings),
        *_referrals(connection, profile, year, counts.referrals),
        _cases(connection, year, counts.joint_cases),
        *report_activities.groups(counts.activities, finding_routes(profile, fiscal_year)),
    )
    return YearReport(
        fiscal_year=fiscal_year, municipality=profile.municipality.name, counted_on=clock.today(), groups=groups,
        targets=_targets(profile, year, counts),
    )  # fmt: skip


# plans -----------------------------------------------------------------------------------------------------------------

_OF_PLANS = {
    "first": ("新しく策定した件数（初回）", "その年度に効力が生じた初回のプラン（会議、本人の合意、支援決定のうち最も後の日）。"),
    "replans": ("再プランの件数", "その年度に効力が生じた再プラン（数え方は初回と同じ）。"),
    "provisional": (
        "同意前に支援会議で確認した件数",
        "本人の同意の前に、その年度の支援会議が確認したプラン。後に策定されたときは、初回の件数にもその年度に数える。",
    ),
    "ended": ("終結した件数", "その年度の会議で終結と判断したプラン。"),
    "suspended": ("中断した件数", "その年度の会議で中断と判断したプラン。後に終結したものも数える。"),
    "superseded": ("再プランに替わった件数", "その年度に、再プランの効力が生じて替わったプラン。終結には数えない。"),
    "dropped": ("取りやめた件数", "その年度に、効力が生じないまま取りやめたプラン（包括的相談支援へ戻したものを含む）。"),
}  # fmt: skip


def _plans(counts: Mapping[PlanKind, PlanCounts]) -> Iterator[FigureGroup]:
    for kind in PlanKind:
        figures = tuple(
            Figure(id=f"plans.{kind.value}.{name}", name=title, definition=says, value=getattr(counts[kind], name))
            for name, (title, says) in _OF_PLANS.items()
        )
        yield FigureGroup(id=f"plans.{kind.value}", title=f"プラン（{kind.label}）", figures=figures)


def _plans_by_provider(connection: Connection, profile: Profile, year: Year) -> FigureGroup:
    """Plans in effect by the agency that drew them up, and by who ran it on the day of effect."""
    found: dict[tuple[str, str, str], int] = {
        (agency.id, contractor, kind.value): 0
        for agency in profile.agencies
        for kind in PlanKind
        if LAW_ITEMS[kind] in agency.law_items or agency.id == profile.roles.multi_agency_provider
        for contractor in _contractors(profile, agency.id, year)
    }
    for (agency, day, kind), number in report_counts.plans_by_writer(connection, year).items():
        key = agency, profile.contractor_on(agency, day), kind
        found[key] = found.get(key, 0) + number
    says = (
        "その年度に効力が生じた初回と再プランを、プランを作った機関と、効力の生じた日にその機関を運営していた受託者ごとに"
        f"数えたもの。{MASKING}"
    )
    kinds, figures = dict(PlanKind.choices()), []
    for (agency, contractor, kind), number in found.items():
        run_by = f"（{contractor}）" if contractor else ""
        name = f"{profile.agency_names.get(agency, agency)}{run_by}　{kinds[kind]}"
        identity = f"plans_by_provider.{agency}.{contractor or 'own'}.{kind}"
        figures.append(Figure(id=identity, name=name, definition=says, value=number))
    return FigureGroup(
        id="plans_by_provider", title="プラン（作成した機関・受託者別）", breakdown=True, figures=tuple(figures)
    )


def _contractors(profile: Profile, agency: str, year: Year) -> tuple[str, ...]:
    """Who ran the agency in the year, one after the other; an empty name for 直営 and an agency without contracts."""
    contracts = profile.agency(agency).operated_by
    found = (
        row.contractor
        for row in contracts
        if row.starts <= year.last and (row.until is None or row.until >= year.first)
        if any(profile.contractor_on(agency, day) == row.contractor for day in (max(row.starts, year.first),))
    )
    return tuple(dict.fromkeys(found)) or ("",)


# sittings --------------------------------------------------------------------------------------------------------------


def _sittings(profile: Profile, year: Year, counts: Sittings) -> Iterator[FigureGroup]:
    roles = {held.role for body in profile.bodies for held in body.legal_roles if body.hears_cases}
    shown = [role for role in LegalRole if role in roles or role.value in counts.items]
    says = (
        "その年度に開き、会議録を確定した会議のうち、その役割で議題を1件以上扱ったもの。合同で開いた会議は、"
        "役割ごとに1回と数える。"
    )
    yield FigureGroup(
        id="sittings",
        title="会議の開催（法律上の役割別）",
        figures=(
            *rows("sittings", says, [(role.value, role.label) for role in shown], counts.by_role, unit="回"),
            Figure(
                id="sittings.all", name="開催した会議の合計", unit="回", value=counts.sittings,
                definition="その年度に開き、会議録を確定した会議。合同で開いた会議も1回と数えるので、役割別の合計とは一致しないことがある。",
            ),
        ),
    )  # fmt: skip
    bodies = [(body.id, body.name_on(min(max(clock.today(), year.first), year.last))) for body in profile.bodies]
    says = (
        "その年度に開き、会議録を確定した会議を、会議体ごとに数えたもの。合同で開いた会議は、会議体ごとに1回と数える。"
    )
    yield FigureGroup(
        id="sittings_by_body", title="会議の開催（会議体別）",
        figures=rows("sittings_by_body", says, bodies, counts.by_body, unit="回"),
    )  # fmt: skip
    says = "その年度に開いた会議で扱い、会議録を確定した議題。同じケースを2回扱えば2件と数える。"
    heard = rows("items", says, [(role.value, role.label) for role in shown], counts.items)
    cases = Figure(
        id="items.cases", name="事例検討の件数（ケースの議題の合計）", value=counts.case_items,
        definition="扱った議題のうち、ケースについてのもの。役割を問わず数える。",
    )  # fmt: skip
    yield FigureGroup(id="items", title="扱った議題（法律上の役割別）", figures=(*heard, cases))
    says = "その役割の議題に1回以上出席した機関。同じ機関は1つと数える。"
    there = rows("attending", says, [(role.value, role.label) for role in shown], counts.agencies, unit="機関")
    total = Figure(
        id="attending.all", name="参加した機関の合計", value=counts.all_agencies, unit="機関",
        definition="いずれかの議題に1回以上出席した機関。同じ機関は1つと数えるので、役割別の合計とは一致しないことがある。",
    )  # fmt: skip
    yield FigureGroup(id="attending", title="会議に参加した機関（法律上の役割別）", figures=(*there, total))


# referrals and cases ---------------------------------------------------------------------------------------------------


def _referrals(
    connection: Connection, profile: Profile, year: Year, by_agency: Mapping[str, int]
) -> Iterator[FigureGroup]:
    says = "その年度に提出された共通様式（つなぎシート）。取下げと誤送付を除く。"
    total = Figure(id="referrals.all", name="相談受付件数", definition=says, value=sum(by_agency.values()))
    routes = {**finding_routes(profile, year.fiscal_year), "": "記入なし"}
    found = report_counts.referrals_by_route(connection, year)
    yield FigureGroup(
        id="referrals",
        title="相談受付",
        figures=(total, *rows("referrals_by_route", f"{says}把握の経路ごとに数えたもの。", routes.items(), found)),
    )
    windows = [agency for agency in profile.agencies if agency.law_items or agency.id in by_agency]
    names = [(agency.id, agency.name) for agency in windows]
    yield FigureGroup(
        id="referrals_by_agency", title="相談受付（つないだ機関別）", breakdown=True,
        figures=rows("referrals_by_agency", f"{says}書いた機関ごとに数えたもの。{MASKING}", names, by_agency),
    )  # fmt: skip
    parts: tuple[tuple[str, str, Callable[[str], str]], ...] = (
        ("field", "分野", lambda agency: profile.agency(agency).field),
        ("area", "圏域", lambda agency: profile.agency(agency).area or "圏域の定めなし"),
    )
    for part, title, of_agency in parts:
        counts = dict.fromkeys((of_agency(agency.id) for agency in windows), 0)
        for agency, number in by_agency.items():
            name = of_agency(agency) if agency in profile.agencies_by_id else GONE
            counts[name] = counts.get(name, 0) + number
        definition = f"{says}書いた機関の{title}ごとに数えたもの。{MASKING}"
        yield FigureGroup(
            id=f"referrals_by_{part}", title=f"相談受付（{title}別）", breakdown=True,
            figures=rows(f"referrals_by_{part}", definition, ((name, name) for name in counts), counts),
        )  # fmt: skip


def _cases(connection: Connection, year: Year, joint_cases: int) -> FigureGroup:
    ended = report_counts.cases_ended(connection, year)
    states = [(state.value, f"終わったケース（{state.label}）") for state in CaseState if state.ended]
    if ended[ERASED]:
        states.append((ERASED, "終わったケース（廃棄済み）"))
    joined = "ほかのケースにまとめたものを除く。"
    return FigureGroup(
        id="cases",
        title="ケース・同意・支援経過",
        figures=(
            Figure(
                id="cases.opened", name="新しいケース", definition=f"その年度に受け付けたケース。{joined}",
                value=report_counts.cases_opened(connection, year),
            ),
            *rows("cases.ended", f"その年度に終わったケース。{joined}", states, ended),
            Figure(
                id="cases.joint", name="支援連携・協働ケース", value=joint_cases,
                definition="その年度に効力が生じたプランで、2つ以上の機関に役割を分けたケース。同じケースは1件と数える。",
            ),
            Figure(
                id="consents.given", name="得た同意", value=report_counts.consents_given(connection, year),
                definition=f"本人・世帯員から得た個人情報の共有の同意を、得た日で数えたもの。{ERASURE}",
            ),
            Figure(
                id="consents.withdrawn", name="撤回された同意", value=report_counts.consents_withdrawn(connection, year),
                definition=f"全部が撤回された同意を、撤回の日で数えたもの。一部の機関についての撤回を除く。{ERASURE}",
            ),
            Figure(
                id="contacts", name="支援経過の記録", value=report_counts.contacts(connection, year),
                definition=f"その年度に記録された支援経過。取り消したものを除く。{ERASURE}",
            ),
        ),
    )  # fmt: skip


# targets ---------------------------------------------------------------------------------------------------------------

NOT_COUNTED = "この仕組みでは数えない（集計対象外）。"


def _targets(profile: Profile, year: Year, counts: YearCounts) -> tuple[TargetFigure, ...]:
    """The targets and indicators of the profile whose period reaches into the year."""
    return tuple(
        _target(target, profile, counts)
        for target in profile.targets
        if target.starts <= year.last and (target.until is None or target.until >= year.first)
    )


def _target(target: Target, profile: Profile, counts: YearCounts) -> TargetFigure:
    actual, definition = _actual(target, profile, counts)
    rate = actual * 100 // target.at_least if actual is not None and target.at_least > 0 else None
    return TargetFigure(
        id=target.id, name=target.name, at_least=target.at_least, unit=target.unit, baseline=target.baseline,
        actual=actual, rate=rate, definition=definition,
    )  # fmt: skip


def _actual(target: Target, profile: Profile, counts: YearCounts) -> tuple[int | None, str]:
    """What counts towards a target, and what that is."""
    if target.plans is not None:
        plans = counts.plans[target.plans]
        return plans.first + plans.replans, f"その年度に効力が生じた{target.plans.label}のプラン（初回と再プラン）。"
    if target.counts is None:
        return None, NOT_COUNTED
    activities, of_agency = counts.activities, ""
    consultations, told = sum(counts.referrals.values()), activities.outreach.consultations
    if target.agency:
        of_agency = f"{profile.agency(target.agency).name}が受けたもの。"
        consultations = counts.referrals.get(target.agency, 0)
        told = activities.outreach.consultations_by_agency.get(target.agency, 0)
    by_count: dict[TargetCount, tuple[int, str]] = {
        TargetCount.CONSULTATIONS: (consultations, f"相談受付件数。{of_agency}"),
        TargetCount.CASE_REVIEWS: (counts.sittings.case_items, "事例検討の件数（ケースの議題の合計）。"),
        TargetCount.PARTICIPANTS: (activities.resources.participants, "参加の場の利用につながった人。"),
        TargetCount.PARTNER_RESOURCES: (activities.resources.partner_resources, "協力企業・団体。"),
        TargetCount.OUTREACH_CONSULTATIONS: (told, f"地域住民・関係機関からの相談。{of_agency}"),
        TargetCount.TRIGGER_USERS: (activities.outreach.trigger_users, "きっかけ事業の利用。"),
        TargetCount.JOINT_CASES: (counts.joint_cases, "支援連携・協働ケース（2つ以上の機関に役割を分けたもの）。"),
    }
    return by_count[target.counts]


def years_around(today: dt.date, fiscal_year: int) -> tuple[int, int]:
    """The 年度 before and after; 0 where there is none to look at."""
    return fiscal_year - 1, fiscal_year + 1 if fiscal_year < clock.fiscal_year(today) else 0
