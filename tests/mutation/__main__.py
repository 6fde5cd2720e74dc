"""`make mutation`: whether the tests of the rules notice when a rule is wrong.

Every mutant of the modules that decide who may see what is run against the fast tests of the rules, each in a process of
its own, as many at once as there are processors. One that no test notices must be explained in docs/mutation.md; else the
command fails.
"""

from __future__ import annotations

import argparse
import enum
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import os
import re
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from tests.mutation.mutants import Mutant, mutants

REPOSITORY = Path(__file__).parents[2]
INTAKE = REPOSITORY / "services" / "intake" / "tsunagi_intake"
EXPLAINED = REPOSITORY / "docs" / "mutation.md"
# The modules, each with the tests that know most about it first.
MODULES = {
    "consents": ("consents", "audience", "rules"),
    "audience": ("audience", "consents"),
    "rules": ("rules",),
    "lifecycle": ("lifecycle", "rules"),
}
MOST_SECONDS = 20  # of one mutant, of the processor's time; more than that, it runs for ever
SURVIVED, KILLED = 0, 1
_ROW = re.compile(r"^\| *`(?P<name>.+?)` *\| *(?P<reason>\S.*?) *\|$", re.MULTILINE)


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports the mutant in the place of its module."""

    def __init__(self, module: str, source: str) -> None:
        self._module, self._source = module, source

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Only of that module."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._module else None

    def get_source(self, fullname: str) -> str:
        """The mutant."""
        return self._source

    def get_code(self, fullname: str) -> CodeType:
        """The mutant, compiled."""
        return compile(self._source, f"<{fullname}>", "exec")


def names_of(module: ModuleType) -> dict[str, tuple[str, ...]]:
    """By the name of each enumeration in it, the members."""
    return {
        name: tuple(value.__members__)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, enum.Enum)
    }


def forget(*prefixes: str) -> None:
    """Let the modules be imported anew."""
    for name in [name for name in sys.modules if name.startswith(prefixes)]:
        del sys.modules[name]


def run(module: str, source: str) -> int:
    """In a process of its own: the tests with the mutant; KILLED when one fails."""
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    forget("tsunagi_intake")
    sys.meta_path.insert(0, _Changed(f"tsunagi_intake.{module}", source))
    try:
        for name in MODULES[module]:
            for test, arguments in calls(importlib.import_module(f"tests.intake.test_{name}")):
                test(**arguments)
    except BaseException:  # noqa: BLE001 - however a test or an import fails, the mutant was noticed
        return KILLED
    return SURVIVED


def calls(module: ModuleType) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each test of the module with each set of arguments it is parametrized with. These tests use no fixtures.

    pytest itself would take ten times as long as the tests do.
    """
    for name, test in vars(module).items():
        if not name.startswith("test_"):
            continue
        sets: list[list[dict[str, Any]]] = []
        for mark in getattr(test, "pytestmark", ()):
            names, rows = mark.args
            names = [part.strip() for part in names.split(",")] if isinstance(names, str) else list(names)
            single = len(names) == 1
            sets.append([dict(zip(names, [row] if single else row, strict=True)) for row in rows])
        for chosen in itertools.product(*sets):
            yield test, {key: value for part in chosen for key, value in part.items()}


def start(module: str, mutant: Mutant) -> int:
    """Run a mutant beside this process; its process id."""
    child = os.fork()
    if child:
        return child
    found = KILLED
    try:
        found = run(module, mutant.source)
    finally:
        os._exit(found)


def survivors(module: str, found: Sequence[Mutant], jobs: int) -> list[str]:
    """The names of those that no test noticed, in the order they were made."""
    running: dict[int, str] = {}
    alive: set[str] = set()
    waiting = list(reversed(found))
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            running[start(module, mutant)] = mutant.name
        child, status = os.wait()
        name = running.pop(child)
        if status == SURVIVED:
            alive.add(name)
    return [mutant.name for mutant in found if mutant.name in alive]


def explained() -> dict[str, str]:
    """By the name of a mutant (with its module), why it may survive."""
    text = EXPLAINED.read_text(encoding="utf-8") if EXPLAINED.exists() else ""
    return {found["name"].replace("\\|", "|"): found["reason"] for found in _ROW.finditer(text)}


def main() -> int:
    """0: every mutant was noticed, or is explained."""
    parser = argparse.ArgumentParser(prog="make mutation")
    parser.add_argument("--module", choices=MODULES, action="append", help="この部分だけを試します")
    parser.add_argument("--only", default="", help="名前にこの文字を含むものだけを試します")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="同時に試す数")
    chosen = parser.parse_args()
    begun = time.monotonic()
    for name in ("pytest", "tests.data.services", "tsunagi_shared.accounts"):  # once, and not in each process
        importlib.import_module(name)
    known = explained()
    total, unexplained, met = 0, [], set()
    for module in chosen.module or MODULES:
        source = (INTAKE / f"{module}.py").read_text(encoding="utf-8")
        names = names_of(importlib.import_module(f"tsunagi_intake.{module}"))
        if run_as_it_is(module, source) != SURVIVED:
            print(f"{module}：手を加えないテストが失敗します。先に make test を通してください。")
            return 1
        found = [mutant for mutant in mutants(source, names) if chosen.only in mutant.name]
        alive = [f"{module}.{name}" for name in survivors(module, found, chosen.jobs)]
        total += len(found)
        met |= set(alive)
        unexplained += [name for name in alive if name not in known]
        print(
            f"{module}：{len(found)}通りの誤りを試し、{len(found) - len(alive)}通りにテストが気付きました。", flush=True
        )
    whole = not chosen.module and not chosen.only
    stale = [name for name in known if name not in met] if whole else []
    seconds, accounted = time.monotonic() - begun, len(met & set(known))
    print(f"合計{total}通り、{seconds:.0f}秒。気付かれず、説明のあるもの{accounted}通り。")
    for name in unexplained:
        print(f"説明がありません（docs/mutation.md）：`{name}`")
    for name in stale:
        print(f"もう当てはまらない説明です（docs/mutation.md）：`{name}`")
    if not unexplained and not stale:
        print("説明のない見落としはありません。")
    return 1 if unexplained or stale else 0


def run_as_it_is(module: str, source: str) -> int:
    """The tests with the module as it is."""
    child = start(module, Mutant("as it is", source))
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    sys.exit(main())
