//! When a service account's token ends: it says so itself, to whoever can read it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

#[derive(Deserialize)]
struct Claims {
    /// Seconds since 1970.
    exp: Option<f64>,
}

/// How long until its end, zero after it; `None` of a token that does not say.
pub fn left(token: &str, now_ms: i64) -> Option<Duration> {
    let mut parts = token.split('.').skip(1);
    let (claims, _signature) = (parts.next()?, parts.next()?);
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Duration::try_from_secs_f64((claims.exp? - now_ms as f64 / 1000.0).max(0.0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_when_it_ends() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(left(&token("{\"exp\": 100}"), 40_000), Some(Duration::from_secs(60)));
        assert_eq!(left(&token("{\"exp\": 100}"), 140_000), Some(Duration::ZERO));
        assert_eq!(left(&token("{\"exp\": 1e300}"), 0), None);
        for other in [token("{}"), token("no"), "228e314cf4f834bf97996891c3498804".to_owned(), String::new()] {
            assert_eq!(left(&other, 0), None, "{other}");
        }
    }
}
