"""The service: a thin coat over the analyzer, for an EHR, a clinic and a browser."""
