"""Plain data that crosses between services: events, streams, audience, profile."""
