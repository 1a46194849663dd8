"""Where the cloud is and who we are there, as the test hands it over by environment variables.

Without SORTIE_CLOUD the clients get no address at all: they go to Microsoft's own names, which lead to the emulator.
"""

import json
import os
from base64 import urlsafe_b64decode
from importlib.metadata import version

ADDRESS = os.environ.get("SORTIE_CLOUD", "")
LOGIN = ADDRESS or "https://login.microsoftonline.com"
GRAPH = ADDRESS or "https://graph.microsoft.com"
GRAPH_SCOPE = "https://graph.microsoft.com/.default"
XDR_SCOPE = "https://api.security.microsoft.com/.default"
TENANT = os.environ["SORTIE_TENANT"]
CLIENT_ID = os.environ["SORTIE_CLIENT_ID"]
SECRET = os.environ["SORTIE_SECRET"]
WRONG_SECRET = "not~the~secret~of~this~application"
CERTIFICATE = os.environ.get("SORTIE_CERTIFICATE", "")
# Clients ask Microsoft's own login host whether another one is genuine; they can be told not to.
KNOWN_HOST = not ADDRESS


def claims(token):
    """What a token says, without proof."""
    payload = token.split(".")[1]
    return json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def tell(check, **found):
    """One finding, for the test to judge. Tokens and secrets stay out."""
    print(json.dumps({"check": check, **found}), flush=True)


def tell_token(check, token):
    seen = claims(token)
    tell(check, audience=seen["aud"], roles=sorted(seen.get("roles", [])), proof=seen["appidacr"], client=seen["appid"])


def tell_versions(*packages):
    tell("versions", **{package: version(package) for package in packages})
