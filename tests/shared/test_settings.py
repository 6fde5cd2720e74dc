"""Settings: every mistake at once, in words; secrets by file only; the printed sample fits what is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.services import service_named
from tsunagi_shared.commands import example
from tsunagi_shared.contracts.streams import SERVICES
from tsunagi_shared.settings import Settings, SettingsError, read, secret

GOOD = {
    "TSUNAGI_PROFILE": "p",
    "TSUNAGI_DATABASE": "d.db",
    "TSUNAGI_ACCOUNTS": "a.db",
    "TSUNAGI_SECRET_FILE": "s",
    "TSUNAGI_NATS_SEED_FILE": "n",
}


def test_defaults_are_closed() -> None:
    """What is not said is the safe value: loopback, secure cookies, the real clock."""
    found = read(Settings, GOOD)
    assert (found.profile, found.host, found.cookie_secure) == (Path("p"), "127.0.0.1", True)
    assert (found.clock_file, found.nats_ca_file, found.log_level) == (None, None, "info")


def test_values_take_their_types() -> None:
    """Numbers, switches and paths out of text; an empty value is a missing one; other programs' variables are left alone."""
    found = read(
        Settings,
        {
            **GOOD,
            "TSUNAGI_PORT": "8090",
            "TSUNAGI_COOKIE_SECURE": "false",
            "TSUNAGI_CLOCK_FILE": "clock",
            "TSUNAGI_HOST": "",
            "PATH": "/bin",
        },
    )
    assert (found.port, found.cookie_secure, found.clock_file, found.host) == (8090, False, Path("clock"), "127.0.0.1")


def test_every_mistake_is_told_at_once() -> None:
    """Missing, misspelt, out of range and of the wrong form: one sentence each, with the variable's name."""
    with pytest.raises(SettingsError) as wrong:
        read(
            Settings,
            {
                **GOOD,
                "TSUNAGI_PROFILE": "",
                "TSUNAGI_DATABSE": "x",
                "TSUNAGI_PORT": "99999",
                "TSUNAGI_COOKIE_SECURE": "perhaps",
                "TSUNAGI_LOG_LEVEL": "loud",
            },
        )
    told = {problem.partition(":")[0] for problem in wrong.value.problems}
    assert told == {
        "TSUNAGI_PROFILE", "TSUNAGI_DATABSE", "TSUNAGI_PORT", "TSUNAGI_COOKIE_SECURE", "TSUNAGI_LOG_LEVEL",
    }  # fmt: skip
    assert len(wrong.value.problems) == 5


def test_secrets_come_from_files(tmp_path: Path) -> None:
    """Missing and too short ones are refused by the file's name alone, never by what is in it."""
    path = tmp_path / "secret"
    with pytest.raises(SettingsError, match="secret"):
        secret(path)
    path.write_text("short-and-bad")
    with pytest.raises(SettingsError) as wrong:
        secret(path)
    assert "short-and-bad" not in str(wrong.value)
    path.write_text("  " + "x" * 32 + "\n")
    assert secret(path) == b"x" * 32


@pytest.mark.parametrize("service", SERVICES)
def test_the_sample_is_complete_and_fits(service: str) -> None:
    """`settings` prints every variable with what it means; filled in where it is required, it can be read back."""
    kind = service_named(service).settings
    text = example(kind)
    lines = [line for line in text.splitlines() if line]
    variables = [line for line in lines if line.lstrip("# ").startswith("TSUNAGI_")]
    assert len(variables) == len(kind.__struct_fields__)
    for line in variables:
        meaning = lines[lines.index(line) - 1]
        assert meaning.startswith("# ")
        assert len(meaning) > 4
    pairs = [line.lstrip("# ").partition("=") for line in variables]
    environment = {name: value or ("filled-in@example.jp" if f"\n{name}=" in text else "") for name, _, value in pairs}
    found = read(kind, environment)
    assert found.profile == Path("filled-in@example.jp")
    for name in kind.__struct_fields__:
        assert not any(word in name for word in ("password", "secret", "seed")) or name.endswith("_file")
