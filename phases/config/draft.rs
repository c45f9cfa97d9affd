//! Draft: what was said so far, each value with its origin.
