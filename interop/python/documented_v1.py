"""The v1 sign-in that Microsoft's page prints for Python: urllib alone, login.windows.net, `resource`.

Retyped with the same calls and the same addresses; then the one call that the page is about.
"""

import json
import urllib.parse
import urllib.request

import cloud

endpoint = "https://login.windows.net/%s/oauth2/token" % cloud.TENANT
form = {
    "resource": "https://api.security.microsoft.com",
    "client_id": cloud.CLIENT_ID,
    "client_secret": cloud.SECRET,
    "grant_type": "client_credentials",
}
request = urllib.request.Request(endpoint, urllib.parse.urlencode(form).encode("utf-8"))
answer = json.loads(urllib.request.urlopen(request).read())
token = answer["access_token"]
cloud.tell_token("v1 token", token)
cloud.tell("v1 answer", kinds={name: type(answer[name]).__name__ for name in ("expires_in", "expires_on", "resource")})

found, skip = [], 0
while True:
    url = "https://api.security.microsoft.com/api/incidents?$top=100&$skip=%d" % skip
    call = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
    page = json.loads(urllib.request.urlopen(call).read())["value"]
    found, skip = found + [one["incidentId"] for one in page], skip + len(page)
    if len(page) < 100:
        break
cloud.tell("incidents", ids=found)
