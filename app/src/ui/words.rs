//! Numbers, times and durations as people read them. Pure: the same on both sides.

/// Groups of three digits with thin spaces: `1 262`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out
}

/// A number with at most `places` decimals, trailing zeros cut: `0.25`, `3`.
pub fn number(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.replace('-', "−") }
}

/// A count in little room: `900`, `12 000`, `500 k`, `1.5 M`.
pub fn compact(value: f64) -> String {
    match value.abs() {
        many if many >= 1e6 => format!("{}\u{202f}M", number(value / 1e6, 2)),
        many if many >= 1e5 => format!("{}\u{202f}k", number(value / 1e3, 0)),
        _ => quantity(value),
    }
}

/// How many, where a mean may be a fraction: `12 000`, `2.5`.
pub fn quantity(value: f64) -> String {
    if value >= 0.0 && value.fract() == 0.0 { count(value as u64) } else { number(value, 1) }
}

/// A bound to the last digit: `10 000`, `0.001`, `−1`.
pub fn exact(value: f64) -> String {
    if value >= 0.0 && value.fract() == 0.0 { count(value as u64) } else { number(value, 9) }
}

/// A share as whole percent: `63 %`; what is nearly all or nearly nothing keeps a decimal and is not called that.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = match percent {
        few if 0.0 < few && few < 1.0 => number((few * 10.0).ceil() / 10.0, 1),
        most if 99.0 < most && most < 100.0 => number((most * 10.0).floor() / 10.0, 1),
        _ => number(percent, 0),
    };
    format!("{text}\u{202f}%")
}

/// `done` of `total` as a share; 0 when there is nothing.
pub fn share(done: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { done as f64 / total as f64 }
}

/// A length of time in one or two units: `4 min`, `1 h 20 min`, `0.35 s`, `3 ms`.
pub fn duration(seconds: f64) -> String {
    let s = seconds.abs();
    if 0.0 < s && s < 0.1 {
        return format!("{} ms", number(s * 1000.0, if s < 0.01 { 1 } else { 0 }));
    }
    if s < 1.0 {
        return format!("{} s", number(s, 2));
    }
    if s < 10.0 {
        return format!("{} s", number(s, 1));
    }
    let whole = s.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..600 if !whole.is_multiple_of(60) => format!("{} min {} s", whole / 60, whole % 60),
        60..3600 => format!("{} min", whole / 60),
        3600..86_400 if whole % 3600 >= 60 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        3600..86_400 => format!("{} h", whole / 3600),
        _ if whole % 86_400 >= 3600 => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
        _ => format!("{} d", whole / 86_400),
    }
}

/// A distance that is only looked at in passing: from two minutes on without seconds.
pub fn about(seconds: f64) -> String {
    let s = seconds.abs();
    duration(if s < 120.0 { s.floor() } else { (s / 60.0).floor() * 60.0 })
}

/// A countdown that does not jump: `21:36`, `1:02:03`.
pub fn countdown(seconds: f64) -> String {
    let whole = seconds.abs().floor() as u64;
    match whole {
        0..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        3600..86_400 => format!("{}:{:02}:{:02}", whole / 3600, whole % 3600 / 60, whole % 60),
        _ => duration(seconds),
    }
}

/// Bytes in decimal units: `118 kB`.
pub fn bytes(number_of_bytes: u64) -> String {
    let value = number_of_bytes as f64;
    match number_of_bytes {
        0..1000 => format!("{number_of_bytes} B"),
        1000..1_000_000 => format!("{} kB", number(value / 1e3, 1)),
        1_000_000..1_000_000_000 => format!("{} MB", number(value / 1e6, 1)),
        _ => format!("{} GB", number(value / 1e9, 2)),
    }
}

/// Time of day of a moment (milliseconds since 1970) in a zone `zone` minutes east of UTC: `17:38:20`.
pub fn clock(at: i64, zone: i32) -> String {
    let second = (at.div_euclid(1000) + i64::from(zone) * 60).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", second / 3600, second % 3600 / 60, second % 60)
}

/// Hours and minutes: `17:38`.
pub fn clock_short(at: i64, zone: i32) -> String {
    clock(at, zone)[..5].to_owned()
}

/// Day and time of a moment: `2026-11-24 17:38:20`.
pub fn date(at: i64, zone: i32) -> String {
    let days = (at.div_euclid(1000) + i64::from(zone) * 60).div_euclid(86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {}", clock(at, zone))
}

/// The machine-readable form for `<time datetime>`.
pub fn rfc3339(at: i64) -> String {
    format!("{}Z", date(at, 0).replace(' ', "T"))
}

/// Days since 1970 as a Gregorian date (Howard Hinnant's algorithm, which counts years from March).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Singular or plural: `1 item`, `2 000 items`.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1262), "1\u{2009}262");
        assert_eq!(count(1_000_000), "1\u{2009}000\u{2009}000");
        assert_eq!(number(-0.001, 2), "0");
        assert_eq!(number(-1.50, 2), "−1.5");
        assert_eq!(number(100.0, 0), "100");
    }

    #[test]
    fn large_counts_fit_beside_an_axis() {
        let said = [0.0, 0.5, 900.0, 12_000.0, 500_000.0, 1_500_000.0, 20_000_000.0].map(compact);
        assert_eq!(said.map(|text| text.replace(['\u{202f}', '\u{2009}'], " ")), ["0", "0.5", "900", "12 000", "500 k", "1.5 M", "20 M"]);
    }

    #[test]
    fn a_bound_is_never_rounded() {
        assert_eq!([0.0, 0.0001, 0.25, -1.0, 10_000.0].map(exact), ["0", "0.0001", "0.25", "−1", "10\u{2009}000"]);
    }

    #[test]
    fn nearly_all_is_not_all() {
        assert_eq!(
            [0.0, 0.0001, 0.004, 0.63, 0.9966, 0.99999, 1.0].map(percent).map(|text| text.replace('\u{202f}', " ")),
            ["0 %", "0.1 %", "0.4 %", "63 %", "99.6 %", "99.9 %", "100 %"]
        );
    }

    #[test]
    fn durations_use_the_units_that_people_use() {
        assert_eq!(duration(0.354), "0.35 s");
        assert_eq!(duration(0.0042), "4.2 ms");
        assert_eq!(duration(0.04), "40 ms");
        assert_eq!(duration(0.0), "0 s");
        assert_eq!(about(572.0), "9 min");
        assert_eq!(about(75.4), "1 min 15 s");
        assert_eq!(duration(240.0), "4 min");
        assert_eq!(duration(250.0), "4 min 10 s");
        assert_eq!(duration(4800.0), "1 h 20 min");
        assert_eq!(countdown(1296.4), "21:36");
    }

    #[test]
    fn times_are_right_on_both_sides_of_a_leap_day_and_in_zones() {
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(951_868_799_000), "2000-02-29T23:59:59Z");
        assert_eq!(date(0, -60), "1969-12-31 23:00:00");
        assert_eq!(clock_short(63_500_000, 60), "18:38");
    }
}
