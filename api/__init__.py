"""The service: a thin coat over the analyzer. Nothing is served yet."""
