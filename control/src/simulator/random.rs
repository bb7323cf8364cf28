//! Chance from a seed: the same numbers on every machine, natively and in WebAssembly.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;

/// Streams of one seed that do not touch each other, so that a law which starts more replicas does not
/// change what the items take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Items,
    Order,
    Startup,
    Crash,
    Grid,
}

#[derive(Debug, Clone)]
pub struct Random(Pcg64);

impl Random {
    pub fn new(seed: u64, stream: Stream) -> Self {
        // Near states and near increments of this generator give correlated numbers; mixed ones do not.
        let first = mix(seed ^ mix(stream as u64 + 1));
        let second = mix(first);
        let third = mix(second);
        Self(Pcg64::new((u128::from(first) << 64) | u128::from(second), u128::from(third)))
    }

    /// Evenly from 0 to 1, never 1.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly between two bounds.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Between two positive bounds, each size as likely as ten times that size.
    pub fn log_between(&mut self, low: f64, high: f64) -> f64 {
        libm::exp(self.between(libm::log(low), libm::log(high)))
    }

    /// Less than `count`, which must not be 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count - 1)
    }

    /// Mean 1.
    pub fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.unit())
    }

    /// Mean 0, deviation 1.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end + 1));
        }
    }
}

/// The step of `SplitMix64`: every bit of the input moves every bit of the output.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
