"""Open connections of the WebSocket API: API Gateway's `@connections` (API Gateway Developer Guide).

A message is sent once, within `clients.SOON_S`: the stream, which has the news of all tenants, waits for no connection.
The client is botocore's own, for the path names the connection and is signed as it is written.
"""

from functools import cached_property
from typing import Any

from broker.cloud.clients import of_connections
from broker.push.telling import ConnectionGone


class SocketGateway:
    """See `push.telling.Gateway`. Threads may share it."""

    def __init__(self, url: str) -> None:
        """`url` is that of the stage, `https://…/v1`."""
        self._url = url

    @cached_property
    def _client(self) -> Any:
        return of_connections(self._url)

    def post(self, connection_id: str, text: str) -> None:
        """See `push.telling.Gateway.post`."""
        try:
            self._client.post_to_connection(ConnectionId=connection_id, Data=text.encode())
        except self._client.exceptions.GoneException:
            raise ConnectionGone(connection_id) from None

    def close(self, connection_id: str) -> None:
        """See `push.telling.Gateway.close`."""
        try:
            self._client.delete_connection(ConnectionId=connection_id)
        except self._client.exceptions.GoneException:
            return
