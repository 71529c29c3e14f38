#!/usr/bin/env python3
"""What a person does with the monitor's page in a browser: browse.py SPOOLCTL SPOOL CASE[:ARGUMENT]... Needs chromium and chromedriver; for
accessibility also axe-core, from the Python package axe-playwright-python. Prints what was seen; exits with 1 when it is wrong."""

import importlib.util
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile

from browser import Browser

SPOOLCTL, SPOOL, CASE = sys.argv[1:4]


def ctl(*words):
    return subprocess.run([SPOOLCTL, "--spool", SPOOL, *words], check=True, capture_output=True, text=True).stdout.strip()


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def start(port=0, *options):
    process = subprocess.Popen(
        [SPOOLCTL, "monitor", "--spool", SPOOL, "--listen", "127.0.0.1:%d" % port, *options], stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def free_port():
    """A port that the system gives to nobody who lets it choose, so that it stays free while the monitor is away."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first = int(file.read().split()[0])
    while True:
        try:
            with socket.create_server(("127.0.0.1", random.randrange(min(10_000, first // 2), min(20_000, first)))) as free:
                return free.getsockname()[1]
        except OSError:
            pass  # somebody has it


def views():
    job = ctl("jobs", "-q", "--state", "failed").split("\n")[-1]
    running = ctl("jobs", "-q", "--state", "running").split("\n")[0]
    task = ctl("list", "--names").split("\n")[0]
    return [
        "/", "/running", "/waiting", "/jobs", "/jobs?state=failed&since=24h", "/jobs/" + job, "/jobs/" + running, "/tasks",
        "/tasks/" + task, "/timeline", "/timeline?zoom=hour", "/queues", "/health", "/search?q=a", "/search", "/nothing",
    ]


def is_live(browser):
    browser.wait("return document.getElementById('updates').textContent === 'Live'")


# MARK: Cases


def looks(browser, page, theme, width):
    """Every view in a theme and a width: nothing on the console, nothing wider than the window, no violation that axe-core finds."""
    place = importlib.util.find_spec("axe_playwright_python")
    with open(os.path.join(os.path.dirname(place.origin), "axe.min.js")) as file:
        axe = file.read()
    browser.open(page)
    base = page.split("?")[0].rstrip("/")

    def violations():
        return browser.run_later(
            "const done = arguments[0]; axe.run({resultTypes: ['violations']}).then(r => done(r.violations.map(v => v.id + ': ' + "
            "v.nodes.map(n => n.html.slice(0, 160) + ' ' + n.failureSummary).join(' | '))))")

    # The check itself can fail. Some versions take a placeholder for a label.
    browser.open(base + "/")
    browser.run("document.getElementById('pause').click(); const find = document.getElementById('find');"
                "find.removeAttribute('placeholder'); find.labels[0].remove()")
    browser.run(axe)
    expect(any(found.startswith("label") for found in violations()), "axe-core finds no missing label")
    count = 0
    browser.theme(theme)
    browser.size(int(width), 900)
    for path in views():
        browser.open(base + path)
        is_live(browser)
        where = "%s, %s, %s px: " % (path, theme, width)
        wanted = ["404"] if path == "/nothing" else []
        complaints = [text for text in browser.complaints() if not any(part in text for part in wanted)]
        expect(not complaints, where + "console: %s" % complaints)
        overflow = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        expect(overflow <= 0, where + "%d px wider than the window" % overflow)
        browser.run(axe)
        found = violations()
        expect(not found, where + "axe-core: %s" % found)
        count += 1
    print(count, "pages looked at")


def live(browser, page):
    """A change is seen at once and without loading the page again; paused, nothing changes; going on, the page is as it should be."""
    browser.open(page)
    browser.open(page.split("?")[0].rstrip("/") + "/waiting")
    is_live(browser)
    browser.run("window.stays = true")
    # Each heartbeat looks at the spool too, and is sent to all who follow a page before any page is. So a change that the browser shows
    # before another follower hears a heartbeat came by itself.
    port, token = re.fullmatch(r"http://127.0.0.1:(\d+)/\?token=(\w+)", page).groups()
    with socket.create_connection(("127.0.0.1", int(port))) as other:
        other.sendall(("GET /events?view=/nothing HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % token).encode())
        heard = b""
        while b"</main>" not in heard:
            heard += other.recv(65536)
        other.setblocking(False)
        # On a busy machine a heartbeat may come while a change is on its way.
        for number in range(40):
            ctl("submit", "--name", "live-%d" % number, "--in", "2h", "true")
            browser.wait("return document.body.innerText.includes(arguments[0])", "live-%d" % number)
            try:
                if b": \n\n" not in other.recv(1 << 20):
                    break
            except BlockingIOError:
                break
        else:
            raise AssertionError("a change is seen only with a heartbeat")
    ctl("submit", "--name", "live-one", "--in", "2h", "true")
    browser.wait("return document.body.innerText.includes('live-one')")
    browser.run("document.getElementById('pause').click()")
    ctl("submit", "--name", "live-two", "--in", "2h", "true")
    expect(browser.run("return document.getElementById('updates').textContent") == "Paused", "not paused")
    # The server has the new job, and the page has not.
    fetched = browser.run_later("const done = arguments[0]; fetch('/waiting').then(a => a.text()).then(done)")
    expect("live-two" in fetched and "live-two" not in browser.text(), "a paused page changes")
    browser.run("document.getElementById('pause').click()")
    browser.wait("return document.body.innerText.includes('live-two')")
    ctl("cancel", "--name", "live-one", "--name", "live-two")
    browser.wait("return !document.querySelector('main').innerText.includes('live-one')")
    expect(browser.run("return window.stays === true"), "the page was loaded again")


def returns(browser, page):
    """A page that is open goes on when its monitor has started again, and says what it needs when it cannot."""
    note = "return document.getElementById('updates').textContent.includes(arguments[0])"
    port = free_port()
    base = "http://127.0.0.1:%d" % port
    with tempfile.NamedTemporaryFile("w", suffix=".token") as file:

        def begin(token):
            file.seek(0)
            file.truncate()
            file.write(token + "\n")
            file.flush()
            return start(port, "--token-file", file.name)[0]

        first = begin("the-first-token-here")
        try:
            browser.open(base + "/waiting?token=the-first-token-here")
            is_live(browser)
            browser.run("window.stays = true")
            first.kill()
            first.wait()
            browser.wait(note, "No connection")
            first = begin("the-first-token-here")
            browser.wait(note, "Live")
            ctl("submit", "--name", "after-all", "--in", "2h", "true")
            browser.wait("return document.body.innerText.includes('after-all')")
            # Another token: the page says that it needs it, and goes on when the browser has it.
            first.kill()
            first.wait()
            first = begin("the-second-token-here")
            browser.wait(note, "token")
            browser.run_later("fetch('/favicon.svg?token=the-second-token-here').then(arguments[0])")
            browser.wait(note, "Live")
            # As many followers as the monitor takes, which come before the page does.
            browser.run("document.getElementById('pause').click()")
            line = "GET /events?view=/nothing HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer the-second-token-here\r\n\r\n"
            links = []
            while not links or b" 200 " in links[-1].recv(15):
                links.append(socket.create_connection(("127.0.0.1", port)))
                links[-1].sendall(line.encode())
            browser.run("document.getElementById('pause').click()")
            browser.wait(note, "Too many")
            for link in links:
                link.close()
            browser.wait(note, "Live")
            expect(browser.run("return window.stays === true"), "the page was loaded again")
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait()


def follows(browser, page):
    """The output of a running job grows on its page; focus and what is typed stay; the end is shown."""
    browser.open(page)
    gate = SPOOL + "/../gate-%d" % os.getpid()
    os.mkfifo(gate)
    script = "while read -r line; do echo \"said $line\"; [ \"$line\" != end ] || exit 4; done < \"$0\""
    job = ctl("submit", "--name", "talker", "--", "sh", "-c", script, os.path.abspath(gate))
    with open(gate, "w", buffering=1) as talk:
        browser.open(page.split("?")[0].rstrip("/") + "/jobs/" + job)
        is_live(browser)
        browser.run("document.getElementById('find').focus(); document.getElementById('find').value = 'typed'")
        for word in ["one", "two", "three"]:
            talk.write(word + "\n")
            browser.wait("return document.body.innerText.includes(arguments[0])", "said " + word)
        kept = browser.run("return document.activeElement.id + document.activeElement.value")
        expect(kept == "findtyped", "the focus or the text is lost")
        talk.write("end\n")
        browser.wait("return document.querySelector('main').innerText.includes('exit 4')")
    os.unlink(gate)


def keyboard(browser, page):
    """The keyboard reaches everything, and the focus is seen."""
    browser.open(page)
    browser.open(page.split("?")[0])
    is_live(browser)
    browser.run("document.getElementById('pause').click(); document.activeElement.blur(); window.scrollTo(0, 0)")
    browser.press("Tab")
    expect(browser.run("return document.activeElement.className") == "skip-link", "the first stop is not the link to the content")
    browser.press("Enter")
    expect(browser.run("return document.activeElement.id") == "main", "the link to the content leads elsewhere")
    stops = "a[href], button:not([hidden]), input, select, summary, [tabindex='0']"
    wanted = browser.run("return document.querySelectorAll(arguments[0]).length", stops)
    browser.run("document.activeElement.blur()")
    browser.open("about:blank")
    browser.open(page.split("?")[0])
    is_live(browser)
    browser.run("document.getElementById('pause').click(); document.activeElement.blur()")
    seen = set()
    for _ in range(2 * wanted):
        browser.press("Tab")
        state = browser.run(
            "const e = document.activeElement; if (e === document.body) return null;"
            "const s = getComputedStyle(e), r = e.getBoundingClientRect();"
            "return [[...document.querySelectorAll('*')].indexOf(e), s.outlineStyle, r.width * r.height, e.outerHTML.slice(0, 80)]")
        if state is None:
            break
        expect(state[1] != "none" and state[2] > 0, "no visible focus on " + state[3])
        seen.add(state[0])
    expect(len(seen) >= wanted - 1, "%d of %d stops are reached" % (len(seen), wanted))
    browser.run("document.querySelector('nav a[href=\"/jobs\"]').focus()")
    browser.press("Enter")
    browser.wait("return location.pathname === '/jobs'")


def without_script(browser, page):
    """Without JavaScript every view is complete, and nothing that needs it is offered."""
    browser.open(page)
    base = page.split("?")[0].rstrip("/")
    texts = {}
    for path in views():
        browser.open(base + path)
        element = browser.post("/element", {"using": "css selector", "value": "body"})
        texts[path] = browser.get("/element/%s/text" % list(element.values())[0])
        expect("Reload to see changes" in texts[path] and "Pause updates" not in texts[path], path + ": " + texts[path][-200:])
    for path, word in [
        ("/", "Wants a person"), ("/waiting", "It waits: "), ("/tasks", "Last 20"), ("/timeline", "8 hours"), ("/queues", "default"),
    ]:
        expect(word in texts[path], "%s lacks %s: %s" % (path, word, texts[path]))


if __name__ == "__main__":
    process, page = start()
    browser = Browser(javascript=CASE != "without_script")
    try:
        name, *arguments = CASE.split(":")
        globals()[name](browser, page, *arguments)
        print(CASE, "ok")
    except AssertionError as error:
        sys.exit("%s: %s" % (CASE, error))
    finally:
        browser.close()
        process.terminate()
        process.wait()
