//! `stream`: holds how long an item waits in a queue that never ends. By Little's law, L = λ·W, arrivals of λ items
//! a second that take s seconds each keep λ·s replicas busy; what waits already needs waiting·s ÷ W more to be gone
//! within the wanted wait W. Both λ and s are estimated with a memory that fades.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Controller, words};
use crate::decision::{Term, Wish};
use crate::guard::GuardParams;
use crate::observation::{Hints, Observation};
use crate::plugin::Plugin;

/// Far beyond any sum of seconds or items; keeps what is stored finite.
const LARGEST: f64 = 1e15;

pub struct Stream;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// How long an item may wait before a replica takes it.
    #[garde(range(min = 0.1, max = 86400.0))]
    #[schemars(extend("x-unit" = "s", "x-step" = 1))]
    pub target_wait_s: f64,
    /// Share of their time that replicas should be busy; the rest is spare for bursts, so that 1 lets queues grow.
    #[garde(range(min = 0.1, max = 1.0))]
    #[schemars(extend("x-unit" = "share of the time", "x-step" = 0.05))]
    pub utilisation: f64,
    /// How far back arrivals and service times are remembered: short follows every burst, long rides over them.
    #[garde(range(min = 0.0, max = 3600.0))]
    #[schemars(extend("x-unit" = "s", "x-step" = 5))]
    pub smoothing_s: f64,
    #[garde(dive)]
    pub guards: GuardParams,
}

impl Default for Params {
    /// A fifth to spare: beyond four fifths the waiting of random arrivals grows steeply.
    fn default() -> Self {
        Self { target_wait_s: 30.0, utilisation: 0.8, smoothing_s: 60.0, guards: GuardParams::default() }
    }
}

/// Sums that fade with time, and not their ratios: so a first glance weighs no more than what it saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    last: Option<Count>,
    /// Items that came, and in how many seconds.
    arrived: f64,
    arrival_s: f64,
    /// Items that were done, and how many seconds they took.
    served: f64,
    service_s: f64,
}

/// Everything that ever came, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    at_ms: u64,
    items: u64,
}

impl Plugin for Stream {
    const KIND: &'static str = "stream";
    const TITLE: &'static str = "Stream";
    const ABOUT: &'static str = "Holds the waiting time of an endless queue: enough replicas for the items that arrive, and \
        some more while others wait; for work without a deadline.";
    type Params = Params;
}

impl Controller for Stream {
    type Memory = Memory;

    /// A few seconds of arrivals are soon learnt again.
    const REMEMBER_EVERY_MS: u64 = 10_000;

    fn step(params: &Params, memory: &mut Memory, seen: &Observation) -> Wish {
        memory.learn(params.smoothing_s, seen);
        let waiting = seen.items.waiting as f64;
        let asked = seen.allocated();
        let Some(service_s) = memory.service_s().or_else(|| believed(&seen.hints)) else {
            // Without a replica nobody would ever learn how long an item takes.
            let wanted = if seen.items.waiting > 0 { asked.max(1) } else { asked };
            let why = format!("No item was done yet, so nobody knows how long one takes: {} until then.", words::replicas(wanted));
            return Wish { value: f64::from(wanted), why, ..Wish::default() };
        };
        let Some(rate) = memory.rate() else {
            let backlog = waiting * service_s / params.target_wait_s;
            let wanted = backlog.max(f64::from(asked));
            let wait = if seen.items.waiting == 1 { "waits" } else { "wait" };
            let why = format!("Arrivals are not known yet; {} {wait}.", words::items(seen.items.waiting));
            return Wish { value: wanted, terms: vec![term("backlog", backlog)], why, ..Wish::default() };
        };

        let arrivals = rate * service_s / params.utilisation;
        let backlog = waiting * service_s / params.target_wait_s;
        let wanted = arrivals + backlog;
        let mut terms = vec![term("arrivals", arrivals), term("backlog", backlog)];
        let wait = if asked == 0 {
            "with no replica to take them".to_owned()
        } else {
            let wait_s = waiting * service_s / f64::from(asked);
            terms.push(term("wait_s", wait_s));
            format!("about {} s with {}", words::short(wait_s), words::replicas(asked))
        };
        let why = format!(
            "{} items a second arrive and take {} s each; {} wait, {wait}: {} replicas for the arrivals and {} for those that wait.",
            words::short(rate),
            words::short(service_s),
            seen.items.waiting,
            words::short(arrivals),
            words::short(backlog),
        );
        Wish { value: wanted, terms, why, ..Wish::default() }
    }

    fn guards(params: &Params) -> &GuardParams {
        &params.guards
    }
}

impl Memory {
    fn learn(&mut self, smoothing_s: f64, seen: &Observation) {
        let items = seen.items;
        // A dead item came as well; an attempt that failed did not come anew.
        let came = [items.waiting, items.processing, items.done, items.dead].into_iter().fold(0, u64::saturating_add);
        let gap_s = match self.last {
            Some(last) if last.at_ms < seen.at_ms => {
                let gap_s = (seen.at_ms - last.at_ms) as f64 / 1000.0;
                let keep = smoothing_s / (smoothing_s + gap_s);
                self.arrived = (self.arrived * keep + came.saturating_sub(last.items) as f64).min(LARGEST);
                self.arrival_s = (self.arrival_s * keep + gap_s).min(LARGEST);
                gap_s
            }
            _ => 0.0,
        };
        self.last = Some(Count { at_ms: seen.at_ms, items: came });

        let sound: Vec<f64> = seen
            .completions
            .iter()
            .map(|done| done.service_ms / 1000.0)
            .filter(|service_s| service_s.is_finite() && 0.0 <= *service_s)
            .collect();
        // While nothing is done nothing fades: an old service time is better than none.
        if !sound.is_empty() {
            let keep = if gap_s > 0.0 { smoothing_s / (smoothing_s + gap_s) } else { 1.0 };
            self.served = (self.served * keep + sound.len() as f64).min(LARGEST);
            self.service_s = (self.service_s * keep + sound.iter().sum::<f64>()).min(LARGEST);
        }
    }

    /// Items that arrive in a second.
    fn rate(&self) -> Option<f64> {
        (self.arrival_s > 0.0).then(|| self.arrived / self.arrival_s)
    }

    /// How long an item takes.
    fn service_s(&self) -> Option<f64> {
        (self.served > 0.0).then(|| self.service_s / self.served)
    }
}

/// What the user or earlier jobs say of the time that an item takes.
fn believed(hints: &Hints) -> Option<f64> {
    let history = hints.history.map(|history| libm::exp(history.log_mean + history.log_sd * history.log_sd / 2.0));
    let service_ms = hints.service_ms_mean.or(history)?;
    (service_ms.is_finite() && service_ms > 0.0).then_some(service_ms / 1000.0)
}

fn term(name: &str, value: f64) -> Term {
    Term { name: name.to_owned(), value }
}
