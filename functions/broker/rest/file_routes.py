"""Which routes files and uploads have; `rest.files` answers them, and is loaded by the first call of one."""

FILE_ROUTES: dict[tuple[str, str], tuple[str, str]] = {
    ("POST", "/files"): ("files:write", "create_file"),
    ("GET", "/files"): ("files:read", "list_files"),
    ("GET", "/files/{id}"): ("files:read", "get_file"),
    ("GET", "/files/{id}/content"): ("files:read", "get_content"),
    ("DELETE", "/files/{id}"): ("files:write", "delete_file"),
    ("POST", "/uploads"): ("files:write", "create_upload"),
    ("GET", "/uploads/{id}"): ("files:read", "get_upload"),
    ("POST", "/uploads/{id}/parts"): ("files:write", "add_part"),
    ("POST", "/uploads/{id}/complete"): ("files:write", "complete_upload"),
    ("POST", "/uploads/{id}/cancel"): ("files:write", "cancel_upload"),
}
"""By method and resource: the scope that is needed, and the method of `FileDoor`."""
