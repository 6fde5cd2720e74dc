"""The units that run the services on a host of their own: well-formed, closed, and in step with settings and documentation."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tsunagi_documents.settings import DocumentsSettings
from tsunagi_intake.settings import IntakeSettings
from tsunagi_notify.settings import NotifySettings
from tsunagi_shared.commands import example
from tsunagi_shared.contracts.streams import SERVICES
from tsunagi_shared.settings import Settings, read

REPOSITORY = Path(__file__).resolve().parents[2]
UNITS = REPOSITORY / "deploy" / "systemd"
HOWTO = REPOSITORY / "docs" / "howto" / "run-one-service.md"
NAMES = (*(f"tsunagi-{service}" for service in SERVICES), "tsunagi-hub")
INSTALLED = "/opt/tsunagi/bin"
MOST_EXPOSURE = 20  # tenths of systemd-analyze's scale, on which 100 is an unprotected service
SETTINGS: dict[str, type[Settings]] = {
    "intake": IntakeSettings,
    "documents": DocumentsSettings,
    "notify": NotifySettings,
}


def unit_text(name: str) -> str:
    return (UNITS / f"{name}.service").read_text(encoding="utf-8")


def values_of(text: str, key: str) -> list[str]:
    """Every value of a key, in order."""
    return re.findall(rf"^{re.escape(key)}=(.*)$", text, re.MULTILINE)


def runnable(name: str, folder: Path) -> Path:
    """The unit as it would be with the programs of this environment, so that the programs are looked for too."""
    unit = folder / f"{name}.service"
    unit.write_text(unit_text(name).replace(INSTALLED, sysconfig.get_path("scripts")), encoding="utf-8")
    return unit


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def test_every_unit_is_one_of_the_named() -> None:
    """A unit that no test looks at is not shipped."""
    assert sorted(path.stem for path in UNITS.glob("*.service")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_nothing_wrong(name: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` knows every key and finds the program."""
    run = analyze("verify", "--man=no", str(runnable(name, tmp_path)))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize("name", NAMES)
def test_units_are_hardened(name: str, tmp_path: Path) -> None:
    """The exposure that systemd itself counts stays low."""
    run = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(runnable(name, tmp_path)))
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reaches_its_own_data_only(service: str) -> None:
    """A service writes its own folder and the accounts; the folders of the other services are closed to it."""
    text = unit_text(f"tsunagi-{service}")
    assert values_of(text, "StateDirectory") == [f"tsunagi/{service} tsunagi/accounts"]
    closed = [f"-/var/lib/tsunagi/{other}" for other in SERVICES if other != service]
    assert values_of(text, "InaccessiblePaths") == [" ".join(closed)]
    assert values_of(text, "EnvironmentFile") == [f"/etc/tsunagi/{service}.env"]


def test_the_users_of_the_units_are_made() -> None:
    """Every user that a unit names stands in the sysusers file."""
    made = set(re.findall(r"^u (\S+) ", (UNITS / "tsunagi.sysusers.conf").read_text(encoding="utf-8"), re.MULTILINE))
    assert made == {user for name in NAMES for user in values_of(unit_text(name), "User")}


@pytest.mark.parametrize("service", SERVICES)
def test_the_example_of_settings_is_what_the_service_prints(service: str) -> None:
    """deploy/env/<service>.env.example is the output of `tsunagi-<service> settings`."""
    kept = (REPOSITORY / "deploy" / "env" / f"{service}.env.example").read_text(encoding="utf-8")
    assert kept == example(SETTINGS[service])


def settings_of_howto(service: str) -> dict[str, str]:
    """The block of the how-to that begins with the name of the service's settings file."""
    blocks: list[str] = re.findall(r"^```ini\n(.*?)^```$", HOWTO.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    block = next(block for block in blocks if block.startswith(f"# /etc/tsunagi/{service}.env\n"))
    return dict(line.split("=", 1) for line in block.splitlines() if line and not line.startswith("#"))


@pytest.mark.parametrize("service", SERVICES)
def test_the_settings_of_the_how_to_fit_service_and_unit(service: str) -> None:
    """They are accepted, their data lies where the unit lets it, and each key is one that the unit hands over."""
    written = settings_of_howto(service)
    settings = read(SETTINGS[service], written)
    assert settings.database.parent == Path("/var/lib/tsunagi") / service
    assert settings.accounts.parent == Path("/var/lib/tsunagi/accounts")
    handed = {value.split(":")[0] for value in values_of(unit_text(f"tsunagi-{service}"), "LoadCredential")}
    place = Path(f"/run/credentials/tsunagi-{service}.service")
    named = {Path(value) for name, value in written.items() if name.endswith("_FILE")}
    assert {path.name for path in named if path.is_relative_to(place)} == handed
    assert {path for path in named if not path.is_relative_to(place)} == {Path("/etc/tsunagi/secret")}
