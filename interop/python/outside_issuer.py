"""An identity provider outside, as AKS has one: writes a token for a pod and prints the issuer's public keys.

usage: outside_issuer.py ISSUER SUBJECT TOKEN_FILE
"""

import json
import sys
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

issuer, subject, token_file = sys.argv[1:]
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
now = int(time.time())
claims = {"iss": issuer, "sub": subject, "aud": "api://AzureADTokenExchange", "iat": now, "nbf": now, "exp": now + 3600}
with open(token_file, "w", encoding="ascii") as file:
    file.write(jwt.encode(claims, key, algorithm="RS256", headers={"kid": "outside-1"}))
print(json.dumps({"keys": [{**public, "kid": "outside-1", "use": "sig"}]}))
