//! What a job would take, before anything is created: the law's own first look, and what could be asked for
//! instead when the answer is no.

use serde::{Deserialize, Serialize};

use super::need::{Needs, Spent};
use super::{Course, Params, forecast, guess_ms};
use crate::forecast::Forecast;
use crate::job::Bounds;
use crate::observation::{Hints, Items, Observation};
use crate::prediction::finish::Rest;
use crate::prediction::service::Service;
use crate::prediction::startup::Startup;

/// No later deadline than so many times the wanted one is offered.
const LATEST: f64 = 1000.0;

/// Of replicas in an offer.
const MOST_REPLICAS: u32 = 1000;

/// A goal, asked about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ask {
    pub items: u64,
    /// From the job's start.
    pub deadline_ms: u64,
    /// Wanted probability of meeting it.
    pub confidence: f64,
    pub bounds: Bounds,
    /// Somebody must have said how long items take.
    pub hints: Hints,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    /// Fewest replicas that are enough if items take what is believed.
    pub replicas: u32,
    pub forecast: Forecast,
    /// The deadline is met with the wanted probability.
    pub sure: bool,
    /// If not: the first deadline that would be, with the same bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later_ms: Option<u64>,
    /// If not: so many replicas at most would be enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<u32>,
}

/// `None` when nobody said how long an item takes, or there are no items.
pub fn quote(params: &Params, ask: &Ask) -> Option<Quote> {
    if ask.hints.is_empty() || ask.items == 0 {
        return None;
    }
    let (replicas, forecast) = look(params, ask);
    let sure = forecast.p_meet >= ask.confidence;
    let enough = |other: Ask| look(params, &other).1.p_meet >= ask.confidence;
    let (later_ms, more) = if sure {
        (None, None)
    } else {
        let later = |deadline_ms: u64| enough(Ask { deadline_ms, ..*ask });
        let more = |max: u64| enough(Ask { bounds: Bounds { max: u32::try_from(max).unwrap_or(u32::MAX), ..ask.bounds }, ..*ask });
        let latest = (ask.deadline_ms as f64 * LATEST) as u64;
        let most = ask.items.min(u64::from(MOST_REPLICAS)).max(u64::from(ask.bounds.max));
        (least(ask.deadline_ms, latest, later), least(u64::from(ask.bounds.max), most, more).and_then(|most| u32::try_from(most).ok()))
    };
    Some(Quote { replicas, forecast, sure, later_ms, more })
}

/// The law's first look: the fewest replicas that are enough, and the forecast with them.
fn look(params: &Params, ask: &Ask) -> (u32, Forecast) {
    let seen = Observation {
        deadline_ms: Some(ask.deadline_ms),
        confidence: ask.confidence,
        items: Items { total: ask.items, waiting: ask.items, ..Items::default() },
        bounds: ask.bounds,
        hints: ask.hints,
        ..Observation::at(0)
    };
    let mut service = Service::default();
    let belief = service.belief(&seen, guess_ms(&seen, ask.deadline_ms));
    let startup_ms = Startup::default().expected_ms(&seen);
    let rest = Rest::new(&seen, service.tables(), belief, startup_ms, 1.0);
    let needs = Needs::new(params, &seen, ask.deadline_ms, &rest, startup_ms, 0.0, Spent::default());
    let replicas = needs.least(0.0);
    (replicas, forecast(params, &Course::default(), &seen, &needs, replicas, false))
}

/// The least number above `low`, up to `high`, that is enough, to within a hundredth; what is enough stays so above it.
fn least(low: u64, high: u64, enough: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (low, high);
    if high <= low || !enough(high) {
        return None;
    }
    while high - low > (high / 100).max(1) {
        let middle = low + (high - low) / 2;
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(deadline_s: u64, max: u32) -> Ask {
        Ask {
            items: 1000,
            deadline_ms: deadline_s * 1000,
            confidence: 0.95,
            bounds: Bounds { min: 1, max, initial: 1 },
            hints: Hints { service_ms_mean: Some(6000.0), history: None },
        }
    }

    #[test]
    fn an_easy_goal_needs_few_and_no_offers() {
        let quote = quote(&Params::default(), &ask(3600, 50)).unwrap();
        assert!(quote.sure && quote.later_ms.is_none() && quote.more.is_none(), "{quote:?}");
        // 6000 s of work in an hour.
        assert!((2..=4).contains(&quote.replicas), "{quote:?}");
        assert!(quote.forecast.p95_ms <= 3_600_000);
    }

    #[test]
    fn what_is_offered_would_be_enough() {
        let hard = ask(300, 20);
        let quoted = quote(&Params::default(), &hard).unwrap();
        assert!(!quoted.sure);
        let later = Ask { deadline_ms: quoted.later_ms.unwrap(), ..hard };
        assert!(later.deadline_ms > hard.deadline_ms && quote(&Params::default(), &later).unwrap().sure);
        let more = Ask { bounds: Bounds { max: quoted.more.unwrap(), ..hard.bounds }, ..hard };
        assert!(more.bounds.max > 20 && quote(&Params::default(), &more).unwrap().sure);
    }

    #[test]
    fn nobody_can_quote_what_nobody_knows() {
        assert_eq!(quote(&Params::default(), &Ask { hints: Hints::default(), ..ask(3600, 50) }), None);
        assert_eq!(quote(&Params::default(), &Ask { items: 0, ..ask(3600, 50) }), None);
    }
}
