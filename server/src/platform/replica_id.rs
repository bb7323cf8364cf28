//! The name of a replica: `kj-1-r12` is replica 12 of job `kj-1`.

pub fn of(job: &str, number: u64) -> String {
    format!("{job}-r{number}")
}

/// Its job and its number.
pub fn split(replica: &str) -> Option<(&str, u64)> {
    let (job, number) = replica.rsplit_once("-r")?;
    Some((job, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_apart_as_it_was_made() {
        assert_eq!(split(&of("kj-red-r2-x", 12)), Some(("kj-red-r2-x", 12)));
        assert_eq!(split("kj-1"), None);
        assert_eq!(split("kj-1-rx"), None);
    }
}
