"""Which routes registered endpoints have; `rest.endpoints` answers them, and is loaded by the first call of one."""

READ, WRITE = "webhooks:read", "webhooks:write"

ENDPOINT_ROUTES: dict[tuple[str, str], tuple[str, str]] = {
    ("POST", "/webhooks"): (WRITE, "register_endpoint"),
    ("GET", "/webhooks"): (READ, "list_endpoints"),
    ("GET", "/webhooks/{id}"): (READ, "get_endpoint"),
    ("PATCH", "/webhooks/{id}"): (WRITE, "change_endpoint"),
    ("DELETE", "/webhooks/{id}"): (WRITE, "delete_endpoint"),
    ("POST", "/webhooks/{id}/rotate"): (WRITE, "rotate_secret"),
    ("POST", "/webhooks/{id}/enable"): (WRITE, "enable_endpoint"),
    ("POST", "/webhooks/{id}/disable"): (WRITE, "disable_endpoint"),
    ("POST", "/webhooks/{id}/test"): (WRITE, "test_endpoint"),
    ("GET", "/webhooks/{id}/deliveries"): (READ, "list_deliveries"),
    ("GET", "/webhooks/{id}/deliveries/{delivery_id}"): (READ, "get_delivery"),
    ("POST", "/webhooks/{id}/deliveries/{delivery_id}/redeliver"): (WRITE, "redeliver_one"),
    ("POST", "/webhooks/{id}/recover"): (WRITE, "recover_deliveries"),
    ("POST", "/webhook_endpoints"): (WRITE, "create_webhook_endpoint"),
    ("GET", "/webhook_endpoints"): (READ, "list_webhook_endpoints"),
    ("GET", "/webhook_endpoints/{id}"): (READ, "get_webhook_endpoint"),
    ("POST", "/webhook_endpoints/{id}"): (WRITE, "update_webhook_endpoint"),
    ("DELETE", "/webhook_endpoints/{id}"): (WRITE, "delete_webhook_endpoint"),
    ("POST", "/webhook_endpoints/{id}/rotate_secret"): (WRITE, "rotate_webhook_secret"),
    ("POST", "/webhook_endpoints/{id}/test"): (WRITE, "test_webhook_endpoint"),
    ("GET", "/webhook_event_types"): (READ, "list_webhook_event_types"),
}
"""By method and resource: the scope that is needed, and the method of `EndpointDoor`."""
