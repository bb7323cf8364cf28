//! Pages as the server draws them, while a job works.

mod support;

use std::collections::BTreeSet;

use futures::future::join_all;
use support::{Server, echo_job};

/// The numbers under which a page carries the answers that it was drawn from.
fn answers(page: &[u8]) -> BTreeSet<String> {
    let page = String::from_utf8_lossy(page);
    page.split("__RESOLVED_RESOURCES[").skip(1).filter_map(|rest| rest.split_once(']')).map(|(number, _)| number.to_owned()).collect()
}

/// A page that asks a question twice shows the second answer, and the browser takes it over with the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_draws_every_page_from_one_answer_to_each_question() {
    let server = Server::start().await;
    let job = server.submit(&echo_job(400, 0.05)).await;
    for (tab, questions) in [("live", 2), ("items", 3), ("results", 3), ("logs", 3)] {
        let path = format!("/jobs/{job}?tab={tab}");
        let pages = join_all((0..60).map(|_| server.bytes(&path))).await;
        for page in pages {
            assert_eq!(answers(&page).len(), questions, "{tab}: {:?}", answers(&page));
        }
    }
    server.post(&format!("/api/v1/jobs/{job}/terminate"), &serde_json::json!({})).await;
}
