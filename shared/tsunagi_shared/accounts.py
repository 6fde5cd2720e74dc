"""Staff accounts and machine keys of one host: one small database that its services share, so that one sign-in serves all.

Passwords: argon2id; ten failures lock an account for a quarter of an hour. Sessions: 30 minutes idle, 12 hours in all; only a
hash of the session's secret is stored. Keys: 256 random bits, stored as HMAC, scoped, expiring.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
from pathlib import Path

import argon2
import msgspec
import sqlalchemy as sa

from tsunagi_shared import clock
from tsunagi_shared.database import migrate, write_ahead

FAILURES_ALLOWED = 10
LOCK_SECONDS = 15 * 60
IDLE_SECONDS = 30 * 60
ABSOLUTE_SECONDS = 12 * 3600
TOUCH_SECONDS = 60
PASSWORD_LENGTH = 12
ADMINISTRATOR = "administrator"
_US = 1_000_000

_hasher = argon2.PasswordHasher()
_two_at_a_time = threading.BoundedSemaphore(2)  # each check takes 64 MiB


class Principal(msgspec.Struct, frozen=True):
    """Who is calling: one person (or a machine for an agency) acting for one agency."""

    user: str
    name: str
    agency: str
    roles: frozenset[str]
    via: str = "session"  # session | key
    csrf: str = ""  # the session's form token
    scopes: frozenset[str] = frozenset()  # of a key

    @property
    def reads_cases(self) -> bool:
        """Whether the post has to do with cases at all: one that only administers the system sees nothing of them."""
        return self.via == "key" or self.roles != frozenset({ADMINISTRATOR})


class Post(msgspec.Struct, frozen=True):
    """One post of a person: the agency and the roles held there."""

    agency: str
    roles: tuple[str, ...]


class AccountError(Exception):
    """What was asked of the accounts cannot be done; the text says why, in Japanese."""


class SignInRefused(Exception):
    """Wrong name or password, or the account is locked or disabled. The caller is told no more than that."""


class Accounts:
    """The accounts database. Every call is one short transaction of its own."""

    def __init__(self, path: Path, secret: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._secret = secret
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
        """A new account; returns its password (made up when none is given). AccountError when the id is taken."""
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
            self._change(
                "INSERT INTO posts (user, agency, roles, position) VALUES (?, ?, ?, ?)",
                user,
                post.agency,
                " ".join(post.roles),
                order,
            )
        return password

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
        rows = self._all("SELECT agency, roles FROM posts WHERE user = ? ORDER BY position", user)
        return [Post(row["agency"], tuple(row["roles"].split())) for row in rows]

    # sessions ----------------------------------------------------------------------------------------------------------

    def sign_in(self, user: str, password: str) -> str:
        """Check the password (slow on purpose: call it in a thread) and open a session; returns the session's secret."""
        with _two_at_a_time:  # looked up and counted inside, so that many guesses at once cannot outrun the lock
            row = self._one("SELECT password, locked_until, disabled FROM users WHERE id = ?", user)
            stored = row["password"] if row is not None else _NOBODY
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
            "SELECT s.id, s.user, s.agency, s.csrf, s.created_at, s.seen_at, u.name, p.roles"
            " FROM sessions s JOIN users u ON u.id = s.user JOIN posts p ON p.user = s.user AND p.agency = s.agency"
            " WHERE s.id = ? AND u.disabled = 0",
            _hash(token),
        )
        if row is None:
            return None
        moment = clock.now_us()
        if moment - row["seen_at"] > IDLE_SECONDS * _US or moment - row["created_at"] > ABSOLUTE_SECONDS * _US:
            self.sign_out(token)
            return None
        if moment - row["seen_at"] > TOUCH_SECONDS * _US:
            self._change("UPDATE sessions SET seen_at = ? WHERE id = ?", moment, row["id"])
        return Principal(
            row["user"], row["name"], row["agency"], frozenset(row["roles"].split()), "session", row["csrf"]
        )

    def sign_out(self, token: str) -> None:
        self._change("DELETE FROM sessions WHERE id = ?", _hash(token))

    def sign_out_everywhere(self, user: str) -> None:
        self._change("DELETE FROM sessions WHERE user = ?", user)

    # machines ----------------------------------------------------------------------------------------------------------

    def add_key(self, name: str, agency: str, roles: tuple[str, ...], scopes: tuple[str, ...], days: int = 365) -> str:
        """A new machine key for an agency; returns `<id>.<secret>`, which is shown this once only."""
        key, value = secrets.token_hex(6), secrets.token_urlsafe(32)
        self._change(
            "INSERT INTO keys (id, name, agency, roles, scopes, hmac, expires_at, disabled, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)",
            key,
            name,
            agency,
            " ".join(roles),
            " ".join(scopes),
            self._hmac(value),
            clock.now_us() + days * 86_400 * _US,
            clock.now_us(),
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
            "SELECT name, agency, roles, scopes, hmac, expires_at FROM keys WHERE id = ? AND disabled = 0", key
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
        )

    def _hmac(self, secret: str) -> bytes:
        return hmac.digest(self._secret, secret.encode(), "sha256")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _check_password(password: str) -> None:
    if len(password) < PASSWORD_LENGTH:
        raise AccountError(f"パスワードは{PASSWORD_LENGTH}文字以上にしてください。")


_NOBODY = _hasher.hash(secrets.token_urlsafe(12))  # an unknown name costs as much time as a known one
