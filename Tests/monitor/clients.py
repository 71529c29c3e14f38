#!/usr/bin/env python3
"""What clients do to `spoolctl monitor`: clients.py SPOOLCTL SPOOL CASE. Prints what was seen; exits with 1 when it is wrong.

Each case starts a monitor of its own. Nothing here depends on how fast the machine is: a case waits for what must come, and the longest
wait is for the monitor's own limits.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SPOOLCTL, SPOOL, CASE = sys.argv[1:4]
PATIENCE = 600
# The time that the monitor gives a client for a request.
CLIENT_SECONDS = 10


STARTED = []


class Monitor:
    def __init__(self, *options, port=True, under=()):
        self.process = subprocess.Popen(
            [*under, SPOOLCTL, "monitor", "--spool", SPOOL] + (["--listen", "127.0.0.1:0"] if port else []) + list(options),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        STARTED.append(self.process)
        self.line = self.process.stdout.readline().strip()
        if not self.line:
            raise AssertionError("not started: " + self.process.stderr.read())
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/(?:\?token=(\w+))?", self.line)
        self.port = int(found[1]) if found else None
        self.token = found[2] if found else None

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def ask(self, request, link=None):
        """Sends bytes, and returns what comes until the other side closes."""
        while True:
            begin = time.monotonic()
            with link or self.connect() as used:
                used.sendall(request)
                answer = everything(used)
            # This process may have stood still between the connection and the request.
            if link or not answer.startswith(b"HTTP/1.1 408 ") or time.monotonic() - begin < CLIENT_SECONDS / 2:
                return answer

    def get(self, path, *fields, method="GET"):
        return self.ask(("%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n" % (
            method, path, "".join(field + "\r\n" for field in fields))).encode())

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def everything(link):
    data = b""
    while True:
        try:
            piece = link.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


def until(link, wanted):
    data = b""
    while wanted not in data:
        piece = link.recv(65536)
        if not piece:
            raise AssertionError("closed before %r came: %r" % (wanted, data[-300:]))
        data += piece
    return data


def status(answer):
    return int(answer.split(b" ")[1])


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def is_served(monitor):
    expect(status(monitor.get("/queues")) == 200, "another client is not served")


def ctl(*words):
    return subprocess.run([SPOOLCTL, "--spool", SPOOL, *words], check=True, capture_output=True, text=True).stdout.strip()


def refusal(address, *options):
    """The result of a monitor that does not begin to serve."""
    line = [SPOOLCTL, "monitor", "--spool", SPOOL, "--listen", address, *options]
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE)


def connect_many(monitor, count, sending, links):
    """Adds connections in which a client sends this, and no more."""
    for _ in range(count):
        links.append(monitor.connect())
        links[-1].sendall(sending)


def is_one_closed(links):
    closed = 0
    for link in links[:100]:
        link.setblocking(False)
        try:
            closed += link.recv(1) == b""
        except BlockingIOError:
            pass
        except ConnectionResetError:
            closed += 1
    expect(closed > 0, "no old connection was closed")


def in_time(round):
    """A round of connections, and again when it took so long that the monitor's own limits for a client may have closed some."""
    for tries_left in range(20, -1, -1):
        begin = time.monotonic()
        links = []
        try:
            return round(links)
        except AssertionError:
            if tries_left == 0 or time.monotonic() - begin < CLIENT_SECONDS / 2:
                raise
        finally:
            for link in links:
                link.close()


def makes_room(monitor, count, sending, served=3):
    """More connections than the monitor keeps, which send this: new clients are served, and old connections are closed."""
    def round(links):
        connect_many(monitor, count, sending, links)
        for _ in range(served):
            is_served(monitor)
        is_one_closed(links)

    in_time(round)


def soft_limit(count):
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, count), hard), hard))


# MARK: Cases


def answers():
    """Every view answers, HEAD has the fields of GET, and every answer has the fields that protect a reader."""
    monitor = Monitor("--no-token")
    for path in [
        "/", "/running", "/waiting", "/jobs", "/tasks", "/timeline", "/queues", "/health", "/search?q=a", "/metrics", "/favicon.svg",
    ]:
        answer = monitor.get(path)
        expect(status(answer) == 200, "%s: %r" % (path, answer[:200]))
        head, body = answer.split(b"\r\n\r\n", 1)
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        expect(int(fields[b"Content-Length"]) == len(body), path + ": length")
        policy = fields[b"Content-Security-Policy"].decode()
        for part in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]:
            expect(part in policy, "%s lacks %s" % (policy, part))
        expect("unsafe" not in policy and "*" not in policy and "http" not in policy, policy)
        for name, value in [(b"X-Content-Type-Options", b"nosniff"), (b"Referrer-Policy", b"no-referrer"), (b"Cache-Control", b"no-store"),
                            (b"Cross-Origin-Opener-Policy", b"same-origin"), (b"Cross-Origin-Resource-Policy", b"same-origin")]:
            expect(fields[name] == value, "%s: %s" % (path, name))
        if path.startswith("/q"):
            expect(monitor.get(path, method="HEAD").endswith(b"\r\n\r\n"), "HEAD has a body")
        expect(b" style=" not in body and b"onclick" not in body, path + " has what the policy forbids")
        outside = [word for word in re.findall(rb"(?:src|href)=\"([^\"]*)\"", body) if not word.startswith((b"/", b"#"))]
        expect(not outside, "%s loads %s" % (path, outside))
    for path, code in [
        ("/nothing", 404), ("/jobs/20261121T020000.000Z-a-k3f9ab", 404), ("/tasks/nothing", 404), ("/jobs?state=nonsense", 400),
        ("/jobs?since=nonsense", 400), ("/events", 400), ("/events?view=nonsense", 400), ("/tasks/nobody/x", 404),
    ]:
        expect(status(monitor.get(path)) == code, "%s: %r" % (path, monitor.get(path)[:100]))
    expect(monitor.stop() == 0, "SIGTERM ends it with 0")


def mistakes():
    """What is no request of HTTP/1.1 with GET or HEAD is refused, and the connection is closed."""
    monitor = Monitor("--no-token")
    for request, code in [
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"DELETE /jobs/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 400), (b"GET / HTTP/3\r\nHost: localhost\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n", 431),
    ]:
        answer = monitor.ask(request)
        expect(status(answer) == code, "%r: %r" % (request[:80], answer[:200]))
        expect(b"\r\nConnection: close\r\n" in answer, "%r leaves the connection open" % request[:80])
    expect(b"\r\nAllow: GET, HEAD\r\n" in monitor.ask(b"PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "Allow")
    is_served(monitor)


def connections():
    """Requests that come together are answered in order; a client that has stopped sending gets its answer; one byte at a time is
    enough."""
    monitor = Monitor("--no-token")
    one = b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
    answer = monitor.ask(one % (b"/queues", b"") + one % (b"/nothing", b"") + one % (b"/favicon.svg", b"Connection: close\r\n"))
    codes = re.findall(rb"HTTP/1.1 (\d+)", answer)
    expect(codes == [b"200", b"404", b"200"], "in order: %r" % codes)
    with monitor.connect() as link:
        link.sendall(one % (b"/jobs", b""))
        link.shutdown(socket.SHUT_WR)
        answer = everything(link)
        head, body = answer.split(b"\r\n\r\n", 1)
        expect(int(re.search(rb"Content-Length: (\d+)", head)[1]) == len(body), "half-closed: the answer is not whole")
    with monitor.connect() as link:
        link.sendall(one % (b"/favicon.svg", b"") * 5)
        link.shutdown(socket.SHUT_WR)
        expect(everything(link).count(b"HTTP/1.1 200") == 5, "half-closed: requests that came together")
    with monitor.connect() as link:
        for byte in one % (b"/queues", b"Connection: close\r\n"):
            link.sendall(bytes([byte]))
        expect(status(everything(link)) == 200, "byte by byte")
    with monitor.connect() as link:
        link.sendall(b"GET / HTTP/1.1\r\nHo")
        link.shutdown(socket.SHUT_WR)
        expect(everything(link) == b"", "half a request has an answer")
    expect(monitor.ask(b"GET /favicon.svg HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200"), "HTTP/1.0")


def idle():
    """A thousand connections that send nothing harm nobody."""
    soft_limit(4096)
    monitor = Monitor("--no-token")

    def round(links):
        connect_many(monitor, 1000, b"", links)
        is_served(monitor)
        for link in links[::100]:
            link.sendall(b"GET /favicon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            until(link, b"</svg>")

    in_time(round)
    is_served(monitor)


def flood():
    """More connections than the monitor keeps: the oldest idle ones are closed, and new ones are served."""
    soft_limit(8192)
    monitor = Monitor("--no-token")
    makes_room(monitor, 2500, b"", served=1)


def half():
    """Clients that have begun a request, more than the monitor keeps, keep nobody away: the oldest of them make room."""
    soft_limit(8192)
    monitor = Monitor("--no-token")
    makes_room(monitor, 2500, b"G")


def few():
    """The same where the system lets the monitor have few descriptors; pages can still open their files."""
    monitor = Monitor("--no-token", under=["prlimit", "--nofile=160:160"])
    makes_room(monitor, 200, b"G")


def slow():
    """Clients that send a request slowly, or never end it, are told so and closed; others are served meanwhile."""
    monitor = Monitor("--no-token")
    links = []
    connect_many(monitor, 200, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-", links)
    is_served(monitor)
    seen = b""
    begin = time.monotonic()
    links[0].settimeout(0.5)
    while time.monotonic() - begin < PATIENCE:
        try:
            links[0].sendall(b"a")
            piece = links[0].recv(65536)
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            break
        if not piece:
            break
        seen += piece
    expect(seen.startswith(b"HTTP/1.1 408 "), "the slow client got %r" % seen[:100])
    for link in links[1:]:
        expect(everything(link).startswith(b"HTTP/1.1 408 "), "a client that never ends its request stays")
    is_served(monitor)


def reading():
    """A client that asks and does not read keeps nothing from others."""
    monitor = Monitor("--no-token")
    links = []
    for _ in range(50):
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        link.connect(("127.0.0.1", monitor.port))
        link.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        links.append(link)
    is_served(monitor)


def hosts():
    """A name that the page is not known by is refused (DNS rebinding)."""
    monitor = Monitor("--no-token", "--host", "spool.example")
    for host, code in [
        ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("localhost.evil", 421), ("127.0.0.1:%d" % monitor.port, 200),
        ("LOCALHOST", 200), ("[::1]:80", 200), ("spool.example:8080", 200), ("192.168.1.1", 200), ("1.2.3.4.5", 421),
        ("+1.2.3.4", 421), ("[x", 421), ("", 421),
    ]:
        answer = monitor.ask(("GET /queues HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host).encode())
        expect(status(answer) == code, "%s: %r" % (host, answer[:150]))


def tokens():
    """A port wants the token: in the address, which sets a cookie, or as a bearer. A socket wants none, and only its owner reaches it."""
    monitor = Monitor()
    expect(monitor.token and len(monitor.token) >= 24, "no token is printed: " + monitor.line)
    for path in ["/", "/metrics", "/events?view=/", "/favicon.svg", "/nothing"]:
        expect(status(monitor.get(path)) == 401, path + " without a token")
    wrong = monitor.token[:-1] + ("0" if monitor.token[-1] != "0" else "1")
    expect(status(monitor.get("/?token=" + wrong)) == 401, "a wrong token")
    expect(status(monitor.get("/", "Authorization: Bearer " + wrong)) == 401, "a wrong bearer")
    answer = monitor.get("/jobs?state=failed&token=" + monitor.token)
    expect(status(answer) == 303 and b"\r\nLocation: /jobs?state=failed\r\n" in answer, "%r" % answer[:300])
    cookie = re.search(rb"Set-Cookie: ([^;]+); Path=/; HttpOnly; SameSite=Strict\r\n", answer)[1].decode()
    answer = monitor.get("/", "Cookie: other=1; " + cookie)
    expect(status(answer) == 200 and monitor.token.encode() not in answer, "with the cookie")
    expect(monitor.token not in cookie, "the cookie is the token")
    foreign = ["Cookie: " + cookie, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"]
    expect(status(monitor.get("/", *foreign)) == 403, "another site asks")
    expect(status(monitor.get("/metrics", "Authorization: Bearer " + monitor.token)) == 200, "with the bearer")
    with open("/proc/%d/cmdline" % monitor.process.pid, "rb") as file:
        expect(monitor.token.encode() not in file.read(), "the token is in the command line")
    monitor.stop()
    with tempfile.TemporaryDirectory() as directory:
        file = directory + "/token"
        with open(file, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as target:
            target.write("my-own-token-of-the-page\n")
        monitor = Monitor("--token-file", file)
        expect("my-own" not in monitor.line, "a token from a file is printed")
        expect(status(monitor.get("/", "Authorization: Bearer my-own-token-of-the-page")) == 200, "token from a file")
        # The cookie of a token from a file holds as long as the token, and not for another one.
        def cookie(token):
            return re.search(rb"Set-Cookie: ([^;]+);", monitor.get("/?token=" + token))[1].decode().split("=")[1]

        kept = cookie("my-own-token-of-the-page")
        for token, code in [("my-own-token-of-the-page", 200), ("another-token-of-the-page", 401)]:
            monitor.stop()
            with open(file, "w") as target:
                target.write(token)
            monitor = Monitor("--token-file", file)
            answer = monitor.get("/", "Cookie: spoold-%d=%s" % (monitor.port, kept))
            expect(status(answer) == code, "the cookie after a restart with " + token)
        monitor.stop()
        os.chmod(file, 0o644)
        refused = refusal("127.0.0.1:0", "--token-file", file)
        expect(refused.returncode == 5 and "others can read the token" in refused.stderr, refused.stderr)


def unix_socket():
    """A Unix socket has its mode from the beginning, is replaced when nobody listens there, and is removed at the end."""
    with tempfile.TemporaryDirectory() as directory:
        path = directory + "/monitor.sock"

        def ask(host=b"localhost"):
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(path)
                link.sendall(b"GET /queues HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
                return everything(link)

        monitor = Monitor("--listen", "unix:" + path, port=False)
        expect(monitor.line == "unix:" + path, monitor.line)
        expect(os.stat(path).st_mode & 0o777 == 0o600, "mode %o" % os.stat(path).st_mode)
        expect(status(ask()) == 200, "over the socket")
        expect(status(ask(b"evil.example")) == 421, "a name of another site, through a forwarded port")
        second = refusal("unix:" + path)
        expect(second.returncode == 1 and "Address already in use" in second.stderr, second.stderr)
        monitor.stop(signal.SIGKILL)
        expect(os.path.exists(path), "the socket of a killed monitor is gone")
        monitor = Monitor("--listen", "unix:" + path, "--mode", "0660", port=False)
        expect(os.stat(path).st_mode & 0o777 == 0o660 and status(ask()) == 200, "replaced")
        expect(monitor.stop() == 0 and not os.path.exists(path), "the socket is left")
        with open(path, "w") as file:
            file.write("mine")
        refused = refusal("unix:" + path)
        expect(refused.returncode == 1 and open(path).read() == "mine", "a file was replaced: " + refused.stderr)


def activation():
    """A socket that the service manager has opened is served."""
    listener = socket.create_server(("127.0.0.1", 0))
    # A shell sets LISTEN_PID, which must be the number of the process that replaces it.
    process = subprocess.Popen(
        ["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&%d' % listener.fileno(), "sh",
         SPOOLCTL, "monitor", "--spool", SPOOL, "--no-token"],
        stdout=subprocess.PIPE, text=True, pass_fds=[listener.fileno()])
    process.stdout.readline()
    with socket.create_connection(listener.getsockname(), timeout=PATIENCE) as link:
        link.sendall(b"GET /queues HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        expect(status(everything(link)) == 200, "over the given socket")
    process.terminate()
    expect(process.wait(PATIENCE) == 0, "ended")


def follow(monitor, view, *fields):
    link = monitor.connect()
    lines = ["GET /events?view=%s HTTP/1.1" % view, "Host: localhost", *fields, "", ""]
    link.sendall("\r\n".join(lines).encode())
    return link


def until_without(link, unwanted):
    """Waits for an event of the page that does not have a text."""
    data = b""
    while True:
        *whole, data = data.split(b"\n\n")
        if any(b"event: page" in one and unwanted not in one for one in whole):
            return
        piece = link.recv(65536)
        if not piece:
            raise AssertionError("closed before a page without %r came" % unwanted)
        data += piece


def few_watches(name, count):
    """Where inotify has not what the page needs, the page says so, follows what happens all the same, and recovers."""
    limit = "/proc/sys/user/" + name
    under = ["unshare", "-U", "-r", "sh", "-c", "echo %s >%s && exec \"$@\"" % (count, limit), "sh"]
    # A gate for each wait: a reader that comes before the writer of the last wait is gone would not wait.
    gates = tempfile.mkdtemp()
    for gate in ["second", "third", "fourth"]:
        os.mkfifo(os.path.join(gates, gate))
    # The definition has the words in another form than the output.
    job = ctl("submit", "-q", "--name", "teller",
              "cd {0}; echo fi''rst; read x <second; echo sec''ond; read x <third; echo thi''rd".format(gates))
    monitor = Monitor("--no-token", under=under)
    setting = b"fs.inotify." + name.replace("inotify", "user").encode()
    try:
        with follow(monitor, "/jobs/" + job) as link:
            # Output is watched when the job has begun.
            until(link, setting)
            for word in ["second", "third"]:
                with open(os.path.join(gates, word), "w") as file:
                    file.write("\n")
                until(link, word.encode())
            with follow(monitor, "/waiting") as waiting:
                until(waiting, b"</main>")
                ctl("submit", "--name", "comes", "--in", "1h", "true")
                until(waiting, b"comes")
        # Once: what needs no events needs no watches either.
        once = subprocess.run([*under, SPOOLCTL, "--spool", SPOOL, "top"], capture_output=True, text=True, timeout=PATIENCE)
        expect(once.returncode == 0 and "comes" in once.stdout, "top: %s" % once)
        job = ctl("submit", "-q", "--name", "teller", "cd {0}; echo fi''rst; read x <fourth; echo fou''rth".format(gates))
        with follow(monitor, "/jobs/" + job) as link:
            until(link, setting)
            subprocess.run(["nsenter", "-U", "--preserve-credentials", "-t", str(monitor.process.pid), "sh", "-c", "echo 1000 >" + limit],
                           check=True)
            until_without(link, setting)
            with open(os.path.join(gates, "fourth"), "w") as file:
                file.write("\n")
            until(link, b"fourth")
    finally:
        shutil.rmtree(gates)


def full_disk():
    """The page writes nothing: where the disk is full, it is served, shows what the daemon cannot write, and is live."""
    for name in ["before", "while"]:
        with open("%s/tmp/%s.toml" % (SPOOL, name), "w") as file:
            file.write('command = "true"\n')
    with open(SPOOL + "/tmp/.filler", "wb", buffering=0) as file:
        for size in [65536, 1]:
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                expect(error.errno == 28, "%s" % error)
    os.rename(SPOOL + "/tmp/before.toml", SPOOL + "/new/before.toml")
    monitor = Monitor("--no-token")
    expect(b"before" in monitor.get("/waiting"), "what waits is not shown")
    expect(status(monitor.get("/metrics")) == 200, "no metrics")
    with follow(monitor, "/health") as health, follow(monitor, "/waiting") as waiting:
        until(health, b"No space left")
        os.rename(SPOOL + "/tmp/while.toml", SPOOL + "/new/while.toml")
        until(waiting, b"while")
        os.remove(SPOOL + "/tmp/.filler")
        until_without(health, b"No space left")
    ctl("wait", "before", "while")


def events():
    """A page's events: the present state at once, a change as it comes, nothing again for a client that has it, and a limit on
    clients."""
    monitor = Monitor("--no-token")
    with follow(monitor, "/waiting") as link:
        first = until(link, b"</main>")
        for part in [b"\r\nContent-Type: text/event-stream\r\n", b"event: page\n", b"retry: "]:
            expect(part in first, "%r" % first[:300])
        known = re.search(rb"\nid: (\w+)\n", first)[1].decode()
        # A reader that has the page gets no event before something changes.
        with follow(monitor, "/waiting", "Last-Event-ID: " + known) as again:
            until(again, b"retry: ")
            name = "seen-%d" % os.getpid()
            ctl("submit", "--name", name, "--in", "1h", "true")
            until(link, name.encode())
            news = until(again, name.encode())
            expect(news.count(b"event: page") == 1, "%d events" % news.count(b"event: page"))
        for line in first.split(b"\r\n\r\n", 1)[1].split(b"\n"):
            expect(line == b"" or line.startswith((b"event: ", b"id: ", b"data: ", b"retry: ", b":")), "%r" % line)
    asked = "/events?view=/waiting"
    expect(status(monitor.get(asked, method="HEAD")) == 200 and status(monitor.get("/events", method="HEAD")) == 400, "HEAD")
    links = [follow(monitor, "/waiting") for _ in range(101)]
    answers = [link.recv(12) for link in links]
    expect(answers.count(b"HTTP/1.1 503") >= 1 and answers.count(b"HTTP/1.1 200") >= 90, "%s" % answers)
    expect(status(monitor.get(asked, method="HEAD")) == 503, "HEAD tells why a stream is refused")
    is_served(monitor)


def heartbeat():
    """Nothing happens, and a client that follows a page still hears of the monitor."""
    monitor = Monitor("--no-token")
    with monitor.connect() as link:
        # This page says of no time how long it is ago.
        link.sendall(b"GET /events?view=/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        seen = until(link, b"\n: \n\n")
    expect(seen.count(b"event: page\n") == 1, "%d pages" % seen.count(b"event: page\n"))


def hostile():
    """Names, titles, output, notes and payloads of others are shown as the characters that they have."""
    bait = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"
    script = "printf '%s\\n' \"$1\"; printf '\\033[31m\\342\\200\\256\\0' >&2; exit 9"
    result = subprocess.run(
        [SPOOLCTL, "--spool", SPOOL, "submit", "-w", "--name", "bait", "--title", bait, "--payload",
         '{"a": "</pre><script>alert(2)</script>"}', "--", "sh", "-c", script, "sh", bait], capture_output=True, text=True)
    expect(result.returncode == 9, result.stderr)
    ctl("pause", "--queue", "q", "--note", bait)
    monitor = Monitor("--no-token")
    identifier = ctl("jobs", "-q", "--name", "bait").split("\n")[-1]
    for path in [
        "/", "/jobs", "/jobs/" + identifier, "/health", "/queues", "/search?q=%3Cscript%3Ealert%281%29%3C%2Fscript%3E%22%27",
        "/jobs?task=%22%3E%3Cscript%3E", "/nothing/%3Cscript%3Ealert%281%29%3C%2Fscript%3E",
    ]:
        answer = monitor.get(path)
        body = answer.split(b"\r\n\r\n", 1)[1]
        expect(body.count(b"<script>") == 1, "%s has %d scripts" % (path, body.count(b"<script>")))
        expect(b"<img" not in body and b"\x1b" not in body and b"\0" not in body and "\u202e".encode() not in body, path)
    expect(b"&lt;script&gt;alert(1)" in monitor.get("/jobs/" + identifier), "the output is not shown")
    ctl("resume", "--queue", "q")


def secrets():
    """Variables that look like secrets have no values on any page."""
    with open(SPOOL + "/tmp/keeper.toml", "w") as file:
        file.write('command = "true"\nenv = {DB_PASSWORD = "hunter2", COLOUR = "teal"}\n')
    os.rename(SPOOL + "/tmp/keeper.toml", SPOOL + "/new/keeper.toml")
    ctl("wait", "keeper")
    monitor = Monitor("--no-token")
    page = monitor.get("/jobs/" + ctl("jobs", "-q", "--name", "keeper").split("\n")[-1])
    expect(b"teal" in page and b"DB_PASSWORD=***" in page and b"hunter2" not in page, "the secret, or nothing, is shown")


def quiet():
    """Without a client that follows a page, the monitor does not wake up, whatever happens in the spool."""
    monitor = Monitor("--no-token")
    is_served(monitor)

    def switches():
        with open("/proc/%d/status" % monitor.process.pid) as file:
            return [line for line in file if line.startswith("State:") or "ctxt_switches" in line]

    # The connection of the last request is gone when both sides have closed it. Then the monitor sleeps, and does not only wait for a
    # processor.
    before = [""]
    while "S (sleeping)" not in before[0] or before != switches():
        before = switches()
        ctl("submit", "-w", "true")
    for _ in range(5):
        ctl("submit", "-w", "true")
    expect(switches() == before, "woken up: %s, %s" % (before, switches()))
    # With a client that follows a page, it sleeps between two changes: it waits without a limit near to now.
    link = monitor.connect()
    link.sendall(b"GET /events?view=/queues HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(link, b"</main>")
    # From here until a change is shown, strace sees each of its calls: each wait, and the end of the last one, by the change.
    expect(shutil.which("strace"), "strace is not installed")
    with tempfile.TemporaryDirectory() as directory:
        calls = directory + "/calls"
        tracer = subprocess.Popen(
            ["strace", "-f", "-e", "trace=poll", "-o", calls, "-p", str(monitor.process.pid)], stderr=subprocess.PIPE, text=True)
        attached = tracer.stderr.readline()
        expect("attached" in attached, "strace cannot look at it: " + attached)
        # The waits that one change makes, and those of the changes before, which may come late.
        for name in ["seen-one", "seen-two", "seen-three"]:
            ctl("pause", "--queue", name)
            until(link, name.encode())
        tracer.send_signal(signal.SIGINT)
        tracer.wait(PATIENCE)
        with open(calls) as file:
            polls = [line for line in file if "poll(" in line]
    expect(polls, "strace has seen no wait")
    # A wait that is no sleep has the limit 0, or one that is near.
    limits = [int(found[1]) for line in polls for found in [re.search(r"\], \d+, (-?\d+)", line)] if found]
    expect(limits and max(limits) > 1000, "it never sleeps: %s" % limits)
    expect(len(polls) < 200, "it does not sleep: %d waits" % len(polls))


if __name__ == "__main__":
    try:
        case, *arguments = CASE.split(":")
        globals()[case](*arguments)
    except AssertionError as error:
        sys.exit("%s: %s" % (CASE, error))
    finally:
        for process in STARTED:
            process.kill()
    print(CASE, "ok")
