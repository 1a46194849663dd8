#!/bin/sh
# The line that Microsoft's page prints for curl: `:` and `/` of the scope go unencoded. With --cacert in place of -k.
CLIENT_ID=$SORTIE_CLIENT_ID CLIENT_SECRET=$SORTIE_SECRET TENANT_ID=$SORTIE_TENANT
curl -i -X POST -H "Content-Type:application/x-www-form-urlencoded" -d "grant_type=client_credentials" -d "client_id=$CLIENT_ID" -d "scope=https://api.security.microsoft.com/.default" -d "client_secret=$CLIENT_SECRET" "https://login.microsoftonline.com/$TENANT_ID/oauth2/v2.0/token" --cacert "$SSL_CERT_FILE"
