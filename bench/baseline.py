"""The baseline: the same list of incidents as JSON lines, by nothing but urllib and json."""

import json
import sys
import urllib.parse
import urllib.request

base, tenant, client_id, secret = sys.argv[1:5]
form = {
    "grant_type": "client_credentials",
    "client_id": client_id,
    "client_secret": secret,
    "scope": "https://graph.microsoft.com/.default",
}
url = f"{base}/{tenant}/oauth2/v2.0/token"
with urllib.request.urlopen(urllib.request.Request(url, urllib.parse.urlencode(form).encode())) as answer:
    token = json.load(answer)["access_token"]

url = f"{base}/v1.0/security/incidents?$top=50"
while url:
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
    with urllib.request.urlopen(request) as answer:
        page = json.load(answer)
    for incident in page["value"]:
        print(json.dumps(incident))
    url = page.get("@odata.nextLink")
