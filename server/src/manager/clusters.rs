//! Clusters that jobs can name: added, changed, tried out and taken away by an administrator. What opens them is kept
//! encrypted, and no answer has it.

use std::net::IpAddr;
use std::time::Duration;

use app::api::error::ApiError;
use app::clusters::ClusterView;
use control::form;
use control::job::{JobSpec, Workload};
use control::plugin::{FieldError, PluginSpec};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::RwLockReadGuard;

use super::{Manager, internal, platform_of};
use crate::access::vault::{Vault, VaultError};
use crate::clock::now_ms;
use crate::platform::{Entry, Found, OWN, Standing};
use crate::store::{ClusterRow, JobRow};
use crate::words::{chain, counted};

/// Most clusters that are added.
const LIMIT: usize = 100;
/// A cluster that was heard so lately is not asked again for a list.
const RECENT: Duration = Duration::from_secs(10);
/// As often as a queue can count.
const ATTEMPTS: u32 = 1000;
/// Jobs that are named in a sentence.
const NAMED: usize = 5;

/// What is said of a cluster when it is added. No `Debug`: it holds secrets.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterParams {
    /// The name by which jobs choose it.
    #[garde(skip)]
    pub name: String,
    /// The text of a kubeconfig with its data embedded.
    #[garde(skip)]
    pub kubeconfig: Option<String>,
    /// Which context of the kubeconfig; without it the current one.
    #[garde(skip)]
    pub context: Option<String>,
    /// The server is a pod of it, and needs no kubeconfig.
    #[garde(skip)]
    pub in_cluster: bool,
    /// The namespace of jobs that name none.
    #[garde(skip)]
    pub namespace: Option<String>,
    /// Address of the server's machine at which pods of this cluster reach their queue.
    #[garde(skip)]
    pub pods_listen: Option<String>,
}

/// A cluster to be stored, and to be used.
struct Checked {
    row: ClusterRow,
    entry: Entry,
}

impl Manager {
    /// Makes those of the database known. One that cannot be opened is known with the reason.
    pub(super) async fn know_clusters(&self) -> Result<(), ApiError> {
        let rows = self.shared.store.clusters().await.map_err(|error| internal(&error))?;
        let vault = if rows.is_empty() { Err(VaultError::Missing) } else { Vault::open(&self.shared.settings.key_file()) };
        for row in rows {
            let opened = match &row.sealed {
                None => Ok(Entry::kept(None)),
                Some(sealed) => opened(&row, vault.as_ref(), sealed),
            };
            let entry = opened.unwrap_or_else(|why| {
                tracing::error!("cluster {}: {why}", row.name);
                Entry::unusable(why)
            });
            self.shared.clusters.put(&row.name, placed(entry, &row)).await;
        }
        Ok(())
    }

    /// As a submission names it; nobody can take it away until the answer is dropped.
    pub(super) async fn cluster_of(&self, platform: &PluginSpec) -> Result<RwLockReadGuard<'_, ()>, ApiError> {
        let stays = self.shared.changing.read().await;
        if let Some(name) = named(platform)
            && !self.shared.clusters.names().iter().any(|known| known == name)
        {
            let errors = vec![FieldError::new("platform.params.cluster", format!("The cluster \"{name}\" has just been taken away."))];
            return Err(ApiError::Invalid { errors });
        }
        Ok(stays)
    }

    /// Whether the place of a job would take it, where that can be known.
    pub(super) async fn rehearse(&self, job: &str, spec: &mut JobSpec) -> Result<(), ApiError> {
        let place = platform_of(&self.shared, &spec.platform).map_err(|message| ApiError::Internal { message })?;
        let told = place.rehearse(job, &spec.platform.params).await;
        let found =
            told.map_err(|errors| ApiError::Invalid { errors: errors.into_iter().map(|error| error.under("platform")).collect() })?;
        if let Some(Found { replicas, from, to }) = found {
            let bounds = &mut spec.replicas;
            bounds.initial = u32::try_from(replicas).unwrap_or(u32::MAX).clamp(bounds.min, bounds.max);
            let items = (from..=to).map(|number| format!("completion {number}\n"));
            spec.workload = Workload::Inline { items: items.collect() };
            // How often one may fail is the Job's own rule.
            spec.queue.max_attempts = ATTEMPTS;
        }
        Ok(())
    }

    /// # Errors
    /// All that is wrong with it, by its field; or that there is one of this name.
    pub async fn add_cluster(&self, sent: &Value, by: &str) -> Result<ClusterView, ApiError> {
        let _alone = self.shared.changing.write().await;
        let rows = self.shared.store.clusters().await.map_err(|error| internal(&error))?;
        let checked = self.checked(sent, None, by).await?;
        let name = checked.row.name.clone();
        if rows.iter().any(|row| row.name == name) {
            return Err(ApiError::Conflict {
                message: format!("There is a cluster \"{name}\" already; change it, or choose another name."),
            });
        }
        if LIMIT <= rows.len() {
            return Err(ApiError::Conflict { message: format!("There are {LIMIT} clusters already, and no more are kept.") });
        }
        self.put_cluster(checked).await?;
        tracing::info!("cluster {name} was added by {by}");
        self.try_cluster(&name).await
    }

    /// Another kubeconfig for a cluster that is there; its jobs go on by it.
    ///
    /// # Errors
    /// As `add_cluster`; or that there is none of this name.
    pub async fn change_cluster(&self, name: &str, sent: &Value, by: &str) -> Result<ClusterView, ApiError> {
        let _alone = self.shared.changing.write().await;
        let rows = self.shared.store.clusters().await.map_err(|error| internal(&error))?;
        let known = rows.into_iter().find(|row| row.name == name).ok_or_else(|| unknown(name))?;
        self.put_cluster(self.checked(sent, Some(&known), by).await?).await?;
        tracing::info!("cluster {name} was changed by {by}");
        self.try_cluster(name).await
    }

    /// # Errors
    /// When jobs that have not ended are on it, with which; or there is none.
    pub async fn remove_cluster(&self, name: &str, by: &str) -> Result<(), ApiError> {
        let _alone = self.shared.changing.write().await;
        if !self.shared.clusters.names().iter().any(|known| known == name) {
            return Err(unknown(name));
        }
        let jobs = self.shared.store.unfinished().await.map_err(|error| internal(&error))?;
        let jobs: Vec<&JobRow> = jobs.iter().filter(|row| named(&row.spec.platform) == Some(name)).collect();
        if !jobs.is_empty() {
            let some: Vec<&str> = jobs.iter().take(NAMED).map(|row| row.id.as_str()).collect();
            let more = if NAMED < jobs.len() { " and others" } else { "" };
            let message = format!(
                "On the cluster \"{name}\" {} ended: {}{more}. Stop or terminate them first.",
                if jobs.len() == 1 { "a job has not".to_owned() } else { format!("{} have not", counted(jobs.len() as u64, "job")) },
                some.join(", ")
            );
            return Err(ApiError::Conflict { message });
        }
        self.shared.store.remove_cluster(name).await.map_err(|error| internal(&error))?;
        self.shared.clusters.remove(name);
        tracing::info!("cluster {name} was taken away by {by}");
        Ok(())
    }

    /// Asks a cluster whether it is there and lets this server in.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn try_cluster(&self, name: &str) -> Result<ClusterView, ApiError> {
        let of = Some(name).filter(|name| *name != OWN);
        let standing = self.shared.clusters.standing(of, true).await.ok_or_else(|| unknown(name))?;
        Ok(view(name, standing, self.jobs_on(&self.living().await?, of)))
    }

    /// All, the server's own first. Those of whom nothing was heard lately are asked, all at once.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn clusters(&self) -> Result<Vec<ClusterView>, ApiError> {
        let names: Vec<Option<String>> = std::iter::once(None).chain(self.shared.clusters.names().into_iter().map(Some)).collect();
        let all = names.iter().map(|name| self.shared.clusters.recent(name.as_deref(), RECENT));
        let all = futures::future::join_all(all).await;
        let living = self.living().await?;
        let views = names.iter().zip(all).filter_map(|(name, standing)| {
            let jobs = self.jobs_on(&living, name.as_deref());
            Some(view(name.as_deref().unwrap_or(OWN), standing?, jobs))
        });
        Ok(views.collect())
    }

    async fn living(&self) -> Result<Vec<JobRow>, ApiError> {
        self.shared.store.unfinished().await.map_err(|error| internal(&error))
    }

    fn jobs_on(&self, living: &[JobRow], name: Option<&str>) -> u64 {
        living.iter().filter(|row| row.spec.platform.kind != "local" && named(&row.spec.platform) == name).count() as u64
    }

    async fn checked(&self, sent: &Value, known: Option<&ClusterRow>, by: &str) -> Result<Checked, ApiError> {
        let mut sent = sent.clone();
        let mut errors = Vec::new();
        // A value that is no text would be quoted by the general check.
        if let Some(odd) = sent.get_mut("kubeconfig").filter(|odd| !odd.is_string() && !odd.is_null()) {
            *odd = Value::Null;
            errors.push(FieldError::new("kubeconfig", "must be text: that of the whole file"));
        }
        let params = match form::parse::<ClusterParams>(&sent) {
            Ok(params) => params,
            Err(found) => {
                errors.extend(found);
                return Err(ApiError::Invalid { errors });
            }
        };
        let name = known.map_or(params.name.trim(), |row| &row.name).to_owned();
        if known.is_some_and(|row| !params.name.is_empty() && params.name != row.name) {
            errors.push(FieldError::new("name", "cannot be changed: jobs go by it"));
        }
        errors.extend(wrong_name(&name).map(|why| FieldError::new("name", why)));
        // What is not said again stays as it was.
        let namespace = given(params.namespace.as_deref().or_else(|| known?.namespace.as_deref()));
        errors.extend(namespace.and_then(|name| wrong_label(name).then(|| FieldError::new("namespace", NAMESPACE))));
        let listen = given(params.pods_listen.as_deref().or_else(|| known?.pods_listen.as_deref()));
        let pods_listen = listen.map(|text| (text, text.parse::<IpAddr>().ok()));
        let unreachable = |address: &IpAddr| address.is_loopback() || address.is_unspecified();
        if let Some((text, address)) = pods_listen
            && address.as_ref().is_none_or(unreachable)
        {
            let why = format!("must be an address of this machine that pods reach, such as 10.0.0.5; was {text}");
            errors.push(FieldError::new("pods_listen", why));
        }
        let text = given(params.kubeconfig.as_deref());
        let field = if params.in_cluster { "in_cluster" } else { "kubeconfig" };
        let checked = match (text, params.in_cluster) {
            (Some(_), true) => Err(vec!["is given beside a kubeconfig: choose one of both".to_owned()]),
            (None, false) => Err(vec!["is missing: give the text of a kubeconfig, or say in_cluster".to_owned()]),
            (text, _) => Entry::checked(text, given(params.context.as_deref())).await,
        };
        let (entry, secret) = match checked {
            Ok(checked) if errors.is_empty() => checked,
            Ok(_) => return Err(ApiError::Invalid { errors }),
            Err(found) => {
                errors.extend(found.into_iter().map(|why| FieldError::new(field, why)));
                return Err(ApiError::Invalid { errors });
            }
        };
        let id = known.map_or_else(|| ulid::Ulid::new().to_string(), |row| row.id.clone());
        let sealed = match secret {
            None => None,
            Some(secret) => Some(self.sealed(&id, &name, &secret)?),
        };
        let (namespace, pods_listen) = (namespace.map(str::to_owned), listen.map(str::to_owned));
        let row = ClusterRow { id, name, namespace, pods_listen, sealed, changed_at: now_ms(), changed_by: by.to_owned() };
        Ok(Checked { entry: placed(entry, &row), row })
    }

    fn sealed(&self, id: &str, name: &str, secret: &[u8]) -> Result<Vec<u8>, ApiError> {
        let vault = Vault::open_or_make(&self.shared.settings.key_file());
        vault.and_then(|vault| vault.seal(&[id, name], secret)).map_err(|error| internal(&error))
    }

    async fn put_cluster(&self, Checked { row, entry }: Checked) -> Result<(), ApiError> {
        let name = row.name.clone();
        if !self.shared.store.put_cluster(row).await.map_err(|error| internal(&error))? {
            return Err(ApiError::Conflict { message: format!("There is a cluster \"{name}\" already.") });
        }
        self.shared.clusters.put(&name, entry).await;
        Ok(())
    }
}

const NAMESPACE: &str = "must be the name of a namespace: small letters, digits and -, such as batch";

/// The cluster that a job names.
fn named(platform: &PluginSpec) -> Option<&str> {
    platform.params.get("cluster").and_then(Value::as_str)
}

fn placed(entry: Entry, row: &ClusterRow) -> Entry {
    entry.with(row.namespace.clone(), row.pods_listen.as_deref().and_then(|address| address.parse().ok()))
}

fn opened(row: &ClusterRow, vault: Result<&Vault, &VaultError>, sealed: &[u8]) -> Result<Entry, String> {
    let why = |error: &VaultError| {
        format!("Its kubeconfig cannot be decrypted: {}. Bring the key file back, or give the kubeconfig anew.", chain(error))
    };
    let secret = vault.map_err(why)?.unseal(&[&row.id, &row.name], sealed).map_err(|error| why(&error))?;
    Ok(Entry::kept(Some(&secret)))
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn wrong_name(name: &str) -> Option<String> {
    if name == OWN {
        return Some(format!("\"{OWN}\" is the server's own cluster: choose another name"));
    }
    wrong_label(name).then(|| "must be small letters, digits and -, at most 63, such as east-1".to_owned())
}

fn wrong_label(name: &str) -> bool {
    let inner = |sign: u8| sign.is_ascii_lowercase() || sign.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(inner) && name.bytes().last().is_some_and(inner);
    !ends || 63 < name.len() || !name.bytes().all(|sign| inner(sign) || sign == b'-')
}

fn unknown(name: &str) -> ApiError {
    ApiError::NotFound { what: format!("a cluster \"{name}\"") }
}

fn view(name: &str, standing: Standing, jobs: u64) -> ClusterView {
    let Standing { server, namespace, version, age, trouble } = standing;
    let says = trouble.clone().unwrap_or_else(|| "It answers.".to_owned());
    let reachable = trouble.is_none() && age.is_some();
    ClusterView {
        name: name.to_owned(),
        own: name == OWN,
        server,
        namespace,
        version,
        reachable,
        age_s: age.map(|age| age.as_secs_f64()),
        says,
        jobs,
    }
}
