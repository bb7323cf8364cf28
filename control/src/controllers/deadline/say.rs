//! The sentences of the deadline law.

use super::look::Look;
use crate::controllers::words;
use crate::forecast::Forecast;
use crate::observation::Observation;

pub fn no_deadline() -> String {
    "There is no deadline: nothing to do.".to_owned()
}

pub fn nothing_left(seen: &Observation) -> String {
    if seen.items.total == 0 { "No items yet: nothing to do.".to_owned() } else { "No items are left: nothing to do.".to_owned() }
}

pub fn given_up(forecast: &Forecast, deadline_ms: u64) -> String {
    let late = late_by(forecast, deadline_ms);
    format!("The deadline cannot be met any more, the earliest finish is {late} after it, and the job is to stop then.")
}

/// How long after the deadline the earliest finish is.
fn late_by(forecast: &Forecast, deadline_ms: u64) -> String {
    span(forecast.earliest_ms.unwrap_or(forecast.p50_ms).saturating_sub(deadline_ms) as f64)
}

/// Before so many items are known what is said of them is mostly belief.
const KNOWN_ITEMS: f64 = 3.0;

/// One sentence of why.
pub fn why(look: &Look, seen: &Observation, deadline_ms: u64, known: f64) -> String {
    let (forecast, chosen, now) = (&look.forecast, look.chosen, seen.allocated());
    let sure = known >= KNOWN_ITEMS;
    let items = if sure { "take" } else { "are believed to take" };
    let mean = span(look.mean_service_ms);
    if forecast.earliest_ms.is_some() {
        let late = late_by(forecast, deadline_ms);
        return format!("Too late: items {items} {mean}, and the earliest finish is {late} after the deadline.");
    }
    let p = words::percent(forecast.p_meet);
    let apart = (deadline_ms as f64 - forecast.p50_ms as f64).abs();
    let side = if forecast.p50_ms <= deadline_ms { "before" } else { "after" };
    let with = words::replicas(chosen);
    let verb = match chosen.cmp(&now) {
        std::cmp::Ordering::Greater => format!("{} more", words::replicas(chosen - now)),
        std::cmp::Ordering::Less => format!("{} fewer", words::replicas(now - chosen)),
        std::cmp::Ordering::Equal => "hold".to_owned(),
    };
    let left = seen.items.left();
    let rest = match (left, sure) {
        (1, true) => format!("is left and takes {mean}"),
        (1, false) => format!("is left and is believed to take {mean}"),
        _ => format!("are left and {items} {mean} each"),
    };
    let left = words::items(left);
    format!("{left} {rest}: with {with} the finish is {} {side} the deadline and met with {p}: {verb}.", span(apart))
}

/// `340 ms`, `12 s`, `4.2 min`, `3 h`.
pub fn span(ms: f64) -> String {
    match ms {
        ms if ms < 950.0 => format!("{} ms", words::short(ms.round())),
        ms if ms < 90_000.0 => format!("{} s", words::short(ms / 1000.0)),
        ms if ms < 5_400_000.0 => format!("{} min", words::short(ms / 60_000.0)),
        ms => format!("{} h", words::short(ms / 3_600_000.0)),
    }
}
