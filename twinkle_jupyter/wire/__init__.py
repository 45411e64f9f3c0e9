"""Bodies on the wire. Imported by service and client only."""
