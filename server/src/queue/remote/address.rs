//! Where a Redis is: a URL as people give it. Its name and password are used and never shown.

use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo as _};
use url::Url;

/// The whole URL, credentials included. Its `Display` and `Debug` have none.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    url: Url,
}

impl Address {
    /// # Errors
    /// What is wrong and what would be right, in words that repeat nothing of what was given.
    pub fn parse(text: &str) -> Result<Self, String> {
        const LIKE: &str = "such as redis://127.0.0.1:6379/0 or redis://:PASSWORD@host:6379/0";
        let url = Url::parse(text.trim()).map_err(|error| format!("is not a URL ({error}); {LIKE}"))?;
        match url.scheme() {
            "redis" | "valkey" => {}
            "rediss" | "valkeys" => return Err("must begin with redis:// or valkey://; TLS is not spoken here".to_owned()),
            _ => return Err(format!("must begin with redis:// or valkey://, {LIKE}")),
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(format!("has no host; {LIKE}"));
        }
        let database = url.path().trim_matches('/');
        if !database.is_empty() && database.parse::<u16>().is_err() {
            return Err(format!("must end with the number of a database, or with its port; {LIKE}"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("must have nothing after the number of the database; {LIKE}"));
        }
        // What only the client knows to be wrong, such as a password that is not percent-encoded text.
        if url.as_str().into_connection_info().is_err() {
            return Err(format!("cannot be used to connect: name and password must be percent-encoded; {LIKE}"));
        }
        Ok(Self { url })
    }

    pub(super) fn info(&self) -> redis::RedisResult<ConnectionInfo> {
        self.url.as_str().into_connection_info()
    }

    /// With name and password, to be kept where only the server reads.
    pub fn secret(&self) -> &str {
        self.url.as_str()
    }

    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    pub fn port(&self) -> u16 {
        self.url.port().unwrap_or(6379)
    }

    /// Host and port, for sentences.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.url.host_str().unwrap_or_default(), self.port())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.url.path().trim_matches('/');
        write!(to, "{}://{}/{}", self.url.scheme(), self.place(), if database.is_empty() { "0" } else { database })
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Address({self})")
    }
}

/// A URL as it was typed, right or wrong, without what may be a name and a password.
pub fn without_credentials(typed: &str) -> String {
    match (typed.find("://"), typed.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}{}", &typed[..scheme + 3], &typed[at + 1..]),
        (_, Some(at)) => typed[at + 1..].to_owned(),
        _ => typed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_where_and_never_who() {
        for (typed, shown) in [
            ("redis://127.0.0.1:6380/2", "redis://127.0.0.1:6380/2"),
            (" redis://:s3cret@queue.example/ ", "redis://queue.example:6379/0"),
            ("valkey://worker:s3cret@[::1]:7000", "valkey://[::1]:7000/0"),
        ] {
            let address = Address::parse(typed).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), format!("Address({shown})"));
            assert!(!typed.contains("s3cret") || address.secret().contains("s3cret"));
        }
    }

    #[test]
    fn what_is_no_address_is_told_without_being_repeated() {
        for (typed, says) in [
            ("", "is not a URL"),
            ("127.0.0.1:6379", "is not a URL"),
            ("http://:s3cret@host/0", "must begin with redis://"),
            ("rediss://:s3cret@host/0", "TLS is not spoken"),
            ("redis:///0", "has no host"),
            ("redis://:s3cret@host/zero", "number of a database"),
            ("redis://:s3cret@host/0?protocol=resp3", "nothing after"),
        ] {
            let error = Address::parse(typed).unwrap_err();
            assert!(error.contains(says) && !error.contains("s3cret"), "{typed}: {error}");
        }
    }

    #[test]
    fn credentials_are_cut_from_whatever_was_typed() {
        for (typed, kept) in [
            ("redis://user:p@ss@host:1/0", "redis://host:1/0"),
            ("redis//:pass@host", "host"),
            ("redis://host/0", "redis://host/0"),
            ("", ""),
        ] {
            assert_eq!(without_credentials(typed), kept);
        }
    }
}
