#!/usr/bin/env python3
"""A W&B server for tests: GraphQL over HTTP on 127.0.0.1, one project in
memory, and failures by order of the test.

    wandb_server.py     prints its port; ends when its standard input closes

Beside /graphql a test can POST orders (a list of objects) to /order, and a
Python expression of `runs` (by id), `log` (requests) and `deleted` to /show.

An order is an object with any of
    runs        [{"name": ID, "state": ..., "displayName": ..., "group": ...,
                "tags": [...], "age": SECONDS, "quiet": SECONDS or null}]
    deleted     ids that were deleted
    read_only   true
    absent      true: there is no such project
    max_page    edges of a page at most
    old         true: knows no updateRunState
    race        {OPERATION: N}: the next N of them wait for each other; for
                UpsertBucket between looking for the id and inserting it
    faults      [{"op": OPERATION, ...}], used up one after the other, each by
                the next request of that operation ("" for any):
                  status, headers, body (object or text): answers that
                  late: true     carries the request out before
                  cut: true      sends half of the answer
                  hang: true     answers when the client has gone
                  then: ORDER    carries it out after the answer is made
                  skip: N        is for the request after the next N
    clear       true: forgets all of that, and the log
"""
import base64
import datetime
import http.server
import json
import os
import re
import select
import sys
import threading

KEY = os.environ.get("SERVER_KEY", "")
FIELDS = {"id", "name", "displayName", "state", "heartbeatAt", "createdAt",
          "group", "tags", "historyLineCount"}


class Refusal(Exception):
    def __init__(self, status, message, path=None):
        super().__init__(message)
        self.status = status
        self.body = {"errors": [{"message": message}], "data": None}
        if path:
            self.body["errors"][0]["path"] = [path]
            self.body["data"] = {path: None}


def stamp(age):
    when = datetime.datetime.now(datetime.timezone.utc)
    when -= datetime.timedelta(seconds=age)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Project:
    """What W&B keeps: runs by id, and the ids that were deleted."""

    def __init__(self):
        self.lock = threading.RLock()
        self.clear()

    def clear(self):
        self.runs = {}
        self.deleted = set()
        self.log = []
        self.faults = []
        self.read_only = self.absent = self.old = False
        self.max_page = None
        self.races = {}

    def order(self, what):
        with self.lock:
            if what.get("clear"):
                self.clear()
            for run in what.get("runs", []):
                self.put(run)
            for name in what.get("deleted", []):
                self.runs.pop(name, None)
                self.deleted.add(name)
            for name in ("read_only", "absent", "old", "max_page"):
                setattr(self, name, what.get(name, getattr(self, name)))
            self.faults += what.get("faults", [])
            for operation, n in what.get("race", {}).items():
                self.races[operation] = [n, threading.Barrier(n)]

    def put(self, given):
        run = {"id": base64.b64encode(("Run:v1:" + given["name"]).encode())
               .decode(), "displayName": given["name"], "state": "running",
               "group": None, "tags": [], "historyLineCount": 0,
               "config": "{}"}
        run.update(given)
        run["createdAt"] = stamp(run.pop("age", 0))
        quiet = run.pop("quiet", None)
        run["heartbeatAt"] = None if quiet is None else stamp(quiet)
        self.runs[given["name"]] = run
        return run

    def meet(self, operation):
        with self.lock:
            race = self.races.get(operation, [0, None])
            race[0] -= 1
            waits = race[0] >= 0
        if waits:
            race[1].wait()

    def fault(self, operation):
        with self.lock:
            for fault in self.faults:
                if fault.get("op", "") not in ("", operation):
                    continue
                if fault.get("skip", 0) > 0:
                    fault["skip"] -= 1
                    continue
                self.faults.remove(fault)
                return fault
        return {}

    # --- questions --------------------------------------------------------

    def matches(self, run, filters):
        for key, wanted in filters.items():
            if key == "$and":
                if not all(self.matches(run, each) for each in wanted):
                    return False
                continue
            if not isinstance(wanted, dict):
                wanted = {"$eq": wanted}
            has = run[key]
            for operator, value in wanted.items():
                if operator == "$in":
                    good = has in value
                elif operator == "$eq":
                    good = value in has if key == "tags" else has == value
                else:
                    raise Refusal(400, "unknown operator " + operator)
                if not good:
                    return False
        return True

    def node(self, run, text):
        """Only what the query asks for."""
        return {name: run[name] for name in re.findall(r"\w+", text)
                if name in FIELDS}

    def list_runs(self, query, given):
        with self.lock:
            return {"project": None if self.absent
                    else self.page(query, given)}

    def page(self, query, given):
        fields = re.search(r"node \{ ([\w ]+) \}", query).group(1)
        filters = json.loads(given.get("filters") or "{}")
        found = [run for run in self.runs.values()
                 if self.matches(run, filters)]
        if given.get("order") != "+created_at":
            found.reverse()
        begin = 0
        if given.get("cursor"):
            cursor = base64.b64decode(given["cursor"]).decode()
            begin = int(cursor.split(":")[1]) + 1
        size = min(given.get("perPage") or 50, self.max_page or 10 ** 9)
        edges = [{"node": self.node(run, fields),
                  "cursor": base64.b64encode(
                      b"arrayconnection:%d" % (begin + i)).decode()}
                 for i, run in enumerate(found[begin:begin + size])]
        return {
            "runCount": len(found), "readOnly": self.read_only,
            "runs": {"edges": edges, "pageInfo": {
                "endCursor": edges[-1]["cursor"] if edges else None,
                "hasNextPage": begin + size < len(found)}}}

    def exact(self, query, given):
        with self.lock:
            if self.absent:
                return {"project": None}
            fields = re.search(r"RunFragment on Run \{ ([\w ]+) \}", query)
            project = {"readOnly": self.read_only}
            for alias, name in re.findall(
                    r"(\w+): run\(name: \$(\w+)\) \{ \.\.\.RunFragment \}",
                    query):
                run = self.runs.get(given[name])
                project[alias] = run and self.node(run, fields.group(1))
            return {"project": project}

    # --- changes ----------------------------------------------------------

    def make(self, given):
        """SELECT, then INSERT guarded by the primary key."""
        name = given["name"]
        with self.lock:
            there = name in self.runs
            deleted = name in self.deleted
        self.meet("UpsertBucket")
        if deleted:
            raise Refusal(409, "run lab/robots/%s was previously created and "
                          "deleted; try a new run name" % name,
                          "upsertBucket")
        with self.lock:
            if not there and name in self.runs:
                raise Refusal(409, "Error 1062 (23000): Duplicate entry "
                              "'40991226-%s' for key 'runs.PRIMARY'" % name,
                              "upsertBucket")
            if not there:
                self.put({"name": name, "displayName": "happy-fox-1",
                          "state": given.get("state") or "running"})
            elif given.get("state"):
                self.runs[name]["state"] = given["state"]
            return self.runs[name], not there

    def by_storage_id(self, storage_id):
        for run in self.runs.values():
            if run["id"] == storage_id:
                return run
        raise Refusal(404, "run not found", "upsertBucket")

    def upsert(self, query, given):
        if self.read_only:
            raise Refusal(403, "permission denied", "upsertBucket")
        if given.get("id"):
            inserted = False
            with self.lock:
                run = self.by_storage_id(given["id"])
                for key, field in (("tags", "tags"), ("groupName", "group"),
                                   ("displayName", "displayName"),
                                   ("config", "config")):
                    if given.get(key) is not None:
                        run[field] = given[key]
            for tag in given.get("tags") or []:
                if not 1 <= len(tag) <= 64:
                    raise Refusal(400, "invalid tag '%s'. must be between 1 "
                                  "and 64 characters" % tag, "upsertBucket")
        else:
            run, inserted = self.make(given)
        return {"upsertBucket": {
            "bucket": {"id": run["id"], "name": run["name"],
                       "displayName": run["displayName"],
                       "project": {"name": "robots",
                                   "entity": {"name": "lab"}}},
            "inserted": inserted}}

    def change_state(self, query, given):
        allowed = {"pending": ("running", "failed", "crashed", "preempted"),
                   "failed": ("pending", "running")}
        if self.old:
            raise Refusal(400, 'Cannot query field "updateRunState" on type '
                          '"Mutation".')
        self.meet("UpdateRunState")
        with self.lock:
            run = self.by_storage_id(given["input"]["id"])
            wanted = given["input"]["state"]
            if run["state"] not in allowed[wanted]:
                raise Refusal(200, "invalid state transition from %s to %s"
                              % (run["state"], wanted), "updateRunState")
            run["state"] = wanted
            return {"updateRunState": {"success": True}}

    def viewer(self, query, given):
        return {"viewer": {"id": "1", "entity": "lab", "username": "ada"}}


PROJECT = Project()
OPERATIONS = {"Runs": PROJECT.list_runs, "Run": PROJECT.exact,
              "UpsertBucket": PROJECT.upsert, "Viewer": PROJECT.viewer,
              "UpdateRunState": PROJECT.change_state}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=(), cut=False):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain")  # it is not reliable
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:len(data) // 2] if cut else data)
        self.wfile.flush()
        if cut:
            self.close_connection = True

    def outlive_client(self):
        """Until the client closes its side."""
        select.select([self.connection], [], [])
        self.close_connection = True

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.path == "/order":
            for order in json.loads(body):
                PROJECT.order(order)
            return self.answer(200, "")
        if self.path == "/show":
            with PROJECT.lock:
                return self.answer(200, str(eval(body, dict(vars(PROJECT)))))
        if not self.path.endswith("/graphql"):
            return self.answer(404, "page not found")
        return self.graphql(json.loads(body))

    def note(self, operation, body):
        headers = {name.lower(): value for name, value in self.headers.items()
                   if name.lower() != "authorization"}
        with PROJECT.lock:
            PROJECT.log.append({"op": operation, "query": body["query"],
                                "variables": body["variables"],
                                "name": body.get("operationName"),
                                "path": self.path,
                                "headers": headers})

    def run(self, operation, body):
        if operation not in OPERATIONS:
            return 400, {"errors": [{"message": "no such operation"}]}
        try:
            data = OPERATIONS[operation](body["query"], body["variables"])
        except Refusal as refusal:
            return refusal.status, refusal.body
        return 200, {"data": data}

    def graphql(self, body):
        operation = re.match(r"\s*(?:query|mutation) (\w+)", body["query"])
        operation = operation.group(1) if operation else ""
        wanted = base64.b64encode(b"api:" + KEY.encode()).decode()
        self.note(operation, body)
        if self.headers.get("Authorization") != "Basic " + wanted:
            return self.answer(401, {"error": "user is not logged in"})
        fault = PROJECT.fault(operation)
        status, reply = fault.get("status", 200), fault.get("body", "")
        ours = "status" not in fault
        if ours or fault.get("late"):
            made = self.run(operation, body)
            status, reply = made if ours else (status, reply)
        PROJECT.order(fault.get("then", {}))
        if fault.get("hang"):
            return self.outlive_client()
        return self.answer(status, reply, fault.get("headers", {}),
                           fault.get("cut", False))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *args):
        """A client that has gone is what some tests are about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(*args)


def main():
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
