"""The NATS hub: one account owns the streams, each service has an account of its own that reaches just what it may."""
