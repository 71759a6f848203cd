"""Holds live answers of a node against api/openapi.yaml.

    import contract
    contract.check("GET", "/v1/agents?limit=5", 200, headers, body)     # raises contract.Broken
    contract.unused()                                                    # operations no answer was seen of

`headers` is a mapping (any case), `body` bytes or text. Uses python3-yaml and python3-jsonschema of Debian only.
"""
import json
import os
import re
import urllib.parse

import jsonschema
import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, "..", "..", "api", "openapi.yaml")
METHODS = ("get", "post", "put", "patch", "delete")


class Broken(AssertionError):
    """An answer is not what the contract says."""


def _load():
    with open(PATH, encoding="utf-8") as f:
        return yaml.load(f, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


DOC = _load()
_SEEN = set()


def _pattern(path):
    parts = re.split(r"(\{[^}]+\})", path)
    return re.compile("^" + "".join("[0-9A-Fa-f.:]+" if p == "{ip}" else "[^/:]+" if p.startswith("{") else re.escape(p) for p in parts) + "$")


_PATHS = [(_pattern(p), p, item) for p, item in DOC["paths"].items()]


def _resolve(node):
    while isinstance(node, dict) and "$ref" in node:
        at = DOC
        for step in node["$ref"].lstrip("#/").split("/"):
            at = at[step]
        node = at
    return node


def operation(method, path):
    """(path template, operation) or (None, None)."""
    plain = urllib.parse.unquote(path.split("?", 1)[0])
    for pattern, template, item in _PATHS:
        if pattern.match(plain):
            return template, item.get(method.lower())
    return None, None


def schema_errors(value, schema):
    """Texts of all that is wrong with a value; [] when nothing is."""
    whole = dict(schema)
    whole["components"] = DOC["components"]
    validator = jsonschema.Draft202012Validator(whole)
    return ["/".join(map(str, e.absolute_path)) + ": " + e.message for e in validator.iter_errors(value)]


def _media(content, content_type):
    plain = content_type.split(";", 1)[0].strip().lower()
    for name, media in content.items():
        if name.lower() == plain:
            return plain, media
    raise Broken("content type %r, contract has %s" % (content_type, sorted(content)))


def _body(content_type, body):
    text = body.decode("utf-8") if isinstance(body, (bytes, bytearray)) else body
    if content_type == "application/yaml":
        return yaml.safe_load(text)
    if content_type.endswith("json"):
        return json.loads(text)
    return text


def _check_problem(status, headers, body):
    if not headers.get("content-type", "").startswith("application/problem+json"):
        raise Broken("%d without application/problem+json" % status)
    problem = _body("application/json", body)
    wrong = schema_errors(problem, {"$ref": "#/components/schemas/Problem"})
    if wrong:
        raise Broken("problem: " + "; ".join(wrong))
    if problem["status"] != status:
        raise Broken("status %d, problem says %d" % (status, problem["status"]))


def check(method, path, status, headers, body):
    """Raises Broken when the answer is not what the contract says; returns the parsed body (None without one)."""
    where = "%s %s -> %d: " % (method, path, status)
    headers = {k.lower(): v for k, v in dict(headers).items()}
    try:
        return _check(method, path, int(status), headers, body)
    except Broken as e:
        raise Broken(where + str(e)) from None


def _check(method, path, status, headers, body):
    if "x-request-id" not in headers:
        raise Broken("no X-Request-Id")
    template, op = operation(method, path)
    if op is None:  # the contract says what else there is: 404 and 405
        want = 405 if template else 404
        if status not in (want, 401):
            raise Broken("not in the contract, and not %d" % want)
        if status == 405 and not headers.get("allow"):
            raise Broken("405 without Allow")
        _check_problem(status, headers, body)
        return None
    _SEEN.add((method.lower(), template, status))
    response = _resolve(op["responses"].get(str(status)))
    if response is None:
        raise Broken("status is not in the contract (%s)" % ", ".join(sorted(op["responses"])))
    for name, header in response.get("headers", {}).items():
        value = headers.get(name.lower())
        schema = _resolve(_resolve(header).get("schema", {}))
        if value is None:
            continue
        if schema.get("type") == "integer" and not re.match(r"^[0-9]+$", value):
            raise Broken("header %s: %r is no number" % (name, value))
    if status == 401 and "www-authenticate" not in headers:
        raise Broken("401 without WWW-Authenticate")
    if status == 503 and "retry-after" not in headers:
        raise Broken("503 without Retry-After")
    content = response.get("content")
    if not content or method.upper() == "HEAD":
        if body:
            raise Broken("a body where there should be none")
        return None
    kind, media = _media(content, headers.get("content-type", ""))
    if kind == "text/event-stream":
        return body
    value = _body(kind, body)
    wrong = schema_errors(value, media["schema"])
    if wrong:
        raise Broken("; ".join(wrong[:5]))
    if status >= 400:
        _check_problem(status, headers, body)
    return value


def check_event(event):
    """One CloudEvent (parsed JSON) out of the stream."""
    wrong = schema_errors(event, {"$ref": "#/components/schemas/Event"})
    if wrong:
        raise Broken("event: " + "; ".join(wrong))
    return event


def unused():
    """Operations of the contract that no successful answer was checked of: ["GET /v1/agents", ...]."""
    out = []
    for template, item in DOC["paths"].items():
        for method in METHODS:
            if method in item and not any(m == method and t == template and s < 300 for m, t, s in _SEEN):
                out.append("%s %s" % (method.upper(), template))
    return out
