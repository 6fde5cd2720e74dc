"""What must hold between the tables of a profile. Every check reports and goes on; messages are for administrators."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from tsunagi_shared.contracts.profile_codes import (
    TARGETS_BY_AGENCY,
    BodyConsent,
    LegalRole,
    Operation,
    TargetCount,
)
from tsunagi_shared.contracts.profile_tables import (
    Agency,
    Body,
    Contact,
    Dated,
    LocalField,
)
from tsunagi_shared.contracts.schedule import SCHEDULE_FORMS, read_schedule
from tsunagi_shared.contracts.toml_lines import Place

if TYPE_CHECKING:
    from tsunagi_shared.contracts.profile import ProfileFile

T = TypeVar("T")
D = TypeVar("D", bound=Dated)


class Report(Protocol):
    """Takes a mistake at a place; left out where one of the `after` places, on which the finding rests, is broken."""

    def __call__(self, place: Place, message: str, after: Iterable[Place] = ()) -> None: ...


Check = Callable[[T, Report], None]

LOCAL_FIELDS_MOST = 40  # the referral's `local` holds no more entries
# (first 年度, letter, 年度 of its year 0). The whole 年度 in which 令和 began is written 令和元年度.
FISCAL_ERAS = ((2019, "R", 2018), (1989, "H", 1988))
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
_PLACEHOLDERS = {"fiscal_year": "d?", "era_year": r"(?:0[2-4])?d?", "number": r"(?:0[1-9])?d?", "era_letter": ""}


def municipality_check_digit(first_five: str) -> int:
    """The sixth digit of a 全国地方公共団体コード: weights 6 to 2, eleven less the remainder, its last digit.

    The rule of the code's own instructions (総務省); for a sum below 11 it gives the same (eleven less the sum).
    """
    total = sum(int(digit) * weight for digit, weight in zip(first_five, range(6, 1, -1), strict=True))
    return (11 - total % 11) % 10


def write_number(pattern: str, fiscal_year: int, number: int) -> str:
    """The pattern filled in. ValueError for a 年度 before the first era of the table."""
    era = next((row for row in FISCAL_ERAS if fiscal_year >= row[0]), None)
    if era is None:
        raise ValueError(f"no era for fiscal year {fiscal_year}")
    return pattern.format(fiscal_year=fiscal_year, era_letter=era[1], era_year=fiscal_year - era[2], number=number)


def check_profile(profile: ProfileFile, report: Report) -> None:
    """Reports every mistake that a single value does not show by itself."""
    agencies = {agency.id for agency in profile.agencies}
    bases = {basis.id for basis in profile.legal_basis}
    _check_code(profile.municipality.code, report)
    _check_periods(profile, (), report)
    _check_roles(profile, agencies, report)
    _unique(((("agencies", n, "id"), row.id) for n, row in enumerate(profile.agencies)), report)
    for n, agency in enumerate(profile.agencies):
        _check_agency(agency, ("agencies", n), bases, report)
    _check_agency_lists(profile, agencies, report)
    _check_bodies(profile, agencies, bases, report)
    _check_people(profile, agencies, report)
    _check_retention(profile, report)
    _check_numbering(profile, report)
    _check_texts(profile, report)
    _check_targets(profile, agencies, report)
    _check_resources(profile, agencies, report)
    for basis_id in bases:
        rows = [(n, row) for n, row in enumerate(profile.legal_basis) if row.id == basis_id]
        _no_overlap(((("legal_basis", n, "from"), row) for n, row in rows), report)


def check_contacts(contacts: Sequence[Contact], agencies: Mapping[str, Agency], report: Report) -> None:
    """Reports unknown or doubled agencies, contractors that never run the agency, and what is not an e-mail address."""
    seen: set[tuple[str, str]] = set()
    for n, row in enumerate(contacts):
        place: Place = ("contacts", n, "agency")
        _known(row.agency, agencies, place, "機関（profile.toml の agencies）", report)
        if (row.agency, row.contractor) in seen:
            report(place, f"「{row.agency}」が二度あります。受託者ごとに分けるときは、contractor も書いてください。")
        seen.add((row.agency, row.contractor))
        if row.contractor and row.agency in agencies:
            known = [contract.contractor for contract in agencies[row.agency].operated_by]
            _known(row.contractor, known, ("contacts", n, "contractor"), "受託者（この機関の operated_by）", report)
        for key in ("email", "urgent_email"):
            for position, address in enumerate(getattr(row, key)):
                if not _EMAIL.fullmatch(address):
                    report(
                        ("contacts", n, key, position), "メールアドレスの形ではありません（例：madoguchi@example.jp）。"
                    )


def _known(wanted: str, known: Iterable[str], place: Place, what: str, report: Report) -> None:
    if wanted not in known:
        report(place, f"「{wanted}」という{what}はありません。")


def _unique(entries: Iterable[tuple[Place, str]], report: Report) -> None:
    seen: set[str] = set()
    for place, value in entries:
        if value and value in seen:
            report(place, f"「{value}」が二度あります。")
        seen.add(value)


def _no_overlap(entries: Iterable[tuple[Place, D]], report: Report) -> None:
    ordered = sorted(entries, key=lambda entry: entry[1].starts)
    for (_, before), (place, after) in itertools.pairwise(ordered):
        if before.until is None or before.until >= after.starts:
            report(place, "期間が前のものと重なっています。前のものの until を、この from の前の日までにしてください。")


def _check_periods(value: object, place: Place, report: Report) -> None:
    if isinstance(value, Dated) and value.until is not None and value.until < value.starts:
        report((*place, "until"), "終わりの日（until）が、始まりの日（from）より前です。")
    for key, part in _parts(value):
        _check_periods(part, (*place, key), report)


def _parts(value: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, msgspec.Struct):
        yield from zip(
            value.__struct_encode_fields__, (getattr(value, n) for n in value.__struct_fields__), strict=True
        )
    elif isinstance(value, tuple):
        yield from enumerate(value)
    elif isinstance(value, dict):
        yield from value.items()


def _check_code(code: str, report: Report) -> None:
    place = ("municipality", "code")
    if not re.fullmatch(r"[0-9]{6}", code):
        report(place, "全国地方公共団体コードは半角数字6桁です（先頭の0も書き、引用符で囲みます）。")
    elif municipality_check_digit(code[:5]) != int(code[5]):
        report(place, "全国地方公共団体コードの6桁目（検査数字）が合いません。")


def _check_roles(profile: ProfileFile, agencies: set[str], report: Report) -> None:
    roles = profile.roles
    section = profile.municipality.responsible_section
    _known(section, agencies, ("municipality", "responsible_section"), "機関", report)
    for key in ("multi_agency_provider", "support_meeting_secretariat"):
        _known(getattr(roles, key), agencies, ("roles", key), "機関", report)
    place = ("roles", "support_meeting_body")
    held = [("bodies", n, "legal_roles") for n in range(len(profile.bodies))]
    body = next((body for body in profile.bodies if body.id == roles.support_meeting_body), None)
    if body is None:
        _known(roles.support_meeting_body, (), place, "会議体", report)
    elif LegalRole.SUPPORT_MEETING not in {row.role for row in body.legal_roles}:
        report(place, "この会議体は、支援会議（support_meeting）の役割を持っていません。", held)
    if not any(row.role is LegalRole.LAYERED_SUPPORT_MEETING for body in profile.bodies for row in body.legal_roles):
        report(("bodies",), "重層的支援会議（layered_support_meeting）の役割を持つ会議体がありません。", held)


def _check_agency(agency: Agency, place: Place, bases: set[str], report: Report) -> None:
    if agency.secrecy_basis:
        _known(agency.secrecy_basis, bases, (*place, "secrecy_basis"), "根拠（legal_basis）", report)
    if Operation.ENTRUSTED in agency.operation and Operation.DIRECT not in agency.operation and not agency.operated_by:
        report(place, "委託（entrusted）の機関には、受託者と期間（operated_by）を書いてください。")
    rows = ((*place, "operated_by", n, "from") for n in range(len(agency.operated_by)))
    _no_overlap(zip(rows, agency.operated_by, strict=True), report)


def _check_agency_lists(profile: ProfileFile, agencies: set[str], report: Report) -> None:
    for n, row in enumerate(profile.agency_lists):
        place: Place = ("agency_lists", n, "agencies")
        if not row.agencies:
            report(place, "一覧に機関が一つもありません。")
        for position, agency in enumerate(row.agencies):
            _known(agency, agencies, (*place, position), "機関", report)
        _unique((((*place, position), agency) for position, agency in enumerate(row.agencies)), report)
    for list_id in {row.id for row in profile.agency_lists}:
        rows = [(n, row) for n, row in enumerate(profile.agency_lists) if row.id == list_id]
        _no_overlap(((("agency_lists", n, "from"), row) for n, row in rows), report)


def _check_bodies(profile: ProfileFile, agencies: set[str], bases: set[str], report: Report) -> None:
    bodies = {body.id for body in profile.bodies}
    _unique(((("bodies", n, "id"), row.id) for n, row in enumerate(profile.bodies)), report)
    for n, body in enumerate(profile.bodies):
        place = ("bodies", n)
        for key in ("convener", "organizer"):
            _known(getattr(body, key), agencies, (*place, key), "機関", report)
        for position, agency in enumerate(body.participants):
            _known(agency, agencies, (*place, "participants", position), "機関", report)
        for position, other in enumerate(body.hands_over_to):
            _known(other, bodies - {body.id}, (*place, "hands_over_to", position), "ほかの会議体", report)
        if body.secrecy_basis:
            _known(body.secrecy_basis, bases, (*place, "secrecy_basis"), "根拠（legal_basis）", report)
        _check_body(body, place, report)


def _check_body(body: Body, place: Place, report: Report) -> None:
    if not body.names:
        report((*place, "names"), "会議体の名称がありません。")
    if not body.legal_roles:
        report((*place, "legal_roles"), "法的役割がありません。無いときは other を書いてください。")
    _no_overlap((((*place, "names", n, "from"), row) for n, row in enumerate(body.names)), report)
    held = {row.role for row in body.legal_roles}
    for role in held:
        rows = [(n, row) for n, row in enumerate(body.legal_roles) if row.role is role]
        _no_overlap((((*place, "legal_roles", n, "from"), row) for n, row in rows), report)
    both = {LegalRole.LAYERED_SUPPORT_MEETING, LegalRole.SUPPORT_MEETING}
    if held & both == {LegalRole.LAYERED_SUPPORT_MEETING} and body.consent is not BodyConsent.REQUIRED:
        message = "重層的支援会議は本人同意が必要です。required と書いてください。"
        report((*place, "consent"), message, [(*place, "legal_roles")])
    if LegalRole.SUPPORT_MEETING in held and not body.secrecy_basis:
        message = "支援会議には、構成員の守秘義務の根拠（legal_basis の id）が必要です。"
        report((*place, "secrecy_basis"), message, [(*place, "legal_roles")])
    if read_schedule(body.schedule) is None:
        report((*place, "schedule"), SCHEDULE_FORMS)


def _check_people(profile: ProfileFile, agencies: set[str], report: Report) -> None:
    titles = {name for row in profile.titles for name in (row.name, *row.other_names)}
    for n, title in enumerate(profile.titles):
        if not title.roles:
            report(("titles", n, "roles"), "役割が一つもありません。")
        for position, agency in enumerate(title.agencies):
            _known(agency, agencies, ("titles", n, "agencies", position), "機関", report)
    for n, project in enumerate(profile.projects):
        if project.agency:
            _known(project.agency, agencies, ("projects", n, "agency"), "機関", report)
    for n, post in enumerate(profile.posts):
        _known(post.agency, agencies, ("posts", n, "agency"), "機関", report)
        _known(post.title, titles, ("posts", n, "title"), "職（titles）", report)
        if post.headcount is not None and post.headcount < 1:
            report(("posts", n, "headcount"), "人数は1以上の整数です。")


def _check_targets(profile: ProfileFile, agencies: set[str], report: Report) -> None:
    _unique(((("targets", n, "id"), row.id) for n, row in enumerate(profile.targets)), report)
    for n, target in enumerate(profile.targets):
        if target.plans is not None and target.counts is not None:
            report(("targets", n, "counts"), "数えるものは、plans か counts のどちらか一つにしてください。")
        if target.agency:
            _known(target.agency, agencies, ("targets", n, "agency"), "機関", report)
            if target.counts not in TARGETS_BY_AGENCY:
                names = "、".join(one.value for one in TargetCount if one in TARGETS_BY_AGENCY)
                report(("targets", n, "agency"), f"機関ごとに数えられるのは、counts が {names} の目標だけです。")


def _check_resources(profile: ProfileFile, agencies: set[str], report: Report) -> None:
    _unique(((("resources", n, "id"), row.id) for n, row in enumerate(profile.resources)), report)
    for n, resource in enumerate(profile.resources):
        if resource.agency:
            _known(resource.agency, agencies, ("resources", n, "agency"), "機関", report)


def _check_retention(profile: ProfileFile, report: Report) -> None:
    classes = {row.id for row in profile.retention.classes}
    entries = ((("retention", "classes", n, "id"), row.id) for n, row in enumerate(profile.retention.classes))
    _unique(entries, report)
    _known(profile.retention.default, classes, ("retention", "default"), "保存区分", report)
    for kind, wanted in profile.retention.forms.items():
        _known(wanted, classes, ("retention", "forms", kind.value), "保存区分", report)


def _check_numbering(profile: ProfileFile, report: Report) -> None:
    seen: set[str] = set()
    for key in profile.numbering.__struct_fields__:
        pattern = getattr(profile.numbering, key)
        if fault := _pattern_fault(pattern):
            report(("numbering", key), fault)
        elif pattern in seen:
            report(("numbering", key), "ほかの番号と同じ形です。見分けられるように、違う形にしてください。")
        seen.add(pattern)


def _pattern_fault(pattern: str) -> str:
    """Why the pattern cannot be used, in Japanese; empty when it can."""
    try:
        parts = list(string.Formatter().parse(pattern))
    except ValueError:
        return "波かっこ { } の対応が誤っています。"
    if not re.fullmatch(r"[A-Za-z0-9-]*", "".join(literal for literal, *_ in parts)):
        return "番号に使える文字は、半角英数字とハイフンです。"
    names = [name for _, name, _, _ in parts if name is not None]
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if name not in _PLACEHOLDERS:
            return (
                f"「{{{name}}}」は使えません。使えるのは {'、'.join(f'{{{known}}}' for known in _PLACEHOLDERS)} です。"
            )
        if conversion or not re.fullmatch(_PLACEHOLDERS[name], form or ""):
            return f"「{{{name}}}」の桁の書き方が誤っています（例：{{number:05d}}）。"
    if names.count("number") != 1:
        return "連番 {number} を一度だけ入れてください。"
    if "fiscal_year" not in names and not {"era_letter", "era_year"} <= set(names):
        return "年度を入れてください（{fiscal_year} 、又は {era_letter}{era_year}）。"
    if _run_together(parts):
        return "連番 {number} と年度の間を、ハイフンなどで区切ってください。"
    return ""


def _run_together(parts: Sequence[tuple[str, str | None, str | None, str | None]]) -> bool:
    """Whether digits could belong to the number as well as to what stands beside it: 1+11 and 11+1 read the same."""
    placed = [(literal, name) for literal, name, _, _ in parts if name is not None]
    return any(
        "number" in (before, after) and not literal.strip("0123456789")
        for (_, before), (literal, after) in itertools.pairwise(placed)
    )


def _check_texts(profile: ProfileFile, report: Report) -> None:
    for name, codes in profile.code_lists.items():
        _unique(((("code_lists", name, n, "code"), row.code) for n, row in enumerate(codes)), report)
    for key in profile.labels:
        if not _LABEL_KEY.fullmatch(key):
            report(("labels", key), "見出しの名前は、referral.title のような英小文字・数字・下線・点です。")
    for kind, settings in profile.forms.items():
        place: Place = ("forms", kind.value, "fields")
        if len(settings.fields) > LOCAL_FIELDS_MOST:
            report(place, f"独自項目は{LOCAL_FIELDS_MOST}までです。")
        _unique((((*place, n, "name"), row.name) for n, row in enumerate(settings.fields)), report)
        for n, field in enumerate(settings.fields):
            _check_choices(field, (*place, n), report)


def _check_choices(field: LocalField, place: Place, report: Report) -> None:
    _unique((((*place, "choices", n, "code"), row.code) for n, row in enumerate(field.choices)), report)
    if field.choices and field.several_lines:
        report((*place, "several_lines"), "選択肢（choices）のある項目は、複数行にできません。")
