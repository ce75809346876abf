"""Cuewise reads speech-language pathology session notes the way a payer's medical reviewer does."""

from typing import TYPE_CHECKING

from analyzer.types import Finding, Note, Report

if TYPE_CHECKING:
    from analyzer.engine import Analyzer
    from analyzer.rules import RULES

__all__ = ["RULES", "Analyzer", "Finding", "Note", "Report"]


def __getattr__(name: str) -> object:
    """Load the heavy names when they are first asked for: ``cuewise --help`` must not wait for spaCy."""
    if name == "Analyzer":
        from analyzer.engine import Analyzer

        return Analyzer
    if name == "RULES":
        from analyzer.rules import RULES

        return RULES
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
