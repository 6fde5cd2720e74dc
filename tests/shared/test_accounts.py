"""Accounts: locks, time-outs, posts and keys, by the clock; and nothing in the file that could be used as it is."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import argon2
import pytest
import sqlalchemy as sa

from tests.conftest import MovableClock
from tsunagi_shared import accounts as accounts_module
from tsunagi_shared.accounts import AccountError, Accounts, Post, Principal, SignInRefused
from tsunagi_shared.database import migrate

SECRET = b"s" * 32
PASSWORD = "correct horse battery"
MINUTE, HOUR, DAY = 60, 3600, 86_400
MIGRATIONS = Path(accounts_module.__file__).parent / "migrations" / "accounts"


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    """An accounts database with one person of two posts."""
    found = Accounts(tmp_path / "accounts.db", SECRET)
    found.add_user(
        "mado", "見本　窓子", [Post("disability", ("clerk",)), Post("health", ("promoter", "chair"))], PASSWORD
    )
    yield found
    found.close()


def wrong(accounts: Accounts, times: int) -> None:
    """So many wrong passwords."""
    for _ in range(times):
        with pytest.raises(SignInRefused):
            accounts.sign_in("mado", "wrong password")


def test_sign_in_gives_the_first_post(accounts: Accounts) -> None:
    """Name, agency and roles are those of the first post; each sign-in is a session of its own."""
    first, second = accounts.sign_in("mado", PASSWORD), accounts.sign_in("mado", PASSWORD)
    assert first != second
    person, other = accounts.session(first), accounts.session(second)
    assert person is not None
    assert other is not None
    assert (person.user, person.name, person.agency, person.roles) == (
        "mado", "見本　窓子", "disability", frozenset({"clerk"}),
    )  # fmt: skip
    assert person.via == "session"
    assert len(person.csrf) >= 20
    assert person.csrf != other.csrf


def test_ten_failures_lock_for_a_quarter_of_an_hour(accounts: Accounts, movable_clock: MovableClock) -> None:
    """The tenth failure in a row locks, also against the right password; the lock ends by itself and counts from nothing."""
    wrong(accounts, 9)
    accounts.sign_in("mado", PASSWORD)
    wrong(accounts, 10)
    for seconds in (0, 14 * MINUTE):
        movable_clock.forward(seconds)
        with pytest.raises(SignInRefused):
            accounts.sign_in("mado", PASSWORD)
    movable_clock.forward(15 * MINUTE + 2)
    wrong(accounts, 9)
    accounts.sign_in("mado", PASSWORD)


def test_many_guesses_at_once_do_not_outrun_the_lock(accounts: Accounts) -> None:
    """Of guesses sent all together no more than the allowed failures and the one beside it are looked at."""
    guesses = ["wrong password"] * 30 + [PASSWORD] * 5

    def guess(password: str) -> bool:
        try:
            accounts.sign_in("mado", password)
        except SignInRefused:
            return False
        return True

    with ThreadPoolExecutor(1) as pool:
        assert not any(pool.map(guess, guesses))
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(guess, guesses))


def test_unknown_disabled_and_postless_people_are_refused_alike(accounts: Accounts) -> None:
    """The caller is told no more than that."""
    accounts.add_user("nobody", "見本　無役", [], PASSWORD)
    accounts.disable_user("mado")
    for user in ("mado", "nobody", "unknown", "", "mado' OR 1=1 --"):
        with pytest.raises(SignInRefused) as refused:
            accounts.sign_in(user, PASSWORD)
        assert str(refused.value) == ""


def test_a_session_ends_when_idle(accounts: Accounts, movable_clock: MovableClock) -> None:
    """Thirty minutes without a request end it; requests keep it alive."""
    token = accounts.sign_in("mado", PASSWORD)
    for minutes in (20, 40, 60):
        movable_clock.forward(minutes * MINUTE)
        assert accounts.session(token) is not None
    movable_clock.forward(91 * MINUTE)
    assert accounts.session(token) is None
    movable_clock.forward(60 * MINUTE)
    assert accounts.session(token) is None


def test_a_session_ends_after_twelve_hours(accounts: Accounts, movable_clock: MovableClock) -> None:
    """However busy, and also when the person changed posts in between."""
    token = accounts.sign_in("mado", PASSWORD)
    for minutes in range(20, 12 * 60, 20):
        movable_clock.forward(minutes * MINUTE)
        assert accounts.session(token) is not None
        if minutes == 600:
            token = accounts.act_for(token, "health")
    movable_clock.forward(12 * HOUR + 2)
    assert accounts.session(token) is None


def test_posts_are_changed_in_a_new_session(accounts: Accounts) -> None:
    """The old session's secret and form token are worth nothing afterwards; only posts the person holds can be taken."""
    token = accounts.sign_in("mado", PASSWORD)
    old = accounts.session(token)
    with pytest.raises(AccountError):
        accounts.act_for(token, "sample-care")
    new = accounts.act_for(token, "health")
    person = accounts.session(new)
    assert accounts.session(token) is None
    assert old is not None
    assert person is not None
    assert (person.agency, person.roles) == ("health", frozenset({"promoter", "chair"}))
    assert person.csrf != old.csrf
    with pytest.raises(AccountError):
        accounts.act_for(token, "disability")


def test_a_disabled_person_is_cut_at_once(accounts: Accounts) -> None:
    """Open sessions end with the account, a reset password ends them too, and sign-out ends one or all."""
    tokens = [accounts.sign_in("mado", PASSWORD) for _ in range(3)]
    accounts.sign_out(tokens[0])
    assert [accounts.session(token) is None for token in tokens] == [True, False, False]
    accounts.sign_out_everywhere("mado")
    assert accounts.session(tokens[1]) is None
    token = accounts.sign_in("mado", PASSWORD)
    made_up = accounts.reset_password("mado")
    assert accounts.session(token) is None
    with pytest.raises(SignInRefused):
        accounts.sign_in("mado", PASSWORD)
    token = accounts.sign_in("mado", made_up)
    accounts.disable_user("mado")
    assert accounts.session(token) is None


def test_a_post_that_was_taken_away_ends_the_session(accounts: Accounts) -> None:
    """Who no longer holds the post they act under is nobody."""
    token = accounts.sign_in("mado", PASSWORD)
    accounts._change("DELETE FROM posts WHERE agency = 'disability'")
    assert accounts.session(token) is None


@pytest.mark.parametrize("token", ["", "x", "0" * 43, "\x00", "ü"])
def test_made_up_tokens_are_nobody(accounts: Accounts, token: str) -> None:
    """Neither a session nor a key comes of a guess."""
    assert accounts.session(token) is None
    assert accounts.machine(token) is None
    assert accounts.machine(f"{token}.{token}") is None


def test_keys_expire_and_can_be_disabled(accounts: Accounts, movable_clock: MovableClock) -> None:
    """A key acts for its agency, with its scopes only, until its day or until it is disabled."""
    key = accounts.add_key("見本システム", "disability", ("clerk",), ("referrals:write",), days=30)
    caller = accounts.machine(key)
    assert caller is not None
    assert (caller.via, caller.agency, caller.scopes) == ("key", "disability", frozenset({"referrals:write"}))
    assert caller.user == f"key:{key.partition('.')[0]}"
    movable_clock.forward(29 * DAY)
    assert accounts.machine(key) is not None
    movable_clock.forward(31 * DAY)
    assert accounts.machine(key) is None
    movable_clock.forward(0)
    assert accounts.machine(key[:-1]) is None
    assert accounts.machine(key.partition(".")[0] + ".") is None
    accounts.disable_key(key.partition(".")[0])
    assert accounts.machine(key) is None


def test_a_key_is_worthless_under_another_secret(accounts: Accounts, tmp_path: Path) -> None:
    """A copy of the file without the host's secret lets nobody in by key."""
    key = accounts.add_key("見本システム", "disability", (), ("cases:read",))
    other = Accounts(tmp_path / "accounts.db", b"t" * 32)
    assert other.machine(key) is None
    other.close()


def test_the_file_holds_nothing_that_lets_in(accounts: Accounts, tmp_path: Path) -> None:
    """Passwords, session secrets and keys are hashed; the file is closed to others."""
    token = accounts.sign_in("mado", PASSWORD)
    key = accounts.add_key("見本システム", "disability", (), ())
    accounts._change("PRAGMA wal_checkpoint(TRUNCATE)")
    content = b"".join(path.read_bytes() for path in tmp_path.glob("accounts.db*"))
    for value in (PASSWORD, token, key.partition(".")[2]):
        assert value.encode() not in content
    assert b"$argon2id$" in content
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("accounts.db*")} == {0o600}


def test_mistakes_are_told_in_words(accounts: Accounts) -> None:
    """A short password, a taken or unknown id: a sentence, and nothing changed."""
    for call in (
        lambda: accounts.add_user("short", "見本　短子", [], "short"),
        lambda: accounts.add_user("mado", "見本　二人", []),
        lambda: accounts.reset_password("unknown"),
        lambda: accounts.disable_user("unknown"),
        lambda: accounts.disable_key("unknown"),
    ):
        with pytest.raises(AccountError, match="。"):
            call()
    assert [user for user, *_ in accounts.users()] == ["mado"]


def test_one_sign_in_serves_every_service_of_the_host(accounts: Accounts, tmp_path: Path) -> None:
    """Three services with the same file know the same sessions, and see a sign-out at once."""
    others = [Accounts(tmp_path / "accounts.db", SECRET) for _ in range(2)]
    token = accounts.sign_in("mado", PASSWORD)
    assert all(other.session(token) is not None for other in others)
    others[0].sign_out(token)
    assert accounts.session(token) is None
    assert others[1].session(token) is None
    for other in others:
        other.close()


async def test_looking_up_a_session_beside_writers_works(accounts: Accounts, tmp_path: Path) -> None:
    """Sign-ins of one process and look-ups of another at the same time do not fail on a locked file."""
    other = Accounts(tmp_path / "accounts.db", SECRET)
    tokens = await asyncio.gather(*(asyncio.to_thread(accounts.sign_in, "mado", PASSWORD) for _ in range(20)))
    found = await asyncio.gather(*(asyncio.to_thread(other.session, token) for token in tokens))
    assert all(person is not None for person in found)
    other.close()


def contractor_on(agency: str, day: dt.date) -> str:
    """The center is run by 見本会 until the end of 2026-03, then by 次の会; between them, in April, by none."""
    if agency != "center" or dt.date(2026, 4, 1) <= day < dt.date(2026, 5, 1):
        return ""
    return "見本会" if day < dt.date(2026, 4, 1) else "次の会"


@pytest.fixture
def contracted(tmp_path: Path, movable_clock: MovableClock) -> Iterator[Accounts]:
    """Accounts under a profile with contracts, on 2026-03-01."""
    movable_clock.to(dt.datetime(2026, 3, 1, 3, tzinfo=dt.UTC))
    found = Accounts(tmp_path / "contracted.db", SECRET, contractor_on)
    yield found
    found.close()


def session_of(accounts: Accounts, user: str) -> Principal:
    """A new session of the person."""
    person = accounts.session(accounts.sign_in(user, PASSWORD))
    assert person is not None
    return person


def test_a_post_and_a_key_keep_the_contractor_that_gave_them(contracted: Accounts, movable_clock: MovableClock) -> None:
    """That of the day they were given, or the one named; a later contractor takes nobody over by itself."""
    contracted.add_user("old", "見本　旧", [Post("center", ("clerk",)), Post("section", ("clerk",))], PASSWORD)
    contracted.add_user("new", "見本　新", [Post("center", ("clerk",), "次の会")], PASSWORD)
    key = contracted.add_key("見本システム", "center", (), ())
    named = contracted.add_key("見本システム", "center", (), (), contractor="次の会")
    movable_clock.to(dt.datetime(2026, 6, 1, 3, tzinfo=dt.UTC))
    assert session_of(contracted, "old").contractor == "見本会"
    assert session_of(contracted, "new").contractor == "次の会"
    assert [post.contractor for post in contracted.posts("old")] == ["見本会", ""]
    callers = [contracted.machine(value) for value in (key, named)]
    assert [caller.contractor for caller in callers if caller] == ["見本会", "次の会"]


def test_a_post_is_given_anew_by_the_next_contractor(contracted: Accounts, movable_clock: MovableClock) -> None:
    """Whoever goes on under the next contractor gets the post anew: its sessions end, the order of the posts stays."""
    contracted.add_user("stays", "見本　残", [Post("center", ("clerk",)), Post("section", ("clerk",))], PASSWORD)
    token = contracted.sign_in("stays", PASSWORD)
    movable_clock.to(dt.datetime(2026, 6, 1, 3, tzinfo=dt.UTC))
    contracted.set_post("stays", Post("center", ("clerk", "coordinator")))
    assert contracted.session(token) is None
    person = session_of(contracted, "stays")
    assert (person.agency, person.roles, person.contractor) == ("center", frozenset({"clerk", "coordinator"}), "次の会")
    contracted.set_post("stays", Post("third", ("clerk",)))
    assert [post.agency for post in contracted.posts("stays")] == ["center", "section", "third"]
    with pytest.raises(AccountError):
        contracted.set_post("nobody", Post("center", ("clerk",)))


def test_rows_from_before_belong_to_the_contractor_of_their_first_day(
    contracted: Accounts, movable_clock: MovableClock
) -> None:
    """Where no contractor is on record, it is the one of the day the account or the key was made; with none, none."""
    contracted.add_user("early", "見本　早", [Post("center", ("clerk",))], PASSWORD)
    key = contracted.add_key("見本システム", "center", (), ())
    movable_clock.to(dt.datetime(2026, 4, 10, 3, tzinfo=dt.UTC))
    contracted.add_user("between", "見本　間", [Post("center", ("clerk",))], PASSWORD)
    for table in ("posts", "keys"):
        contracted._change(f"UPDATE {table} SET contractor = ''")
    movable_clock.to(dt.datetime(2026, 6, 1, 3, tzinfo=dt.UTC))
    assert session_of(contracted, "early").contractor == "見本会"
    assert session_of(contracted, "between").contractor == ""
    caller = contracted.machine(key)
    assert caller is not None
    assert caller.contractor == "見本会"


def test_the_column_comes_to_a_database_of_before(tmp_path: Path) -> None:
    """A database of the first version is brought up to date at start; its posts and keys work on."""
    path = tmp_path / "accounts.db"
    engine = sa.create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    folder = tmp_path / "first"
    folder.mkdir()
    shutil.copy(MIGRATIONS / "0001_accounts.py", folder)
    with engine.connect() as connection:
        migrate(connection, folder, "alembic_accounts")
        connection.exec_driver_sql(
            "INSERT INTO users VALUES ('mado', '見本　窓子', ?, 0, 0, 0, 1767225600000000)",
            (argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD),),
        )
        connection.exec_driver_sql("INSERT INTO posts VALUES ('mado', 'center', 'clerk', 0)")
    engine.dispose()
    found = Accounts(path, SECRET, contractor_on)
    assert session_of(found, "mado").contractor == "見本会"
    found.close()


@pytest.mark.parametrize(
    ("roles", "reads"),
    [
        ({"administrator"}, False),
        ({"auditor"}, False),
        ({"administrator", "auditor"}, False),
        ({"auditor", "responsible_section"}, True),
        ({"clerk"}, True),
    ],
)
def test_who_only_administers_or_audits_reads_no_case(roles: set[str], reads: bool) -> None:
    """Such a post sees the record of what was done, never a case or a document."""
    assert Principal("mado", "見本　窓子", "section", frozenset(roles)).reads_cases is reads
