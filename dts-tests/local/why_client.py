#!/usr/bin/python3
"""Sends requests one after the other over one HTTP/1.1 connection, by the standard library's http.client.
usage: why_client.py ADDRESS PORT FILE    FILE: a JSON list of {method, authority, path, headers: [[name, value]]}
Prints the statuses as a JSON list."""
import http.client
import json
import sys

ADDRESS, PORT, FILE = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def main():
    conn = http.client.HTTPConnection(ADDRESS, PORT, timeout=20)
    statuses = []
    with open(FILE, encoding="utf-8") as f:
        requests = json.load(f)
    for r in requests:
        conn.putrequest(r["method"], r["path"], skip_host=True, skip_accept_encoding=True)
        conn.putheader("Host", r["authority"])
        for name, value in r["headers"]:
            conn.putheader(name, value)
        conn.endheaders()
        answer = conn.getresponse()
        answer.read()
        statuses.append(answer.status)
    print(json.dumps(statuses))


main()
