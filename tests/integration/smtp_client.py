"""An SMTP client for tests: sends exactly the octets it is given, and reads replies strictly.

It corrects nothing. A reply that does not follow RFC 5321 4.2.1 (a code of three digits, the same on each line, then
"-" or " ", CRLF at the end) raises BadReply. A connection that ends before an expected reply raises Closed.
"""

import re
import socket
import struct
import time


class Closed(Exception):
    """The server closed the connection; `rest` is the input before that."""

    def __init__(self, rest=b""):
        super().__init__(f"connection closed{' after ' + repr(rest) if rest else ''}")
        self.rest = rest


class BadReply(AssertionError):
    """The server sent something that is not an SMTP reply."""


LINE = re.compile(rb"([2-5][0-5][0-9])([- ])([^\r\n]*)")


class Reply:
    """One reply: its code, its enhanced code ("" if there is none) and the texts of its lines."""

    def __init__(self, raw):
        self.raw = raw
        if not raw.endswith(b"\r\n"):
            raise BadReply(f"no CRLF at the end of {raw!r}")
        codes = set()
        self.lines = []
        rows = raw[:-2].split(b"\r\n")
        for number, row in enumerate(rows, 1):
            match = LINE.fullmatch(row)
            if not match or (match[2] == b" ") != (number == len(rows)):
                raise BadReply(f"line {number} of {raw!r}")
            codes.add(match[1])
            self.lines.append(match[3].decode("utf-8", "surrogateescape"))
        if len(codes) != 1:
            raise BadReply(f"several codes in {raw!r}")
        self.code = int(codes.pop())
        enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}(?= |$)", self.lines[-1])
        self.enhanced = enhanced[0] if enhanced else ""

    @property
    def text(self):
        return "\n".join(self.lines)

    def __repr__(self):
        return f"<{self.raw.decode('utf-8', 'backslashreplace').strip()}>"

    def expect(self, code, enhanced=None, text=None):
        """Checks code (a number or several), enhanced code and a regular expression over the text; returns itself."""
        codes = code if isinstance(code, (tuple, set, list)) else (code,)
        assert self.code in codes, f"{self!r} instead of {code}"
        if enhanced is not None:
            assert self.enhanced == enhanced, f"{self!r} instead of {enhanced}"
        if text is not None:
            assert re.search(text, self.text), f"{self!r} has no {text!r}"
        return self


def to_octets(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


class Client:
    """A connection. `greet` reads the greeting; `source` binds the client's own address."""

    def __init__(self, port, host="127.0.0.1", *, timeout=20.0, greet=True, source=None, receive_buffer=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.buffer = b""
        try:
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.settimeout(timeout)
            if source:
                self.socket.bind((source, 0))
            self.socket.connect((host, port))
            self.greeting = self.reply() if greet else None
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    # --- sending

    def send(self, octets):
        self.socket.sendall(to_octets(octets))

    def send_slowly(self, octets, pause=0.0, size=1):
        octets = to_octets(octets)
        for at in range(0, len(octets), size):
            self.socket.sendall(octets[at : at + size])
            if pause:
                time.sleep(pause)

    # --- receiving

    def _receive(self):
        try:
            octets = self.socket.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError):
            octets = b""
        if not octets:
            rest, self.buffer = self.buffer, b""
            raise Closed(rest)
        self.buffer += octets

    def reply(self):
        at = 0
        while True:
            end = self.buffer.find(b"\n", at)
            if end < 0:
                self._receive()
                continue
            if self.buffer[at + 3 : at + 4] != b"-" or not self.buffer[at : at + 3].isdigit():
                raw, self.buffer = self.buffer[: end + 1], self.buffer[end + 1 :]
                return Reply(raw)
            at = end + 1

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def remaining_replies(self):
        """All replies until the server closes."""
        found = []
        while True:
            try:
                found.append(self.reply())
            except Closed as closed:
                assert not closed.rest, f"half a reply at the end: {closed.rest!r}"
                return found

    def expect_close(self):
        """Checks that the server closes without further output."""
        try:
            extra = self.reply()
        except Closed as closed:
            assert not closed.rest, f"unexpected at the end: {closed.rest!r}"
        else:
            raise AssertionError(f"{extra!r} instead of the end of the connection")

    def is_silent_for(self, seconds):
        """Whether no input arrives in that time (a closed connection is not silence)."""
        if self.buffer:
            return False
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self.buffer += self.socket.recv(1 << 16)
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(before)

    def data_segments_received(self):
        """The number of received TCP segments with data, from TCP_INFO (tcpi_data_segs_in); 0 if the kernel does not
        report it."""
        info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return struct.unpack_from("I", info, 152)[0] if len(info) >= 156 else 0

    # --- commands

    def command(self, line, code=None, enhanced=None, text=None):
        """Sends a line with CRLF and reads one reply."""
        self.send(to_octets(line) + b"\r\n")
        reply = self.reply()
        return reply if code is None else reply.expect(code, enhanced, text)

    def ehlo(self, name="client.example.net"):
        return self.command(f"EHLO {name}", 250)

    def start_tls(self, context, name="mx.example.com"):
        """STARTTLS and the handshake; the client must then send EHLO again."""
        self.command("STARTTLS", 220, "2.0.0")
        assert not self.buffer, f"behind the answer to STARTTLS: {self.buffer!r}"
        self.socket = context.wrap_socket(self.socket, server_hostname=name)

    def envelope(self, sender="sender@example.net", *recipients):
        self.command(f"MAIL FROM:<{sender}>", 250)
        for recipient in recipients or ("user@example.com",):
            self.command(f"RCPT TO:<{recipient}>", 250)

    def data(self, message):
        """DATA, the message (dot-stuffed here, and completed with a CRLF, without which it could not be sent), the
        final reply."""
        self.command("DATA", 354)
        self.send(stuffed(message))
        return self.reply()

    def deliver(self, message, sender="sender@example.net", *recipients):
        """After EHLO: one transaction; returns the final reply."""
        self.envelope(sender, *recipients)
        return self.data(message)

    def quit(self):
        self.command("QUIT", 221)
        self.expect_close()
        self.close()


def encrypted(port, context, implicit, *, header=b"", name="mx.example.com"):
    """A client that has sent EHLO under TLS, with STARTTLS or from the first octet; `header` goes first, in the
    clear."""
    client = Client(port, greet=False)
    client.send(header)
    if implicit:
        client.socket = context.wrap_socket(client.socket, server_hostname=name)
        client.reply().expect(220)
    else:
        client.reply().expect(220)
        client.ehlo()
        client.start_tls(context, name)
    client.ehlo()
    return client


def stuffed(message):
    """The octets after DATA: dots doubled after CRLF and at the start, then the end of data."""
    message = to_octets(message)
    out = message.replace(b"\r\n.", b"\r\n..")
    if out.startswith(b"."):
        out = b"." + out
    return out + (b".\r\n" if not message or message.endswith(b"\r\n") else b"\r\n.\r\n")
