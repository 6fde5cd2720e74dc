"""Staff accounts and machine keys of one host: one small database that its services share, so that one sign-in serves all.

Passwords: argon2id; ten failures lock an account for a quarter of an hour. Sessions: 30 minutes idle, 12 hours in all; only a
hash of the session's secret is stored. Keys: 256 random bits, stored as HMAC, scoped, expiring.

A post and a key belong to the contractor that ran the agency on the day they were given, and keep it: whoever was taken on
by a later contractor is given the post anew (`set_post`). Where the contractor is not on record (an account from before it was
kept, or one made without), it is the one that ran the agency on the day the account or key was made; with none on that day,
the post opens nothing of an agency that is run under contracts.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import hmac
import secrets
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import argon2
import msgspec
import sqlalchemy as sa

from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import ROLE_MEMBER
from tsunagi_shared.database import migrate, write_ahead

FAILURES_ALLOWED = 10
LOCK_SECONDS = 15 * 60
IDLE_SECONDS = 30 * 60
ABSOLUTE_SECONDS = 12 * 3600
TOUCH_SECONDS = 60
PASSWORD_LENGTH = 12
WITHOUT_CASES = frozenset({"administrator", "auditor"})  # roles that by themselves read no case and no document
_US = 1_000_000

_hasher = argon2.PasswordHasher()
_two_at_a_time = threading.BoundedSemaphore(2)  # each check takes 64 MiB


ContractorOn = Callable[[str, dt.date], str]  # (agency, Japanese date) → who runs it under contract then, or empty


class Principal(msgspec.Struct, frozen=True):
    """Who is calling: one person (or a machine for an agency) acting for one agency, taken on by `contractor` (empty: by
    none; `Profile.acts_for` says whether that still holds)."""

    user: str
    name: str
    agency: str
    roles: frozenset[str]
    via: str = "session"  # session | key
    csrf: str = ""  # the session's form token
    scopes: frozenset[str] = frozenset()  # of a key
    contractor: str = ""

    @property
    def reads_cases(self) -> bool:
        """Whether the post has to do with cases at all: one that only administers or audits sees nothing of them."""
        return self.via == "key" or not self.roles or not self.roles <= WITHOUT_CASES


class Post(msgspec.Struct, frozen=True):
    """One post of a person: the agency, the roles held there, and the contractor that gave it (empty: whoever runs the
    agency on the day it is stored)."""

    agency: str
    roles: tuple[str, ...]
    contractor: str = ""


class AccountError(Exception):
    """What was asked of the accounts cannot be done; the text says why, in Japanese."""


class SignInRefused(Exception):
    """Wrong name or password, or the account is locked or disabled. The caller is told no more than that."""


def _nobody(_agency: str, _day: dt.date) -> str:
    return ""


class Accounts:
    """The accounts database. Every call is one short transaction of its own. `contractor_on` is the profile's."""

    def __init__(self, path: Path, secret: bytes, contractor_on: ContractorOn = _nobody) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._secret = secret
        self._contractor_on = contractor_on
        self._lock = threading.Lock()
        engine = sa.create_engine(
            f"sqlite:///{path}", isolation_level="AUTOCOMMIT", connect_args={"timeout": 30}, poolclass=sa.pool.NullPool
        )
        with engine.connect() as connection:
            migrate(connection, Path(__file__).parent / "migrations" / "accounts", "alembic_accounts")
        engine.dispose()
        path.chmod(0o600)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._db.row_factory = sqlite3.Row
        write_ahead(self._db)
        self._db.execute("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        self._db.close()

    def _one(self, sql: str, *values: object) -> sqlite3.Row | None:
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
            return row

    def _all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _change(self, sql: str, *values: object) -> int:
        with self._lock:
            return self._db.execute(sql, values).rowcount

    # people ------------------------------------------------------------------------------------------------------------

    def add_user(self, user: str, name: str, posts: list[Post], password: str | None = None) -> str:
        """A new account; returns its password (made up when none is given). AccountError when the id is taken or stands for
        a role."""
        if user.startswith(ROLE_MEMBER):
            raise AccountError(f"「{ROLE_MEMBER}」で始まるIDは使えません。")
        password = password or secrets.token_urlsafe(12)
        _check_password(password)
        try:
            self._change(
                "INSERT INTO users (id, name, password, failures, locked_until, disabled, created_at)"
                " VALUES (?, ?, ?, 0, 0, 0, ?)",
                user,
                name,
                _hasher.hash(password),
                clock.now_us(),
            )
        except sqlite3.IntegrityError:
            raise AccountError("そのIDはすでに使われています。") from None
        for order, post in enumerate(posts):
            self._keep_post(user, post, order)
        return password

    def _keep_post(self, user: str, post: Post, position: int) -> None:
        self._change(
            "INSERT INTO posts (user, agency, roles, position, contractor) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (user, agency) DO UPDATE SET roles = excluded.roles, contractor = excluded.contractor",
            user,
            post.agency,
            " ".join(post.roles),
            position,
            post.contractor or self._contractor_on(post.agency, clock.today()),
        )

    def set_post(self, user: str, post: Post) -> None:
        """Give a person a post, or the one they hold at that agency anew (other roles, or another contractor). Every
        session of the account ends. AccountError for an unknown id."""
        row = self._one("SELECT (SELECT count(*) FROM posts WHERE user = u.id) AS held FROM users u WHERE id = ?", user)
        if row is None:
            raise AccountError("そのIDのアカウントはありません。")
        self._keep_post(user, post, row["held"])
        self.sign_out_everywhere(user)

    def reset_password(self, user: str, password: str | None = None) -> str:
        """A new password; every session of the account ends and its lock is lifted."""
        password = password or secrets.token_urlsafe(12)
        _check_password(password)
        if not self._change(
            "UPDATE users SET password = ?, failures = 0, locked_until = 0 WHERE id = ?", _hasher.hash(password), user
        ):
            raise AccountError("そのIDのアカウントはありません。")
        self.sign_out_everywhere(user)
        return password

    def disable_user(self, user: str) -> None:
        """The account can no longer sign in, and its sessions end at once."""
        if not self._change("UPDATE users SET disabled = 1 WHERE id = ?", user):
            raise AccountError("そのIDのアカウントはありません。")
        self.sign_out_everywhere(user)

    def users(self) -> list[tuple[str, str, list[Post], bool]]:
        """(id, name, posts, disabled) of every account."""
        return [
            (row["id"], row["name"], self.posts(row["id"]), bool(row["disabled"]))
            for row in self._all("SELECT id, name, disabled FROM users ORDER BY id")
        ]

    def posts(self, user: str) -> list[Post]:
        """The person's posts, the first one first."""
        rows = self._all(
            "SELECT agency, roles, contractor, created_at FROM posts JOIN users ON id = user WHERE user = ? ORDER BY position",
            user,
        )
        return [Post(row["agency"], tuple(row["roles"].split()), self._contractor(row)) for row in rows]

    def _contractor(self, row: sqlite3.Row) -> str:
        """Who gave the post or the key of a row with agency, contractor and the moment the account or key was made."""
        kept: str = row["contractor"]
        return kept or self._contractor_on(row["agency"], clock.japanese_date(row["created_at"]))

    # sessions ----------------------------------------------------------------------------------------------------------

    def sign_in(self, user: str, password: str) -> str:
        """Check the password (slow on purpose: call it in a thread) and open a session; returns the session's secret."""
        with _two_at_a_time:  # looked up and counted inside, so that many guesses at once cannot outrun the lock
            row = self._one("SELECT password, locked_until, disabled FROM users WHERE id = ?", user)
            stored = row["password"] if row is not None else _hash_of_nobody()
            try:
                right = bool(_hasher.verify(stored, password))
            except argon2.exceptions.VerificationError:
                right = False
            if row is None or row["disabled"] or row["locked_until"] > clock.now_us():
                raise SignInRefused
            if not right:
                self._count_failure(user)
                raise SignInRefused
        self._change("UPDATE users SET failures = 0, locked_until = 0 WHERE id = ?", user)
        posts = self.posts(user)
        if not posts:
            raise SignInRefused
        return self._open_session(user, posts[0].agency)

    def _count_failure(self, user: str) -> None:
        # counted from nothing again once the lock has been set: ten in a row lock, not the first after a lock
        self._change(
            "UPDATE users SET locked_until = CASE WHEN failures + 1 >= ?1 THEN ?2 ELSE locked_until END,"
            " failures = CASE WHEN failures + 1 >= ?1 THEN 0 ELSE failures + 1 END WHERE id = ?3",
            FAILURES_ALLOWED,
            clock.now_us() + LOCK_SECONDS * _US,
            user,
        )

    def _open_session(self, user: str, agency: str, begun_at: int | None = None) -> str:
        token, moment = secrets.token_urlsafe(32), clock.now_us()
        self._change("DELETE FROM sessions WHERE created_at < ?", moment - ABSOLUTE_SECONDS * _US)
        self._change(
            "INSERT INTO sessions (id, user, agency, csrf, created_at, seen_at) VALUES (?, ?, ?, ?, ?, ?)",
            _hash(token),
            user,
            agency,
            secrets.token_urlsafe(24),
            begun_at or moment,
            moment,
        )
        return token

    def act_for(self, token: str, agency: str) -> str:
        """Go on under another of the person's posts, in a new session that ends when the old one would have.

        AccountError when they hold no post there.
        """
        row = self._one("SELECT user, created_at FROM sessions WHERE id = ?", _hash(token))
        if row is None or agency not in {post.agency for post in self.posts(row["user"])}:
            raise AccountError("その機関での役職はありません。")
        self.sign_out(token)
        return self._open_session(row["user"], agency, row["created_at"])

    def session(self, token: str) -> Principal | None:
        """Who holds this session, or None when it is unknown, idle for too long, too old, or the account is disabled."""
        row = self._one(
            "SELECT s.id, s.user, s.agency, s.csrf, s.created_at AS begun_at, s.seen_at, u.name, u.created_at, p.roles,"
            " p.contractor FROM sessions s JOIN users u ON u.id = s.user JOIN posts p ON p.user = s.user AND p.agency = s.agency"
            " WHERE s.id = ? AND u.disabled = 0",
            _hash(token),
        )
        if row is None:
            return None
        moment = clock.now_us()
        if moment - row["seen_at"] > IDLE_SECONDS * _US or moment - row["begun_at"] > ABSOLUTE_SECONDS * _US:
            self.sign_out(token)
            return None
        if moment - row["seen_at"] > TOUCH_SECONDS * _US:
            self._change("UPDATE sessions SET seen_at = ? WHERE id = ?", moment, row["id"])
        return Principal(
            row["user"],
            row["name"],
            row["agency"],
            frozenset(row["roles"].split()),
            "session",
            row["csrf"],
            contractor=self._contractor(row),
        )

    def sign_out(self, token: str) -> None:
        self._change("DELETE FROM sessions WHERE id = ?", _hash(token))

    def sign_out_everywhere(self, user: str) -> None:
        self._change("DELETE FROM sessions WHERE user = ?", user)

    # machines ----------------------------------------------------------------------------------------------------------

    def add_key(
        self,
        name: str,
        agency: str,
        roles: tuple[str, ...],
        scopes: tuple[str, ...],
        days: int = 365,
        contractor: str = "",
    ) -> str:
        """A new machine key for an agency, of the contractor that runs it today unless another is named; returns
        `<id>.<secret>`, which is shown this once only."""
        key, value = secrets.token_hex(6), secrets.token_urlsafe(32)
        self._change(
            "INSERT INTO keys (id, name, agency, roles, scopes, hmac, expires_at, disabled, created_at, contractor)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
            key,
            name,
            agency,
            " ".join(roles),
            " ".join(scopes),
            self._hmac(value),
            clock.now_us() + days * 86_400 * _US,
            clock.now_us(),
            contractor or self._contractor_on(agency, clock.today()),
        )
        return f"{key}.{value}"

    def disable_key(self, key: str) -> None:
        if not self._change("UPDATE keys SET disabled = 1 WHERE id = ?", key):
            raise AccountError("その番号のAPIキーはありません。")

    def machine_keys(self) -> list[tuple[str, str, str, str, int, bool]]:
        """(id, name, agency, scopes, expires at, disabled) of every key."""
        return [
            (r["id"], r["name"], r["agency"], r["scopes"], r["expires_at"], bool(r["disabled"]))
            for r in self._all("SELECT * FROM keys ORDER BY created_at")
        ]

    def machine(self, value: str) -> Principal | None:
        """Who calls with this key, or None when it is unknown, expired or disabled."""
        key, _, secret = value.partition(".")
        row = self._one(
            "SELECT name, agency, roles, scopes, hmac, expires_at, created_at, contractor FROM keys"
            " WHERE id = ? AND disabled = 0",
            key,
        )
        if (
            row is None
            or not hmac.compare_digest(row["hmac"], self._hmac(secret))
            or row["expires_at"] < clock.now_us()
        ):
            return None
        return Principal(
            f"key:{key}",
            row["name"],
            row["agency"],
            frozenset(row["roles"].split()),
            "key",
            "",
            frozenset(row["scopes"].split()),
            self._contractor(row),
        )

    def _hmac(self, secret: str) -> bytes:
        return hmac.digest(self._secret, secret.encode(), "sha256")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _check_password(password: str) -> None:
    if len(password) < PASSWORD_LENGTH:
        raise AccountError(f"パスワードは{PASSWORD_LENGTH}文字以上にしてください。")


@functools.cache
def _hash_of_nobody() -> str:
    """The hash an unknown name is checked against, so that it costs as much time as a known one; made when first needed."""
    return _hasher.hash(secrets.token_urlsafe(12))
