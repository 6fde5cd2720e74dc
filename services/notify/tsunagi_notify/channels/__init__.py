"""The ways by which an agency is told."""
