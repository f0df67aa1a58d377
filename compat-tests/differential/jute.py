"""Jute, ZooKeeper's encoding of records: big-endian numbers, length-prefixed bytes, -1 for null."""

import struct


class Truncated(Exception):
    """The bytes end before the value does, or a length makes no sense."""


def boolean(value) -> bytes:
    """One byte. A number other than 0 and 1 is passed through, to test what a server does."""
    return struct.pack(">B", int(value))


def int32(value: int) -> bytes:
    """A jute `int`."""
    return struct.pack(">i", value)


def int64(value: int) -> bytes:
    """A jute `long`."""
    return struct.pack(">q", value)


def buffer(value: bytes | None) -> bytes:
    """A jute `buffer`; None is null."""
    return int32(-1) if value is None else int32(len(value)) + value


def ustring(value: str | bytes | None) -> bytes:
    """A jute `ustring`; bytes are taken as they are, to send what is no UTF-8."""
    return buffer(value.encode() if isinstance(value, str) else value)


def vector(encode, values) -> bytes:
    """A jute `vector`; None is null."""
    if values is None:
        return int32(-1)
    return int32(len(values)) + b"".join(encode(value) for value in values)


class Reader:
    """Takes values off the front of some bytes."""

    def __init__(self, data: bytes):
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if count < 0 or self._at + count > len(self._data):
            raise Truncated
        self._at += count
        return self._data[self._at - count:self._at]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def boolean(self) -> bool:
        """A jute `boolean`."""
        return self.take(1) != b"\0"

    def int32(self) -> int:
        """A jute `int`."""
        return struct.unpack(">i", self.take(4))[0]

    def int64(self) -> int:
        """A jute `long`."""
        return struct.unpack(">q", self.take(8))[0]

    def buffer(self) -> bytes | None:
        """A jute `buffer`."""
        length = self.int32()
        return None if length == -1 else self.take(length)

    def ustring(self) -> str | None:
        """A jute `ustring`; what is no UTF-8 stays visible."""
        data = self.buffer()
        return None if data is None else data.decode(errors="backslashreplace")

    def vector(self, decode) -> list | None:
        """A jute `vector` of what `decode()` reads."""
        count = self.int32()
        return None if count == -1 else [decode() for _ in range(count)]
