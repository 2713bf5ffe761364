"""The interop lab: every implementation of Tink against every other. See ../README.md."""
