"""Notify: agencies are told, and their receipt is known."""
