//! Which jobs the list shows: read from the address, looked through on the server, so that a page stays small
//! however many jobs there are.

use control::{job::Phase, live::JobSummary};
use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

use super::needs::needed;

/// Rows at first, and how many more each time.
pub const SHOWN: usize = 100;
/// Jobs in need that go along beside the rows, and when all of them are asked for.
const NEEDED: usize = 100;
const ALL_NEEDED: usize = 1000;

/// `?q=well&phase=running&show=200`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    pub text: String,
    pub phase: Option<Phase>,
    pub show: usize,
    /// Every job that needs a person, and not only the first.
    pub all_needs: bool,
}

impl Search {
    pub fn read(query: &ParamsMap) -> Self {
        Self {
            text: query.get("q").unwrap_or_default(),
            phase: query.get("phase").and_then(|word| Phase::from_word(&word)),
            show: query.get("show").and_then(|number| number.parse().ok()).unwrap_or(SHOWN),
            all_needs: query.get("needs").is_some(),
        }
    }

    /// Nothing is asked for: every job fits.
    pub fn open(&self) -> bool {
        self.text.is_empty() && self.phase.is_none()
    }

    pub fn fits(&self, job: &JobSummary) -> bool {
        let text = self.text.to_lowercase();
        self.phase.is_none_or(|phase| job.phase == phase) && (job.name.to_lowercase().contains(&text) || job.id.contains(&text))
    }

    /// The address of the same search with more rows.
    pub fn more(&self) -> String {
        self.address(self.show.saturating_add(SHOWN), self.all_needs)
    }

    /// The address of the same search with every job that needs a person.
    pub fn needs(&self) -> String {
        self.address(self.show, true)
    }

    fn address(&self, show: usize, all_needs: bool) -> String {
        let needs = if all_needs { "&needs=all" } else { "" };
        format!("/jobs?q={}&phase={}&show={show}{needs}", encoded(&self.text), self.phase.map_or("", Phase::word))
    }
}

/// A text for a query: everything but letters and digits by its bytes.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// The jobs list, and the server's clock, so that both sides count from the same moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobsPage {
    /// Milliseconds since 1970.
    pub now: i64,
    /// Changes come after this place in the live stream.
    pub seq: i64,
    pub search: Search,
    /// How many fit, shown or not.
    pub found: usize,
    /// How many there are.
    pub total: usize,
    /// Those shown and those in need.
    pub jobs: Vec<JobSummary>,
}

impl JobsPage {
    /// Takes what the page needs out of all jobs, which come newest first: those that go on before those that ended.
    pub fn cut(search: Search, mut all: Vec<JobSummary>, seq: i64, now: i64) -> Self {
        all.sort_by_key(|job| job.phase.ended());
        let total = all.len();
        let most_needed = if search.all_needs { ALL_NEEDED } else { NEEDED };
        let (mut found, mut in_need) = (0, 0);
        let jobs = all
            .into_iter()
            .filter(|job| {
                let fits = search.fits(job);
                found += usize::from(fits);
                let needed = needed(job, now) && in_need < most_needed;
                in_need += usize::from(needed);
                needed || fits && found <= search.show
            })
            .collect();
        Self { now, seq, search, found, total, jobs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::verdict::tests::job;

    #[test]
    fn any_search_fits_into_an_address() {
        assert_eq!(encoded("a b&c=ä"), "a%20b%26c%3D%C3%A4");
    }

    #[test]
    fn a_page_holds_what_is_shown_and_what_needs_a_person_and_counts_the_rest() {
        let mut all: Vec<_> = (0..300).map(|_| job(Phase::Completed, 100, 0)).collect();
        all.push(job(Phase::Running, 10, 3));
        let search = Search { text: String::new(), phase: Some(Phase::Completed), show: SHOWN, all_needs: false };
        let page = JobsPage::cut(search, all, 7, 1_010_000);
        assert_eq!((page.found, page.total, page.jobs.len()), (300, 301, SHOWN + 1));
    }
}
