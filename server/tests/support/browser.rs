//! What a browser does: it signs in by a link, and posts the form.

use super::Server;

/// Signs in by a one-time link, which works once.
pub async fn session(server: &Server) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_asperathos"))
        .args(["link", "--listen", &server.address, "--data"])
        .arg(server.data.path())
        .output()
        .unwrap();
    let link = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.get(&link).send().await.unwrap();
    assert_eq!(answer.status(), 303, "{link}");
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert!(!client.get(&link).send().await.unwrap().headers().contains_key("set-cookie"), "a link works once");
    cookie
}

/// Posts the submit form as a browser does that runs no scripts.
pub async fn post_form(server: &Server, cookie: &str, fields: &[(&str, &str)]) -> reqwest::Response {
    let mut body = String::new();
    for (name, value) in fields {
        body.push_str(&format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    body.push_str("--edge--\r\n");
    server
        .client
        .post(server.url("/submit"))
        .header("cookie", cookie)
        .header("origin", server.url(""))
        .header("content-type", "multipart/form-data; boundary=edge")
        .body(body)
        .send()
        .await
        .unwrap()
}
