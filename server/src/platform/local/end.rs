//! Ends whole trees: TERM to the first process, TERM to all, KILL, until nobody is left.

use std::{collections::HashSet, time::Duration};

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::tree::{Id, Member};
use crate::platform::PlatformError;

const POLL: Duration = Duration::from_millis(20);
/// KILL works at once, but for processes that are stuck in the kernel (a dead network disk).
const GIVE_UP: Duration = Duration::from_secs(10);
/// Passes in which a tree that forks while it is being frozen must come to rest.
const FREEZES: usize = 10;

/// Asks a tree to end, and waits. True when nobody is left, false when the grace is over first.
/// Its leader alone is asked for half of the grace: it knows best how its children end, and finishes its item
/// meanwhile. Then, or when it is gone, everybody is asked. `members` reads the living members anew.
///
/// # Errors
/// Those of `members`.
pub async fn ask<F, R>(members: F, leader: Id, grace: Duration) -> Result<bool, PlatformError>
where
    F: Fn() -> R,
    R: Future<Output = Result<Vec<Member>, PlatformError>>,
{
    let begun = Instant::now();
    let (alone_until, deadline) = (begun + grace / 2, begun + grace);
    loop {
        let mut asked = members().await?;
        if asked.is_empty() {
            return Ok(true);
        }
        let now = Instant::now();
        if deadline <= now {
            return Ok(false);
        }
        let alone = now < alone_until && asked.iter().any(|member| member.id == leader);
        asked.retain(|member| !alone || member.id == leader);
        for member in &asked {
            member.id.signal(Signal::TERM);
            // A stopped process would hear of it only when somebody continues it.
            member.id.signal(Signal::CONT);
        }
        // Newcomers are left alone while one of these lives: they are the cleaning up that was asked for.
        let until = if alone { alone_until } else { deadline };
        while Instant::now() < until && asked.iter().any(|member| member.id.lives()) {
            sleep(POLL).await;
        }
    }
}

/// Kills until nobody is left. Returns how many there were.
///
/// # Errors
/// Those of `members`; `Survivors` when some are still there after ten seconds.
pub async fn kill<F, R>(members: F, of: &str) -> Result<usize, PlatformError>
where
    F: Fn() -> R,
    R: Future<Output = Result<Vec<Member>, PlatformError>>,
{
    let give_up = Instant::now() + GIVE_UP;
    let mut killed: HashSet<Id> = HashSet::new();
    loop {
        let mut living = members().await?;
        // A tree that forks faster than it is killed is stopped first.
        let mut frozen: HashSet<Id> = HashSet::new();
        for _ in 0..FREEZES {
            let new: Vec<Id> = living.iter().map(|member| member.id).filter(|id| frozen.insert(*id)).collect();
            if new.is_empty() {
                break;
            }
            new.iter().for_each(|id| id.signal(Signal::STOP));
            living = members().await?;
        }
        if living.is_empty() {
            return Ok(killed.len());
        }
        if give_up <= Instant::now() {
            return Err(PlatformError::Survivors { of: of.to_owned(), pids: living.iter().map(|member| member.id.pid).collect() });
        }
        for member in &living {
            killed.insert(member.id);
            member.id.signal(Signal::KILL);
        }
        while living.iter().any(|member| member.id.lives()) && Instant::now() < give_up {
            sleep(POLL).await;
        }
    }
}
