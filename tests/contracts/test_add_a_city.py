"""The how-to for a new city, done literally: its blocks are the files of the sample town, its commands those that work."""

from __future__ import annotations

import datetime as dt
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.stack import sample_users
from tsunagi_shared.contracts.profile import Contact, load_contacts, load_profile
from tsunagi_shared.profile_checking import check_folder

REPOSITORY = Path(__file__).parents[2]
HOWTO = (REPOSITORY / "docs" / "howto" / "add-a-city.md").read_text("utf-8")
MIHON = REPOSITORY / "tests" / "data" / "profile_mihon"
FOLDER = Path("deploy") / "profiles" / "mihon"
DAY = dt.date(2026, 11, 24)

# Every block in its order: ("toml", file, text) or ("sh", "", commands)
BLOCKS = [
    ("toml", name, body) if name else ("sh", "", body)
    for name, body in re.findall(r"^```(?:toml (\S+)|sh)\n(.*?)^```$", HOWTO, re.DOTALL | re.MULTILINE)
]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command of the how-to, in a tree of its own."""
    words = shlex.split(command)
    if words[0] == ".venv/bin/python":
        words[0] = sys.executable
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)


def test_the_how_to_is_walked_from_an_empty_folder(tmp_path: Path) -> None:
    """Each block is appended, each command run where it stands: the mistakes grow fewer, and at the end there are none."""
    (tmp_path / FOLDER.parent).mkdir(parents=True)
    answers = []
    for kind, name, body in BLOCKS:
        if kind == "toml":
            with (tmp_path / FOLDER / name).open("a", encoding="utf-8") as file:
                file.write(body)
            continue
        for command in body.splitlines():
            if "deploy.local" not in command:  # the whole stack is tried by test_the_sample_town_takes_a_referral
                done = run(command, tmp_path)
                assert done.stderr == "", command
                answers.append((done.returncode, done.stdout))
    made, first, now, later = answers
    assert made == (0, "")
    assert first[0] == 1
    for missing in (
        "「agencies」がありません",
        "「bodies」が",
        "「titles」が",
        "「retention」が",
        "contacts.toml：ファイルが",
    ):
        assert missing in first[1], missing
    assert (now[0], later[0]) == (0, 0)
    assert "みほん町立みほん学校" in now[1]
    assert "招集できる人がいません" in later[1]
    assert {path.name: path.read_bytes() for path in (tmp_path / FOLDER).iterdir()} == {
        path.name: path.read_bytes() for path in MIHON.iterdir()
    }


def test_the_commands_that_run_the_stack_are_there() -> None:
    """The one command that is not run here names the folder of the blocks, and an option that `up` has."""
    (command,) = (
        line for kind, _, body in BLOCKS if kind == "sh" for line in body.splitlines() if "deploy.local" in line
    )
    assert command == ".venv/bin/python -m deploy.local up --profile mihon"
    usage = run(".venv/bin/python -m deploy.local --help", REPOSITORY)
    assert "--profile" in usage.stdout


def test_the_sample_town_says_what_its_plan_says() -> None:
    """The bodies, the provider, the contracts and the staff of みほん町."""
    profile = load_profile(MIHON)
    contacts = load_contacts(MIHON, profile)
    assert profile.municipality.name == "みほん町"
    assert not profile.provider_direct
    assert [body.id for body in profile.bodies] == ["layered-support", "support-meeting", "community-care", "promotion"]
    assert profile.contractor_on("disability-desk", DAY) == "社会福祉法人みほん会"
    assert contacts.of("school") == Contact(agency="school")
    assert {user.user for user in sample_users(MIHON)} == {"mado", "chosei", "soudan", "kacho"}


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("profile.toml", 'organizer = "council"', 'organizer = "counsil"', "「counsil」という機関はありません"),
        ("contacts.toml", '"council"', '"counsil"', "「counsil」という機関"),
        ("sample_users.toml", '"coordinator"', '"cordinator"', "coordinator（地域福祉コーディネーター）"),
    ],
)
def test_a_slip_on_the_way_is_told(tmp_path: Path, file: str, before: str, after: str, said: str) -> None:
    """A misspelt id or role in any of the three files is one line that says where."""
    folder = tmp_path / "mihon"
    shutil.copytree(MIHON, folder)
    text = (folder / file).read_text("utf-8")
    (folder / file).write_text(text.replace(before, after, 1), "utf-8")
    (problem,) = check_folder(folder, DAY).problems
    assert (problem.file, problem.line) == (file, 1 + text[: text.index(before)].count("\n"))
    assert said in problem.message
