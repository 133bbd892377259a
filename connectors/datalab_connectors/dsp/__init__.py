"""The Dataspace Protocol, version 2025-1, as plain JSON: messages, transitions, state, and the consumer's side."""
