"""msticpy: its MDE and its Graph driver sign in, hunt, and meet a wrong secret, a bad query and a 429.

It has no setting for the addresses; so this script needs Microsoft's own names.
"""

import contextlib
import json
import os
import sys
import urllib.request
from pathlib import Path

os.environ["MSTICPYCONFIG"] = str(Path(__file__).parent.parent / "msticpyconfig.yaml")

import cloud
from msticpy.common.exceptions import MsticpyConnectionError
from msticpy.data import QueryProvider


def throttle_next_call(route):
    order = {"kind": "too_many_requests", "route": route, "times": 1, "retry_after": 30}
    body, headers = json.dumps(order).encode(), {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(os.environ["SORTIE_ADMIN"] + "/faults", body, headers)).close()


def devices(provider):
    frame = provider.exec_query(DEVICES)
    return {
        "rows": json.loads(frame[["DeviceId", "OSPlatform"]].to_json(orient="records")),
        "times": str(frame["Timestamp"].dtype),
    }


def tell_failure(check, action):
    try:
        action()
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        status = getattr(getattr(error, "response", None), "status_code", None)
        cloud.tell(check, kinds=kinds, status=status, text=" ".join(str(part) for part in error.args))
    else:
        cloud.tell(check, kinds=[], status=None, text="nothing was raised")


def hunt(environment, route):
    provider = QueryProvider(environment)
    with quiet():
        provider.connect()
        found = devices(provider)
    cloud.tell(f"{environment}: devices", **found)
    tell_failure(f"{environment}: bad query", lambda: provider.exec_query("DeviceInfo | where"))
    throttle_next_call(route)
    tell_failure(f"{environment}: throttled", lambda: provider.exec_query(DEVICES))
    with quiet():
        found = devices(provider)
    cloud.tell(f"{environment}: devices after that", **found)
    other = QueryProvider(environment)
    tell_failure(f"{environment}: wrong secret", lambda: other.connect(client_secret=cloud.WRONG_SECRET))
    return provider


def quiet():
    """It tells people what it does; standard output is for findings."""
    return contextlib.redirect_stdout(sys.stderr)


DEVICES = "DeviceInfo | summarize arg_max(Timestamp, OSPlatform) by DeviceId"

cloud.tell_versions("msticpy", "pandas", "httpx")
hunt("MDE", "/api/advancedqueries/run")
provider = hunt("M365DGraph", "/v1.0/security/runHuntingQuery")
with quiet():
    times = list(provider.exec_query("AlertInfo | sort by Timestamp asc")["Timestamp"])
    start, end = (times[len(times) * quarter // 4].floor("s") for quarter in (1, 3))
    alerts = provider.M365D.list_alerts(start=start.to_pydatetime(), end=end.to_pydatetime())
alerts = alerts.rename(columns={"AlertId": "id", "Title": "title"})[["id", "title"]].to_dict("records")
cloud.tell("its own query for alerts", start=start.isoformat(), end=end.isoformat(), alerts=alerts)
