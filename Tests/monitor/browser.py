"""A headless Chromium, driven by chromedriver over WebDriver (https://www.w3.org/TR/webdriver2/). The standard library alone."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

# The limit of each wait. What is waited for never takes this long, even where a process stands still for a minute.
PATIENCE_SECONDS = 600


class Browser:
    def __init__(self, javascript=True):
        self.profile = tempfile.mkdtemp()
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                self.url = "http://127.0.0.1:" + line.split("port")[1].strip(" .\n")
                break
        else:
            raise RuntimeError("chromedriver has not started")
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
                     "--user-data-dir=" + self.profile]
        options = {"args": arguments}
        if not javascript:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        limits = {"script": PATIENCE_SECONDS * 1000, "pageLoad": PATIENCE_SECONDS * 1000}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}, "timeouts": limits}
        for tries_left in [4, 3, 2, 1, 0]:
            try:
                answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
                break
            except RuntimeError as error:
                # chromedriver gives Chromium a minute to start, which is too short on a very busy machine.
                if "session not created" not in str(error) or tries_left == 0:
                    raise
        self.session = "/session/" + answer["sessionId"]

    def close(self):
        try:
            self.call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()
            shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, path, body=None):
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.url + path, data=data, method=method, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=2 * PATIENCE_SECONDS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()[:600]) from error

    def post(self, path, body=None):
        return self.call("POST", self.session + path, body)

    def get(self, path):
        return self.call("GET", self.session + path)

    # MARK: What a person does

    def open(self, address):
        self.post("/url", {"url": address})

    def size(self, width, height):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)

    def theme(self, name):
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def press(self, *keys):
        """Presses keys, one after another: characters, or the names of Selenium's special keys."""
        special = {"Tab": "\ue004", "Enter": "\ue007", "ShiftTab": None}
        for key in keys:
            if key == "ShiftTab":
                actions = [("keyDown", "\ue008"), ("keyDown", "\ue004"), ("keyUp", "\ue004"), ("keyUp", "\ue008")]
            else:
                value = special.get(key, key)
                actions = [("keyDown", value), ("keyUp", value)]
            steps = [{"type": kind, "value": value} for kind, value in actions]
            self.post("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": steps}]})

    # MARK: What a person sees

    def picture(self, file, whole=True):
        shot = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(file, "wb") as target:
            target.write(base64.b64decode(shot["data"]))

    def run(self, script, *arguments):
        return self.post("/execute/sync", {"script": script, "args": list(arguments)})

    def run_later(self, script, *arguments):
        """Runs a script that calls its last argument with the result."""
        return self.post("/execute/async", {"script": script, "args": list(arguments)})

    def text(self):
        return self.run("return document.body.innerText")

    def wait(self, script, *arguments):
        """Waits until a script returns something true, and returns it. The page runs it again after each change of its document."""
        watch = """
            const [done, limit] = [...arguments].reverse(), given = [...arguments].slice(0, -2);
            const check = function () { %s };
            const look = isLast => {
              const value = check(...given);
              if (!value && !isLast) return;
              observer.disconnect();
              clearTimeout(timer);
              done(value);
            };
            const observer = new MutationObserver(() => look(false));
            observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
            const timer = setTimeout(() => look(true), limit);
            look(false);
            """ % script
        end = time.monotonic() + PATIENCE_SECONDS
        while (left := end - time.monotonic()) > 0:
            try:
                value = self.run_later(watch, *arguments, min(left, 10) * 1000)
            except RuntimeError as error:
                # Another page has come in the place of this one.
                if "unloaded" not in str(error) and "navigation" not in str(error):
                    raise
                continue
            if value:
                return value
        raise AssertionError("not seen in %s s: %s" % (PATIENCE_SECONDS, script))

    def complaints(self):
        """What the console has shown since the last call: errors and warnings."""
        return [entry["message"] for entry in self.post("/se/log", {"type": "browser"}) if entry["level"] in ("SEVERE", "WARNING")]

    def devtools(self, command, **parameters):
        return self.post("/goog/cdp/execute", {"cmd": command, "params": parameters})
