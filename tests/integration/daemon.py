"""Daemons for plugins, controlled by the test."""

import contextlib
import socket
import struct
import threading


class Daemon:
    """A daemon on a local socket (a path) or on a loopback port (None). `answer` turns the client's input into an
    answer, None to wait for more, or SILENCE. Each client has a thread. A daemon that `stays` answers again and
    again, until its client closes."""

    SILENCE = object()

    def __init__(self, path, answer, *, stays=False):
        self.answer = answer
        self.stays = stays
        self.requests = []
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(str(path) if path else ("127.0.0.1", 0))
        if path:
            path.chmod(0o666)
        else:
            self.port = self.listener.getsockname()[1]
        self.listener.listen(64)
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        self.listener.settimeout(0.05)
        while not self._end.is_set():
            with contextlib.suppress(TimeoutError):
                client = self.listener.accept()[0]
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client):
        request = b""
        with client:
            client.settimeout(0.05)
            while not self._end.is_set():
                try:
                    got = client.recv(4096)
                except TimeoutError:
                    continue
                except ConnectionResetError:
                    return
                request += got
                reply = self.answer(request)
                if not got:
                    return
                if reply is None:
                    continue
                self.requests.append(request)
                if reply is not self.SILENCE:
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        client.sendall(reply)
                    if not self.stays:
                        return
                    request = b""

    def close(self):
        self._end.set()
        for thread in self._threads:
            thread.join()
        self.listener.close()


def p0f_reply(status=0x10, name=b"Windows", flavor=b"XP"):
    """p0f 3's answer about a client (its API, version 3)."""
    return struct.pack("=9IhBB32s32s32s32s32s32s", 0x50304602, status, 1, 2, 3, 90, 49, 0, 0, 12, 0, 0, name, flavor, b"", b"", b"DSL", b"")
