//! Who may talk to the API server: a token and a kubeconfig for each part and for the admin.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::certificates;
use super::place::{NODE, Place, write};

/// A kubeconfig's name, the user it stands for, and the user's group.
const WHO: [(&str, &str, &str); 7] = [
    ("kubelet", "", "system:nodes"),
    ("controller-manager", "system:kube-controller-manager", ""),
    ("scheduler", "system:kube-scheduler", ""),
    ("proxy", "system:kube-proxy", ""),
    ("metrics-server", "system:metrics-server", ""),
    ("coredns", "system:coredns", ""),
    ("admin", "admin", "system:masters"),
];

/// Makes certificates, tokens and kubeconfigs, once a cluster. The admin's kubeconfig comes last: with it all are there.
pub fn make(place: &Place) -> Result<()> {
    if place.kubeconfig("admin").exists() {
        return Ok(());
    }
    certificates::make(place)?;
    let authority = authority(place)?;
    let mut tokens = String::new();
    let mut files = Vec::new();
    for (who, user, group) in WHO {
        let user = if user.is_empty() { format!("system:node:{NODE}") } else { user.to_owned() };
        let token = token()?;
        tokens.push_str(&format!("{token},{user},{user}"));
        tokens.push_str(&if group.is_empty() { "\n".to_owned() } else { format!(",\"{group}\"\n") });
        files.push((place.kubeconfig(who), place.fill("kubeconfig.yaml", &[("CA", &authority), ("WHO", who), ("TOKEN", &token)])?));
    }
    files.insert(0, (place.run().join("tokens.csv"), tokens));
    for (path, text) in files {
        write(&path, text)?;
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).with_context(|| format!("could not close {}", path.display()))?;
    }
    Ok(())
}

/// The authority's certificate, as it stands in YAML.
pub fn authority(place: &Place) -> Result<String> {
    let path = place.pki().join("ca.crt");
    Ok(STANDARD.encode(fs::read(&path).with_context(|| format!("could not read {}", path.display()))?))
}

fn token() -> Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes)).context("could not read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
