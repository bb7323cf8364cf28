//! What a kubeconfig may hold that an administrator gives this server: data, no programs and no paths. Whatever is wrong
//! is told at once, in words that quote nothing of it.

use kube::Client;
use kube::config::{AuthInfo, Cluster, Config, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use url::{Host, Url};

/// Longest text, bytes: certificates are some thousands.
const LONGEST: usize = 1 << 20;
const EMBED: &str = "embed the data: kubectl config view --minify --flatten writes it so";

/// The part of a kubeconfig that leads to one cluster, by its current context or another, and nothing else of it.
///
/// # Errors
/// All problems at once, in sentences.
pub async fn checked(text: &str, context: Option<&str>) -> Result<Kubeconfig, Vec<String>> {
    if LONGEST < text.len() {
        return Err(vec![format!("is longer than {} MiB; kubectl config view --minify --flatten writes what is needed", LONGEST >> 20)]);
    }
    // A parser's error may show the line that it stumbles over.
    let parsed = Kubeconfig::from_yaml(text);
    let read = parsed.map_err(|_| vec!["cannot be read: it is not a kubeconfig, which is YAML or JSON".to_owned()])?;
    let (cluster, user, namespace) = chosen(read, context).map_err(|why| vec![why])?;
    let wrong = problems(&cluster, &user);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let made = minimal(cluster, user, namespace);
    let config = Config::from_custom_kubeconfig(made.clone(), &KubeConfigOptions::default()).await.ok();
    if config.is_none_or(|config| Client::try_from(config).is_err()) {
        return Err(vec!["has a certificate or key that cannot be read: each is base64 of PEM".to_owned()]);
    }
    Ok(made)
}

fn chosen(read: Kubeconfig, context: Option<&str>) -> Result<(Cluster, AuthInfo, Option<String>), String> {
    let names: Vec<String> = read.contexts.iter().map(|named| named.name.clone()).collect();
    let known = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
    let Some(wanted) = context.map(str::to_owned).or(read.current_context) else {
        return Err(format!("has no current-context, and none was named; {known}"));
    };
    let context = read.contexts.into_iter().find(|named| named.name == wanted).and_then(|named| named.context);
    let Some(context) = context else { return Err(format!("has no context \"{wanted}\"; {known}")) };
    let cluster = read.clusters.into_iter().find(|named| named.name == context.cluster).and_then(|named| named.cluster);
    let cluster = cluster.ok_or_else(|| format!("has no cluster \"{}\", which its context names", context.cluster))?;
    let user = match context.user {
        None => AuthInfo::default(),
        Some(name) => {
            let user = read.auth_infos.into_iter().find(|named| named.name == name).and_then(|named| named.auth_info);
            user.ok_or_else(|| format!("has no user \"{name}\", whom its context names"))?
        }
    };
    Ok((cluster, user, context.namespace))
}

fn problems(cluster: &Cluster, user: &AuthInfo) -> Vec<String> {
    let mut wrong = Vec::new();
    match &cluster.server {
        None => wrong.push("names no server".to_owned()),
        Some(server) => wrong.extend(unreachable(server).map(str::to_owned)),
    }
    if user.exec.is_some() {
        wrong.push(format!("has exec, a program that this server would have to run; give a token or a client certificate, and {EMBED}"));
    }
    if user.auth_provider.is_some() {
        wrong.push(format!("has auth-provider, which no Kubernetes knows any more; give a token or a client certificate, and {EMBED}"));
    }
    let paths = [
        ("certificate-authority", &cluster.certificate_authority),
        ("client-certificate", &user.client_certificate),
        ("client-key", &user.client_key),
        ("tokenFile", &user.token_file),
    ];
    for (name, _) in paths.into_iter().filter(|(_, path)| path.is_some()) {
        wrong.push(format!("has {name}, a file that is not here; {EMBED}"));
    }
    if cluster.proxy_url.is_some() {
        wrong.push("has proxy-url, which this server cannot use; name a server that it reaches without".to_owned());
    }
    let known = user.token.is_some()
        || user.password.is_some()
        || (user.client_certificate_data.is_some() && user.client_key_data.is_some())
        || user.exec.is_some()
        || user.auth_provider.is_some()
        || user.client_key.is_some()
        || user.token_file.is_some();
    if !known {
        wrong.push("has nothing that says who calls: give a token, or a client certificate with its key".to_owned());
    }
    wrong
}

/// Why an address is not that of a cluster, if it is not.
fn unreachable(server: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(server) else { return Some("names a server that is no address such as https://10.0.0.1:6443") };
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        Some(Host::Domain(_)) => None,
        None => return Some("names a server without a host"),
    };
    if !matches!(url.scheme(), "https" | "http") {
        return Some("names a server that is neither https nor http");
    }
    // It is shown.
    if !url.username().is_empty() || url.password().is_some() {
        return Some("has a name or password in the server's address; give them as the user's token");
    }
    address.is_some_and(crate::manager::workload::forbidden).then_some("names a server at an address that this one does not connect to")
}

/// Field by field: what is not known here is not kept.
fn minimal(cluster: Cluster, user: AuthInfo, namespace: Option<String>) -> Kubeconfig {
    const NAME: &str = "it";
    let named = || NAME.to_owned();
    let cluster = Cluster {
        server: cluster.server,
        insecure_skip_tls_verify: cluster.insecure_skip_tls_verify,
        certificate_authority_data: cluster.certificate_authority_data,
        tls_server_name: cluster.tls_server_name,
        ..Cluster::default()
    };
    let user = AuthInfo {
        username: user.username,
        password: user.password,
        token: user.token,
        client_certificate_data: user.client_certificate_data,
        client_key_data: user.client_key_data,
        impersonate: user.impersonate,
        impersonate_groups: user.impersonate_groups,
        ..AuthInfo::default()
    };
    let context = Context { cluster: named(), user: Some(named()), namespace, ..Context::default() };
    Kubeconfig {
        clusters: vec![NamedCluster { name: named(), cluster: Some(cluster), ..NamedCluster::default() }],
        auth_infos: vec![NamedAuthInfo { name: named(), auth_info: Some(user), ..NamedAuthInfo::default() }],
        contexts: vec![NamedContext { name: named(), context: Some(context), ..NamedContext::default() }],
        current_context: Some(named()),
        ..Kubeconfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: u, namespace: batch}}}}]\n\
             clusters: [{{name: c, cluster: {{{cluster}}}}}, {{name: other, cluster: {{server: 'https://10.0.0.9'}}}}]\n\
             users: [{{name: u, user: {{{user}}}}}, {{name: other, user: {{token: of-somebody-else}}}}]\n"
        )
    }

    async fn wrong(cluster: &str, user: &str) -> Vec<String> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        checked(&config(cluster, user), None).await.err().unwrap_or_default()
    }

    #[tokio::test]
    async fn only_the_chosen_context_is_kept_and_comes_back_whole() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kept = checked(&config("server: 'https://127.0.0.1:1'", "token: mine"), None).await.unwrap();
        let text = serde_json::to_string(&kept).unwrap();
        assert!(text.contains("mine") && !text.contains("somebody-else") && !text.contains("10.0.0.9"), "{text}");
        let again = Kubeconfig::from_yaml(&text).unwrap();
        assert_eq!(again.contexts[0].context.as_ref().unwrap().namespace.as_deref(), Some("batch"));
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
    }

    #[tokio::test]
    async fn programs_and_paths_are_refused_all_at_once() {
        let user = "exec: {command: /bin/sh, apiVersion: client.authentication.k8s.io/v1}, auth-provider: {name: gcp}, \
                    tokenFile: /etc/shadow, client-key: k, client-certificate: c";
        let told = wrong("server: 'https://127.0.0.1:1', certificate-authority: /etc/passwd", user).await;
        for name in ["exec", "auth-provider", "certificate-authority", "client-certificate", "client-key", "tokenFile"] {
            let sentence = told.iter().find(|sentence| sentence.starts_with(&format!("has {name},")));
            assert!(sentence.is_some_and(|sentence| sentence.contains("embed the data")), "{name}: {told:?}");
        }
        assert!(told.len() == 6 && told.iter().all(|sentence| !sentence.contains("/etc") && !sentence.contains("/bin")), "{told:?}");
    }

    #[tokio::test]
    async fn what_leads_nowhere_is_said_and_nothing_is_quoted() {
        for (server, words) in [
            ("server: 'ftp://a'", "neither https"),
            ("server: 'https://me:secret@a'", "name or password"),
            ("server: 'http://169.254.169.254'", "does not connect"),
            ("tls-server-name: a", "names no server"),
        ] {
            let told = wrong(server, "token: t").await;
            assert!(told.len() == 1 && told[0].contains(words) && !told[0].contains("secret"), "{server}: {told:?}");
        }
        let told = wrong("server: 'https://127.0.0.1:1'", "client-certificate-data: secret, client-key-data: secret").await;
        assert!(told.len() == 1 && told[0].contains("base64 of PEM") && !told[0].contains("secret"), "{told:?}");
        assert!(wrong("server: 'https://127.0.0.1:1'", "username: a").await[0].contains("who calls"));
        let told = checked("users: [secret\n", None).await.unwrap_err();
        assert!(told[0].contains("cannot be read") && !told[0].contains("secret"), "{told:?}");
        assert!(checked("kind: Config", None).await.unwrap_err()[0].contains("no current-context"));
        let other = checked(&config("server: 'https://127.0.0.1:1'", "token: t"), Some("b")).await.unwrap_err();
        assert!(other[0].contains("no context \"b\"; it has a"), "{other:?}");
    }
}
