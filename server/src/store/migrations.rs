//! The steps from an empty file to today's layout, embedded in the binary. What stands here once is never changed:
//! files that took the step remember its checksum.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Version, description and SQL. By hand, as sqlx's macro for it would double the compiling of SQLite.
const STEPS: [(i64, &str, &str); 5] = [
    (1, "store", include_str!("../../../migrations/0001_store.sql")),
    (2, "recording", include_str!("../../../migrations/0002_recording.sql")),
    (3, "experience", include_str!("../../../migrations/0003_experience.sql")),
    (4, "replica_exit", include_str!("../../../migrations/0004_replica_exit.sql")),
    (5, "clusters", include_str!("../../../migrations/0005_clusters.sql")),
];

pub fn all() -> Migrator {
    let step = |(version, about, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, about.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(STEPS.into_iter().map(step).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_step() {
        let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations")).unwrap();
        let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, STEPS.map(|(version, about, _)| format!("{version:04}_{about}.sql")));
    }
}
