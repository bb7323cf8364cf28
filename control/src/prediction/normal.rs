//! The normal distribution. Own code, for the statistics crates use the platform's `exp` and `ln`, whose last bits
//! differ between server and browser; a square root is exact everywhere (IEEE 754).

/// Density of the standard normal distribution.
pub fn density(z: f64) -> f64 {
    const ROOT: f64 = 0.398_942_280_401_432_7;
    ROOT * libm::exp(-0.5 * z * z)
}

/// Probability of a value above `z`.
pub fn above(z: f64) -> f64 {
    0.5 * libm::erfc(z * std::f64::consts::FRAC_1_SQRT_2)
}

/// Probability of a value below `z`.
pub fn below(z: f64) -> f64 {
    above(-z)
}

/// Mean of a standard normal value, given that it is above `z`: the inverse Mills ratio.
pub fn mean_above(z: f64) -> f64 {
    if z < 6.0 {
        density(z) / above(z)
    } else {
        // Both parts vanish; the first terms of the asymptotic series are exact enough.
        z + 1.0 / z - 2.0 / (z * z * z)
    }
}

/// The value below which lies the share `p`; clamped to ±6. Acklam's rational approximation, relative error 1.2e-9.
pub fn quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -39.696_830_286_653_76,
        220.946_098_424_520_5,
        -275.928_510_446_968_7,
        138.357_751_867_269,
        -30.664_798_066_147_16,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] =
        [-54.476_098_798_224_06, 161.585_836_858_040_9, -155.698_979_859_886_6, 66.801_311_887_719_72, -13.280_681_552_885_72];
    const C: [f64; 6] = [
        -0.007_784_894_002_430_293,
        -0.322_396_458_041_136_5,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] = [0.007_784_695_709_041_462, 0.322_467_129_070_039_8, 2.445_134_137_142_996, 3.754_408_661_907_416];
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient);
    let tail = |p: f64| {
        let q = (-2.0 * libm::log(p)).sqrt();
        polynomial(&C, q) / (polynomial(&D, q) * q + 1.0)
    };
    if p.is_nan() {
        return 0.0;
    }
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    let z = if p < 0.02425 {
        tail(p)
    } else if p <= 0.97575 {
        let (q, r) = (p - 0.5, (p - 0.5) * (p - 0.5));
        polynomial(&A, r) * q / (polynomial(&B, r) * r + 1.0)
    } else {
        -tail(1.0 - p)
    };
    z.clamp(-6.0, 6.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_inverts_below() {
        for z in [-4.0, -2.5, -1.0, 0.0, 0.3, 1.645, 2.326, 3.5] {
            assert!((quantile(below(z)) - z).abs() < 1e-6, "{z}");
        }
    }

    #[test]
    fn mean_above_is_continuous_and_above() {
        assert!((mean_above(0.0) - 0.797_884_560_8).abs() < 1e-9);
        assert!((mean_above(5.999) - mean_above(6.001)).abs() < 0.01);
        for tenth in -40..120 {
            let z = f64::from(tenth) / 10.0;
            assert!(mean_above(z) > z);
        }
    }
}
