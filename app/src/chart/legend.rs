//! What the lines and areas of a chart are: entries for the page and for exported pictures. Pure.

use super::{
    forecast::{self, FAN_ALPHA},
    kinds::{ChartKind, DRAINING_ALPHA, Facts, RUNNING_ALPHA, STARTING_ALPHA},
    model::{Dash, EVEN, WHOLE},
    palette::Ink,
};

/// One line or area with its words.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub ink: Ink,
    pub swatch: Swatch,
    pub words: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Swatch {
    Line(Dash),
    /// An area, as much of its ink as the chart has.
    Area(f64),
}

/// A job with more loops begins anew with the inks; the dashes are then others.
const WISH_INKS: [Ink; 3] = [Ink::Wish, Ink::Done, Ink::Cpu];
const WISH_DASHES: [Dash; 4] = [&[8, 3], &[2, 3], &[8, 3, 2, 3], &[14, 4]];

/// How the wish of the loop at this place is drawn: told apart by its dashes, even without colours.
pub fn wish_look(place: usize) -> (Ink, Dash) {
    (WISH_INKS[place % WISH_INKS.len()], WISH_DASHES[place % WISH_DASHES.len()])
}

/// What is on the chart now.
pub fn legend(kind: ChartKind, facts: &Facts) -> Vec<Entry> {
    let entry = |ink, swatch, words: &str| Entry { ink, swatch, words: words.to_owned() };
    let (line, even) = (Swatch::Line(WHOLE), Swatch::Line(EVEN));
    match kind {
        ChartKind::Progress => {
            let fan = forecast::band(facts.summary, facts.series, facts.now);
            let fan = fan.map(|_| entry(Ink::Done, Swatch::Area(FAN_ALPHA), "finish, 90 in 100"));
            let rest = [entry(Ink::Plan, even, "even pace"), entry(Ink::Deadline, line, "deadline")];
            [entry(Ink::Done, line, "done")].into_iter().chain(fan).chain(rest).collect()
        }
        ChartKind::Replicas => {
            let mut all = vec![
                entry(Ink::Label, line, "wanted"),
                entry(Ink::Running, Swatch::Area(RUNNING_ALPHA), "running"),
                entry(Ink::Starting, Swatch::Area(STARTING_ALPHA), "starting"),
                entry(Ink::Draining, Swatch::Area(DRAINING_ALPHA), "draining"),
            ];
            all.extend(facts.wishers().iter().enumerate().map(|(place, one)| {
                let (ink, dash) = wish_look(place);
                Entry { ink, swatch: Swatch::Line(dash), words: format!("wish of {}", one.name) }
            }));
            all
        }
        ChartKind::Cpu => vec![entry(Ink::Cpu, line, "cores a replica, mean")],
        ChartKind::Error => vec![entry(Ink::Done, line, "done − time passed, negative is late")],
    }
}

impl Swatch {
    /// How a page shows it, in CSS.
    pub fn css(self) -> String {
        match self {
            Self::Line([]) => String::new(),
            Self::Line(dash) => {
                let mut at = 0;
                let mut stops = String::new();
                for (place, length) in dash.iter().enumerate() {
                    let color = if place % 2 == 0 { "currentcolor" } else { "#0000" };
                    stops += &format!(",{color} {at}px {}px", at + length);
                    at += length;
                }
                format!("border:0;height:2px;width:28px;background:repeating-linear-gradient(90deg{stops})")
            }
            Self::Area(alpha) => format!("opacity:{alpha}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::kinds::tests::{one_job, two_loops};

    #[test]
    fn each_loop_has_a_look_of_its_own() {
        let looks: Vec<_> = (0..12).map(wish_look).collect();
        assert!((1..12).all(|place| !looks[..place].contains(&looks[place])), "{looks:?}");
        assert!((1..4).all(|place| looks[..place].iter().all(|look| look.1 != looks[place].1)), "without colours too");
    }

    #[test]
    fn loops_are_named_once_there_are_several() {
        let words = |kind, facts: &Facts| legend(kind, facts).into_iter().map(|entry| entry.words).collect::<Vec<_>>();
        one_job(|facts| assert_eq!(words(ChartKind::Replicas, facts), ["wanted", "running", "starting", "draining"]));
        two_loops(|facts| {
            let said = words(ChartKind::Replicas, facts);
            assert_eq!(said[4..], ["wish of pace", "wish of cost"]);
        });
    }

    #[test]
    fn the_fan_is_told_only_while_there_is_one_and_is_as_pale() {
        let fan = |facts: &Facts| legend(ChartKind::Progress, facts).into_iter().find(|entry| entry.words.starts_with("finish"));
        one_job(|facts| assert_eq!(fan(facts), None));
        two_loops(|facts| assert_eq!(fan(facts).unwrap().swatch, Swatch::Area(FAN_ALPHA)));
    }

    #[test]
    fn a_page_shows_dashes_as_they_are_drawn() {
        let css = Swatch::Line(&[8, 3]).css();
        assert!(css.ends_with("repeating-linear-gradient(90deg,currentcolor 0px 8px,#0000 8px 11px)"), "{css}");
    }
}
