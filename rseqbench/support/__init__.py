"""What every room uses and no room owns: processes, files, text, serialization."""
