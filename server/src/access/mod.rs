//! Who may do what: one-time links, sessions and API tokens. Only their hashes are stored.

pub mod tokens;
