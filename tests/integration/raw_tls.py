"""TLS as hostile clients speak it: record by record, cut off, with something else in its place."""

import ssl

import pytest

from smtp_client import Client

PLAIN_TEXT = b"EHLO client.example.net\r\nMAIL FROM:<a@example.net>\r\n"


def begin(smtp, implicit):
    """A client for which a handshake is the next thing."""
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
    """What still comes, whatever it is."""
    rest = b""
    try:
        while more := client.socket.recv(1 << 16):
            rest += more
    except ConnectionError:
        pass
    return rest


class RawTls:
    """TLS over a client's socket, record by record: what the ssl module's sockets do not let one do."""

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
        """The next reply, which is in a record of its own."""
        answer = self._pump(lambda: self.tls.read(1 << 16)).decode()
        assert answer.startswith(str(code)), answer

    def command(self, line, code):
        self.send(line.encode() + b"\r\n")
        self.expect(code)

    def close_notify(self):
        """Says that nothing more comes, and does not wait for the answer."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()
