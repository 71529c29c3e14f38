#!/usr/bin/env python3
"""A stand-in for the API server, the controllers and a node of Kubernetes, from the documented API (batch/v1, core/v1).

It holds Jobs and their pods, and runs a pod's command as a process of this machine. KubernetesTests starts it; it prints its port, and
then obeys the lines of its standard input:

    lose create       the next creation is carried out, and its answer is lost
    drop create       the next creation is not carried out, and has no answer
    refuse 403 TEXT   requests are refused with this status until `accept`
    hang logs         requests for logs are not answered until `accept`
    break logs        requests for logs fail, as when the node does not answer, until `accept`
    cut logs          of each log only the second half is left, as when a node keeps the newest part
    forget logs       requests for logs are answered that there is none, until `accept`
    await log         waits until such a request has come
    accept
    settle            waits until no pod runs
    await NAME        waits until the pods of this Job have ended
    hold              pods stay Pending, as without a node, until `place`
    place
    age               all Jobs were made three minutes earlier
    evict             running pods fail without an exit code, as when a node is lost

Each creation that makes a pod adds a line to the file named on the command line, `NAME`.
"""
import datetime
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.parse

lock = threading.RLock()
# Something has changed that a line of the input or a request may wait for.
changed = threading.Condition(lock)
jobs = {}
pods = {}
behaviour = {"lose": False, "drop": False, "forget": False, "refuse": None, "hold": False, "hang": False, "hanging": 0, "broken": False}
created = open(sys.argv[1], "a", buffering=1)


def now():
    return datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")


def expanded(text, variables):
    """$(NAME) and $$, as the kubelet reads them."""
    out, i = "", 0
    while i < len(text):
        if text[i] == "$" and i + 1 < len(text):
            if text[i + 1] == "$":
                out += "$"
                i += 2
                continue
            if text[i + 1] == "(" and ")" in text[i:]:
                end = text.index(")", i)
                name = text[i + 2:end]
                out += variables.get(name, text[i:end + 1])
                i = end + 1
                continue
        out += text[i]
        i += 1
    return out


class Pod:
    def __init__(self, job):
        name = job["metadata"]["name"]
        template = job["spec"]["template"]
        self.job = name
        self.process = None
        self.log = b""
        self.object = {
            "metadata": {"name": name + "-x7k2p", "creationTimestamp": now(), "labels": dict(template["metadata"]["labels"])},
            "spec": template["spec"],
            "status": {"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
        }
        pods[self.object["metadata"]["name"]] = self
        if not behaviour["hold"]:
            self.place()

    def place(self):
        container = self.object["spec"]["containers"][0]
        variables = {}
        for entry in container.get("env", []):
            variables[entry["name"]] = expanded(entry["value"], variables)
        command = [expanded(word, variables) for word in container["command"]]
        self.object["spec"]["nodeName"] = "node-1"
        self.started = now()
        environment = dict(PATH="/usr/local/bin:/usr/bin:/bin", **{k: v for k, v in variables.items() if k != "PATH"})
        try:
            self.process = subprocess.Popen(
                command, env=environment, cwd=container.get("workingDir", "/"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            self.ended(128, "StartError", str(error))
            return
        self.object["status"] = {"phase": "Running", "containerStatuses": [
            {"name": container["name"], "state": {"running": {"startedAt": self.started}}}]}
        threading.Thread(target=self.run, daemon=True).start()
        limit = self.object["spec"].get("activeDeadlineSeconds")
        if limit:
            timer = threading.Timer(limit, self.overdue)
            timer.daemon = True
            timer.start()

    def run(self):
        while True:
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                break
            with lock:
                self.log += chunk
        code = self.process.wait()
        with lock:
            if code < 0:
                code = 128 - code
            self.ended(code, "Completed" if code == 0 else "OOMKilled" if b"use up the memory" in self.log else "Error")

    def ended(self, code, reason, message=""):
        if self.object["status"]["phase"] in ("Failed", "Succeeded"):
            return
        overdue = self.object["status"].get("reason")
        self.object["status"] = {
            "phase": "Succeeded" if code == 0 and not overdue else "Failed",
            "containerStatuses": [{"name": self.object["spec"]["containers"][0]["name"], "state": {"terminated": {
                "exitCode": code, "reason": reason, "message": message, "startedAt": self.started, "finishedAt": now()}}}]}
        changed.notify_all()
        if overdue:
            self.object["status"]["reason"] = overdue
        job = jobs.get(self.job)
        if job:
            kind = "Complete" if code == 0 else "Failed"
            job["status"] = {"conditions": [{"type": kind, "status": "True", "reason": "" if code == 0 else "BackoffLimitExceeded"}]}
            if "deletionTimestamp" in job["metadata"]:
                del jobs[self.job]
                del pods[self.object["metadata"]["name"]]

    def overdue(self):
        with lock:
            if self.object["status"]["phase"] == "Running":
                self.object["status"]["reason"] = "DeadlineExceeded"
                self.signal(signal.SIGTERM)

    def evict(self):
        self.object["status"] = {"phase": "Failed", "reason": "NodeLost", "message": "the node does not answer"}
        self.signal(signal.SIGKILL)

    def signal(self, number):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, number)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, code, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def status(self, code, reason, message):
        self.reply(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code})

    def body(self):
        """kubectl sends in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def handle_any(self):
        body = self.body()
        url = urllib.parse.urlparse(self.path)
        query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
        parts = url.path.strip("/").split("/")
        with lock:
            if url.path == "/version":
                return self.reply(200, {"major": "1", "minor": "32", "gitVersion": "v1.32.0"})
            if behaviour["refuse"]:
                code, text = behaviour["refuse"]
                reasons = {401: "Unauthorized", 403: "Forbidden", 429: "TooManyRequests", 503: "ServiceUnavailable", 422: "Invalid"}
                return self.status(code, reasons.get(code, "InternalError"), text)
            if parts[-1] == "selfsubjectaccessreviews":
                allowed = json.loads(body)["spec"]["resourceAttributes"]["verb"] != "delete"
                return self.reply(201, {"kind": "SelfSubjectAccessReview", "status": {"allowed": allowed}})
            if parts[:3] == ["apis", "batch", "v1"]:
                return self.of_jobs(parts[5:], query, body)
            if parts[:2] == ["api", "v1"] and parts[4] == "pods":
                return self.of_pods(parts[4:], query)
        self.status(404, "NotFound", "the server could not find the requested resource")

    do_GET = do_POST = do_DELETE = handle_any

    def listed(self, kind, objects, query):
        wanted = [entry.split("=") for entry in query.get("labelSelector", "").split(",") if entry]
        found = [o for o in objects if all(o["metadata"]["labels"].get(k) == v for k, v in wanted)]
        # Pages of two, so that clients are seen to ask for the rest.
        start = int(query.get("continue", "0"))
        rest = {"continue": str(start + 2)} if start + 2 < len(found) else {}
        self.reply(200, {"kind": kind, "metadata": rest, "items": found[start:start + 2]})

    def of_jobs(self, parts, query, body):
        name = parts[1] if len(parts) > 1 else None
        if self.command == "POST":
            if behaviour["drop"]:
                behaviour["drop"] = False
                self.close_connection = True
                self.connection.close()
                return None
            job = json.loads(body)
            name = job["metadata"]["name"]
            if name in jobs:
                return self.status(409, "AlreadyExists", 'jobs.batch "%s" already exists' % name)
            if job["spec"]["template"]["spec"]["containers"][0]["image"] == "BAD":
                return self.status(422, "Invalid", "image: invalid value")
            job["metadata"]["creationTimestamp"] = now()
            jobs[name] = job
            created.write(name + "\n")
            Pod(job)
            if behaviour["lose"]:
                behaviour["lose"] = False
                self.close_connection = True
                self.connection.close()
                return None
            return self.reply(201, job)
        if name is None:
            return self.listed("JobList", list(jobs.values()), query)
        if name not in jobs:
            return self.status(404, "NotFound", 'jobs.batch "%s" not found' % name)
        job = jobs[name]
        if self.command == "DELETE":
            job["metadata"]["deletionTimestamp"] = now()
            own = [pod for pod in pods.values() if pod.job == name]
            running = [pod for pod in own if pod.process and pod.process.poll() is None]
            for pod in running:
                pod.signal(signal.SIGTERM)
            if not running:
                del jobs[name]
                for pod in own:
                    del pods[pod.object["metadata"]["name"]]
        self.reply(200, job)

    def of_pods(self, parts, query):
        if len(parts) == 1:
            return self.listed("PodList", [pod.object for pod in pods.values()], query)
        pod = pods.get(parts[1])
        if not pod:
            return self.status(404, "NotFound", 'pods "%s" not found' % parts[1])
        if parts[2:] == ["log"]:
            while behaviour["hang"]:
                behaviour["hanging"] += 1
                changed.notify_all()
                changed.wait()
            if behaviour["forget"]:
                return self.status(404, "NotFound", "the log file is gone")
            if behaviour["broken"]:
                return self.status(500, "InternalError", "Get https://node-1:10250/containerLogs: dial tcp: i/o timeout")
            return self.reply(200, pod.log[:int(query.get("limitBytes", len(pod.log)))], "text/plain")
        if self.command == "DELETE":
            pod.signal(signal.SIGKILL)
        self.reply(200, pod.object)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
for line in sys.stdin:
    words = line.split()
    with lock:
        if words[0] in ("lose", "drop"):
            behaviour[words[0]] = True
        elif words == ["cut", "logs"]:
            for pod in pods.values():
                pod.log = pod.log[len(pod.log) // 2:]
        elif words == ["forget", "logs"]:
            behaviour["forget"] = True
        elif words[0] == "refuse":
            behaviour["refuse"] = (int(words[1]), " ".join(words[2:]))
        elif words[0] == "accept":
            behaviour.update(refuse=None, hang=False, hanging=0, broken=False, forget=False)
            changed.notify_all()
        elif words == ["hang", "logs"]:
            behaviour["hang"] = True
        elif words == ["break", "logs"]:
            behaviour["broken"] = True
        elif words == ["await", "log"]:
            while not behaviour["hanging"]:
                changed.wait()
        elif words[0] in ("settle", "await"):
            while any(pod.object["status"]["phase"] == "Running" for pod in pods.values() if words[1:] in ([], [pod.job])):
                changed.wait()
        elif words[0] == "hold":
            behaviour["hold"] = True
        elif words[0] == "place":
            behaviour["hold"] = False
            for pod in list(pods.values()):
                if pod.object["status"]["phase"] == "Pending":
                    pod.place()
        elif words[0] == "age":
            for job in jobs.values():
                then = datetime.datetime.utcnow() - datetime.timedelta(minutes=3)
                job["metadata"]["creationTimestamp"] = then.strftime("%Y-%m-%dT%H:%M:%SZ")
        elif words[0] == "evict":
            for pod in list(pods.values()):
                if pod.object["status"]["phase"] == "Running":
                    pod.evict()
    print("done", flush=True)
# The end of the input is the end of the test: nothing that it started stays.
for pod in list(pods.values()):
    pod.signal(signal.SIGKILL)
