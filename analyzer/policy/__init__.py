"""What payer, clinic and date of service make of the rules: payer packs, billing tables, a clinic's settings."""

from analyzer.policy.book import PolicyBook, load_policies
from analyzer.policy.packs import DEFAULT_PAYER, OTHER_PAYER

__all__ = ["DEFAULT_PAYER", "OTHER_PAYER", "PolicyBook", "load_policies"]
