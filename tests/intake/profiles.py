"""Profiles that differ from 福生市's in one point."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.data.services import PROFILE

CONTRACTED = "welfare-council"  # the one agency of the profile that is run under a contract


def with_ended_contract(folder: Path) -> Path:
    """A copy in which the contract of CONTRACTED has ended."""
    contract = "from = 2025-04-01 }]"
    return _changed(folder, f'社会福祉協議会", {contract}', '社会福祉協議会", from = 2025-04-01, until = 2025-12-31 }]')


def _changed(folder: Path, before: str, after: str) -> Path:
    shutil.copytree(PROFILE, folder)
    path = folder / "profile.toml"
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1
    path.write_text(text.replace(before, after), encoding="utf-8")
    return folder
