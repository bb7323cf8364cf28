//! Keeps secrets encrypted at rest, with a key that lies in a file of its own, and bound to what they belong to.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rand::TryRngCore as _;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

const KEY_LEN: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("could not read the key file {file}")]
    Read {
        file: String,
        #[source]
        cause: io::Error,
    },
    #[error("could not make the key file {file}")]
    Make {
        file: String,
        #[source]
        cause: io::Error,
    },
    #[error("the key file {file} may be read by everybody: chmod 600 it, and give new credentials for what it kept")]
    Public { file: String },
    #[error("the key file {file} is none: it must be 32 bytes, or 64 hexadecimal digits")]
    NoKey { file: String },
    #[error("no key file is there")]
    Missing,
    #[error("the key does not fit")]
    Unfit,
    #[error("the system gives no random numbers")]
    Random,
}

/// A key in use. It is never printed.
pub struct Vault(LessSafeKey);

impl Vault {
    /// With the key in a file.
    ///
    /// # Errors
    /// When there is none, it is no key, or everybody may read it.
    pub fn open(file: &Path) -> Result<Self, VaultError> {
        let name = || file.display().to_string();
        let read = |cause: io::Error| match cause.kind() {
            ErrorKind::NotFound => VaultError::Missing,
            _ => VaultError::Read { file: name(), cause },
        };
        let mut opened = File::open(file).map_err(read)?;
        if opened.metadata().map_err(read)?.mode() & 0o007 != 0 {
            return Err(VaultError::Public { file: name() });
        }
        let mut bytes = Vec::new();
        opened.read_to_end(&mut bytes).map_err(read)?;
        let key = key(&bytes).ok_or_else(|| VaultError::NoKey { file: name() })?;
        Ok(Self(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(|_| VaultError::Unfit)?)))
    }

    /// The same, with a new key where there is no file.
    ///
    /// # Errors
    /// As `open`, and when the file cannot be made.
    pub fn open_or_make(file: &Path) -> Result<Self, VaultError> {
        match Self::open(file) {
            Err(VaultError::Missing) => {}
            other => return other,
        }
        let hex: String = random::<KEY_LEN>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        make(file, &hex).map_err(|cause| VaultError::Make { file: file.display().to_string(), cause })?;
        Self::open(file)
    }

    /// Encrypts something that belongs to what `bound` names.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn seal(&self, bound: &[&str], secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = secret.to_vec();
        let key = &self.0;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(bound), &mut sealed).map_err(|_| VaultError::Unfit)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// # Errors
    /// When it was sealed with another key, for something else, or changed since.
    pub fn unseal(&self, bound: &[&str], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(VaultError::Unfit)?;
        let mut sealed = sealed.to_vec();
        let opened = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), aad(bound), &mut sealed);
        opened.map(|secret| secret.to_vec()).map_err(|_| VaultError::Unfit)
    }
}

/// No name holds a NUL, so that no two lists are one text.
fn aad(bound: &[&str]) -> Aad<String> {
    Aad::from(format!("asperathos\0{}", bound.join("\0")))
}

/// The bytes themselves, or as hexadecimal digits.
fn key(bytes: &[u8]) -> Option<[u8; KEY_LEN]> {
    if let Ok(key) = bytes.try_into() {
        return Some(key);
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    if text.len() != 2 * KEY_LEN || !text.is_ascii() {
        return None;
    }
    let digits = (0..KEY_LEN).map(|place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok());
    digits.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|_| VaultError::Random)?;
    Ok(bytes)
}

/// Its owner's alone, whole or not at all, and never in place of another.
fn make(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let new = file.with_extension("new");
    // Of a server that died here.
    let _ = std::fs::remove_file(&new);
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    writeln!(made, "{text}")?;
    made.sync_all()?;
    std::fs::hard_link(&new, file)?;
    std::fs::remove_file(&new)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_the_same_key_opens_what_belongs_to_the_same_thing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets/key");
        assert!(matches!(Vault::open(&file), Err(VaultError::Missing)));
        let vault = Vault::open_or_make(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let sealed = vault.seal(&["1", "a"], b"very secret").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_ne!(sealed, vault.seal(&["1", "a"], b"very secret").unwrap(), "never twice the same");
        let again = Vault::open_or_make(&file).unwrap();
        assert_eq!(again.unseal(&["1", "a"], &sealed).unwrap(), b"very secret");
        assert!(again.unseal(&["1", "b"], &sealed).is_err() && again.unseal(&["1a", ""], &sealed).is_err());
        let mut changed = sealed.clone();
        changed[20] ^= 1;
        assert!(again.unseal(&["1", "a"], &changed).is_err() && again.unseal(&["1", "a"], &sealed[..5]).is_err());
        let other = Vault::open_or_make(&folder.path().join("other")).unwrap();
        assert!(other.unseal(&["1", "a"], &sealed).is_err());
    }

    #[test]
    fn a_file_that_is_no_key_or_everybodys_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let put = |bytes: &[u8], mode: u32| {
            std::fs::write(&file, bytes).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            Vault::open(&file)
        };
        assert!(put(&[7; 32], 0o640).is_ok());
        assert!(matches!(put(&[7; 32], 0o644), Err(VaultError::Public { .. })));
        assert!(matches!(put(&[7; 31], 0o600), Err(VaultError::NoKey { .. })));
        assert!(put("ab".repeat(32).as_bytes(), 0o600).is_ok());
        assert!(matches!(put("xy".repeat(32).as_bytes(), 0o600), Err(VaultError::NoKey { .. })));
    }
}
