//! Discovery: from a token or a file to a cluster that can be trusted.

pub mod jws;
