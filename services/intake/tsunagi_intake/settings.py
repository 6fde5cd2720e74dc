"""Intake's settings: what every service needs, and nothing more."""

from __future__ import annotations

from tsunagi_shared.settings import Settings


class IntakeSettings(Settings, frozen=True, kw_only=True):
    """`tsunagi-intake settings` prints them with their meaning."""
