"""azure-identity: every credential that a daemon uses, and a wrong secret."""

import os

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

import cloud

OPTIONS = {"disable_instance_discovery": True, "authority": cloud.LOGIN} if cloud.ADDRESS else {}


def tell_credential(check, credential):
    cloud.tell_token(check, credential.get_token(cloud.GRAPH_SCOPE).token)


cloud.tell_versions("azure-identity", "azure-core")
who = (cloud.TENANT, cloud.CLIENT_ID)
tell_credential("secret", ClientSecretCredential(*who, cloud.SECRET, **OPTIONS))
if cloud.CERTIFICATE:
    tell_credential("certificate", CertificateCredential(*who, cloud.CERTIFICATE, **OPTIONS))
if "SORTIE_FEDERATED_TOKEN" in os.environ:
    federated = {"tenant_id": cloud.TENANT, "client_id": cloud.CLIENT_ID}
    federated["token_file_path"] = os.environ["SORTIE_FEDERATED_TOKEN"]
    tell_credential("workload identity", WorkloadIdentityCredential(**federated, **OPTIONS))
if "AZURE_POD_IDENTITY_AUTHORITY_HOST" in os.environ:
    tell_credential("managed identity", ManagedIdentityCredential())
try:
    ClientSecretCredential(*who, cloud.WRONG_SECRET, **OPTIONS).get_token(cloud.GRAPH_SCOPE)
except ClientAuthenticationError as error:
    cloud.tell("wrong secret", text=error.message)
