"""What can go wrong, as exceptions: the caller's input, a lexicon, a model."""


class AnalyzerError(Exception):
    """Base of every error that Cuewise raises on purpose. Messages never contain note text."""


class NoteError(AnalyzerError):
    """The caller's input cannot be analysed.

    Parameters
    ----------
    code : str
        Stable machine-readable name of the problem, such as ``note-too-long``.
    message : str
        What was expected and what was found, without any note text.
    field : str, optional
        The field of the input record that is at fault.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field

    def __reduce__(self) -> tuple[object, ...]:
        return _note_error, (self.code, self.message, self.field)


def _note_error(code: str, message: str, field: str | None) -> NoteError:
    return NoteError(code, message, field=field)


class LexiconError(AnalyzerError):
    """A lexicon file is not what it should be; the message names file and line."""


class ConfigError(AnalyzerError):
    """A clinic's settings, or a table that they name, are not what they should be; the message names file and line."""


class ModelError(AnalyzerError):
    """A model artifact cannot be loaded or used."""
