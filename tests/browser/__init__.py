"""The pages in a real browser, on a running stack."""
