"""What the three services share: contracts, forms and plumbing."""
