//! Sentences for people: errors as one readable line, numbers with their nouns.

/// The whole chain of causes, once, joined by colons.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// `1 item`, `2 items`.
pub fn counted(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{end}")
}

/// Why a job of which nothing was done has failed.
pub fn all_dead(dead: u64, attempts: u32) -> String {
    let attempts = counted(attempts.into(), "attempt");
    if dead == 1 { format!("its only item is dead after {attempts}") } else { format!("all {dead} items are dead after {attempts} each") }
}

/// What a job that is completed has left undone.
pub fn some_dead(dead: u64, total: u64) -> String {
    format!("{dead} of {} {} dead", counted(total, "item"), if dead == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(all_dead(1, 1), "its only item is dead after 1 attempt");
        assert_eq!(all_dead(2, 3), "all 2 items are dead after 3 attempts each");
        assert_eq!(some_dead(1, 4), "1 of 4 items is dead");
        assert_eq!(some_dead(2, 4), "2 of 4 items are dead");
    }
}
