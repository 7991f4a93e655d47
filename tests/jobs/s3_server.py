"""A real S3 server on this machine (moto's), and a proxy in front of it that fails a share of all calls."""

import http.client
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread


@contextmanager
def s3_server() -> Iterator[int]:
    """Run moto's server in a process of its own, with one bucket named 'bucket'; yield its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, "the S3 server did not start"
                assert time.monotonic() < deadline
                time.sleep(0.1)
        request = urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT")
        with urllib.request.urlopen(request):
            pass
        yield port
    finally:
        server.terminate()
        server.wait()


class Failing(ThreadingHTTPServer):
    """Passes requests on, but of 20 in 100, half fail before the server sees them, half after it has answered."""

    daemon_threads = True

    def __init__(self, port: int, *, share: float, seed: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Pass)
        self.target, self.share, self.random = port, share, random.Random(seed)
        self.lock, self.calls, self.failed, self.unheard = Lock(), 0, 0, 0

    def fate(self) -> str:
        with self.lock:
            self.calls += 1
            draw = self.random.random()
            if draw >= self.share:
                return "pass"
            self.failed += 1
            if draw < self.share / 2:
                return "refuse"
            self.unheard += 1
            return "drop"


class _Pass(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Failing

    def _serve(self) -> None:
        fate = self.server.fate()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if fate == "refuse":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=30)
        upstream.request(self.command, self.path, body=body, headers=dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if fate == "drop":  # the server has done it, and nobody hears of it
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "server", "date"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _serve  # noqa: N815

    def log_message(self, *given: object) -> None:
        """Say nothing."""


@contextmanager
def failing_proxy(port: int, *, share: float = 0.2, seed: int = 0) -> Iterator[Failing]:
    """Run the proxy; yield it."""
    proxy = Failing(port, share=share, seed=seed)
    thread = Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
