"""Secrets as files that only their owner can read: nkey seeds, and the key that encrypts the streams at rest."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

import nkeys

ADMIN = "admin"  # the hub's own user: makes streams and consumers, and nothing else signs in with it
STORE_KEY_BYTES = 32


def private_folder(path: Path) -> Path:
    """The folder, made if it is not there, closed to others (0700); as an absolute path."""
    path = path.resolve()
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, content: str) -> None:
    """Writes the file so that it is never readable by others (0600), and is there whole or not at all."""
    private_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """What the file holds, without white space at its ends; a file that is not there is made first (0600)."""
    if not path.exists():
        write_private(path, make() + "\n")
    return path.read_text(encoding="utf-8").strip()


def new_seed() -> str:
    """A fresh nkey seed of a user (`SU…`), from the system's random source."""
    seed: bytes = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
    return seed.decode()


def public_key_of(seed: str) -> str:
    """The public key (`U…`) that belongs to a seed. nkeys.NkeysError when it is no seed."""
    pair = nkeys.from_seed(bytearray(seed.encode()))
    public_key: bytes = pair.public_key
    pair.wipe()
    return public_key.decode()


def seed_file(folder: Path, user: str) -> Path:
    """Where the hub's folder keeps the seed of `admin` or of a service."""
    return folder / "keys" / f"{user}.nk"


def new_store_key() -> str:
    """A fresh key for encryption at rest, as hexadecimal digits."""
    return secrets.token_hex(STORE_KEY_BYTES)
