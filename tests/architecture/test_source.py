"""How the source is kept: one place for the clock and for the environment, no drawers, small pieces, clean layers."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = {
    "tsunagi_shared": REPOSITORY / "shared" / "tsunagi_shared",
    **{
        f"tsunagi_{name}": REPOSITORY / "services" / name / f"tsunagi_{name}"
        for name in ("intake", "documents", "notify")
    },
}
MOST_LINES_OF_A_MODULE = 450
MOST_LINES_OF_A_FUNCTION = 75
DRAWERS = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc", "tools"}
COMMON_MODULES = {"__main__", "app", "settings", "tables", "handlers", "routes", "pages"}
# Strings are put together here, so that this file itself holds none of them.
REGISTRIES = [
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("deb", "debian", "org"))
]
MACHINE_PATHS = [f"/{name}/" for name in ("work", "root", "home", "Users")]


def modules(*folders: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file under the folders, parsed."""
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            yield path, parsed(path)


@functools.cache
def parsed(path: Path) -> ast.Module:
    """The file's tree, read once for all rules."""
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path, node: ast.AST | None = None) -> str:
    """`path:line` for a message."""
    return f"{path.relative_to(REPOSITORY)}:{getattr(node, 'lineno', 1)}"


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an attribute chain; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def imported(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """(node, module or module.name) of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


_ENVIRONMENT = re.compile(r"^(os\.)?(environ|environb|getenv|getenvb|putenv)\b")


def test_only_settings_reads_the_environment() -> None:
    """A service is set up by its settings page and nothing else."""
    found = []
    for path, tree in modules(*PACKAGES.values()):
        if path == PACKAGES["tsunagi_shared"] / "settings.py":
            continue
        found += [place(path, node) for node in ast.walk(tree) if _ENVIRONMENT.match(dotted(node))]
        found += [place(path, node) for node, name in imported(tree) if re.match(r"os\.(environ|getenv|putenv)", name)]
    assert found == []


_TIME_OF_DAY = re.compile(
    r"(^|\.)(datetime\.(now|utcnow|today|fromtimestamp|utcfromtimestamp)|date\.(today|fromtimestamp))$"
    r"|^time\.(time|time_ns|localtime|gmtime|ctime|asctime|strftime)$"
)


def test_only_clock_asks_the_time_of_day() -> None:
    """年度, due dates and time-outs can be tried out, because one module alone says what time it is."""
    found = []
    for path, tree in modules(*PACKAGES.values()):
        if path == PACKAGES["tsunagi_shared"] / "clock.py":
            continue
        found += [place(path, node) for node in ast.walk(tree) if _TIME_OF_DAY.search(dotted(node))]
        found += [
            place(path, node) for node, name in imported(tree) if name in ("time.time", "time.time_ns", "uuid.uuid1")
        ]
        found += [
            place(path, node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "CURRENT_TIMESTAMP" in node.value
        ]
    assert found == []


def test_no_drawers() -> None:
    """A module is named for what it holds."""
    folders = [*PACKAGES.values(), REPOSITORY / "deploy", REPOSITORY / "tests"]
    names = {path.stem for path, _ in modules(*folders)} | {path.parent.name for path, _ in modules(*folders)}
    assert names & DRAWERS == set()


def test_modules_and_functions_are_small() -> None:
    """What one cannot see at once is taken apart."""
    found = []
    for path, tree in modules(*PACKAGES.values(), REPOSITORY / "deploy"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES_OF_A_MODULE:
            found.append(f"{place(path)} has {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MOST_LINES_OF_A_FUNCTION and "migrations" not in path.parts:  # those are lists of tables
                    found.append(f"{place(path, node)} {node.name} has {length} lines")
    assert found == []


def test_services_have_the_same_common_modules() -> None:
    """Who knows one service finds the way in the others."""
    for package, folder in PACKAGES.items():
        if package != "tsunagi_shared":
            assert {path.stem for path in folder.glob("*.py")} >= COMMON_MODULES
            assert (folder / "migrations" / "versions").is_dir()
            assert (folder / "html").is_dir()


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "tsunagi_shared"])
def test_a_package_says_where_to_look(package: str) -> None:
    """The docstring of a service names each of its own modules, and none that is gone."""
    folder = PACKAGES[package]
    said = set(
        re.findall(r"`([a-z_]+)`", ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or "")
    )
    own = {path.stem for path in folder.glob("*.py")} - COMMON_MODULES - {"__init__", "__main__"}
    assert own - said == set()
    assert said - own - COMMON_MODULES == set()


def test_contracts_and_forms_stand_alone() -> None:
    """They import the standard library, msgspec, regex and one another; what crosses between contractors needs no more."""
    allowed = {*sys.stdlib_module_names, "msgspec", "regex"}
    own = ("tsunagi_shared.contracts", "tsunagi_shared.forms")
    shared = PACKAGES["tsunagi_shared"]
    found = [
        f"{place(path, node)} imports {name}"
        for path, tree in modules(shared / "contracts", shared / "forms")
        for node, name in imported(tree)
        if name.partition(".")[0] not in allowed and not name.startswith(own)
    ]
    assert found == []


def test_layers_are_kept() -> None:
    """Services never import one another, the shared library no service, and nobody the tests or the deployment."""
    found = []
    for package, folder in PACKAGES.items():
        forbidden = {"tests", "deploy", *PACKAGES} - {package, "tsunagi_shared"}
        found += [
            f"{place(path, node)} imports {name}"
            for path, tree in modules(folder)
            for node, name in imported(tree)
            if name.partition(".")[0] in forbidden
        ]
    assert found == []


def test_import_contracts_hold() -> None:
    """import-linter, over everything that is imported by the way as well."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def tracked() -> list[Path]:
    """The files that git knows, and those it would take."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    ).stdout.split(b"\0")
    return [path for name in names if name and (path := REPOSITORY / name.decode()).is_file()]


def test_no_path_of_a_machine_and_no_registry() -> None:
    """What is in the repository works in any folder and with any mirror."""
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a sheet
        for line, content in enumerate(text.splitlines(), start=1):
            words = [host for host in REGISTRIES if host in content]
            words += [start for start in MACHINE_PATHS if re.search(rf"(?<![\w.~}}>)-]){re.escape(start)}\w", content)]
            found += [f"{path.relative_to(REPOSITORY)}:{line} holds {word}" for word in words]
    assert found == []


def test_every_test_says_what_it_holds() -> None:
    """A test function has a docstring: the behaviour it holds, in one sentence."""
    found = [
        place(path, node)
        for path, tree in modules(REPOSITORY / "tests")
        if path.stem.startswith("test_")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_is_left_unfinished(package: str) -> None:
    """No note to come back later, no empty body, and no normalising but of dates and search keys (never shown)."""
    found = []
    for path, tree in modules(PACKAGES[package]):
        text = path.read_text(encoding="utf-8")
        found += [f"{place(path)} {word}" for word in ("TODO", "FIXME", "XXX", "NotImplementedError") if word in text]
        allowed = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name in ("_fold_date", "search_key")
            for inner in ast.walk(node)
        }
        found += [
            place(path, node)
            for node in ast.walk(tree)
            if dotted(node) == "unicodedata.normalize" and id(node) not in allowed
        ]
    assert found == []


def test_the_map_of_the_readme_is_the_tree() -> None:
    """Every place the README names exists, and every folder of the first steps into the tree is on its map."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- tree -->\s*```\w*\n(.*?)```", text, re.DOTALL)
    assert block is not None
    named = {line.split()[0].rstrip("/") for line in block.group(1).splitlines() if line.strip()}
    assert [name for name in named if not (REPOSITORY / name).is_dir()] == []
    parents = ("shared/tsunagi_shared", "services", "deploy")
    there = {path.relative_to(REPOSITORY).parts for path in tracked()}
    folders = {parts[0] for parts in there if len(parts) > 1 and not parts[0].startswith(".")}
    for parent in parents:
        steps = tuple(parent.split("/"))
        folders |= {
            "/".join(parts[: len(steps) + 1])
            for parts in there
            if parts[: len(steps)] == steps and len(parts) > len(steps) + 1
        }
    missing = {
        folder for folder in folders if folder not in named and not any(name.startswith(f"{folder}/") for name in named)
    }
    assert missing == set()
