//! The certificates of a cluster, by openssl: one authority, three leaves, and the key that signs service accounts' tokens.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::place::{HOST, NODE, Place};

/// A cluster is made anew each time; nobody shall meet an end of this.
const DAYS: &str = "3650";

/// Makes all of them, in a folder that only root may read.
pub fn make(place: &Place) -> Result<()> {
    let folder = place.pki();
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("could not empty {}", folder.display()))?;
    }
    fs::DirBuilder::new().mode(0o700).create(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    openssl(&folder, &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=cluster-ca"])
        .args(["-days", DAYS, "-keyout", "ca.key", "-out", "ca.crt"])
        .finish()?;
    // API server, kubelet and metrics-server show the same one.
    leaf(&folder, "server", &format!("/CN={NODE}"), "serverAuth", &names())?;
    // The API server, to the kubelet and to metrics-server.
    leaf(&folder, "kubelet-client", "/O=system:masters/CN=apiserver-kubelet-client", "clientAuth", "")?;
    leaf(&folder, "front-proxy", "/CN=front-proxy-client", "clientAuth", "")?;
    openssl(&folder, &["genrsa", "-out", "sa.key", "2048"]).finish()?;
    openssl(&folder, &["rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub"]).finish()
}

/// Under which the API server is called, from the machine and from pods.
fn names() -> String {
    let names = [
        "DNS:localhost",
        "DNS:metrics-server.kube-system.svc",
        "DNS:kubernetes",
        "DNS:kubernetes.default",
        "DNS:kubernetes.default.svc",
        "DNS:kubernetes.default.svc.cluster.local",
    ];
    format!("IP:127.0.0.1,IP:{HOST},IP:10.96.0.1,DNS:{NODE},{}", names.join(","))
}

fn leaf(folder: &Path, name: &str, subject: &str, usage: &str, names: &str) -> Result<()> {
    let [key, request, out, extensions] = ["key", "csr", "crt", "ext"].map(|end| format!("{name}.{end}"));
    let alternative = if names.is_empty() { String::new() } else { format!("subjectAltName={names}\n") };
    fs::write(folder.join(&extensions), format!("extendedKeyUsage={usage}\n{alternative}"))
        .with_context(|| format!("could not write {extensions}"))?;
    openssl(folder, &["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject])
        .args(["-keyout", &key, "-out", &request])
        .finish()?;
    openssl(folder, &["x509", "-req", "-in", &request, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", DAYS])
        .args(["-extfile", &extensions, "-out", &out])
        .finish()
}

/// A call of openssl that is told whole when it fails.
struct Openssl(Command);

fn openssl(folder: &Path, arguments: &[&str]) -> Openssl {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    Openssl(command)
}

impl Openssl {
    fn args<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.0.args(arguments);
        self
    }

    fn finish(mut self) -> Result<()> {
        let output = self.0.output().context("could not start openssl")?;
        if !output.status.success() {
            bail!("{:?} failed:\n{}", self.0, String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}
