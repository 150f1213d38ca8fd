"""TLS of hostile clients: record by record, cut off, or with other data in its place."""

import ssl

import pytest

from smtp_client import Client

PLAIN_TEXT = b"EHLO client.example.net\r\nMAIL FROM:<a@example.net>\r\n"


def begin(smtp, implicit):
    """A client that is about to begin a handshake."""
    client = Client(smtp.port, greet=not implicit)
    if not implicit:
        client.ehlo()
        client.command("STARTTLS", 220)
    return client


def client_hello():
    """The first octets of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="mx.example.com")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def rest_of(client):
    """All remaining input."""
    rest = b""
    try:
        while more := client.socket.recv(1 << 16):
            rest += more
    except ConnectionError:
        pass
    return rest


class RawTls:
    """TLS over a client's socket, record by record, which the ssl module's sockets do not allow."""

    def __init__(self, client, context, name="mx.example.com"):
        self.socket = client.socket
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self._pump(self.tls.do_handshake)

    def _pump(self, what):
        while True:
            try:
                result = what()
            except ssl.SSLWantReadError:
                self.flush()
                octets = self.socket.recv(1 << 16)
                self.incoming.write(octets) if octets else self.incoming.write_eof()
                continue
            self.flush()
            return result

    def flush(self):
        if octets := self.outgoing.read():
            self.socket.sendall(octets)

    def send(self, octets):
        self._pump(lambda: self.tls.write(octets))

    def expect(self, code):
        """The next reply, which is in a separate record."""
        answer = self._pump(lambda: self.tls.read(1 << 16)).decode()
        assert answer.startswith(str(code)), answer

    def command(self, line, code):
        self.send(line.encode() + b"\r\n")
        self.expect(code)

    def close_notify(self):
        """Sends close_notify, and does not wait for the answer."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()
