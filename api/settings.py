"""What a clinic can set of the service: a TOML file, and ``CUEWISE_*`` variables of the environment above it."""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from analyzer.errors import ConfigError

PREFIX = "CUEWISE_"
_FILE = f"{PREFIX}SETTINGS"  # names the TOML file
_OF_CLIENTS = frozenset({f"{PREFIX}TOKEN", f"{PREFIX}URL"})  # what callers keep in the same environment
_NONE: Mapping[str, str] = MappingProxyType({})

ModelName = Literal["auto", "encoder", "lexicons"]
LogLevel = Literal["debug", "info", "warning", "error"]


def _default_data_dir() -> Path:
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "cuewise"


@dataclass(frozen=True, slots=True)
class Settings:
    """The service's settings.

    Every field may stand in the TOML file under its name, and in the environment as ``CUEWISE_NAME``; there, lists are
    written with commas and mappings as ``name=value`` with commas.

    Parameters
    ----------
    host, port : str, int
        Where the service listens. Without any API token it is a loopback address, whatever stands here.
    data_dir : Path
        Where the database lies when ``database_url`` names none.
    database_url : str, optional
        An SQLAlchemy address, of PostgreSQL for more than one server.
    model, payer, config, preview, max_chars
        As of ``Analyzer.load``.
    batch_workers : int
        Processes that work off batches; each loads an analyzer.
    max_batch_notes : int
        Notes of one batch.
    batch_expiry_hours : int
        After which a batch and its results are deleted.
    lease_s : int
        After which the work of a worker that gives no sign of life is taken over.
    vault_key, vault_key_file : str, Path, optional
        The key that note text is encrypted with at rest, or the file that holds it.
    max_note_bytes, max_batch_bytes : int
        The largest body of a request, for one note and for a batch. 100,000 characters written as JSON escapes take
        1.2 MB, and an attachment a third more in base64.
    max_nesting : int
        Depth of arrays and objects in a body.
    requests_per_minute, request_burst : int
        What one caller may ask in the long run, and at once.
    request_timeout_s, body_timeout_s : float
        Until the answer begins, and until the body has come.
    analyses_at_once, max_waiting : int
        Notes that are analysed at the same time, and those that may wait for it before others are turned away.
    shutdown_timeout_s : int
        How long running requests may take to end when the service stops.
    cors_origins : tuple of str
        Origins of web pages that may call the service from a browser; none by default.
    allowed_hosts : tuple of str
        Host names that requests may be sent to; all when empty, but only loopback names while there are no tokens.
    tls_cert, tls_key : Path, optional
        PEM files, for TLS without a proxy.
    trusted_proxies : tuple of str
        Addresses whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
    cds_issuers : mapping of str to str
        CDS Hooks clients that may call: issuer to the address of its JWKS. Without any, CDS Hooks take API tokens.
    cds_audience : str, optional
        The audience that their tokens must name; the address of the endpoint where it is not given.
    public_url : str, optional
        Under which address callers see the service, where a proxy changes it.
    log_level : str
        From which level on the log speaks.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = field(default_factory=_default_data_dir)
    database_url: str | None = field(default=None, repr=False)  # may hold a password
    model: ModelName = "auto"
    payer: str | None = None
    config: Path | None = None
    preview: bool = True
    max_chars: int = 100_000
    batch_workers: int = 1
    max_batch_notes: int = 10_000
    batch_expiry_hours: int = 168
    lease_s: int = 60
    vault_key: str | None = field(default=None, repr=False)
    vault_key_file: Path | None = None
    max_note_bytes: int = 4_000_000
    max_batch_bytes: int = 100_000_000
    max_nesting: int = 64
    requests_per_minute: int = 6000
    request_burst: int = 200
    request_timeout_s: float = 30.0
    body_timeout_s: float = 30.0
    analyses_at_once: int = field(default_factory=lambda: os.cpu_count() or 1)
    max_waiting: int = 64
    shutdown_timeout_s: int = 30
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    cds_issuers: Mapping[str, str] = field(default_factory=lambda: _NONE)
    cds_audience: str | None = None
    public_url: str | None = None
    log_level: LogLevel = "info"

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"settings: {name} must be {low:,} to {high:,}")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("settings: tls_cert and tls_key go together")
        if self.vault_key is not None and self.vault_key_file is not None:
            raise ConfigError("settings: give vault_key or vault_key_file, not both")
        if "*" in self.cors_origins:
            raise ConfigError(
                "settings: cors_origins must name each origin; * would open the service to every web page"
            )

    @property
    def resolved_database_url(self) -> str:
        """The database's address: the one that is set, or of a file in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'cuewise.db'}"


_RANGES: Mapping[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "max_chars": (1, 10_000_000),
    "batch_workers": (0, 256),
    "max_batch_notes": (1, 10_000),
    "batch_expiry_hours": (1, 24 * 366),
    "lease_s": (1, 3600),
    "max_note_bytes": (1_000, 100_000_000),
    "max_batch_bytes": (1_000, 1_000_000_000),
    "max_nesting": (8, 64),
    "requests_per_minute": (1, 10_000_000),
    "request_burst": (1, 1_000_000),
    "request_timeout_s": (0.01, 3600),
    "body_timeout_s": (0.01, 3600),
    "analyses_at_once": (1, 1024),
    "max_waiting": (0, 10_000),
    "shutdown_timeout_s": (0, 3600),
}


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "clinic.example")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """Return the name in a ``Host`` header, without port and brackets.

    Examples
    --------
    >>> [host_name(host) for host in ("Clinic.example:8000", "[::1]:8000", "127.0.0.1")]
    ['clinic.example', '::1', '127.0.0.1']
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def load_settings(
    path: Path | None = None, *, environment: Mapping[str, str] | None = None, **changes: Any
) -> Settings:
    """Read the settings: defaults, below the file, below the environment, below what the caller gives.

    Parameters
    ----------
    path : Path, optional
        A TOML file; the one that ``CUEWISE_SETTINGS`` names where it is not given.
    environment : mapping, optional
        Of the process, where it is not given.
    **changes
        Fields that win over all others; None means that one is not given.

    Raises
    ------
    ConfigError
        For a file that cannot be read, a name that no setting has, or a value that a setting cannot have. The message
        names file or variable and setting, and does not repeat the value: it may be a key.

    Examples
    --------
    >>> load_settings(environment={"CUEWISE_PORT": "9000", "CUEWISE_ALLOWED_HOSTS": "a.example, b.example"}).port
    9000
    """
    variables = os.environ if environment is None else environment
    if path is None and (named := variables.get(_FILE)):
        path = Path(named)
    found: dict[str, Any] = {}
    if path is not None:
        found |= {name: _of_file(path, name, value) for name, value in _read_toml(path).items()}
    for variable, written in variables.items():
        if variable.startswith(PREFIX) and variable != _FILE and variable not in _OF_CLIENTS:
            name = variable.removeprefix(PREFIX).lower()
            found[name] = _of_environment(variable, name, written)
    found |= {name: value for name, value in changes.items() if value is not None}
    return Settings(**found)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or type(error).__name__}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8") from None  # the cause quotes the text
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error


_TYPES: Mapping[str, Any] = {each.name: each.type for each in fields(Settings)}


def _of_file(path: Path, name: str, value: object) -> object:
    if name not in _TYPES:
        raise ConfigError(f"{path}: there is no setting {name!r}")
    kind = _TYPES[name]
    place = f"{path}: {name}"
    if kind is float and type(value) is int:
        return float(value)
    if kind in (int, float, bool):
        return _expect(place, type(value) is kind, _WORDS[kind], value)
    if kind == tuple[str, ...]:
        is_list = isinstance(value, list) and all(isinstance(member, str) for member in value)
        return tuple(_expect(place, is_list, _WORDS[kind], value))
    if kind == Mapping[str, str]:
        is_table = isinstance(value, dict) and all(isinstance(member, str) for member in value.values())
        return MappingProxyType(_expect(place, is_table, _WORDS[kind], value))
    text: str = _expect(place, isinstance(value, str), "text", value)
    if _is_path(kind):
        return path.parent / text  # as a reader of the file would take it
    return _choice(place, kind, text)


def _of_environment(variable: str, name: str, written: str) -> object:
    if name not in _TYPES:
        raise ConfigError(f"{variable}: there is no setting {name!r}")
    kind = _TYPES[name]
    if _is_path(kind):
        return Path(written)
    read = _READERS.get(str(kind))
    if read is None:
        return _choice(variable, kind, written)
    try:
        return read(written)
    except ValueError:
        raise ConfigError(f"{variable}: expected {_WORDS[kind]}") from None  # the cause quotes the value


def _is_path(kind: object) -> bool:
    return kind is Path or kind == Path | None


def _choice(place: str, kind: object, text: str) -> str:
    choices = get_args(kind) if kind in (ModelName, LogLevel) else ()
    return str(_expect(place, not choices or text in choices, f"one of {', '.join(choices)}", text))


def _expect(place: str, is_right: bool, expected: str, value: Any) -> Any:
    if not is_right:
        raise ConfigError(f"{place}: expected {expected}")
    return value


def _split(written: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, written.split(","))))


def _read_pairs(written: str) -> Mapping[str, str]:
    pairs = [pair.partition("=") for pair in _split(written)]
    if not all(name and value for name, _, value in pairs):
        raise ValueError
    return MappingProxyType({name.strip(): value.strip() for name, _, value in pairs})


_FLAGS = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}


def _read_flag(written: str) -> bool:
    if written.strip().lower() not in _FLAGS:
        raise ValueError
    return _FLAGS[written.strip().lower()]


_WORDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple[str, ...]: "a list of texts",
    Mapping[str, str]: "names, each with a text",
}
_READERS: Mapping[str, Callable[[str], object]] = {
    str(int): int,
    str(float): float,
    str(bool): _read_flag,
    str(tuple[str, ...]): _split,
    str(Mapping[str, str]): _read_pairs,
}
