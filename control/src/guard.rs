//! Guards between a law's wish and the world: common to all laws, applied in one order,
//! each leaving its name where it changed the outcome.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::Bounds;
use crate::observation::Observation;

pub const FINITE: &str = "finite";
pub const BOUNDS: &str = "bounds";
pub const ITEMS_LEFT: &str = "items_left";
pub const LARGEST_STEP: &str = "largest_step";
pub const DEAD_BAND: &str = "dead_band";
pub const COOLDOWN: &str = "cooldown";

/// Part of every law's params, as `guards`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct GuardParams {
    /// Most replicas that one decision may add or remove; 0 sets no limit.
    #[garde(range(min = 0, max = 1000))]
    #[schemars(extend("x-unit" = "replicas", "x-step" = 1))]
    pub largest_step: u32,
    /// Smaller differences between the wish and what is there move nothing. Above a half it keeps a
    /// fractional wish from flickering between two whole numbers.
    #[garde(range(min = 0.0, max = 100.0))]
    #[schemars(extend("x-unit" = "replicas", "x-step" = 0.05))]
    pub dead_band: f64,
    /// How long after a move the next one waits; 0 never waits.
    #[garde(range(min = 0.0, max = 3600.0))]
    #[schemars(extend("x-unit" = "s", "x-step" = 1))]
    pub cooldown_s: f64,
}

impl Default for GuardParams {
    /// Four replicas a step keep one odd reading from emptying or flooding a job; a band of 0.75 gives
    /// half a replica of hysteresis and never holds a whole one.
    fn default() -> Self {
        Self { largest_step: 4, dead_band: 0.75, cooldown_s: 0.0 }
    }
}

impl GuardParams {
    /// No guard but bounds and items: for laws that answer in whole replicas with a step of their own.
    pub fn none() -> Self {
        Self { largest_step: 0, dead_band: 0.0, cooldown_s: 0.0 }
    }
}

/// What the guards made of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    pub to: u32,
    /// Names of the guards that changed the outcome, in their order.
    pub changed: Vec<&'static str>,
}

impl Guarded {
    /// Integrators may only shrink now. A dead band does not count: what holds inside it must be allowed
    /// to grow until it leaves it.
    pub fn saturated(&self) -> bool {
        self.changed.iter().any(|name| *name != DEAD_BAND)
    }
}

/// All guards in their order: finite → bounds → not more than items left → largest step → dead band →
/// whole replicas → cooldown. `from` is where the allocation stands or is going.
pub fn guard(params: &GuardParams, wish: f64, seen: &Observation, from: u32, cooling: bool) -> Guarded {
    let mut changed = Vec::new();
    let mut note = |name, differs: bool| {
        if differs {
            changed.push(name);
        }
    };
    let sound = finite(wish, from);
    note(FINITE, !wish.is_finite());
    let bounded = bounds(sound, seen.bounds);
    note(BOUNDS, bounded != sound);
    let needed = if seen.items.open { bounded } else { items_left(bounded, seen.items.left()) };
    note(ITEMS_LEFT, needed != bounded);
    let stepped = largest_step(needed, from, params.largest_step);
    note(LARGEST_STEP, stepped != needed);
    let settled = dead_band(stepped, from, params.dead_band, seen.bounds);
    note(DEAD_BAND, whole(settled) != whole(stepped));
    let to = cooldown(whole(settled), from, cooling);
    note(COOLDOWN, to != whole(settled));
    Guarded { to, changed }
}

/// A wish that is no number holds the position.
pub fn finite(wish: f64, from: u32) -> f64 {
    if wish.is_finite() { wish } else { f64::from(from) }
}

pub fn bounds(wish: f64, bounds: Bounds) -> f64 {
    wish.min(f64::from(bounds.max)).max(f64::from(bounds.min))
}

/// A replica without an item only costs: while items are left, their number wins even over the smallest
/// allocation. With none left (nothing loaded yet, or the end) the bounds stand, and the job's end decides.
pub fn items_left(wish: f64, left: u64) -> f64 {
    if left == 0 { wish } else { wish.min(left as f64) }
}

/// A step of 0 sets no limit.
pub fn largest_step(wish: f64, from: u32, step: u32) -> f64 {
    if step == 0 {
        return wish;
    }
    wish.clamp(f64::from(from) - f64::from(step), f64::from(from) + f64::from(step))
}

/// Holds what is there against a small difference. Outside of the bounds nothing is held: a wide band must
/// not keep a job from starting.
pub fn dead_band(wish: f64, from: u32, band: f64, bounds: Bounds) -> f64 {
    let inside = bounds.min <= from && from <= bounds.max;
    if inside && (wish - f64::from(from)).abs() < band { f64::from(from) } else { wish }
}

/// Holds while the last move is still settling.
pub fn cooldown(wish: u32, from: u32, cooling: bool) -> u32 {
    if cooling { from } else { wish }
}

/// Nearest whole number of replicas; a cast saturates, so nothing overflows.
fn whole(wish: f64) -> u32 {
    wish.round() as u32
}
