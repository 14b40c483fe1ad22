"""Words for the call: an answer's reasons as five lines for a retention agent (docs/call-notes.md)."""
