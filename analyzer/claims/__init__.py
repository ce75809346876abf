"""Claims in: lines of CSV, XLSX and X12 837 files, joined to the notes that they bill, with year-to-date amounts."""

from analyzer.claims.files import ClaimsFile, read_claims
from analyzer.claims.join import join_claims

__all__ = ["ClaimsFile", "join_claims", "read_claims"]
