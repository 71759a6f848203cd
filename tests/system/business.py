"""A business system for tests: an HTTP server whose answers the test chooses, and which remembers what it was asked."""
import http.server
import json
import threading
from urllib.parse import parse_qs, urlsplit


class Request:
    def __init__(self, method, path, headers, body):
        u = urlsplit(path)
        self.method, self.path, self.headers, self.body = method, u.path, headers, body
        self.query = {k: v[0] for k, v in parse_qs(u.query, keep_blank_values=True).items()}


class Business:
    """`answer(request)` gives (status, body as bytes or as what JSON can hold); None: never an answer."""

    def __init__(self, ip, answer):
        self.answer, self.asked, self.lock = answer, [], threading.Lock()
        self.over = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                with outer.lock:
                    outer.asked.append(request)
                reply = outer.answer(request)
                if reply is None:
                    outer.over.wait()
                    self.close_connection = True
                    return
                status, data = reply
                data = data if isinstance(data, bytes) else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, *_):  # a client that goes in the middle is what tests are about
                pass

        self.server = Server((ip, 0), Handler)
        self.url = "http://%s:%d" % (ip, self.server.server_address[1])
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def count(self, **query):
        with self.lock:
            return sum(all(r.query.get(k) == v for k, v in query.items()) for r in self.asked)

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
