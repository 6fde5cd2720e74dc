"""The pages: one layout, one style sheet, and forms drawn from their definition. No script, nothing from another host."""
