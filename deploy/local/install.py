"""Installs what the Makefile's targets need: system packages, the virtual environment, the pinned packages, the members.

Run by the `python3` of PATH before anything is installed, so it uses the standard library only. What is there already is
left alone: a second run only looks. `python3 deploy/local/install.py [--with-browser]`
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENT = REPOSITORY / ".venv"
LOCK = REPOSITORY / "requirements.lock"
MEMBERS = ("shared", "services/intake", "services/documents", "services/notify")
VERSION = sys.version_info[:2]
STAMP = ENVIRONMENT / "installed.sha256"


class Need(NamedTuple):
    """A system package: what it is for, and the packages or programs that serve as well."""

    package: str
    purpose: str
    instead: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()


POPPLER = Need("poppler-utils", "PDFの確認（Poppler）", programs=("pdftoppm",))
NEEDS = (
    Need("libreoffice-writer-nogui", "PDFの作成（LibreOffice Writer）", instead=("libreoffice-writer",)),
    Need("python3-uno", "LibreOfficeの操作"),
    Need("fonts-ipaexfont", "IPAexフォント"),
    Need("fonts-ipamj-mincho", "IPAmj明朝（人名の文字）"),
    Need("fonts-noto-cjk", "Noto CJKフォント"),
    POPPLER,
)
BROWSER = Need("chromium", "画面の確認（Chromium）", programs=("chromium", "chromium-browser", "google-chrome"))
TEST_NEEDS = (
    BROWSER,
    Need("systemd", "起動の設定の検査（systemd-analyze）", programs=("systemd-analyze",)),
    Need("curl", "説明書のコマンドの確認（curl）", programs=("curl",)),
)
VENV = Need("python3-venv", "Pythonの仮想環境")


class CannotInstallError(Exception):
    """What stands in the way, as a sentence that says what to do."""


def say(sentence: str) -> None:
    print(sentence, flush=True)


def _quiet(*command: str) -> bool:
    try:
        run = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    except OSError:  # there is no such program, or it cannot run here
        return False
    return run.returncode == 0


def _run(sentence: str, *command: str) -> None:
    """Runs it, its output kept back; on failure the end of that is shown with the sentence of what was being done."""
    say(sentence)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run = subprocess.run(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if run.returncode != 0:
        tail = run.stdout.decode("utf-8", errors="replace").splitlines()[-20:]
        said = "\n".join(f"    {line}" for line in tail)
        raise CannotInstallError(
            f"うまくいきませんでした。次のコマンドの結果を確かめてください。\n  {shlex.join(command)}\n{said}"
        )


def _installed_packages(names: list[str]) -> set[str]:
    run = subprocess.run(
        ["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\\n", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    return {line.split()[0] for line in run.stdout.splitlines() if line.endswith(" installed")}


def missing_needs(needs: list[Need], *, debian: bool) -> list[Need]:
    """The needs that nothing on this machine meets. Off Debian only programs can be looked for."""
    packages = [package for need in needs for package in (need.package, *need.instead)]
    installed = _installed_packages(packages) if debian else set()
    missing = []
    for need in needs:
        by_package = bool(installed & {need.package, *need.instead})
        by_program = any(shutil.which(program) for program in need.programs)
        if not (by_package or by_program):
            missing.append(need)
    return missing


def _needs_outside_debian(*, with_browser: bool) -> list[Need]:
    fonts = (
        subprocess.run(["fc-list"], capture_output=True, text=True, check=False).stdout
        if shutil.which("fc-list")
        else ""
    )
    needs = [Need("libreoffice", "PDFの作成（LibreOffice Writer）", programs=("soffice",)), POPPLER]
    needs += [Need(name, f"{name}フォント") for name in ("IPAex", "IPAmj", "Noto Sans CJK") if name not in fonts]
    return [*needs, *TEST_NEEDS] if with_browser else needs


def install_system_packages(*, with_browser: bool) -> None:
    """Installs what is missing where it may (root on Debian or Ubuntu); else CannotInstallError with the line to run."""
    debian = bool(shutil.which("apt-get") and shutil.which("dpkg-query"))
    if not debian:
        missing = missing_needs(_needs_outside_debian(with_browser=with_browser), debian=False)
        if missing:
            names = "\n".join(f"  ・{need.purpose}" for need in missing)
            raise CannotInstallError(f"次のものを入れてから、もう一度実行してください。\n{names}")
        return
    needs = [*NEEDS, *TEST_NEEDS] if with_browser else [*NEEDS]
    if not _quiet(sys.executable, "-c", "import ensurepip, venv"):
        needs.append(VENV)
    missing = missing_needs(needs, debian=True)
    if VENV in needs and VENV not in missing:
        raise CannotInstallError(
            f"{sys.executable} では仮想環境を作れません。venv を含む Python 3.11 以上を、make PYTHON=… で指定してください。"
        )
    if not missing:
        return
    packages = [need.package for need in missing]
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid() != 0:
        raise CannotInstallError(
            "システムのパッケージが足りません。次の1行を実行してから、もう一度お試しください。\n"
            f"  sudo apt-get update && sudo {shlex.join(install)}"
        )
    waiting = ["-o", "DPkg::Lock::Timeout=120"]
    _run("システムのパッケージの一覧を更新しています。", "apt-get", "update", "-q")
    _run(
        f"システムのパッケージを入れています（数分かかることがあります）：{'、'.join(packages)}",
        *install,
        *waiting,
        "-q",
    )


def wanted_state() -> str:
    """What the virtual environment was made from, as one hash: the lock, every pyproject, the version of Python."""
    state = hashlib.sha256(f"{VERSION}\n{ENVIRONMENT}\n".encode())
    for path in (LOCK, REPOSITORY / "pyproject.toml", *(REPOSITORY / member / "pyproject.toml" for member in MEMBERS)):
        state.update(path.read_bytes())
    return state.hexdigest()


def _installed_state() -> str:
    return STAMP.read_text(encoding="ascii") if STAMP.exists() else ""


def install_python_packages() -> None:
    """Makes the virtual environment and puts into it exactly what the lock names, and the four members as they lie here."""
    wanted = wanted_state()
    python = str(ENVIRONMENT / "bin" / "python")
    if _installed_state() == wanted and _quiet(python, "-c", ""):
        return
    STAMP.unlink(missing_ok=True)
    if not _quiet(python, "-m", "pip", "--version") or not _quiet(
        python, "-c", f"import sys; assert sys.version_info[:2] == {VERSION}"
    ):
        _run("Pythonの仮想環境（.venv）を作っています。", sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT))
    pip = (python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off")
    count = sum(1 for line in LOCK.read_text(encoding="utf-8").splitlines() if line[:1].isalnum())
    _run(
        f"Pythonのパッケージ{count}件を入れています（1〜2分かかります）。",
        *(*pip, "--require-hashes", "--no-deps", "-r", str(LOCK)),
    )
    members = [argument for member in MEMBERS for argument in ("-e", member)]
    _run("つなぎの4つのパッケージを入れています。", *pip, "--no-build-isolation", "--no-deps", *members)
    STAMP.write_text(wanted, encoding="ascii")


def main() -> int:
    """0 when everything is there; 1 with one plain sentence when something has to be done by hand."""
    parser = argparse.ArgumentParser(description="実行に必要なものを入れます。")
    parser.add_argument(
        "--with-browser", action="store_true", help="テストに使うもの（Chromium、systemd、curl）も入れます"
    )
    chosen = parser.parse_args()
    with LOCK.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs of make at once install once
        try:
            install_system_packages(with_browser=chosen.with_browser)
            install_python_packages()
        except CannotInstallError as failure:
            print(failure, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
