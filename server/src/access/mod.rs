//! Who may do what: one-time links, sessions and API tokens. Only their hashes are stored.

pub mod tokens;
pub mod vault;

/// Whether somebody may change what all jobs share, such as clusters. Accounts with other rights do not exist yet.
pub fn administers(user: &str) -> bool {
    user == tokens::ADMIN
}
