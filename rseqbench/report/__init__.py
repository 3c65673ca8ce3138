"""What a reader is shown of stored runs: tables and sentences once, then one module a format."""
