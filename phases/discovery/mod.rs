//! Discovery: from an endpoint and a token to a trusted CA and the cluster's configuration.
//!
//! Resolving `join` calls `find`, which only reads. The phase `discovery` writes what was found.

pub mod jws;
mod phase;
#[cfg(test)]
mod tests;
mod token;

pub use phase::Discovery;
pub use token::find;
