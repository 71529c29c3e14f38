#!/usr/bin/env python3
"""A real Prometheus that reads the metrics of a spool: python3 scrape.py SPOOLCTL SPOOL

Starts `spoolctl monitor`, lets a Prometheus with the shipped rules and the monitor's token read it, and asks the Prometheus every query of
the shipped dashboard, of its variables too. Prints what it found, one fact a line; exits with 1 and a line for each fault."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MONITORING = f"{ROOT}/etc/monitoring"
PATIENCE_SECONDS = 300
# A scrape has this long, too. A busy machine takes its time.
SCRAPE_INTERVAL = "3s"
# Nothing has happened of what these panels show, or not within the time that a rate needs.
MAY_BE_EMPTY = {"Delay of starts", "Length of runs"}

spoolctl, spool = sys.argv[1:]
faults = []


def port_of(process):
    """The TCP port at which a process listens, or None. The process chose it itself, so nobody else has it."""
    sockets = set()
    for descriptor in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            sockets.add(os.readlink(f"/proc/{process.pid}/fd/{descriptor}"))
        except FileNotFoundError:
            pass  # it was closed since
    for name in ["tcp", "tcp6"]:
        with open(f"/proc/net/{name}") as table:
            for line in table.readlines()[1:]:
                words = line.split()
                # The state LISTEN, and the inode of the socket.
                if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                    return int(words[1].split(":")[1], 16)
    return None


def ask(path, **parameters):
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def until(what, condition):
    """Waits until something is true. Looks again whenever the Prometheus has evaluated a rule."""
    for line in queries.stdout:
        if "ruleGroup" not in line:
            continue
        try:
            value = condition()
            if value:
                return value
        # It does not listen yet, or answers in words that it is not ready.
        except (OSError, ValueError, KeyError):
            pass
    with open(f"{directory}/log") as log:
        sys.exit(f"waited in vain for {what}:\n{log.read()}")


def values(query):
    return ask("query", query=query)["data"]["result"]


monitor = subprocess.Popen(
    [spoolctl, "--spool", spool, "monitor", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
page = urllib.parse.urlsplit(monitor.stdout.readline().strip())
with tempfile.TemporaryDirectory() as directory:
    with open(f"{directory}/prometheus.yml", "w") as file:
        json.dump({
            "global": {"scrape_interval": SCRAPE_INTERVAL, "evaluation_interval": "500ms",
                       "query_log_file": f"{directory}/queries"},
            "rule_files": [f"{MONITORING}/spoold.rules.yml"],
            "scrape_configs": [{
                "job_name": "spoold", "static_configs": [{"targets": [page.netloc]}],
                "authorization": {"credentials": urllib.parse.parse_qs(page.query)["token"][0]},
            }],
        }, file)
    with open(f"{directory}/log", "w") as log:
        prometheus = subprocess.Popen([
            "prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
            "--web.listen-address=127.0.0.1:0"], stdout=log, stderr=log)
    open(f"{directory}/queries", "a").close()
    # Waits by inotify for lines, and ends with the Prometheus, or after the time for two waits. This script does not always read them, and
    # must not hold up the Prometheus, as it would at the other end of a FIFO.
    queries = subprocess.Popen(
        ["timeout", str(2 * PATIENCE_SECONDS), "tail", "-n", "+1", f"--pid={prometheus.pid}", "-f", f"{directory}/queries"],
        stdout=subprocess.PIPE, text=True)
    try:
        port = until("a port", lambda: port_of(prometheus))
        until("three scrapes", lambda: any(float(one["value"][1]) >= 3 for one in values("min(count_over_time(spoold_up[10m]))")))
        # A single scrape may take too long.
        until("a target that is up", lambda: ask("targets")["data"]["activeTargets"][0]["health"] == "up")
        kinds = {one["metric"]: one["type"] for one in ask("targets/metadata")["data"] if one["metric"].startswith("spoold_")}
        print("families", len(kinds))
        for name, kind in [("spoold_jobs_started", "counter"), ("spoold_job_duration_seconds", "histogram"), ("spoold_slots", "gauge")]:
            found = kinds.get(name) or kinds.get(f"{name}_total")
            if found != kind:
                faults.append(f"Prometheus takes {name} for {found}")
        labels = "__name__, instance, user, task, queue, executor, state, result, outcome, of, le"
        if values(f'count by ({labels}) ({{__name__=~"spoold_.*"}}) > 1'):
            faults.append("a series is there twice")

        def evaluated():
            rules = [rule for group in ask("rules")["data"]["groups"] for rule in group["rules"]]
            return rules if rules and all(rule["health"] != "unknown" for rule in rules) else None

        rules = until("the rules", evaluated)
        for rule in rules:
            if rule["health"] != "ok":
                faults.append(f"rule {rule['name']}: {rule.get('lastError')}")
        print("alerts", *sorted(rule["name"] for rule in rules if rule["state"] != "inactive"))
        with open(f"{MONITORING}/spoold-dashboard.json") as file:
            dashboard = json.load(file)
        # Each variable's query, as Grafana asks it: label_values(SERIES, LABEL).
        variables = 0
        for variable in dashboard["templating"]["list"]:
            if variable["type"] != "query":
                continue
            variables += 1
            series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            if variable["definition"] != variable["query"]["query"]:
                faults.append(f"variable {variable['name']}: two queries")
            for other in dashboard["templating"]["list"]:
                series = series.replace(f"${other['name']}", ".*")
            found = ask(f"label/{label}/values", **{"match[]": series})
            # A spool of one user has no label for the user.
            if found["status"] != "success" or not found["data"] and label != "user":
                faults.append(f"variable {variable['name']}: {series}, {label}: {found}")
        print("variables", variables)
        panels = 0
        for panel in dashboard["panels"]:
            for one in panel.get("targets", []):
                query = one["expr"].replace("$__rate_interval", "10m")
                for variable in dashboard["templating"]["list"]:
                    query = query.replace(f"${variable['name']}", ".*")
                panels += 1
                answer = ask("query", query=query)
                if answer["status"] != "success":
                    faults.append(f"{panel['title']}: {query}: {answer.get('error')}")
                elif not answer["data"]["result"] and panel["title"] not in MAY_BE_EMPTY:
                    # After a scrape that took too long there is nothing until the next one.
                    until(f"{panel['title']}: {query}", lambda query=query: values(query))
        print("queries", panels)
    finally:
        prometheus.send_signal(signal.SIGTERM)
        prometheus.wait()
        queries.terminate()
        queries.wait()
        monitor.terminate()
        monitor.wait()
for fault in faults:
    print(fault, file=sys.stderr)
sys.exit(1 if faults else 0)
