//! Integration tests, in one binary that links once.

mod kms_clients;
