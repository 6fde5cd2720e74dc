"""The command line of every service: accounts, keys, dead letters, backups; plain sentences, and 1 when it did not work."""

from __future__ import annotations

import re
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from tests.data.events import SAMPLES, payload_of
from tests.data.services import service_named, settings_in
from tsunagi_intake.tables import documents
from tsunagi_shared import inbox
from tsunagi_shared.accounts import Accounts
from tsunagi_shared.commands import main
from tsunagi_shared.contracts.envelope import FORM_VERSION
from tsunagi_shared.contracts.events import DOCUMENT_CREATED
from tsunagi_shared.contracts.streams import stream_of
from tsunagi_shared.database import Database
from tsunagi_shared.inbox import Inbox
from tsunagi_shared.service import PLUMBING_MIGRATIONS
from tsunagi_shared.settings import Settings, secret, variable_of

INTAKE = service_named("intake")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The environment of an intake service in a temporary folder."""
    found = settings_in(tmp_path, INTAKE)
    for name in ("profile", "database", "accounts", "secret_file", "nats_seed_file"):
        monkeypatch.setenv(variable_of(name), str(getattr(found, name)))
    return found


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command; its exit code, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(INTAKE, list(arguments))
        output = capsys.readouterr()
        return code, output.out, output.err

    yield call
    structlog.reset_defaults()  # `serve` sets up the log on the standard error of this test


@pytest.fixture
def accounts(settings: Settings) -> Accounts:
    """The same accounts, as a service opens them."""
    return Accounts(settings.accounts, secret(settings.secret_file))


def test_accounts_are_made_reset_and_disabled(run: Run, accounts: Accounts) -> None:
    """The password is printed once and works; a reset replaces it; a disabled account is shown as such."""
    code, out, _ = run("accounts", "add", "mado", "--name", "見本　窓子", "--post", "disability:clerk,promoter")
    assert code == 0
    first = accounts.sign_in("mado", out.split()[-1])
    person = accounts.session(first)
    assert person is not None
    assert person.roles == {"clerk", "promoter"}
    _, out, _ = run("accounts", "reset", "mado")
    assert accounts.session(first) is None
    accounts.sign_in("mado", out.split()[-1])
    assert run("accounts", "disable", "mado")[0] == 0
    assert run("accounts", "list")[1] == "mado\t見本　窓子\tdisability:clerk,promoter\t使用停止\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("accounts", "add", "x", "--name", "x", "--post", "nowhere:clerk"),
        ("accounts", "add", "x", "--name", "x", "--post", "disability:clrk"),
        ("accounts", "add", "x", "--name", "x", "--post", "disability"),
        ("accounts", "add", "x", "--name", "x", "--post", "disability:clerk", "--post", "disability:chair"),
        ("accounts", "disable", "x"),
        ("accounts", "reset", "x"),
        ("keys", "add", "x", "--agency", "nowhere"),
        ("keys", "disable", "x"),
    ],
)
def test_mistakes_are_told_and_change_nothing(run: Run, accounts: Accounts, arguments: tuple[str, ...]) -> None:
    """A sentence on standard error, exit code 1, no half-made account."""
    code, out, errors = run(*arguments)
    assert (code, out) == (1, "")
    assert errors.endswith("。\n")
    assert accounts.users() == []
    assert accounts.machine_keys() == []


def test_keys_are_made_and_disabled(run: Run, accounts: Accounts) -> None:
    """The key is printed once; the list shows its number and day, never the key."""
    _, out, _ = run("keys", "add", "見本システム", "--agency", "disability", "--scope", "cases:read", "--days", "10")
    key = out.split()[-1]
    caller = accounts.machine(key)
    assert caller is not None
    assert caller.scopes == {"cases:read"}
    listed = run("keys", "list")[1]
    assert re.search(r"\tdisability\tcases:read\t\d{4}-\d\d-\d\dまで\t有効\n", listed)
    assert key.partition(".")[2] not in listed
    assert run("keys", "disable", key.partition(".")[0])[0] == 0
    assert accounts.machine(key) is None


COUNCIL, CONTRACTOR = "welfare-council", "社会福祉法人福生市社会福祉協議会"


def test_posts_and_keys_carry_their_contractor(run: Run, accounts: Accounts) -> None:
    """That of the agency today, without being named; the list shows it; a direct agency has none."""
    run("accounts", "add", "shakyo", "--name", "見本　社", "--post", f"{COUNCIL}:clerk", "--post", "disability:clerk")
    assert [(post.agency, post.contractor) for post in accounts.posts("shakyo")] == [
        (COUNCIL, CONTRACTOR), ("disability", ""),
    ]  # fmt: skip
    assert f"{COUNCIL}:clerk（{CONTRACTOR}） disability:clerk\t" in run("accounts", "list")[1]
    key = run("keys", "add", "見本システム", "--agency", COUNCIL)[1].split()[-1]
    caller = accounts.machine(key)
    assert caller is not None
    assert caller.contractor == CONTRACTOR


def test_a_post_is_given_anew(run: Run, accounts: Accounts) -> None:
    """A further post, or the one there with other roles; open sessions end, and an unknown person is told."""
    password = run("accounts", "add", "mado", "--name", "見本　窓", "--post", "disability:clerk")[1].split()[-1]
    token = accounts.sign_in("mado", password)
    code, out, _ = run("accounts", "post", "mado", "--post", f"{COUNCIL}:clerk", "--contractor", CONTRACTOR)
    assert (code, "サインイン中の画面は閉じました" in out, accounts.session(token)) == (0, True, None)
    run("accounts", "post", "mado", "--post", "disability:clerk,chair")
    assert [(post.agency, post.roles) for post in accounts.posts("mado")] == [
        ("disability", ("clerk", "chair")), (COUNCIL, ("clerk",)),
    ]  # fmt: skip
    assert run("accounts", "post", "nobody", "--post", "disability:clerk")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--post", f"{COUNCIL}:clerk", "--contractor", "よその会"), "契約（operated_by）にありません"),
        (("--post", "disability:clerk", "--contractor", CONTRACTOR), "契約（operated_by）にありません"),
    ],
)
def test_a_contractor_that_has_no_contract_there_is_refused(
    run: Run, accounts: Accounts, arguments: tuple[str, ...], words: str
) -> None:
    """Named for an agency that it never runs."""
    code, _, errors = run("accounts", "add", "x", "--name", "x", *arguments)
    assert (code, words in errors, accounts.users()) == (1, True, [])


def test_between_two_contracts_the_contractor_must_be_named(
    run: Run, accounts: Accounts, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody runs the agency today: the sentence names those that could be meant."""
    folder = tmp_path / "city"
    shutil.copytree(settings.profile, folder)
    path = folder / "profile.toml"
    text = path.read_text("utf-8")
    before = f'contractor = "{CONTRACTOR}", from = 2025-04-01'
    assert text.count(before) == 1
    path.write_text(text.replace(before, f"{before}, until = 2025-12-31"), "utf-8")
    monkeypatch.setenv(variable_of("profile"), str(folder))
    wanted = ("accounts", "add", "shakyo", "--name", "見本　社", "--post", f"{COUNCIL}:clerk")
    code, _, errors = run(*wanted)
    assert (code, f"--contractor で {CONTRACTOR} から" in errors, accounts.users()) == (1, True, [])
    assert run(*wanted, "--contractor", CONTRACTOR)[0] == 0


def test_dead_letters_are_listed_retried_and_dropped(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content is never shown; a retry before the upgrade changes nothing, after it the event has its effect."""
    db = Database(settings.database)
    db.open(PLUMBING_MIGRATIONS, (INTAKE.folder / "migrations" / "versions", "alembic_intake"))
    reader = Inbox(db, "132187", {DOCUMENT_CREATED: lambda *_: None})
    stream = stream_of(DOCUMENT_CREATED)
    with db.connection() as connection:
        newer = payload_of(DOCUMENT_CREATED, formversion=FORM_VERSION + 1)
        reader.receive(connection, stream, DOCUMENT_CREATED, newer)
        reader.receive(connection, stream, DOCUMENT_CREATED, "見本　太郎".encode())
    listed = run("dead-letters", "list")[1]
    assert [line.split("\t")[1:3] for line in listed.splitlines()] == [
        [DOCUMENT_CREATED, "needs-upgrade"], [DOCUMENT_CREATED, "not-an-event"],
    ]  # fmt: skip
    assert "太郎" not in listed
    assert "まだ処理できません" in run("dead-letters", "retry", "1")[1]
    monkeypatch.setattr(inbox, "FORM_VERSION", FORM_VERSION + 1)
    number = run("dead-letters", "list")[1].splitlines()[-1].split("\t")[0]
    assert run("dead-letters", "retry", number)[1] == "処理しました。\n"
    with db.connection() as connection:
        sample = SAMPLES[DOCUMENT_CREATED]
        row = connection.execute(sa.select(documents)).one()
        assert row.id == getattr(sample, "document_id")  # noqa: B009 - a Struct of any event
    assert run("dead-letters", "retry", "999")[1] == "その番号はありません。\n"
    assert run("dead-letters", "drop", "2")[1] == "捨てました。\n"
    assert run("dead-letters", "list")[1] == ""
    db.close()


@pytest.mark.parametrize("beside_a_running_service", [True, False])
def test_backups_are_whole_and_closed(
    run: Run, settings: Settings, accounts: Accounts, tmp_path: Path, beside_a_running_service: bool
) -> None:
    """Both databases, checked, readable by their owner only, with what is still in the write-ahead log."""
    db = Database(settings.database)
    db.open(PLUMBING_MIGRATIONS)
    with db.connection() as connection:
        connection.execute(inbox.inbox.insert().values(id="one", received_at=1))
    accounts.add_user("mado", "見本　窓子", [])
    if not beside_a_running_service:
        db.close()
        accounts.close()
    code, out, _ = run("backup", str(tmp_path / "copies"))
    assert code == 0
    assert out.count("（検査: ok）") == 2
    copies = tmp_path / "copies"
    assert stat.S_IMODE(copies.stat().st_mode) == 0o700
    for name, table in (("intake.db", "inbox"), ("accounts.db", "users")):
        assert stat.S_IMODE((copies / name).stat().st_mode) == 0o600
        copy = sqlite3.connect(copies / name)
        assert copy.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
        copy.close()
    if beside_a_running_service:
        db.close()
        accounts.close()


def test_a_broken_environment_stops_the_start(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mistake of the settings, or of the profile, in one go; nothing is started."""
    monkeypatch.setenv("TSUNAGI_PORT", "many")
    monkeypatch.setenv("TSUNAGI_PROT", "1")
    code, _, errors = run()
    assert code == 1
    assert "TSUNAGI_PORT" in errors
    assert "TSUNAGI_PROT" in errors


def test_a_broken_profile_stops_the_start(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place and the reason in the profile are told."""
    (tmp_path / "city").mkdir()
    (tmp_path / "city" / "profile.toml").write_text("[municipality]\ncode = 1\n")
    monkeypatch.setenv("TSUNAGI_PROFILE", str(tmp_path / "city"))
    code, _, errors = run("serve")
    assert code == 1
    assert "profile.toml 2行目" in errors


def test_settings_need_no_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """The sample can be printed before anything is set up."""
    assert main(INTAKE, ["settings"]) == 0
    assert "TSUNAGI_PROFILE=" in capsys.readouterr().out
