"""Which counts of a 年度 are not shown outside the responsible section: small ones, and what would give them away.

Whoever reads a breakdown also reads its total, so that a small count alone in it could be worked out. A hidden count always
leaves at least two possibilities by what stands in its own breakdown and in those of the same forms beside it. Where nothing
stands beside it (one agency draws up all plans of a kind), the totals that it makes up are hidden as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from tsunagi_shared.contracts.profile import Profile, Target
from tsunagi_shared.contracts.profile_codes import TargetCount
from tsunagi_shared.contracts.report import Figure, FigureGroup, TargetFigure, YearReport
from tsunagi_shared.forms.plan import PlanKind

FEW = 2  # counts up to here are masked where they stand for an agency or an area
MASKED, HELD_BACK = "3未満", "非表示"
MASKING = "3未満の数は、所管課のほかには「3未満」と示す。差引きで分かるときは、ほかの数や合計も「非表示」とする。"
GONE = "いまはない機関"  # in place of a field or an area
BY_AGENCY, BY_FIELD, BY_AREA, BY_PROVIDER = (
    "referrals_by_agency", "referrals_by_field", "referrals_by_area", "plans_by_provider",
)  # fmt: skip
TOTAL = "referrals.all"


def masked(report: YearReport, profile: Profile) -> YearReport:
    """The report as it is shown outside the responsible section."""
    groups = {group.id: group for group in report.groups}
    hidden = _alone(report)
    for group in report.groups:
        if group.breakdown:
            groups[group.id] = _with(group, mask(group.figures))
    if BY_PROVIDER in groups:  # the total of each kind stands beside it
        found = next(group for group in report.groups if group.id == BY_PROVIDER)
        groups[BY_PROVIDER] = _by_parts(found, {one.id: one.id.rpartition(".")[2] for one in found.figures}, set())
    if BY_AGENCY in groups:
        found = next(group for group in report.groups if group.id == BY_AGENCY)
        fields = {one.id: _field_of(one.id, profile) for one in found.figures}
        closed = {one.id.partition(".")[2] for one in groups[BY_FIELD].figures if one.value is None}
        groups[BY_AGENCY] = _by_parts(found, fields, closed)
        if any(one.value is None for name in (BY_AGENCY, BY_AREA) for one in groups[name].figures):
            groups[BY_AREA] = _with(groups[BY_AREA], _held_back(groups[BY_AREA].figures))
    closed = {one.id for group in groups.values() for one in group.figures if one.value is None}
    targets, beside = _targets(report.targets, profile, closed | hidden)
    hidden |= beside
    shown = (_without(groups[group.id], hidden) for group in report.groups)
    return msgspec.structs.replace(report, groups=tuple(shown), targets=targets, masked=True)


def _alone(report: YearReport) -> set[str]:
    """What stands elsewhere and says of a small count with nothing beside it in its breakdown what it is: the totals that it
    alone makes up, what these are made of, and what cannot be more than they are."""
    found = {group.id: group for group in report.groups}
    hidden: set[str] = set()
    breakdowns = [found[name].figures for name in (BY_AGENCY, BY_FIELD, BY_AREA) if name in found]
    if any(len(figures) == 1 and _is_few(figures[0]) for figures in breakdowns):
        hidden |= {TOTAL} | {one.id for figures in breakdowns for one in figures}
        hidden |= {one.id for one in found["referrals"].figures if one.id.startswith("referrals_by_route.")}
    parts = defaultdict[str, list[Figure]](list)
    for one in found[BY_PROVIDER].figures if BY_PROVIDER in found else ():
        parts[one.id.rpartition(".")[2]].append(one)
    for kind, figures in parts.items():
        if len(figures) == 1 and _is_few(figures[0]):
            hidden |= {f"plans.{kind}.{name}" for name in ("first", "replans", "superseded")}
            if kind == PlanKind.PARTICIPATION.value and "participation" in found:  # of people with such a plan
                named = ("participation.participants", "participation.by_kind.")
                hidden |= {one.id for one in found["participation"].figures if one.id.startswith(named)}
    return hidden


def _is_few(figure: Figure) -> bool:
    return figure.value is not None and 0 < figure.value <= FEW


def _targets(
    targets: Sequence[TargetFigure], profile: Profile, closed: set[str]
) -> tuple[tuple[TargetFigure, ...], set[str]]:
    """The targets without what `closed` figures and small counts of one agency say; and the figures that hold such a count."""
    named, beside = {one.id: one for one in profile.targets}, set[str]()
    small = {one.id for one in targets if named[one.id].agency and one.actual is not None and 0 < one.actual <= FEW}
    for identity in small:
        beside |= _FIGURES_OF.get(named[identity].counts, set())
    shown = []
    for one in targets:
        target = named[one.id]
        rests_on = _rests_on(target)
        if one.actual is not None and (one.id in small or rests_on & (closed | beside)):
            words = MASKED if one.id in small else HELD_BACK
            one = msgspec.structs.replace(one, actual=None, rate=None, masked=words)
        shown.append(one)
    return tuple(shown), beside


def _rests_on(target: Target) -> set[str]:
    """The figures out of which a target's count can be read, and the other way round."""
    if target.plans is not None:
        return {f"plans.{target.plans.value}.first", f"plans.{target.plans.value}.replans"}
    if target.agency:
        return {f"{BY_AGENCY}.{target.agency}"} if target.counts is TargetCount.CONSULTATIONS else set()
    return _FIGURES_OF.get(target.counts, set())


_FIGURES_OF: dict[TargetCount | None, set[str]] = {
    TargetCount.CONSULTATIONS: {TOTAL},
    TargetCount.PARTICIPANTS: {"participation.participants"},
    TargetCount.OUTREACH_CONSULTATIONS: {"outreach.consultations", "outreach.contacts.consulted"},
}


def _without(group: FigureGroup, hidden: set[str]) -> FigureGroup:
    figures = (one if one.id not in hidden or one.value is None else _hidden(one, HELD_BACK) for one in group.figures)
    return _with(group, tuple(figures))


def mask(figures: Sequence[Figure]) -> tuple[Figure, ...]:
    """Figures whose total is known, without what would say of a small one which it is, also to somebody who knows this rule.

    Small ones that may be exchanged for one another (not all 1, not all 2) are left out, and nothing else. Where they are all
    alike, the first of the larger ones is left out as well, if the small ones could all be 1 or all be 2 beside it: which one
    does not depend on how large it is, so that both ways look the same. Otherwise, and where there is hardly anything, all are.
    """
    few = [one for one in figures if _is_few(one)]
    if not few:
        return tuple(figures)
    more = [one for one in figures if one.value is not None and one.value > FEW]
    number, small = len(few), sum(one.value or 0 for one in few)
    hidden = dict.fromkeys((one.id for one in few), MASKED)
    if sum(one.value or 0 for one in figures) <= len(figures):
        return _held_back(figures)
    if small in (number, FEW * number):
        if not more or (small == number and (more[0].value or 0) <= number + FEW):
            return _held_back(figures)
        hidden[more[0].id] = HELD_BACK
    return tuple(_hidden(one, hidden[one.id]) if one.id in hidden else one for one in figures)


def _by_parts(group: FigureGroup, part_of: dict[str, str], closed: set[str]) -> FigureGroup:
    """A breakdown whose parts have known totals of their own, each masked by itself; nothing of the parts in `closed`."""
    parts = defaultdict[str, list[Figure]](list)
    for one in group.figures:
        parts[part_of[one.id]].append(one)
    shown = {
        one.id: one
        for part, figures in parts.items()
        for one in (_held_back(figures) if part in closed else mask(figures))
    }
    return _with(group, tuple(shown[one.id] for one in group.figures))


def _field_of(identity: str, profile: Profile) -> str:
    agency = identity.partition(".")[2]
    return profile.agency(agency).field if agency in profile.agencies_by_id else GONE


def _held_back(figures: Sequence[Figure]) -> tuple[Figure, ...]:
    return tuple(_hidden(one, HELD_BACK) for one in figures)


def _hidden(figure: Figure, words: str) -> Figure:
    return msgspec.structs.replace(figure, value=None, masked=words)


def _with(group: FigureGroup, figures: tuple[Figure, ...]) -> FigureGroup:
    return msgspec.structs.replace(group, figures=figures)
