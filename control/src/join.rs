//! Joins the wishes of several loops on one actuator into one allocation.

use serde::{Deserialize, Serialize};

/// Which wish wins when loops on one actuator differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// The largest: every loop gets at least what it needs.
    #[default]
    Max,
    /// The smallest: no loop can spend more than another allows.
    Min,
}

/// The joined number of replicas, and the loop whose wish it is; among equals the first. None without wishes.
pub fn join(wishes: &[(String, u32)], rule: Join) -> Option<(u32, String)> {
    let better = |wish: u32, best: u32| match rule {
        Join::Max => wish > best,
        Join::Min => wish < best,
    };
    let first = wishes.first()?;
    let winner = wishes.iter().fold(first, |best, wish| if better(wish.1, best.1) { wish } else { best });
    Some((winner.1, winner.0.clone()))
}
