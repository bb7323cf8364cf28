//! The quote on the submit page: whether the goal can be met, what it takes, and what could be asked for instead.

use control::controllers::deadline::quote::Quote;
use leptos::prelude::*;

use super::submitted::Quoted;
use crate::ui::{
    erase::Erase,
    words::{duration, percent, plural},
};

/// The answer to the button beside *Submit*.
#[component]
pub fn QuoteCard(quoted: Quoted) -> impl IntoView {
    let body = match quoted {
        Quoted::Unknown { why } => view! { <p>{why}</p> }.erase(),
        Quoted::Quote { items, quote } => {
            let tone = if quote.sure { "good" } else { "bad" };
            let offers: Vec<_> = offers(&quote)
                .into_iter()
                .map(|(take, words)| {
                    view! { <button class="button" type="submit" name="take" value=take formaction="/submit#quote">{words}</button> }
                        .erase()
                })
                .collect();
            view! {
                <p class="verdict" data-tone=tone><b>{lead(&quote)}</b> " " {said(items, &quote)}</p>
                <p class="acts">{offers}</p>
            }
            .erase()
        }
    };
    view! { <section class="card" id="quote" role="status"><header><h2>"Quote"</h2></header><div class="body">{body}</div></section> }
        .erase()
}

/// Whether it would be in time.
pub fn lead(quote: &Quote) -> String {
    let p = percent(quote.forecast.p_meet);
    if quote.sure { format!("In time with {p}.") } else { format!("In time with only {p}.") }
}

/// What it takes, in a sentence.
pub fn said(items: u64, quote: &Quote) -> String {
    let seconds = |ms: u64| duration(ms as f64 / 1000.0);
    let Quote { replicas, forecast, .. } = quote;
    format!(
        "{} need about {}, are done after {} to {} and take {} of one replica, if they take what you believe.",
        plural(items, "item", "items"),
        plural(u64::from(*replicas), "replica", "replicas"),
        seconds(forecast.p5_ms),
        seconds(forecast.p95_ms),
        duration(forecast.replica_seconds),
    )
}

/// What to set and how it is called, for each goal that could be met.
pub fn offers(quote: &Quote) -> Vec<(String, String)> {
    // Rounded up, so that what is taken is enough.
    let later =
        quote.later_ms.map(|ms| ms.div_ceil(1000)).map(|s| (format!("objective.deadline_s={s}"), format!("Take {}", duration(s as f64))));
    let more = quote.more.map(|most| (format!("replicas.max={most}"), format!("Allow {most} replicas")));
    later.into_iter().chain(more).collect()
}

#[cfg(test)]
mod tests {
    use control::{
        controllers::deadline::{
            Params,
            quote::{Ask, quote},
        },
        job::Bounds,
        observation::Hints,
    };

    use super::*;

    fn quoted(deadline_s: u64) -> Quote {
        let ask = Ask {
            items: 1000,
            deadline_ms: deadline_s * 1000,
            confidence: 0.95,
            bounds: Bounds { min: 1, max: 20, initial: 1 },
            hints: Hints { service_ms_mean: Some(6000.0), history: None },
        };
        quote(&Params::default(), &ask).unwrap()
    }

    #[test]
    fn a_goal_that_can_be_met_has_no_offers() {
        let quote = quoted(3600);
        assert!(lead(&quote).starts_with("In time with ") && !lead(&quote).contains("only"), "{}", lead(&quote));
        // Of the thin spaces in numbers and before units, only that they are there.
        let words = said(1000, &quote).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.starts_with("1 000 items need about 2 replicas, "), "{words}");
        assert!(offers(&quote).is_empty());
    }

    #[test]
    fn another_goal_is_offered_by_name_and_value() {
        let offers = offers(&quoted(300));
        let names: Vec<_> = offers.iter().filter_map(|(take, _)| take.split('=').next()).collect();
        assert_eq!(names, ["objective.deadline_s", "replicas.max"]);
    }
}
