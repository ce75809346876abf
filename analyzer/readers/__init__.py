"""Files and tables of every input format to notes; what cannot be read becomes a failure that names row and field."""

from analyzer.readers.files import read_notes
from analyzer.readers.limits import Limits

__all__ = ["Limits", "read_notes"]
