"""Judges requests as they arrive on the wire: openapi-core reads the original document and says whether they are its own.

Argument: the folder of the documents. The first step of the path is a document's place below it, with `~` for `/`; the
rest is the path of the request. Hosts and credentials are not judged: the servers of the document are left out, and what
it asks of authentication. Paths and bodies that OpenAPI does not know are first written as it does. Prints its port, then
ends with its standard input.
"""

import json
import pathlib
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

ROOT = pathlib.Path(sys.argv[1])
# openapi-core makes the patterns of all paths anew for each request, more than the module keeps by itself.
re._MAXCACHE = 100_000
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


class Request:
    """What arrived, as openapi-core asks for it."""

    host_url = "http://judge.example"

    def __init__(self, method, path, headers, body):
        parts = urlsplit(path)
        cookies = [one.strip().partition("=") for one in headers.get("cookie", "").split(";") if one.strip()]
        # A slash that belongs to a value must not look like a step of the path.
        self.path = "/".join(unquote(step).replace("/", "\u2215") for step in parts.path.split("/"))
        self.method = method.lower()
        self.content_type = headers.get("content-type", "")
        self.body = body or None
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(parse_qsl(parts.query, keep_blank_values=True)),
            header=Headers(list(headers.items())),
            cookie=ImmutableMultiDict([(name, value) for name, _, value in cookies]),
        )
        self.parameters.path = {}


def document(place):
    """The document without hosts and without what it asks of authentication."""
    text = (ROOT / place).read_text(encoding="utf-8-sig")
    loaded = json.loads(text) if place.endswith(".json") else yaml.load(text, Loader=LOADER)
    version = str(loaded.get("openapi", loaded.get("swagger")))
    if not version.startswith(("3.0", "3.1")):
        raise ValueError(f"it is of version {version}")
    # Shuffle's documents say `swagger: "3.0"` and mean this.
    loaded.pop("swagger", None)
    loaded["openapi"] = version if version.count(".") == 2 else f"{version}.0"
    loaded["servers"] = [{"url": Request.host_url}]
    loaded.pop("security", None)
    loaded.pop("webhooks", None)
    loaded["paths"] = mended_paths(loaded.get("paths") or {})
    for item in loaded["paths"].values():
        if isinstance(item, dict):
            item.pop("servers", None)
            for method in METHODS & item.keys():
                item[method].pop("servers", None)
                item[method].pop("security", None)
                mend_body(item[method])
    return Document(loaded, text)


def as_text(body, **_):
    return body.decode()


def as_json(body, **_):
    return json.loads(body)


# What openapi-core takes for bytes, and documents for a text or for JSON.
READERS = {
    "*/*": as_json,
    "application/merge-patch+json": as_json,
    "application/octet-stream": as_text,
    "application/secevent+jwt": as_text,
    "application/x-ndjson": as_text,
}


def mended_paths(paths):
    """Paths as OpenAPI writes them: with a slash in front, and without blanks, a query, and `$` before a placeholder."""
    mended = {name: item for name, item in paths.items() if name == mended_path(name)}
    for name, item in paths.items():
        if isinstance(item, dict):
            mended[mended_path(name)] = {**item, **mended.get(mended_path(name), {})}
    return mended


def mended_path(name):
    return "/" + name.strip().lstrip("/").partition("?")[0].replace("${", "{")


def mend_body(operation):
    """Writes a parameter in `body`, which OpenAPI 3 does not know, as the request body that it means."""
    parameters = operation.get("parameters")
    parameters = parameters if isinstance(parameters, list) else []
    bodies = [one for one in parameters if isinstance(one, dict) and one.get("in") == "body"]
    if not bodies:
        body = operation.get("requestBody")
        if isinstance(body, dict) and isinstance(body.get("content"), dict):
            # openapi-core compares texts: without a blank before a parameter it is another type.
            body["content"] = {re.sub(r"\s*[;,]\s*", "; ", name): media for name, media in body["content"].items()}
        return
    operation["parameters"] = [one for one in parameters if one not in bodies]
    written = (operation.get("requestBody") or {}).get("content") or {}
    content = {name: media for name, media in written.items() if "/" in name}
    sample = bodies[-1].get("example")
    if sample or not content:
        content |= content_of(sample)
    operation["requestBody"] = {"content": content}


def content_of(sample):
    """The media type and the schema of what looks like this sample, in which `${name}` stands for a value."""
    text = sample.strip() if isinstance(sample, str) else ""
    if text.startswith(("{", "[")) and not text.startswith("${"):
        try:
            return {"application/json": {"schema": shape(json.loads(re.sub(r"\$\{[^}]*\}", "null", text)))}}
        except ValueError:
            return {"application/json": {}}
    pairs = [pair.split("=", 1) for pair in text.split("&")]
    if text and not re.search(r"\s", text) and all(len(pair) == 2 for pair in pairs):
        schema = closed({name: {"type": "string"} for name, _ in pairs})
        return {"application/x-www-form-urlencoded": {"schema": schema}}
    return {"*/*": {}}


def shape(value):
    """The schema of values like this one: the same members of the same types, none of which is needed."""
    if isinstance(value, dict):
        return closed({name: shape(member) for name, member in value.items()})
    if isinstance(value, list):
        return {"type": "array", "items": shape(value[0]) if value else {}}
    for kind, name in [(bool, "boolean"), (str, "string"), (int, "number"), (float, "number")]:
        if isinstance(value, kind):
            return {"type": name}
    return {}


def closed(properties):
    return {"type": "object", "properties": properties, "additionalProperties": False}


class Document:
    """One document, in parts by the number of a path's steps: openapi-core tries all paths for each request."""

    def __init__(self, loaded, text):
        self.loaded = loaded
        self.is_whole = "#/paths/" in text
        self.parts = {}
        self.lock = threading.Lock()

    def of(self, path):
        steps = None if self.is_whole else path.count("/")
        with self.lock:
            if steps not in self.parts:
                paths = self.loaded.get("paths") or {}
                chosen = {name: item for name, item in paths.items() if steps in (None, name.count("/"))}
                part = {**self.loaded, "paths": chosen}
                config = Config(spec_validator_cls=None, extra_media_type_deserializers=READERS)
                self.parts[steps] = OpenAPI.from_dict(part, config=config)
            return self.parts[steps]


class Documents:
    """Each document is read once."""

    def __init__(self):
        self.read = {}
        self.lock = threading.Lock()

    def of(self, place):
        with self.lock:
            if place not in self.read:
                try:
                    self.read[place] = (document(place), None)
                except Exception as error:  # Whatever it is: the document is not read.
                    self.read[place] = (None, f"{type(error).__name__}: {error}")
            return self.read[place]


DOCUMENTS = Documents()


def why(error):
    """The innermost errors by name, and the keyword of the schema that was broken."""
    found = error
    while found.__cause__ is not None:
        found = found.__cause__
    broken = list(getattr(found, "schema_errors", None) or [])
    if broken:
        name = "/".join(sorted({str(one.validator) for one in broken}))
        return f"{type(error).__name__}: {name}", "; ".join(f"{one.json_path}: {one.message}" for one in broken)
    return f"{type(error).__name__}: {type(found).__name__}", str(found)


def judged(method, target, headers, body):
    place, _, rest = target.lstrip("/").partition("/")
    api, unread = DOCUMENTS.of(unquote(place).replace("~", "/"))
    if api is None:
        return "unread", unread.split(":")[0] if "version" not in unread else unread, unread
    try:
        request = Request(method, "/" + rest, headers, body)
        api.of(request.path).validate_request(request)
        return "accepted", "", ""
    except Exception as error:  # Its own errors, and those that its code runs into.
        return ("rejected", *why(error))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        if self.headers.get("transfer-encoding"):
            raise ValueError("bodies come with their length")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        verdict, reason, detail = judged(self.command, self.path, self.headers, body)
        clean = lambda text: " ".join(text.encode("ascii", "replace").decode().split())[:400]
        self.send_response(200)
        for name, text in [("verdict", verdict), ("why", reason), ("detail", detail)]:
            self.send_header(f"x-{name}", clean(text))
        self.send_header("content-length", "0")
        self.end_headers()

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": server.server_address[1]}), flush=True)
sys.stdin.read()
