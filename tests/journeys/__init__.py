"""Journeys over HTTP through the whole line."""
