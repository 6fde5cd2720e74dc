"""A profile looked through at the shell: mistakes of all its files at once, and what a person would want to know besides."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from tsunagi_shared.contracts.profile_warnings import first_in_the_way
from tsunagi_shared.contracts.schedule import read_schedule
from tsunagi_shared.profile_checking import Checked, check_folder, main

REPOSITORY = Path(__file__).parents[2]
SMALL = (REPOSITORY / "tests" / "data" / "profile_small" / "profile.toml").read_text("utf-8")
DAY = dt.date(2027, 5, 10)
CONTACTS = """\
[[contacts]]
agency = "section"
email = ["section@example.jp"]

[[contacts]]
agency = "provider"
email = ["provider@example.jp"]
"""
# The small profile without what would be worth a look
QUIET = (
    SMALL.replace('roles = ["clerk"]', 'roles = ["clerk", "promoter", "coordinator", "responsible_section", "auditor"]')
    .replace("[[titles]]", '[[titles]]\nname = "管理者"\nroles = ["administrator"]\n\n[[titles]]')
    .replace('organizer = "provider"', 'organizer = "provider"\nparticipants = ["section"]')
    .replace('content = ["プランの協議"]', 'content = ["プランの協議"]\nhands_over_to = ["closed"]')
    .replace(", until = 2027-03-31 }]", " }]")
    .replace("from = 2027-04-01", "from = 2026-04-01")
    .replace('operation = ["entrusted"]\n', 'operation = ["entrusted"]\nlaw_items = ["5"]\n')
) + "verified_on = 2026-10-01\n"


def write(folder: Path, text: str = QUIET, contacts: str = CONTACTS, sample: str = "") -> Path:
    """The three files in a folder."""
    (folder / "profile.toml").write_text(text, "utf-8")
    (folder / "contacts.toml").write_text(contacts, "utf-8")
    if sample:
        (folder / "sample_users.toml").write_text(sample, "utf-8")
    return folder


def replaced(*changes: tuple[str, str]) -> str:
    """The quiet profile with changes, each of which must find its place."""
    text = QUIET
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after, 1)
    return text


def told(checked: Checked) -> list[tuple[str, str]]:
    """(path, message) of the warnings."""
    assert checked.problems == ()
    return [(warning.path, warning.message) for warning in checked.warnings]


def test_a_profile_with_nothing_to_look_at_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No mistake and no warning: one line that names the municipality and what was read, and 0."""
    assert told(check_folder(write(tmp_path), DAY)) == []
    assert main([str(tmp_path), "--on", DAY.isoformat()]) == 0
    said = capsys.readouterr().out
    assert said.startswith("見本市：機関2、会議体2、")
    assert said.endswith("直すところも、注意するところもありません。\n")


def test_mistakes_of_all_files_come_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its file, line and path; warnings wait until the profile can be relied on; 1."""
    sample = '[[users]]\nuser = "a"\nname = "見本"\nagency = "section"\nroles = ["boss"]\n'
    sample += '\n[[users]]\nuser = "a"\nname = "見本"\nagency = "provider"\nroles = []\ncontractor = "別会社"\n'
    text = replaced(('kind = "city_section"', 'kind = "section"'), ('convener = "provider"', 'convener = "nobody"'))
    write(tmp_path, text, CONTACTS.replace('"provider"', '"provide"').replace("section@", "section＠"), sample)
    checked = check_folder(tmp_path, DAY)
    assert [(problem.file, problem.line, problem.path) for problem in checked.problems] == [
        ("profile.toml", 16, "agencies.0.kind"),
        ("profile.toml", 1 + text[: text.index('"nobody"')].count("\n"), "bodies.0.convener"),
        ("contacts.toml", 3, "contacts.0.email.0"),
        ("contacts.toml", 6, "contacts.1.agency"),
        ("sample_users.toml", 5, "users.0.roles.0"),
        ("sample_users.toml", 8, "users.1.user"),
        ("sample_users.toml", 11, "users.1.roles"),
        ("sample_users.toml", 12, "users.1.contractor"),
    ]
    assert checked.warnings == ()
    assert main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("誤り　") for line in lines[:-1])
    assert lines[-1].startswith("直すところが8件あります。")


def test_a_folder_without_files_is_told(tmp_path: Path) -> None:
    """The two files that must be there are named; sample staff need not be."""
    assert [problem.file for problem in check_folder(tmp_path, DAY).problems] == ["profile.toml", "contacts.toml"]


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        (('operation = ["direct"]', 'operation = ["direct"]\nshort_name = "課"'), "", ""),
        (('law_items = ["5"]\n', ""), "agencies.1", "号"),
        (
            ("from = 2026-04-01\n\n[[bodies]]", "from = 2028-04-01\n\n[[bodies]]"),
            "agencies.1.operated_by.0.until",
            "運営",
        ),
        (
            ("from = 2026-04-01\n\n[[b", "from = 2026-04-01\nuntil = 2027-09-30\n\n[[b"),
            "agencies.1.operated_by.1.until",
            "終わります",
        ),
        (
            ("from = 2026-04-01\n\n[[b", "from = 2026-04-01\nuntil = 2027-03-31\n\n[[b"),
            "agencies.1.operated_by.1.until",
            "次がありません",
        ),
        (('"promoter", "coordinator", "responsible_section"', '"promoter", "coordinator"'), "titles", "所管課"),
        (('"promoter", "coordinator"', '"coordinator"'), "roles.escalation.1", "推進員"),
        (
            ('"coordinator", "responsible_section", "auditor"]', '"auditor"]\nagencies = ["section"]'),
            "titles",
            "所管課",
        ),
        (('participants = ["section"]\n', ""), "bodies.0", "構成機関"),
        (('hands_over_to = ["closed"]\n', ""), "bodies.0", "引継ぎ先"),
        (('holiday_move = "later"\n', ""), "bodies.0.schedule", "動かしません"),
        (
            (
                '{ name = "見本協働会議", from = 2026-04-01 }',
                '{ name = "見本協働会議", from = 2026-04-01, until = 2027-03-31 }',
            ),
            "bodies.0.names",
            "名称",
        ),
        (
            ('"support_meeting", from = 2025-04-01', '"support_meeting", from = 2025-04-01, until = 2027-03-31'),
            "bodies",
            "支援会議",
        ),
        (('forms = { plan = "long" }', "forms = {}"), "retention.classes.1", "使う様式"),
        (("from = 2026-10-01\n", "from = 2026-10-01\nuntil = 2027-03-31\n"), "legal_basis.1", "いま効力"),
        (("verified_on = 2026-10-01\n", ""), "legal_basis.1", "照らし合わせた日"),
        (('name = "見本支援センター"', 'name = "見本市　地域福祉課"'), "agencies.1.name", "同じ名称"),
        (('contractor = "見本福祉会"', 'contractor = "見本 株式会社"'), "agencies.1.operated_by.1.contractor", "空白"),
        (("[numbering]", '[[posts]]\nagency = "section"\ntitle = "管理者"\n\n[numbering]'), "titles.1", "相談員"),
        (
            (
                "[numbering]",
                '[[targets]]\nid = "t"\nname = "満足度"\nat_least = 5\nunit = "％"\nfrom = 2026-04-01\n\n[numbering]',
            ),
            "targets.0",
            "集計対象外",
        ),
        (
            ("[numbering]", '[plan]\nname = "計画"\nfrom = 2024-04-01\nuntil = 2027-03-31\n\n[numbering]'),
            "plan.until",
            "終わって",
        ),
        (
            ("[numbering]", '[[year_plan]]\nfiscal_year = 2026\nitem = "1"\ntext = "見本"\n\n[numbering]'),
            "year_plan",
            "令和9年度",
        ),
    ],
)
def test_what_is_worth_a_look_is_told_at_its_place(
    tmp_path: Path, change: tuple[str, str], path: str, said: str
) -> None:
    """One change brings its own warning, in words that say what follows from it; what is in order brings none."""
    found = told(check_folder(write(tmp_path, replaced(change)), DAY))
    if not path:
        assert found == []
        return
    assert path in [where for where, _ in found]
    assert any(where == path and said in message for where, message in found)


def _without(agency: str) -> str:
    first, second = CONTACTS.split("\n\n")
    return second if agency == "section" else first


@pytest.mark.parametrize(
    ("contacts", "expected"),
    [
        (_without("provider"), [("profile.toml", "agencies.1")]),
        (_without("section"), [("profile.toml", "agencies.0")]),
        (
            _without("provider")
            + '\n[[contacts]]\nagency = "provider"\ncontractor = "見本株式会社"\nemail = ["a@example.jp"]\n',
            [("profile.toml", "agencies.1")],
        ),
        (
            _without("provider") + '\n[[contacts]]\nagency = "provider"\n',
            [("profile.toml", "agencies.1"), ("contacts.toml", "contacts.1")],
        ),
    ],
)
def test_an_agency_that_no_mail_reaches_is_told(tmp_path: Path, contacts: str, expected: list[tuple[str, str]]) -> None:
    """No row, only one of a contractor that is gone, or one without an address: its inbox alone has the notices."""
    found = check_folder(write(tmp_path, contacts=contacts), DAY).warnings
    assert [(warning.file, warning.path) for warning in found] == expected


def test_nobody_convenes_a_body_whose_office_lost_its_contract(tmp_path: Path) -> None:
    """A body convened and organised by an agency that nobody runs that day is told; with a municipal office it is not."""
    text = replaced(("from = 2026-04-01\n\n[[b", "from = 2026-04-01\nuntil = 2027-03-31\n\n[[b"))
    paths = [path for path, _ in told(check_folder(write(tmp_path, text), DAY))]
    assert "bodies.0.convener" in paths
    assert "bodies.1.convener" not in paths


@pytest.mark.parametrize(
    ("schedule", "day"),
    [
        ("毎月第2月曜", dt.date(2027, 10, 11)),
        ("毎月最終金曜", dt.date(2027, 12, 31)),
        ("毎月10日", dt.date(2027, 7, 10)),
        ("毎月第4火曜", dt.date(2027, 11, 23)),
        ("毎週土曜", dt.date(2028, 1, 1)),
        ("随時", None),
        ("年2回", None),
    ],
)
def test_a_schedule_is_told_with_the_first_day_in_the_way(schedule: str, day: dt.date | None) -> None:
    """Fixed holidays, fixed Mondays, the year's end, and weekends for a day of the month; no day where nobody fixed any."""
    read = read_schedule(schedule)
    assert read is not None
    assert first_in_the_way(read, DAY) == day


@pytest.mark.parametrize("city", sorted(path.name for path in (REPOSITORY / "deploy" / "profiles").iterdir()))
def test_the_profiles_of_the_house_have_no_mistake(city: str) -> None:
    """Every profile that is delivered can be used, with its contacts and its sample staff."""
    assert check_folder(REPOSITORY / "deploy" / "profiles" / city, DAY).problems == ()


def test_the_command_is_run_as_the_how_to_says(tmp_path: Path) -> None:
    """`python -m tsunagi_shared.contracts.profile FOLDER` speaks on standard output and answers 0 or 1."""
    command = [sys.executable, "-m", "tsunagi_shared.contracts.profile"]
    good = subprocess.run([*command, str(write(tmp_path))], capture_output=True, text=True, timeout=60)
    assert (good.returncode, good.stderr) == (0, "")
    write(tmp_path, QUIET.replace('"132187"', '"132188"'))
    bad = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (bad.returncode, bad.stderr) == (1, "")
    assert "誤り　profile.toml 3行目 municipality.code：" in bad.stdout
