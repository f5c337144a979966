"""Bulk operations: jobs of a tenant that a filter finds are canceled, or run again, page by page in messages."""
