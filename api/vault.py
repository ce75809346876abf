"""What keeps note text unreadable at rest: AES-256-GCM under a key of the environment or of a key file."""

import base64
import binascii
import logging
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_LOG = logging.getLogger(__name__)
_KEY_BYTES = 32  # AES-256
_NONCE_BYTES = 12  # as NIST SP 800-38D advises
_ID_BYTES = 8
_FORMAT = b"\x01"
_HEAD = len(_FORMAT) + _ID_BYTES + _NONCE_BYTES


class VaultError(Exception):
    """A key is missing or not one, or what was sealed cannot be opened; never with key or content in it."""


@dataclass(frozen=True, slots=True)
class _Key:
    id: bytes
    cipher: AESGCM = field(repr=False)
    mac: bytes = field(repr=False)


class Vault:
    """Seals bytes so that only holders of the key can read them, and only in the place that they were sealed for.

    Parameters
    ----------
    keys : sequence of bytes
        32 bytes each. The first one seals; all of them open, so that a key can be replaced while what it sealed lasts.

    Raises
    ------
    VaultError
        Without a key, or for one of another length.

    Examples
    --------
    >>> vault = Vault([bytes(32)])
    >>> vault.open(vault.seal(b"Named 12/20", "batch 1"), "batch 1")
    b'Named 12/20'
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise VaultError("there is no key")
        for key in keys:
            if len(key) != _KEY_BYTES:
                raise VaultError(f"a key has {_KEY_BYTES} bytes; this one has {len(key)}")
        self._secrets = tuple(keys)
        self._keys = tuple(
            _Key(
                _derive(key, "id", _ID_BYTES), AESGCM(_derive(key, "seal", _KEY_BYTES)), _derive(key, "mac", _KEY_BYTES)
            )
            for key in keys
        )

    def __reduce__(self) -> tuple[object, ...]:
        return Vault, (self._secrets,)  # to a worker process, over its own pipe

    def seal(self, content: bytes, place: str) -> bytes:
        """Return the content sealed for a place, such as a batch and the position in it."""
        key, nonce = self._keys[0], secrets.token_bytes(_NONCE_BYTES)
        return b"".join((_FORMAT, key.id, nonce, key.cipher.encrypt(nonce, content, place.encode())))

    def open(self, sealed: bytes, place: str) -> bytes:
        """Return what was sealed for a place.

        Raises
        ------
        VaultError
            When it was sealed with a key that is not here, for another place, or was changed.
        """
        id_, nonce = sealed[len(_FORMAT) : _HEAD - _NONCE_BYTES], sealed[_HEAD - _NONCE_BYTES : _HEAD]
        key = next((key for key in self._keys if key.id == id_), None)
        if not sealed.startswith(_FORMAT) or key is None:
            raise VaultError("this was sealed with a key that is not configured")
        try:
            return key.cipher.decrypt(nonce, sealed[_HEAD:], place.encode())
        except InvalidTag:
            raise VaultError("what was sealed has been changed, or belongs to another place") from None

    def fingerprint(self, content: bytes) -> str:
        """Return what tells contents apart, and which nobody without the key can compute from a guess."""
        return self.fingerprints(content)[0]

    def fingerprints(self, content: bytes) -> list[str]:
        """Return the fingerprint under each key, the present one first."""
        found = []
        for key in self._keys:
            mac = HMAC(key.mac, SHA256())
            mac.update(content)
            found.append(mac.finalize().hex())
        return found


def new_key() -> str:
    """Return a new key, written as the environment and the key file want it."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def load_vault(key: str | None = None, key_file: Path | None = None) -> Vault:
    """Make the vault of the configured keys; a key file that is named and not there is made, for its owner alone.

    Parameters
    ----------
    key : str, optional
        Base64 of 32 bytes, or several with commas between them, of which the first seals. It wins over the file.
    key_file : Path, optional
        A file with the same content, one key a line or with commas.

    Raises
    ------
    VaultError
        When there is neither, when the file cannot be read or made, or what they hold are no keys.
    """
    if key is not None:
        return Vault(_read_keys(key, "the key"))
    if key_file is None:
        raise VaultError("there is no key: set CUEWISE_VAULT_KEY or CUEWISE_VAULT_KEY_FILE")
    try:
        if not key_file.exists():
            _make_key_file(key_file)
        written = key_file.read_text(encoding="ascii")
        if key_file.stat().st_mode & 0o077:
            _LOG.warning("the key file can be read by others than its owner")
    except (OSError, UnicodeDecodeError) as error:
        raise VaultError(f"the key file cannot be read or made: {type(error).__name__}") from None
    return Vault(_read_keys(written, "the key file"))


def _make_key_file(path: Path) -> None:
    """Make the file whole or not at all: of several processes that start at once, the first one's key stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(new_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    _LOG.warning("a new key was written to the key file; without it, batches that are stored cannot be read")


def _read_keys(written: str, holder: str) -> list[bytes]:
    try:
        keys = [base64.b64decode(part, validate=True) for part in written.replace(",", " ").split()]
    except binascii.Error:
        raise VaultError(f"{holder} is not base64") from None  # the cause may quote it
    if not keys:
        raise VaultError(f"{holder} is empty")
    return keys


def _derive(key: bytes, purpose: str, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=f"cuewise {purpose}".encode()).derive(key)
