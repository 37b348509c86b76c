"""A trace's file, compressed or not, as lines or as bytes. The first bytes decide; the name does not."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from arvnodeman.traces.trace import NoTrace

HEAD = 1 << 16  # bytes by which a kind is known
LONGEST_LINE = 1 << 20  # bytes
CHUNK = 1 << 20
_GZIP, _BZIP, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
SQLITE = b"SQLite format 3\x00"


class TraceFile:
    """An open file, from its beginning."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        self.head = b""
        while len(self.head) < HEAD and (more := file.read(HEAD - len(self.head))):
            self.head += more
        if self.head.startswith(_WIDE):
            raise NoTrace(f"{path}: it is UTF-16 text: write it as UTF-8")
        self._rest = self.head = self.head.removeprefix(_BOM)
        self.is_whole = True  # its last line had an end; known when all lines are read

    def lines(self) -> Iterator[tuple[int, str]]:
        """Each with its number, without its end. A very long one is cut."""
        number = 0
        rest = self._rest
        while True:
            *whole, rest = rest.split(b"\n")
            for line in whole:
                number += 1
                yield number, _text(line)
            if len(rest) > LONGEST_LINE:
                rest = rest[:LONGEST_LINE]  # what follows up to its end is not a part of any value
            more = self._file.read(CHUNK)
            if not more:
                break
            rest += more
        if rest:
            self.is_whole = False
            yield number + 1, _text(rest)

    def chunks(self) -> Iterator[bytes]:
        """All of it, a part at a time."""
        yield self._rest
        while more := self._file.read(CHUNK):
            yield more


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "surrogateescape")


@contextmanager
def opened(path: Path) -> Iterator[TraceFile]:
    """Raises NoTrace for what goes wrong while it is read, too."""
    try:
        with path.open("rb") as plain:
            begin = plain.read(len(SQLITE))
            plain.seek(0)
            with _unpacked(path, plain, begin) as file:
                yield TraceFile(path, file)
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise NoTrace(f"{path}: it is cut, or broken: {_words(error)}") from None
    except (OSError, sqlite3.Error) as error:
        raise NoTrace(f"{path} cannot be read: {_words(error)}") from None


def _unpacked(path: Path, plain: IO[bytes], begin: bytes) -> IO[bytes]:
    if begin.startswith(_GZIP):
        return gzip.GzipFile(fileobj=plain)  # type: ignore[return-value]
    if begin.startswith(_BZIP):
        return bz2.BZ2File(plain)
    if begin.startswith(_XZ):
        return lzma.LZMAFile(plain)
    if begin.startswith(_ZSTD):
        return _zstd(path, plain)
    return plain


def _zstd(path: Path, plain: IO[bytes]) -> IO[bytes]:
    """Python 3.14 has it; its backport is the extra `zstd`."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            library: Any = importlib.import_module(name)
        except ImportError:
            continue
        file: IO[bytes] = _Zstd(library.ZstdFile(plain), library.ZstdError)  # type: ignore[assignment]
        return file
    raise NoTrace(
        f"{path}: it is compressed with zstd, which this Python cannot read: decompress it (zstd -d), or install the"
        " extra: pip install 'arvados-node-manager[zstd]'"
    )


class _Zstd:
    """A file whose error is one of those that all packers raise."""

    def __init__(self, file: Any, error: type[Exception]) -> None:
        self._file, self._error = file, error

    def read(self, size: int) -> bytes:
        try:
            packed: bytes = self._file.read(size)
        except self._error as error:
            raise EOFError(str(error)) from None
        return packed

    def __enter__(self) -> _Zstd:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
