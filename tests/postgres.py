"""A PostgreSQL of one's own for some tests: in a folder, on a socket there, as a user that isn't root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.csv

__all__ = ["WHY_NOT", "Postgres", "postgres"]


def _programs() -> Path | None:
    """The folder of its programs, which Debian doesn't put on the path."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders and (folders[-1] / "initdb").exists() else None


PROGRAMS = _programs()
_AS_OTHER = (
    ["runuser", "-u", "postgres", "--"] if hasattr(os, "getuid") and os.getuid() == 0 else []
)  # it refuses to run as root

WHY_NOT = (
    "PostgreSQL isn't installed (apt-get install postgresql)" if PROGRAMS is None
    else "PostgreSQL doesn't run as root, and there is no runuser" if _AS_OTHER and not shutil.which("runuser")
    else ""
)  # fmt: skip

_TYPES = {pa.string(): "text", pa.int64(): "bigint", pa.int32(): "integer", pa.float64(): "double precision",
          pa.float32(): "real", pa.bool_(): "boolean", pa.decimal128(10, 2): "numeric(10, 2)"}  # fmt: skip


class Postgres:
    """A running server.

    Attributes
    ----------
    folder : Path
        That of its socket.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, sql: str, stdin: bytes | None = None) -> bytes:
        """Run a statement, and return what it prints."""
        assert PROGRAMS is not None
        words = [PROGRAMS / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-d", "postgres", "-c", sql]
        done = subprocess.run([*_AS_OTHER, *map(str, words)], input=stdin, capture_output=True, check=False, cwd="/")
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def load(self, table: pa.Table, name: str) -> None:
        """Make a table of rows; its name as SQL has it."""
        columns = ", ".join(
            '"{}" {}'.format(field.name.replace('"', '""'), _TYPES[field.type]) for field in table.schema
        )
        self.run(f"DROP TABLE IF EXISTS {name}; CREATE TABLE {name} ({columns})")
        out = pa.BufferOutputStream()
        pyarrow.csv.write_csv(table, out)
        self.run(f"COPY {name} FROM STDIN WITH (FORMAT csv, HEADER)", out.getvalue().to_pybytes())

    def result(self, query: str, path: Path) -> Path:
        """Write the result of a query to a CSV file."""
        path.write_bytes(self.run(f"COPY ({query}) TO STDOUT WITH (FORMAT csv, HEADER)"))
        return path


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a server in a folder of its own, whose path is short enough for a socket, and stop it in the end."""
    assert PROGRAMS is not None
    programs = PROGRAMS

    def call(program: str, *words: object) -> None:
        done = subprocess.run([*_AS_OTHER, str(programs / program), *map(str, words)], cwd="/", check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
        assert done.returncode == 0, done.stdout

    with TemporaryDirectory(prefix="fastml-pg-") as name:
        folder = Path(name)
        if _AS_OTHER:
            shutil.chown(folder, "postgres")
        data, options = folder / "data", f"-c listen_addresses= -c fsync=off -k {folder}"
        call("initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        call("pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            yield Postgres(folder)
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
