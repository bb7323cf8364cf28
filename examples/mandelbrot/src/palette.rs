//! From a smooth count of steps to light, and from light to bytes.

/// Linear light: red, green, blue from 0 to 1.
pub type Light = [f64; 3];

/// The set itself.
pub const INSIDE: Light = [0.0, 0.0, 0.0];

/// Places on the circle of colours with their sRGB bytes: night, sea, snow, amber, dusk.
const STOPS: [(f64, [u8; 3]); 6] =
    [(0.0, [0, 7, 60]), (0.18, [24, 92, 190]), (0.42, [237, 250, 255]), (0.60, [255, 176, 20]), (0.80, [120, 22, 30]), (1.0, [0, 7, 60])];

/// Turns round the circle for each doubling of the step count: counts grow by factors towards the set, not by sums.
const TURNS_PER_DOUBLING: f64 = 1.6;

/// Where on the circle a point begins that is gone after one step.
const START: f64 = 0.35;

pub fn colour(smooth: f64) -> Light {
    let place = (START + TURNS_PER_DOUBLING * smooth.max(1.0).log2()).rem_euclid(1.0);
    let after = STOPS.iter().position(|stop| place < stop.0).unwrap_or(STOPS.len() - 1).max(1);
    let (from, to) = (STOPS[after - 1], STOPS[after]);
    let share = (place - from.0) / (to.0 - from.0);
    // Slope 0 at both ends: no visible creases at the stops.
    let eased = share * share * (3.0 - 2.0 * share);
    let (from, to) = (from.1.map(to_light), to.1.map(to_light));
    [0, 1, 2].map(|part| from[part] + (to[part] - from[part]) * eased)
}

/// The sRGB curve, from bytes.
fn to_light(byte: u8) -> f64 {
    let value = f64::from(byte) / 255.0;
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// The sRGB curve, to bytes. Samples must be averaged before, as light.
pub fn to_byte(light: f64) -> u8 {
    let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    // A float cast saturates, so 255.4 is 255.
    (value * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_and_bytes_are_inverse() {
        for byte in 0..=255 {
            assert_eq!(to_byte(to_light(byte)), byte);
        }
    }

    #[test]
    fn the_circle_of_colours_has_no_gap() {
        let mut last = colour(1.0);
        for step in 1..20_000 {
            let next = colour(1.0 + f64::from(step) * 0.001);
            let jump = (0..3).map(|part| (next[part] - last[part]).abs()).fold(0.0, f64::max);
            assert!(jump < 0.02, "a jump of {jump} at {step}");
            last = next;
        }
    }
}
