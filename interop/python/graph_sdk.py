"""msgraph-sdk: all incidents page by page, alerts, a change, a comment, hunting, and what a missing role looks like."""

import asyncio
import json
import os

from azure.identity import ClientSecretCredential
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.security.alert_comment import AlertComment
from msgraph.generated.models.security.incident import Incident
from msgraph.generated.models.security.incident_status import IncidentStatus
from msgraph.generated.security.incidents.incidents_request_builder import IncidentsRequestBuilder
from msgraph.generated.security.microsoft_graph_security_run_hunting_query.run_hunting_query_post_request_body import (
    RunHuntingQueryPostRequestBody,
)

import cloud


def graph(client_id, secret):
    if not cloud.ADDRESS:
        credential = ClientSecretCredential(cloud.TENANT, client_id, secret)
        return GraphServiceClient(credential, scopes=[cloud.GRAPH_SCOPE])
    credential = ClientSecretCredential(
        cloud.TENANT, client_id, secret, authority=cloud.LOGIN, disable_instance_discovery=True
    )
    provider = AzureIdentityAuthenticationProvider(
        credential, scopes=[cloud.GRAPH_SCOPE], allowed_hosts=["localhost"]
    )
    adapter = GraphRequestAdapter(provider)
    adapter.base_url = f"{cloud.GRAPH}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


async def read_incidents(client):
    query = IncidentsRequestBuilder.IncidentsRequestBuilderGetQueryParameters(top=PAGE)
    configuration = IncidentsRequestBuilder.IncidentsRequestBuilderGetRequestConfiguration(query_parameters=query)
    page = await client.security.incidents.get(request_configuration=configuration)
    found, pages = list(page.value), 1
    while page.odata_next_link:
        page = await client.security.incidents.with_url(page.odata_next_link).get()
        found, pages = found + page.value, pages + 1
    cloud.tell(
        "incidents",
        pages=pages,
        incidents=[
            {"id": one.id, "title": one.display_name, "severity": one.severity.value, "status": one.status.value}
            for one in found
        ],
    )
    return found


async def read_alerts(client):
    page = await client.security.alerts_v2.get()
    found = list(page.value)
    while page.odata_next_link:
        page = await client.security.alerts_v2.with_url(page.odata_next_link).get()
        found += page.value
    unread = sorted({one.odata_type for alert in found for one in alert.evidence if type(one).__name__ == "AlertEvidence"})
    cloud.tell("alerts", ids=[one.id for one in found], evidence=sum(len(one.evidence) for one in found), unread=unread)
    return found


async def change(client, incident, alert):
    wanted = Incident(status=IncidentStatus.InProgress, assigned_to="soc@sortie.example", custom_tags=["interop"])
    changed = await client.security.incidents.by_incident_id(incident.id).patch(wanted)
    cloud.tell("changed", id=changed.id, status=changed.status.value, assigned=changed.assigned_to, tags=changed.custom_tags)
    await comment(client, client.security.alerts_v2.by_alert_id(alert.id).comments)


async def comment(client, comments):
    """The SDK's typed call sends a list, which Graph refuses (msgraph-sdk-python issue 1168). One object is taken."""
    remark = AlertComment(odata_type="#microsoft.graph.security.alertComment", comment="Seen by the Graph SDK.")
    try:
        await comments.post([remark])
    except ODataError as error:
        cloud.tell("list of comments", status=error.response_status_code, text=error.error.message)
    request = comments.to_post_request_information([remark])
    request.set_content_from_parsable(client.request_adapter, "application/json", remark)
    answer = json.loads(await client.request_adapter.send_primitive_async(request, "bytes", {"XXX": ODataError}))
    cloud.tell("commented", comments=[one["comment"] for one in answer["value"]])


async def hunt(client):
    """The SDK writes the long spelling of the operation; the page writes the short one."""
    long = client.security.microsoft_graph_security_run_hunting_query
    short = long.with_url(f"{client.request_adapter.base_url}/security/runHuntingQuery")
    for spelling, operation in (("long", long), ("short", short)):
        answer = await operation.post(RunHuntingQueryPostRequestBody(query=DEVICES))
        columns = [{"name": column.name, "type": column.type} for column in answer.schema]
        cloud.tell(f"devices, {spelling}", columns=columns, rows=rows(answer))
    times = rows(await long.post(RunHuntingQueryPostRequestBody(query="AlertInfo | sort by Timestamp asc")))
    start, end = (times[len(times) * quarter // 4]["Timestamp"].strftime("%Y-%m-%dT%H:%M:%SZ") for quarter in (1, 3))
    window = RunHuntingQueryPostRequestBody(query="AlertInfo", timespan=f"{start}/{end}")
    alerts = [{"id": row["AlertId"], "title": row["Title"]} for row in rows(await long.post(window))]
    cloud.tell("alerts of a timespan", start=start, end=end, alerts=alerts)
    await tell_refusal("bad query", long.post(RunHuntingQueryPostRequestBody(query="DeviceInfo | project Nothing")))


def rows(answer):
    return [row.additional_data for row in answer.results]


async def lack_a_role():
    client = graph(os.environ["SORTIE_ROLELESS_CLIENT_ID"], os.environ["SORTIE_ROLELESS_SECRET"])
    await tell_refusal("missing role", client.security.incidents.get())
    hunting = client.security.microsoft_graph_security_run_hunting_query
    await tell_refusal("missing role for hunting", hunting.post(RunHuntingQueryPostRequestBody(query=DEVICES)))


async def tell_refusal(check, call):
    try:
        await call
    except ODataError as error:
        cloud.tell(check, status=error.response_status_code, code=error.error.code, text=error.error.message)


async def main():
    cloud.tell_versions("msgraph-sdk", "msgraph-core", "microsoft-kiota-http", "httpx")
    client = graph(cloud.CLIENT_ID, cloud.SECRET)
    incidents = await read_incidents(client)
    alerts = await read_alerts(client)
    await hunt(client)
    await change(client, next(one for one in incidents if one.status == IncidentStatus.Active), alerts[0])
    await lack_a_role()


# The most that the service gives in one page.
PAGE = 50
DEVICES = "DeviceInfo | summarize arg_max(Timestamp, OSPlatform) by DeviceId | project DeviceId, OSPlatform"
asyncio.run(main())
