"""`python -m tsunagi_shared.contracts.profile FOLDER`: every mistake of a profile's files at once, then what is worth a look.

Mistakes stop the services from starting; warnings do not. What a warning says rests on the profile being right, so they are
looked for only once there is no mistake.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tsunagi_shared import clock
from tsunagi_shared.contracts import profile_checks
from tsunagi_shared.contracts.profile import (
    CONTACTS_FILE,
    PROFILE_FILE,
    ContactsFile,
    Profile,
    ProfileFile,
    load_contacts,
    load_profile,
)
from tsunagi_shared.contracts.profile_codes import Role
from tsunagi_shared.contracts.profile_warnings import Finding, warnings_of
from tsunagi_shared.contracts.toml_lines import Place, line_index, line_of
from tsunagi_shared.contracts.toml_tables import Problem, TomlFile

SAMPLE_FILE = "sample_users.toml"


class SampleUser(msgspec.Struct, frozen=True, kw_only=True):
    """An invented member of staff for trials, as sample_users.toml names them."""

    user: str
    name: str
    agency: str
    roles: tuple[Role, ...]
    contractor: str = ""


class SampleUsersFile(msgspec.Struct, frozen=True, kw_only=True):
    """sample_users.toml as it is written; a folder may be without one."""

    users: tuple[SampleUser, ...] = ()


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a folder. `profile`: None where it has mistakes."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    profile: Profile | None


def check_folder(folder: Path, today: dt.date) -> Checked:
    """Every mistake of the three files, by file and line; without any, the warnings as of that Japanese date."""
    source = TomlFile(folder / PROFILE_FILE)
    found = source.read(ProfileFile)
    if found is not None:
        profile_checks.check_profile(found, source.report)
    problems = list(source.sorted_problems())
    problems += _contacts_problems(folder, found)
    problems += _sample_problems(folder, found)
    if problems:
        return Checked(problems=tuple(problems), warnings=(), profile=None)
    profile = load_profile(folder)
    findings = warnings_of(profile, load_contacts(folder, profile), today)
    return Checked(problems=(), warnings=_placed(folder, findings), profile=profile)


def _contacts_problems(folder: Path, found: ProfileFile | None) -> tuple[Problem, ...]:
    source = TomlFile(folder / CONTACTS_FILE)
    contacts = source.read(ContactsFile)
    if contacts is not None and found is not None:
        agencies = {agency.id: agency for agency in found.agencies}
        profile_checks.check_contacts(contacts.contacts, agencies, source.report)
    return source.sorted_problems()


def _sample_problems(folder: Path, found: ProfileFile | None) -> tuple[Problem, ...]:
    if not (folder / SAMPLE_FILE).exists():
        return ()
    source = TomlFile(folder / SAMPLE_FILE)
    sample = source.read(SampleUsersFile)
    if sample is None or found is None:
        return source.sorted_problems()
    agencies = {agency.id: agency for agency in found.agencies}
    seen: set[str] = set()
    for n, row in enumerate(sample.users):
        place: Place = ("users", n)
        if row.user in seen:
            source.report((*place, "user"), f"「{row.user}」が二度あります。")
        seen.add(row.user)
        if not row.roles:
            source.report((*place, "roles"), "役割が一つもありません。")
        agency = agencies.get(row.agency)
        if agency is None:
            source.report((*place, "agency"), f"「{row.agency}」という機関（{PROFILE_FILE} の agencies）はありません。")
        elif row.contractor and row.contractor not in {contract.contractor for contract in agency.operated_by}:
            message = f"「{row.contractor}」という受託者（この機関の operated_by）はありません。"
            source.report((*place, "contractor"), message)
    return source.sorted_problems()


def _placed(folder: Path, findings: Sequence[Finding]) -> tuple[Problem, ...]:
    """The findings with their lines, by file and line."""
    lines = {
        name: line_index((folder / name).read_text("utf-8-sig").replace("\r\n", "\n"))
        for name in {finding.file for finding in findings}
    }
    placed = [
        Problem(
            finding.file, line_of(finding.place, lines[finding.file]), ".".join(str(part) for part in finding.place),
            finding.message,
        )
        for finding in findings
    ]  # fmt: skip
    return tuple(sorted(placed, key=lambda problem: (problem.file != PROFILE_FILE, problem)))


def summary(checked: Checked) -> str:
    """The last line: how many, and whether the services start with it."""
    if checked.profile is None:
        return (
            f"直すところが{len(checked.problems)}件あります。直すまで、つなぎは動きません。"
            "直したあとに、もう一度実行すると、注意するところも調べます。"
        )
    profile = checked.profile
    holds = (
        f"{profile.municipality.name}：機関{len(profile.agencies)}、会議体{len(profile.bodies)}、職{len(profile.titles)}、"
        f"社会資源{len(profile.resources)}、目標{len(profile.targets)}（版 {profile.version}）。"
    )
    if not checked.warnings:
        return f"{holds}直すところも、注意するところもありません。"
    return f"{holds}直すところはありません。注意するところが{len(checked.warnings)}件あります（このままでも動きます）。"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 for a profile that can be used, with or without warnings; 1 for one with mistakes."""
    parser = argparse.ArgumentParser(
        prog="python -m tsunagi_shared.contracts.profile", description="市町村のプロファイルを調べる"
    )
    parser.add_argument("folder", type=Path, help="profile.toml と contacts.toml のあるフォルダー")
    parser.add_argument(
        "--on",
        type=dt.date.fromisoformat,
        metavar="2027-04-01",
        help="その日に使うものとして調べる（書かなければ今日）",
    )
    options = parser.parse_args(arguments)
    checked = check_folder(options.folder, options.on or clock.today())
    lines = [f"誤り　{problem}" for problem in checked.problems] + [f"注意　{problem}" for problem in checked.warnings]
    sys.stdout.write("\n".join([*lines, summary(checked)]) + "\n")
    return 1 if checked.problems else 0
