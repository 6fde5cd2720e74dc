"""Documents: Word and PDF into object storage, and reading them."""
