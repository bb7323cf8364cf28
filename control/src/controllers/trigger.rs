//! Triggers as the original has them: how far a job may be from its plan before a law acts, and how that is said.

use super::words;

/// Where a job is, seen from its triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Late, at the trigger or beyond.
    Behind,
    /// Early, at the trigger or beyond.
    Ahead,
    /// An error of exactly zero lies within even triggers of zero.
    Within,
}

pub fn side(error: f64, up: f64, down: f64) -> Side {
    if error > 0.0 && error >= down {
        Side::Ahead
    } else if error < 0.0 && error.abs() >= up {
        Side::Behind
    } else {
        Side::Within
    }
}

/// `9.2 % behind plan, beyond the trigger of 5 %`.
pub fn place(error: f64, up: f64, down: f64) -> String {
    let lag = words::lag(error);
    let trigger = words::percent(if error < 0.0 { up } else { down });
    match side(error, up, down) {
        _ if error == 0.0 => lag,
        Side::Within => format!("{lag}, within the trigger of {trigger}"),
        Side::Ahead | Side::Behind => format!("{lag}, beyond the trigger of {trigger}"),
    }
}

/// What becomes of the replicas: `2 replicas more`, `0.3 replicas fewer`, `10 is already at the bound`.
pub fn change(replicas: f64, wanted: f64) -> String {
    let by = wanted - replicas;
    let direction = if by > 0.0 { "more" } else { "fewer" };
    match by.abs() {
        0.0 => format!("{} is already at the bound", words::short(replicas)),
        1.0 => format!("one replica {direction}"),
        count => format!("{} replicas {direction}", words::short(count)),
    }
}
