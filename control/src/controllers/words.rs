//! Numbers as people say them, for the sentences of why.

/// `one replica`, `3 replicas`.
pub fn replicas(count: u32) -> String {
    match count {
        1 => "one replica".to_owned(),
        count => format!("{count} replicas"),
    }
}

/// How far from the plan: `9.2 % behind plan`, `on plan`, `3 % ahead of plan`.
pub fn lag(error: f64) -> String {
    let share = percent(error.abs());
    if error < 0.0 {
        format!("{share} behind plan")
    } else if 0.0 < error {
        format!("{share} ahead of plan")
    } else {
        "On plan".to_owned()
    }
}

/// `5 %`, `9.2 %`, `0.04 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", short(share * 100.0))
}

/// One decimal, more only where the number would otherwise read as zero; without idle zeros.
pub fn short(number: f64) -> String {
    let decimals = match number.abs() {
        size if size == 0.0 || 0.1 <= size => 1,
        size if 0.001 <= size => 3,
        _ => 6,
    };
    let text = format!("{number:.decimals$}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}
