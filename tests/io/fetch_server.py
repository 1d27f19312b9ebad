"""A server on this machine that behaves as badly as it is told to."""

import hashlib
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer


class Server:
    """Files by path, and a list of misdeeds for the next requests of each.

    A misdeed is a function of the handler; it returns True if it has answered.
    """

    def __init__(self):
        self.files, self.misdeeds, self.asked = {}, {}, []
        self.ranges, self.tags = True, True
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                path = self.path
                server.asked.append((path, dict(self.headers)))
                waiting = server.misdeeds.get(path, [])
                if waiting and waiting.pop(0)(self):
                    return
                server.answer(self)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._http.server_port}"

    def answer(self, handler, keep=None, length=None, tag=None, kind="application/x-netcdf"):
        """The file, or the first `keep` bytes of it before the line is cut."""
        body = self.files.get(handler.path)
        if body is None:
            return reply(handler, 404)
        tag = tag or f'"{hashlib.md5(body).hexdigest()}"'
        asked = handler.headers.get("Range")
        begin, end = 0, len(body)
        if asked and self.ranges and handler.headers.get("If-Range", tag) == tag:
            low, _, high = asked.removeprefix("bytes=").partition("-")
            begin, end = int(low), int(high) + 1 if high else len(body)
            if begin >= len(body):
                return reply(handler, 416, {"Content-Range": f"bytes */{len(body)}"})
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(body)}")
        else:
            handler.send_response(200)
        if self.tags:
            handler.send_header("ETag", tag)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(end - begin if length is None else length))
        handler.end_headers()
        part = body[begin:end]
        handler.wfile.write(part if keep is None else part[:keep])
        if keep is not None or length is not None:
            handler.close_connection = True
        return True

    def asked_for(self, path):
        """Headers of all requests for a path."""
        return [headers for asked, headers in self.asked if asked == path]


@contextmanager
def serving():
    """A `Server` that runs in another thread."""
    server = Server()
    thread = threading.Thread(target=server._http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server._http.shutdown()
        server._http.server_close()
        thread.join()


def reply(handler, code, headers=None, body=b""):
    """A short answer."""
    handler.send_response(code)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
    return True


def stall(seconds, after):
    """Send some bytes, then nothing."""

    def misdeed(handler):
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.wfile.write(b"x" * after)
        time.sleep(seconds)
        return True

    return misdeed


@contextmanager
def serving_ftp(files, cut=()):
    """An FTP server of some files; the bytes after which each transfer is cut, in order."""
    cut, log = list(cut), []

    class Handler(StreamRequestHandler):
        def handle(self):
            self.say("220 ready")
            rest, data = 0, None
            for line in self.rfile:
                word, _, value = line.decode().strip().partition(" ")
                log.append(f"{word} {value}".strip())
                body = files.get(value)
                if word == "USER":
                    self.say("331 any password")
                elif word in ("PASS", "TYPE"):
                    self.say("230 good")
                elif word == "PASV":
                    data = socket.create_server(("127.0.0.1", 0))
                    port = data.getsockname()[1]
                    self.say(f"227 (127,0,0,1,{port // 256},{port % 256})")
                elif word == "REST":
                    rest = int(value)
                    self.say("350 from there")
                elif word in ("SIZE", "MDTM", "RETR") and body is None:
                    self.say("550 no such file")
                elif word == "SIZE":
                    self.say(f"213 {len(body)}")
                elif word == "MDTM":
                    self.say("213 20200101000000")
                elif word in ("RETR", "NLST"):
                    if word == "NLST":
                        names = [name for name in files if name.startswith(f"{value}/")]
                        body = "".join(f"{name}\r\n" for name in names)
                        body = body.encode(errors="surrogateescape")
                        if not names:
                            self.say("550 no such folder")
                            continue
                    self.say("150 coming")
                    keep = cut.pop(0) if cut and word == "RETR" else None
                    with data.accept()[0] as line_out:
                        line_out.sendall(body[rest:] if keep is None else body[rest : rest + keep])
                    data.close()
                    rest = 0
                    self.say("226 done" if keep is None else "426 cut")
                elif word == "QUIT":
                    self.say("221 bye")
                    return

        def say(self, line):
            self.wfile.write(f"{line}\r\n".encode())

    class FtpServer(ThreadingTCPServer):
        daemon_threads = True

    with FtpServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"ftp://127.0.0.1:{server.server_address[1]}", log
        server.shutdown()
        thread.join()
