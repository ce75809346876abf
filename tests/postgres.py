"""A PostgreSQL server of our own for tests, where its programs are installed."""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path


def find_programs():
    """Return the folder of PostgreSQL's programs; None where they are not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return folders[-1] if folders else None


@contextmanager
def running():
    """Start a server on a free port of this machine and give an address of its first database."""
    programs = find_programs()
    # PostgreSQL refuses to run as root.
    as_user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def call(program, *arguments):
        command = [programs / program, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **as_user)

    with tempfile.TemporaryDirectory() as folder:  # not pytest's, which only its own user may enter
        data = Path(folder) / "data"
        if as_user:
            shutil.chown(folder, "postgres", "postgres")
        call("initdb", "--pgdata", data, "--username", "cuewise", "--auth", "trust", "--encoding", "UTF8", "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c fsync=off"
        call("pg_ctl", "start", "--pgdata", data, "--wait", "--options", options)
        try:
            yield f"postgresql+psycopg://cuewise@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "stop", "--pgdata", data, "--mode", "immediate")
