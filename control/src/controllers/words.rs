//! Numbers as people say them, for the sentences of why.

/// `one replica`, `3 replicas`.
pub fn replicas(count: u32) -> String {
    match count {
        1 => "one replica".to_owned(),
        count => format!("{count} replicas"),
    }
}

/// `1 item`, `3 items`.
pub fn items(count: u64) -> String {
    if count == 1 { "1 item".to_owned() } else { format!("{count} items") }
}

/// How far from the plan: `9.2 % behind plan`, `on plan`, `3 % ahead of plan`.
pub fn lag(error: f64) -> String {
    if error == 0.0 || error.is_nan() {
        return "On plan".to_owned();
    }
    let mut text = percent(error.abs());
    text.push_str(if error < 0.0 { " behind plan" } else { " ahead of plan" });
    text
}

/// `5 %`, `9.2 %`, `0.04 %`.
pub fn percent(share: f64) -> String {
    let mut text = short(share * 100.0);
    text.push_str(" %");
    text
}

/// One decimal, more only where the number would otherwise read as zero; without idle zeros.
pub fn short(number: f64) -> String {
    let decimals = match number.abs() {
        size if size == 0.0 || 0.1 <= size => 1,
        size if 0.001 <= size => 3,
        _ => 6,
    };
    brief(number, decimals).unwrap_or_else(|| exact(number, decimals))
}

/// The same in whole numbers, several times as fast: laws speak at every tick. None where the rounding might differ
/// from that of the exact decimals: near the middle between two, and beyond what a product of two floats tells apart.
fn brief(number: f64, decimals: u32) -> Option<String> {
    let power = 10_u64.pow(decimals);
    let scaled = number.abs() * power as f64;
    let whole = scaled.round();
    if 1e9 <= scaled || scaled.is_nan() || ((scaled - whole).abs() - 0.5).abs() < 1e-6 {
        return None;
    }
    let whole = whole as u64;
    let mut text = String::with_capacity(40);
    if number < 0.0 && 0 < whole {
        text.push('-');
    }
    push(&mut text, whole / power, 1);
    let (mut rest, mut digits) = (whole % power, decimals as usize);
    if 0 < rest {
        while rest.is_multiple_of(10) {
            (rest, digits) = (rest / 10, digits - 1);
        }
        text.push('.');
        push(&mut text, rest, digits);
    }
    Some(text)
}

/// At least so many digits, and not more than ten.
fn push(text: &mut String, number: u64, digits: usize) {
    let mut power = 1;
    for _ in 1..digits {
        power *= 10;
    }
    while power <= number / 10 {
        power *= 10;
    }
    while 0 < power {
        text.push(char::from(b'0' + (number / power % 10) as u8));
        power /= 10;
    }
}

fn exact(number: f64, decimals: u32) -> String {
    let decimals = decimals as usize;
    let text = format!("{number:.decimals$}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::random::{Random, Stream};

    #[test]
    fn numbers_are_short() {
        let said = [5.0, 9.2, 0.04, 0.0, -0.0, -0.000_000_1, -12.34, 0.25, 100.0, 0.000_5, 1e9, 1e15, f64::NAN, -0.000_02].map(short);
        let meant =
            ["5", "9.2", "0.04", "0", "0", "0", "-12.3", "0.2", "100", "0.0005", "1000000000", "1000000000000000", "NaN", "-0.00002"];
        assert_eq!(said, meant);
    }

    #[test]
    fn the_fast_way_says_what_the_exact_one_says() {
        let mut random = Random::new(1, Stream::Items);
        let mut quick = 0;
        for round in 0..100_000 {
            let drawn = random.log_between(1e-8, 1e10) * if round % 2 == 0 { 1.0 } else { -1.0 };
            // Ties and their neighbours too.
            let tie = (drawn * 20.0).round() / 20.0;
            for number in [drawn, tie, tie.next_up(), tie.next_down()] {
                for decimals in [1, 3, 6] {
                    let brief = brief(number, decimals);
                    quick += u32::from(brief.is_some());
                    assert!(brief.is_none_or(|text| text == exact(number, decimals)), "{number} with {decimals} decimals");
                }
            }
        }
        assert!(400_000 < quick);
    }
}
