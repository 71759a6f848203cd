"""schema_check.py SCHEMA CASES: holds flows against the schema, as a validator of others does it.

CASES is JSON lines {"flow", "parser": "takes" | "refuses" | "open", "why"}. What the parser takes the schema must take; what it refuses for
a fault of one field the schema must refuse; "open" is for faults of the flow as a whole, which no schema can see.
"""
import json
import sys

import jsonschema


def main():
    with open(sys.argv[1]) as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    wrong = seen = 0
    with open(sys.argv[2]) as f:
        for line in f:
            case = json.loads(line)
            fits = validator.is_valid(case["flow"])
            seen += 1
            if case["parser"] != "open" and fits != (case["parser"] == "takes"):
                wrong += 1
                if wrong <= 10:
                    print("the parser %s, the schema %s: %s (%s)" % (case["parser"], "takes" if fits else "refuses",
                          json.dumps(case["flow"], ensure_ascii=False)[:600], case["why"]))
    print("%d flows, %d judged otherwise" % (seen, wrong))
    return 1 if wrong or not seen else 0


sys.exit(main())
