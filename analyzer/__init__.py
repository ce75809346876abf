"""Cuewise reads speech-language pathology session notes the way a payer's medical reviewer does."""

from analyzer.engine import Analyzer
from analyzer.rules import RULES
from analyzer.types import Finding, Note, Report

__all__ = ["RULES", "Analyzer", "Finding", "Note", "Report"]
