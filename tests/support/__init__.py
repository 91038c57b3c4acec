"""Helpers of the end-to-end tests: servers, tables, the audit trail, canaries."""
