//! Who may come in: one-time links, browser sessions and API tokens, known only by their hashes.

use super::Store;
use super::error::{During, Result};

impl Store {
    /// Stores a token of the kind `link`, `session` or `api`, valid until `expires_at` (milliseconds
    /// since 1970).
    pub async fn put_token(&self, kind: &str, hash: &[u8], user: &str, expires_at: i64) -> Result<()> {
        let (kind, hash, user) = (kind.to_owned(), hash.to_owned(), user.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO token (kind, hash, user, expires_at) VALUES (?, ?, ?, ?)
                     ON CONFLICT DO UPDATE SET user = excluded.user, expires_at = excluded.expires_at",
                )
                .bind(&kind)
                .bind(hash)
                .bind(user)
                .bind(expires_at)
                .execute(&mut tx.conn)
                .await
                .writing(|| format!("a token of kind {kind}"))?;
                Ok(())
            })
        })
        .await
    }

    /// Stores an API token and ends all others.
    pub async fn put_only_api_token(&self, hash: &[u8], user: &str, expires_at: i64) -> Result<()> {
        let (own, user) = (hash.to_owned(), user.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM token WHERE kind = 'api'")
                    .execute(&mut tx.conn)
                    .await
                    .writing(|| "the end of API tokens".to_owned())?;
                sqlx::query("INSERT INTO token (kind, hash, user, expires_at) VALUES ('api', ?, ?, ?)")
                    .bind(own)
                    .bind(user)
                    .bind(expires_at)
                    .execute(&mut tx.conn)
                    .await
                    .writing(|| "the API token".to_owned())?;
                Ok(())
            })
        })
        .await
    }

    /// Uses up a one-time link: whose it was, if it was there and not expired.
    pub async fn take_link(&self, hash: &[u8], at: i64) -> Result<Option<String>> {
        let hash = hash.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let link: Option<(String, i64)> =
                    sqlx::query_as("DELETE FROM token WHERE kind = 'link' AND hash = ? RETURNING user, expires_at")
                        .bind(hash)
                        .fetch_optional(&mut tx.conn)
                        .await
                        .writing(|| "the use of a link".to_owned())?;
                Ok(link.and_then(|(user, expires_at)| (at < expires_at).then_some(user)))
            })
        })
        .await
    }

    /// Ends a browser session. An API token stays: it belongs to scripts, not to a browser.
    pub async fn drop_session(&self, hash: &[u8]) -> Result<()> {
        let hash = hash.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM token WHERE kind = 'session' AND hash = ?")
                    .bind(hash)
                    .execute(&mut tx.conn)
                    .await
                    .writing(|| "the end of a session".to_owned())?;
                Ok(())
            })
        })
        .await
    }

    /// Whose browser session or API token this is, if it is not expired. A link is neither.
    pub async fn session(&self, hash: &[u8], at: i64) -> Result<Option<String>> {
        sqlx::query_scalar("SELECT user FROM token WHERE kind IN ('session', 'api') AND hash = ? AND ? < expires_at")
            .bind(hash)
            .bind(at)
            .fetch_optional(&self.readers)
            .await
            .reading(|| "a session".to_owned())
    }
}
