"""Reads the files of queue/maildir, and compares them with the sent messages."""

import pathlib
import re
import time

#: A header field with its folded lines.
FIELD = re.compile(rb"([!-9;-~]+):((?:[^\r\n]|\r\n[ \t])*)\r\n")


def fields_of(raw, end=None):
    """(name in lower case, unfolded value, end) of each field at the beginning of these octets, or of so many
    fields."""
    at = 0
    while match := FIELD.match(raw, at, len(raw) if end is None else end):
        at = match.end()
        yield match[1].decode().lower(), match[2].replace(b"\r\n", b"").strip().decode("utf-8", "surrogateescape"), at


class Stored:
    """One file: the fields on top, and the rest."""

    def __init__(self, raw):
        self.raw = raw

    def split(self, original):
        """(fields on top as a list of (name, value), separator); fails unless `original` is the end of the file, octet for octet."""
        assert self.raw.endswith(original), describe_difference(self.raw, original)
        top = len(self.raw) - len(original)
        fields, at = [], 0
        for name, value, at in fields_of(self.raw, top):
            fields.append((name, value))
        return fields, self.raw[at:top]

    def split_behind_ours(self):
        """(our fields as a list of (name, value), the message as its client sent it): ours end with the first Received. For messages with a header."""
        fields = []
        for name, value, at in fields_of(self.raw):
            fields.append((name, value))
            if name == "received":
                return fields, self.raw[at:]
        raise AssertionError(f"no Received: {self.raw[:1000]!r}")

    def field(self, name):
        """The first field of that name in the header block, unfolded; None if there is none."""
        return next((value for field, value, _ in fields_of(self.raw) if field == name.lower()), None)


def describe_difference(raw, original):
    tail = raw[-len(original) :] if original else b""
    for at, (ours, theirs) in enumerate(zip(reversed(tail), reversed(original))):
        if ours != theirs:
            place = len(original) - at
            return f"differs {at} octets before the end: stored {tail[max(0, place - 40):place + 20]!r}, sent {original[max(0, place - 40):place + 20]!r}"
    return f"{len(raw)} octets are stored, {len(original)} were sent"


class Maildir:
    def __init__(self, path):
        self.path = pathlib.Path(path)

    def _files(self, place):
        folder = self.path / place
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def new(self):
        return self._files("new")

    def tmp(self):
        return self._files("tmp")

    def clear(self):
        for path in self.new() + self.tmp():
            path.unlink()

    def stored(self):
        return [Stored(path.read_bytes()) for path in self.new()]

    def only(self):
        """The one message there is."""
        found = self.stored()
        assert len(found) == 1, f"{len(found)} messages in {self.path}/new"
        return found[0]

    def wait(self, count, seconds=10):
        deadline = time.monotonic() + seconds
        while len(self.new()) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.stored()


def check_stored(stored, original, sender="sender@example.net", recipients=("user@example.com",)):
    """Checks that the stored message equals the sent one, octet for octet, with our fields on top and nothing else."""
    fields, separator = stored.split(original)
    names = [name for name, _ in fields]
    assert names == ["return-path"] + ["delivered-to"] * len(recipients) + ["received"], names
    assert fields[0][1] == f"<{sender}>"
    assert sorted(value.strip("<>") for name, value in fields if name == "delivered-to") == sorted(recipients)
    # A message without a header of its own needs the blank line that ends ours. (A bare LF is a line end where the server lets it in.)
    has_header = re.match(rb"(From |[!-9;-~]+[ \t]*:|\r?\n)", original) is not None or original == b""
    assert separator == (b"" if has_header else b"\r\n"), f"between our fields and the message stands {separator!r}"
    return dict(fields)
