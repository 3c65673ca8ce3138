"""Plain text: terminal, mail, Markdown."""
