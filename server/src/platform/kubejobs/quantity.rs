//! Amounts as Kubernetes writes them: `250m`, `64Mi`, `12345678n`.

/// What follows the number, and what it stands for.
const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// In cores or bytes; `None` for what is no amount.
pub fn amount(text: &str) -> Option<f64> {
    let text = text.trim();
    let known = SUFFIXES.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)));
    let (number, unit) = known.unwrap_or((text, 1.0));
    number.parse::<f64>().ok().map(|number| number * unit).filter(|amount| amount.is_finite() && 0.0 <= *amount)
}

/// In thousandths of a core, as CPU is given to pods.
pub fn millicores(text: &str) -> Option<u32> {
    // A cast saturates.
    amount(text).map(|cores| (cores * 1000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_writes_them() {
        assert_eq!(amount("12345678n"), Some(12_345_678.0 * 1e-9));
        assert_eq!(amount("64Mi"), Some(67_108_864.0));
        assert_eq!((amount("0"), amount("1.5"), amount("2e3")), (Some(0.0), Some(1.5), Some(2000.0)));
        assert_eq!((millicores("250m"), millicores("2"), millicores("0.1")), (Some(250), Some(2000), Some(100)));
        assert_eq!((amount(""), amount("m"), amount("-1"), amount("x")), (None, None, None, None));
    }
}
