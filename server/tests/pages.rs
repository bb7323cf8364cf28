//! Pages as the server draws them, while a job works.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

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

/// Signing out in one tab ends what the others follow; scripts with a token of their own go on.
#[tokio::test(flavor = "multi_thread")]
async fn streams_end_with_their_session() {
    let server = Server::start().await;
    let job = server.submit(&echo_job(4000, 0.05)).await;
    let data = server.data.path().display().to_string();
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_asperathos"))
        .args(["link", "--data", &data, "--listen", &server.address])
        .output()
        .unwrap();
    let printed = String::from_utf8(made.stdout).unwrap();
    let link = printed.split_whitespace().find(|word| word.starts_with("http")).unwrap();
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let signed_in = client.get(link).send().await.unwrap();
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let stream = |path: String| client.get(server.url(&path)).header("cookie", cookie.clone()).send();
    let mut followed = vec![stream(format!("/live/jobs/{job}")).await.unwrap(), stream("/live/jobs".to_owned()).await.unwrap()];
    let mut script = client.get(server.url(&format!("/live/jobs/{job}"))).bearer_auth(server.token()).send().await.unwrap();
    for one in &mut followed {
        assert!(one.chunk().await.unwrap().is_some(), "it is alive");
    }
    let out = client.post(server.url("/sign-out")).header("cookie", cookie.clone()).header("origin", server.url("")).send().await.unwrap();
    assert_eq!(out.status(), 303);
    for mut one in followed {
        let ended = async { while one.chunk().await.unwrap().is_some() {} };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the stream has ended");
    }
    for _ in 0..3 {
        assert!(script.chunk().await.unwrap().is_some(), "a token is no session");
    }
    server.post(&format!("/api/v1/jobs/{job}/terminate"), &serde_json::json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_a_file_lets_scripts_in_and_the_one_before_no_more() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let tokens = ["a".repeat(32), "b".repeat(32)];
    std::fs::write(file.path(), format!("{}\n", tokens[0])).unwrap();
    let mut server = Server::start_with(&["--admin-token-file", file.path().to_str().unwrap()]).await;
    let status = async |server: &Server, token: &str| {
        server.client.get(server.url("/api/v1/jobs")).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!((status(&server, &tokens[0]).await, status(&server, &tokens[1]).await), (200, 401));
    assert!(!server.data.path().join("admin.token").exists());
    let ready = server.client.get(server.url("/readyz")).send().await.unwrap();
    assert_eq!((ready.status().as_u16(), ready.text().await.unwrap()), (200, "ok".to_owned()));

    server.kill();
    std::fs::write(file.path(), &tokens[1]).unwrap();
    server.launch().await;
    assert_eq!((status(&server, &tokens[0]).await, status(&server, &tokens[1]).await), (401, 200));

    server.kill();
    std::fs::write(file.path(), "short").unwrap();
    let refused = std::process::Command::new(env!("CARGO_BIN_EXE_asperathos"))
        .args(["serve", "--listen", &server.address, "--data"])
        .arg(server.data.path())
        .arg("--admin-token-file")
        .arg(file.path())
        .output()
        .unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("32 characters at least"));
}
