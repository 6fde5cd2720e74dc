"""A profile with mistakes: every one is told at once, with file, place and line, in words an administrator reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsunagi_shared.contracts.profile import Problem, ProfileError, load_contacts, load_profile

SMALL_FOLDER = Path(__file__).parents[1] / "data" / "profile_small"
SMALL = (SMALL_FOLDER / "profile.toml").read_text("utf-8")


def write(folder: Path, text: str | bytes, name: str = "profile.toml") -> Path:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def changed(*changes: tuple[str, str]) -> str:
    text = SMALL
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after, 1)
    return text


def problems_of(folder: Path, text: str | bytes) -> list[tuple[int, str, str]]:
    with pytest.raises(ProfileError) as caught:
        load_profile(write(folder, text))
    assert all(problem.file == "profile.toml" for problem in caught.value.problems)
    return [(problem.line, problem.path, problem.message) for problem in caught.value.problems]


def line_with(text: str, wanted: str, nth: int = 1) -> int:
    return [number for number, line in enumerate(text.splitlines(), 1) if wanted in line][nth - 1]


def test_every_mistake_is_reported_at_once_with_its_place_and_line(tmp_path: Path) -> None:
    """Mistakes of every sort in one file come together, by line, each with its place in the TOML."""
    text = changed(
        ('code = "132187"', 'code = "132188"'),
        ('mayor = "見本市長"\n', ""),
        ('multi_agency_provider = "provider"', 'multi_agency_provider = "nobody"'),
        ('kind = "city_section"', 'kind = "section"'),
        ('field = "多機関協働"', "feild = 3"),
        ("from = 2027-04-01", "from = 2026-03-31"),
        ("until = 2026-03-31", "until = 2025-03-31"),
        ("hears_cases = true", 'hears_cases = "yes"'),
        ('consent = "required"', 'consent = "not_required"'),
        ('schedule = "毎月第4水曜"', 'schedule = "だいたい毎月"'),
        ('secrecy_basis = "secrecy"', 'secrecy_basis = "article"'),
        ('hands_over_to = ["open"]', 'hands_over_to = ["open", "closed"]'),
        ('code = "west"', 'code = "east"'),
        ("limit = 300", "limit = 3000"),
        ('default = "short"', 'default = "none"'),
        ('forms = { plan = "long" }', 'forms = { plan = "long", poem = "long" }'),
        ("from = 2026-10-01", "from = 2026-09-30"),
    )
    found = {path: (line, message) for line, path, message in problems_of(tmp_path, text)}
    expected = {
        "municipality.code": line_with(text, '"132188"'),
        "municipality.mayor": line_with(text, "[municipality]"),
        "roles.multi_agency_provider": line_with(text, '"nobody"'),
        "agencies.0.kind": line_with(text, 'kind = "section"'),
        "agencies.1.feild": line_with(text, "feild"),
        "agencies.1.field": line_with(text, "[[agencies]]", 2),
        "agencies.1.operated_by.0.until": line_with(text, "until = 2025-03-31"),
        "bodies.0.hears_cases": line_with(text, '"yes"'),
        "bodies.0.consent": line_with(text, 'consent = "not_required"'),
        "bodies.0.schedule": line_with(text, "だいたい"),
        "bodies.1.secrecy_basis": line_with(text, '"article"'),
        "bodies.1.hands_over_to.1": line_with(text, "hands_over_to"),
        "forms.referral.fields.0.choices.1.code": line_with(text, 'code = "east"', 2),
        "forms.referral.fields.1.limit": line_with(text, "limit = 3000"),
        "retention.default": line_with(text, 'default = "none"'),
        "retention.forms.poem": line_with(text, "poem"),
        "legal_basis.1.from": line_with(text, "from = 2026-09-30"),
    }
    assert {path: line for path, (line, _) in found.items()} == expected
    assert "「field」の誤りではありませんか" in found["agencies.1.feild"][1]
    assert "city_section（市町村の課）" in found["agencies.0.kind"][1]
    assert all(re.search(r"[ぁ-ん]", message) for _, message in found.values())


def test_a_report_reads_as_one_line_for_each_mistake(tmp_path: Path) -> None:
    """The text of the error names file, line, place and what is wrong, as an administrator reads it."""
    text = changed(('name = "見本市"', "name = 5"), ('[[titles]]\nname = "相談員"', '[[titles]]\nname = " "'))
    with pytest.raises(ProfileError) as caught:
        load_profile(write(tmp_path, text))
    first, second = line_with(text, "name = 5"), line_with(text, 'name = " "')
    assert str(caught.value).splitlines() == [
        f"profile.toml {first}行目 municipality.name：1文字以上、改行のない文字で書いてください。",
        f"profile.toml {second}行目 titles.0.name：1文字以上、改行のない文字で書いてください。",
    ]


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        (('id = "provider"', 'id = "section"'), "agencies.1.id", "二度"),
        (('id = "provider"', 'id = "Provider Ltd"'), "agencies.1.id", "英小文字"),
        (("[[agencies.operated_by]]", "[[agencies.run_by]]"), "agencies.1.run_by", "項目はありません"),
        (('support_meeting_body = "closed"', 'support_meeting_body = "open"'), "roles.support_meeting_body", "役割"),
        (('role = "layered_support_meeting"', 'role = "promotion"'), "bodies", "会議体がありません"),
        (('secrecy_basis = "secrecy"\n', ""), "bodies.1.secrecy_basis", "守秘義務"),
        (('roles = ["clerk"]', "roles = []"), "titles.0.roles", "一つもありません"),
        (('roles = ["clerk"]', 'roles = ["boss"]'), "titles.0.roles.0", "clerk（相談員）"),
        (("years = 5", "years = 0"), "retention.classes.0.years", "1から100"),
        (("years = 5", "years = true"), "retention.classes.0.years", "1から100"),
        (("from = 2026-10-01", "from = 2026-10-01T00:00:00"), "legal_basis.1.from", "日付"),
        (('law = "見本法"', 'law = "\\u0007"'), "legal_basis.0.law", "制御文字"),
        (("[municipality]", 'version = "x"\n[municipality]'), "version", "項目はありません"),
    ],
)
def test_a_single_mistake_is_told_once(tmp_path: Path, change: tuple[str, str], path: str, said: str) -> None:
    """One mistake is one line among the problems, at its own place."""
    found = problems_of(tmp_path, changed(change))
    assert path in [where for _, where, _ in found]
    assert said in next(message for _, where, message in found if where == path)
    assert len(found) == len({where for _, where, _ in found})


@pytest.mark.parametrize(
    "changes",
    [
        [('id = "provider"', 'id = "Provider"'), *[('= "provider"', '= "Provider"')] * 4],
        [('role = "layered_support_meeting"', 'role = "main"')],
        [('role = "support_meeting"', 'role = "main"')],
    ],
)
def test_a_mistake_draws_no_false_ones_after_it(tmp_path: Path, changes: list[tuple[str, str]]) -> None:
    """What only follows from another mistake is not told: nobody is sent to mend what is right."""
    assert len(problems_of(tmp_path, changed(*changes))) == 1


@pytest.mark.parametrize(
    ("row", "path", "said"),
    [
        ('agencies = ["provider", "nobody"]', "agency_lists.1.agencies.1", "ありません"),
        ('agencies = ["provider", "provider"]', "agency_lists.1.agencies.1", "二度"),
        ("agencies = []", "agency_lists.1.agencies", "一つもありません"),
        ('agencies = ["section"]\nuntil = 2026-09-30', "agency_lists.1.until", "前です"),
        ('agencies = ["section"]\nmembers = 3', "agency_lists.1.members", "項目はありません"),
    ],
)
def test_a_list_of_agencies_with_a_mistake_is_refused(tmp_path: Path, row: str, path: str, said: str) -> None:
    """An annex names known agencies, each once, at least one, for a period that ends after it began."""
    first = '\n[[agency_lists]]\nid = "annex"\nname = "別紙1"\nagencies = ["section"]\nfrom = 2026-04-01\nuntil = 2026-09-30\n'
    second = f'[[agency_lists]]\nid = "annex"\nname = "別紙1"\nfrom = 2026-10-01\n{row}\n'
    ((_, where, message),) = problems_of(tmp_path, SMALL + first + second)
    assert where == path
    assert said in message


def test_two_periods_of_one_list_may_not_overlap(tmp_path: Path) -> None:
    """On any day an annex is one list; two lists may hold at the same time."""
    row = '\n[[agency_lists]]\nid = "{}"\nname = "別紙"\nagencies = ["section"]\nfrom = {}\n'
    text = SMALL + row.format("annex", "2026-04-01") + row.format("other", "2026-04-01")
    assert len(load_profile(write(tmp_path, text)).agency_lists) == 2
    text += row.format("annex", "2026-10-01")
    assert [path for _, path, _ in problems_of(tmp_path, text)] == ["agency_lists.2.from"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("R{fiscal_year}", "連番"),
        ("R{number:05d}", "年度"),
        ("{era_year}-{number}", "年度"),
        ("R{fiscal_year}-{number}-{number}", "一度だけ"),
        ("R{fiscal_year}-{count}", "使えません"),
        ("R{fiscal_year}-{number:5}", "桁"),
        ("R{fiscal_year}-{number!r}", "桁"),
        ("R{fiscal_year}-{number.real}", "使えません"),
        ("{era_letter}{era_year}{number}", "区切って"),
        ("R{fiscal_year}0{number}", "区切って"),
        ("受{fiscal_year}-{number}", "半角英数字"),
        ("../{fiscal_year}-{number}", "半角英数字"),
        ("R{fiscal_year-{number}", "波かっこ"),
    ],
)
def test_a_pattern_that_cannot_number_is_refused(tmp_path: Path, pattern: str, said: str) -> None:
    """A numbering pattern must hold one count and the 年度, apart from each other, in characters safe everywhere."""
    text = changed(('case = "K{fiscal_year}-{number}"', f'case = "{pattern}"'))
    ((line, path, message),) = problems_of(tmp_path, text)
    assert (line, path) == (line_with(text, "case ="), "numbering.case")
    assert said in message


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ('plan = "K{fiscal_year}-{number}"', "numbering.plan"),
        ('plan = "X{fiscal_year}-{number}"\nmeeting = "X{fiscal_year}-{number}"', "numbering.meeting"),
    ],
)
def test_numbers_that_look_alike_are_refused(tmp_path: Path, written: str, path: str) -> None:
    """A number tells what it is of: no two kinds are written the same."""
    text = changed(('case = "K{fiscal_year}-{number}"', f'case = "K{{fiscal_year}}-{{number}}"\n{written}'))
    ((_, found, message),) = problems_of(tmp_path, text)
    assert found == path
    assert "同じ形" in message


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ('agency = "nobody"', "projects.0.agency"),
        ('law_item = "7"', "projects.0.law_item"),
        ("places = 0", "projects.0.places"),
    ],
)
def test_a_project_names_what_there_is(tmp_path: Path, written: str, path: str) -> None:
    """A project's agency, 号 and number of places are checked like the rest."""
    text = changed(("[numbering]", f'[[projects]]\nname = "見本の事業"\n{written}\n\n[numbering]'))
    assert [found for _, found, _ in problems_of(tmp_path, text)] == [path]


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b'a = 1\nb = "\nc = 2\n', 2, "TOMLの書き方"),
        (b"a = 1\na = 2\n", 2, "TOMLの書き方"),
        (b'a = 1\nb = "\x93\xfa"\n', 2, "UTF-8"),
    ],
)
def test_a_file_that_is_not_toml_is_told_by_line(tmp_path: Path, content: bytes, line: int, said: str) -> None:
    """A broken text is one problem that says on which line reading stopped."""
    ((found, path, message),) = problems_of(tmp_path, content)
    assert (found, path) == (line, "")
    assert said in message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A folder without profile.toml gives the file's name and what to look for, no path of the machine."""
    with pytest.raises(ProfileError, match=r"profile\.toml：ファイルがない") as caught:
        load_profile(tmp_path)
    assert str(tmp_path) not in str(caught.value)


def test_contacts_report_every_mistake_and_no_address(tmp_path: Path) -> None:
    """Unknown and doubled agencies and what is no address are told together; an address is not repeated."""
    text = """\
[[contacts]]
agency = "section"
email = ["madoguchi@example.jp", "見本@example.jp", "a@example.jp\\r\\nBcc: b@example.jp"]

[[contacts]]
agency = "nobody"
email = "madoguchi@example.jp"

[[contacts]]
agency = "section"
urgent_email = ["no-at-sign"]
fax = "042-000-0000"
"""
    profile = load_profile(SMALL_FOLDER)
    with pytest.raises(ProfileError) as caught:
        load_contacts(write(tmp_path, text, "contacts.toml"), profile)
    assert [(p.file, p.line, p.path) for p in caught.value.problems] == [
        ("contacts.toml", 3, "contacts.0.email.1"),
        ("contacts.toml", 3, "contacts.0.email.2"),
        ("contacts.toml", 6, "contacts.1.agency"),
        ("contacts.toml", 7, "contacts.1.email"),
        ("contacts.toml", 10, "contacts.2.agency"),
        ("contacts.toml", 11, "contacts.2.urgent_email.0"),
        ("contacts.toml", 12, "contacts.2.fax"),
    ]
    assert "Bcc" not in str(caught.value)
    assert "no-at-sign" not in str(caught.value)


VALUES = [
    "1",
    "-1",
    '""',
    '"x"',
    "[]",
    "{}",
    "true",
    "2026-01-01",
    "2026-01-01T00:00:00",
    "1.5",
    "[[1]]",
    "{ a = 1 }",
    "[",
]


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
def test_no_damage_ends_in_anything_but_a_report(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever lines are lost or values exchanged, the profile loads or every problem has a line of the file."""
    lines = SMALL.splitlines()
    for number in data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=1, max_size=6)):
        key = lines[number].partition("=")[0]
        lines[number] = data.draw(st.sampled_from(["", lines[number][:-1], *(f"{key}= {value}" for value in VALUES)]))
    problems: tuple[Problem, ...] = ()
    try:
        load_profile(write(tmp_path, "\n".join(lines)))
    except ProfileError as error:
        problems = error.problems or pytest.fail("an error without a problem")
    assert all(1 <= problem.line <= len(lines) for problem in problems)


def test_targets_resources_and_year_plans_are_checked(tmp_path: Path) -> None:
    """Two ways of counting, an agency nobody knows, a count that is not made by agency, an id twice, a 年度 that is none."""
    text = (
        SMALL
        + """
[[targets]]
id = "both"
name = "参加支援のプラン"
at_least = 5
unit = "件"
plans = "participation"
counts = "participants"
agency = "nobody"
from = 2026-04-01

[[resources]]
id = "cafe"
name = "見本カフェ"
kind = "eatery"
agency = "somebody"

[[resources]]
id = "cafe"
name = "見本カフェ2"
kind = "eatery"
"""
    )
    found = {path: message for _, path, message in problems_of(tmp_path, text)}
    assert set(found) == {"targets.0.counts", "targets.0.agency", "resources.0.agency", "resources.1.id"}
    assert "どちらか一つ" in found["targets.0.counts"]
    year = '\n[[year_plan]]\nfiscal_year = 8\nitem = "見本"\ntext = "見本"\n'
    ((_, path, message),) = problems_of(tmp_path, SMALL + year)
    assert (path, "年度" in message) == ("year_plan.0.fiscal_year", True)
