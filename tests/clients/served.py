"""A server of one measurement, load on it, and what it says of itself. Standard library only."""
import http.client
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import time


def quantile(values, share):
    """The value below which `share` of `values` are; None of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


class Served:
    """`program` over a folder of its own, with its defaults."""

    def __init__(self, program, port=0, settings=None):
        self.folder = tempfile.TemporaryDirectory(prefix="served-")
        self.plugins = pathlib.Path(self.folder.name, "plugins")
        self.plugins.mkdir()
        self.port = port or free_port()
        environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(self.folder.name, "cache"), RUST_BACKTRACE="0", **(settings or {}))
        self.log = open(os.path.join(self.folder.name, "log"), "wb")
        arguments = [program, "--port", str(self.port), "--db-path", os.path.join(self.folder.name, "server.db")]
        self.process = subprocess.Popen(arguments, env=environment, stderr=self.log, stdout=self.log, cwd=self.folder.name)
        wait_for("the server", lambda: self.ask("/v1/health") is not None, 120)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        self.folder.cleanup()

    def ask(self, path):
        """The JSON of `path`; None when there is no answer or it is not 200."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return json.loads(body) if answer.status == 200 else None
        except OSError:
            return None

    def plugin(self, name):
        """What the server says of a plugin; an empty object of one it does not know."""
        return self.ask(f"/v1/plugins/{name}") or {}

    def drop(self, name, content):
        """Copies a file in, in one step as `mv` does."""
        draft = self.plugins / f".{name}.part"
        draft.write_bytes(content)
        draft.rename(self.plugins / f"{name}.wasm")

    def remove(self, name):
        (self.plugins / f"{name}.wasm").unlink()

    def resident(self):
        """MB in memory."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096 / 1e6

    def cpu(self):
        """Seconds of CPU time so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Load:
    """Connections that send batches, without pause or `rate` events a second; every request and how long it took. At a rate a request begins
    when it is due, so that what waits for a slow one counts as slow."""

    def __init__(self, served, bodies, connections=4, rate=None):
        self.served, self.bodies = served, bodies
        self.pause = rate and bodies[0][0] * connections / rate
        self.stop = threading.Event()
        self.requests = []
        self.failed = []
        self.events = 0
        self.threads = [threading.Thread(target=self.send, args=(at, connections)) for at in range(connections)]
        for thread in self.threads:
            thread.start()

    def send(self, first, step):
        connection = socket.create_connection(("127.0.0.1", self.served.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = connection.makefile("rb")
        at = first
        due = time.perf_counter() + (self.pause or 0) * first / step
        while not self.stop.is_set():
            count, body = self.bodies[at % len(self.bodies)]
            at += step
            began = time.perf_counter()
            if self.pause:
                time.sleep(max(due - began, 0))
                began, due = due, due + self.pause
            connection.sendall(body)
            status, answer = read(reader)
            ended = time.perf_counter()
            self.requests.append((began, ended - began, count))
            if status == 201:
                self.events += count
            else:
                self.failed.append((status, answer[:200]))

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def between(self, since, until):
        """Latencies in ms of the requests begun between two times, and events a second."""
        inside = [(took, count) for began, took, count in list(self.requests) if since <= began < until]
        return [took * 1000 for took, _ in inside], sum(count for _, count in inside) / max(until - since, 1e-9)


def read(reader):
    status = int(reader.readline().split(b" ")[1])
    length = 0
    while (line := reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, reader.read(length)


def bodies(path, size):
    """Requests of `size` events each, from a file of one event a line."""
    lines = pathlib.Path(path).read_bytes().splitlines()
    made = []
    for at in range(0, len(lines), size):
        part = lines[at : at + size]
        body = b'{"events": [' + b", ".join(part) + b"]}"
        head = f"POST /v1/telemetry/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        made.append((len(part), head.encode() + body))
    return made


def wait_for(what, there, seconds):
    """Asks until `there` is true; how long that took, in seconds."""
    began = time.perf_counter()
    while not there():
        if time.perf_counter() - began > seconds:
            raise SystemExit(f"{what} does not come in {seconds} s")
        time.sleep(0.01)
    return time.perf_counter() - began


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
