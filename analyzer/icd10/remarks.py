"""What is said beside a suggested code: what would make it more specific, and its place in the sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from analyzer.lexicon import one_of, rows


@dataclass(frozen=True, slots=True)
class Order:
    """Two patterns of codes in sequence, and why; a default is followed, and not held against codes that are typed."""

    first: str
    then: str
    reason: str
    is_rule: bool


@dataclass(frozen=True, slots=True)
class Remarks:
    """Advice by pattern of codes, orders of codes, and the patterns of codes that each named concept may lead to.

    ``details`` are the concepts that qualify another one, such as the severity of a dementia. ``covers`` are, by the
    area of a code, the other areas that are treated under it.
    """

    notes: tuple[tuple[str, str], ...]
    orders: tuple[Order, ...]
    concepts: Mapping[str, tuple[str, ...]]
    details: frozenset[str]
    covers: Mapping[str, tuple[str, ...]]

    def codes_of(self, concept: str) -> tuple[str, ...]:
        """Patterns of the codes that a concept may lead to; a code leads to itself."""
        return self.concepts.get(concept, (concept,))

    def advice(self, code: str) -> tuple[str, ...]:
        """Say what would make a code more specific."""
        return tuple(advice for pattern, advice in self.notes if fnmatchcase(code, pattern))

    def reasons(self, code: str, codes: Sequence[str]) -> tuple[str, ...]:
        """Say why a code stands after another one of the list."""
        before = codes[: codes.index(code)] if code in codes else ()
        return tuple(
            f"After {other}: {order.reason}"
            for order in self.orders
            if fnmatchcase(code, order.then)
            for other in before
            if fnmatchcase(other, order.first)
        )

    def in_sequence(self, codes: Sequence[str]) -> list[str]:
        """Move each code that must come first before the code that must follow it.

        Parameters
        ----------
        codes : sequence of str
            Best first.

        Returns
        -------
        list of str
        """
        ordered = list(codes)
        for order in self.orders:
            for then in [code for code in ordered if fnmatchcase(code, order.then)]:
                for first in [code for code in ordered[ordered.index(then) :] if fnmatchcase(code, order.first)]:
                    ordered.remove(first)
                    ordered.insert(ordered.index(then), first)
        return ordered


_FORCES = frozenset({"rule", "default"})


@cache
def load_remarks() -> Remarks:
    """Read the tables, once a process.

    Returns
    -------
    Remarks

    Raises
    ------
    LexiconError
        For an unknown column; the message names file and line.
    """
    notes = [(row["codes"], row["advice"]) for _, row in rows("icd10/advice.csv", ("codes", "advice", "source"))]
    file = "icd10/sequences.csv"
    orders = [
        Order(row["first"], row["then"], row["reason"], one_of(file, line, "force", row["force"], _FORCES) == "rule")
        for line, row in rows(file, ("first", "then", "reason", "force", "source"))
    ]
    concepts, details = {}, set()
    file = "icd10/concepts.csv"
    for line, row in rows(file, ("concept", "codes", "is_detail", "meaning", "source")):
        concepts[row["concept"]] = tuple(row["codes"].split())
        if one_of(file, line, "is_detail", row["is_detail"], frozenset({"yes", "no"})) == "yes":
            details.add(row["concept"])
    covers = {
        row["area"]: tuple(row["covers"].split()) for _, row in rows("icd10/covers.csv", ("area", "covers", "source"))
    }
    return Remarks(tuple(notes), tuple(orders), concepts, frozenset(details), covers)
