"""The baseline: the same incidents or rows of a query as JSON lines, by nothing but urllib and json.

baseline.py BASE TENANT CLIENT_ID SECRET list [FILTER] | hunt QUERY
"""

import json
import sys
import urllib.parse
import urllib.request

base, tenant, client_id, secret, what = sys.argv[1:6]
form = {
    "grant_type": "client_credentials",
    "client_id": client_id,
    "client_secret": secret,
    "scope": "https://graph.microsoft.com/.default",
}
url = f"{base}/{tenant}/oauth2/v2.0/token"
with urllib.request.urlopen(urllib.request.Request(url, urllib.parse.urlencode(form).encode())) as answer:
    token = json.load(answer)["access_token"]

headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json; charset=utf-8"}
if what == "hunt":
    body = json.dumps({"Query": sys.argv[6]}).encode()
    request = urllib.request.Request(f"{base}/v1.0/security/runHuntingQuery", body, headers)
    with urllib.request.urlopen(request) as answer:
        for row in json.load(answer)["results"]:
            print(json.dumps(row))
    sys.exit()

url = f"{base}/v1.0/security/incidents?$top=50"
if len(sys.argv) > 6:
    url += "&$filter=" + urllib.parse.quote(sys.argv[6])
while url:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        page = json.load(answer)
    for incident in page["value"]:
        print(json.dumps(incident))
    url = page.get("@odata.nextLink")
