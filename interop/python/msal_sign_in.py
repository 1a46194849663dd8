"""MSAL: secret, both forms of certificate, the cache, and a wrong secret."""

import hashlib

import msal
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import cloud


def application(credential):
    return msal.ConfidentialClientApplication(
        cloud.CLIENT_ID,
        authority=f"{cloud.LOGIN}/{cloud.TENANT}",
        client_credential=credential,
        instance_discovery=cloud.KNOWN_HOST,
    )


def tell_answer(check, answer):
    assert "access_token" in answer, f"{check}: {answer.get('error')}: {answer.get('error_description')}"
    cloud.tell_token(check, answer["access_token"])


cloud.tell_versions("msal")
by_secret = application(cloud.SECRET)
first = by_secret.acquire_token_for_client([cloud.GRAPH_SCOPE])
tell_answer("secret", first)
again = by_secret.acquire_token_for_client([cloud.GRAPH_SCOPE])
cloud.tell("cached", source=again["token_source"], same=again["access_token"] == first["access_token"])
tell_answer("secret, another audience", by_secret.acquire_token_for_client([cloud.XDR_SCOPE]))

if cloud.CERTIFICATE:
    with open(cloud.CERTIFICATE, encoding="ascii") as file:
        pem = file.read()
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    today = {"private_key": pem, "public_certificate": pem}
    tell_answer("certificate", application(today).acquire_token_for_client([cloud.GRAPH_SCOPE]))
    older = {"private_key": pem, "thumbprint": hashlib.sha1(der).hexdigest()}
    tell_answer("certificate by SHA-1", application(older).acquire_token_for_client([cloud.GRAPH_SCOPE]))

refused = application(cloud.WRONG_SECRET).acquire_token_for_client([cloud.GRAPH_SCOPE])
cloud.tell("wrong secret", error=refused["error"], codes=refused["error_codes"], text=refused["error_description"])
