//! Clusters that an administrator added. Their kubeconfigs come here encrypted.

use sqlx::FromRow;

use super::Store;
use super::error::{During, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRow {
    pub id: String,
    pub name: String,
    pub namespace: Option<String>,
    pub pods_listen: Option<String>,
    /// `None`: the server is a pod of it.
    pub sealed: Option<Vec<u8>>,
    /// Milliseconds since 1970.
    pub changed_at: i64,
    pub changed_by: String,
}

impl FromRow<'_, sqlx::sqlite::SqliteRow> for ClusterRow {
    fn from_row(row: &sqlx::sqlite::SqliteRow) -> sqlx::Result<Self> {
        use sqlx::Row as _;
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            namespace: row.try_get("namespace")?,
            pods_listen: row.try_get("pods_listen")?,
            sealed: row.try_get("sealed")?,
            changed_at: row.try_get("changed_at")?,
            changed_by: row.try_get("changed_by")?,
        })
    }
}

impl Store {
    /// Adds a cluster, or changes the one with this id. False when another one has the name.
    pub async fn put_cluster(&self, row: ClusterRow) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let changed = sqlx::query(
                    "INSERT INTO cluster (id, name, namespace, pods_listen, sealed, changed_at, changed_by)
                     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM cluster WHERE name = ?2 AND id != ?1)
                     ON CONFLICT (id) DO UPDATE SET namespace = excluded.namespace, pods_listen = excluded.pods_listen,
                     sealed = excluded.sealed, changed_at = excluded.changed_at, changed_by = excluded.changed_by",
                )
                .bind(&row.id)
                .bind(&row.name)
                .bind(&row.namespace)
                .bind(&row.pods_listen)
                .bind(&row.sealed)
                .bind(row.changed_at)
                .bind(&row.changed_by)
                .execute(&mut tx.conn)
                .await
                .writing(|| format!("the cluster {}", row.name))?;
                Ok(changed.rows_affected() == 1)
            })
        })
        .await
    }

    pub async fn clusters(&self) -> Result<Vec<ClusterRow>> {
        sqlx::query_as("SELECT * FROM cluster ORDER BY name").fetch_all(&self.readers).await.reading(|| "the clusters".to_owned())
    }

    pub async fn remove_cluster(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let removed = sqlx::query("DELETE FROM cluster WHERE name = ?").bind(&name).execute(&mut tx.conn).await;
                removed.writing(|| format!("the end of the cluster {name}"))?;
                Ok(())
            })
        })
        .await
    }
}
