//! Values at rest: AES-256-GCM under a key that PostgreSQL never sees.

use base64::{Engine, prelude::BASE64_STANDARD};
use model::Secret;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};

/// The key, made from the setting `secrets_key`.
pub struct Key(LessSafeKey);

/// The setting is no key.
#[derive(Debug, thiserror::Error)]
#[error(
    "secrets_key is not 32 bytes in base64: make one by `openssl rand -base64 32` and give it as MILLRACE_SECRETS_KEY or MILLRACE_SECRETS_KEY_FILE"
)]
pub struct KeyError;

/// Why a value can't be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("this system gives no random bytes: it is not safe to go on")]
    Random,
    #[error("the value can't be sealed")]
    Seal,
    #[error(
        "it was sealed with another key, or changed since: give the key of then as MILLRACE_SECRETS_KEY, or set the value again"
    )]
    Open,
}

impl Key {
    /// No key where the setting is empty.
    pub fn of(setting: &Secret) -> Result<Option<Self>, KeyError> {
        let text = setting.reveal().trim();
        if text.is_empty() {
            return Ok(None);
        }
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| KeyError)?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| KeyError)?;
        Ok(Some(Self(LessSafeKey::new(key))))
    }

    /// A nonce, and what it sealed. `about` is bound to it: no value can be put in another one's place.
    pub fn seal(&self, about: &str, value: &[u8]) -> Result<Vec<u8>, SealError> {
        // A random nonce is safe for 2^32 values under one key; people set some thousands.
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::Random)?;
        let mut sealed = value.to_vec();
        let (unique, about) = (Nonce::assume_unique_for_key(nonce), Aad::from(about.as_bytes()));
        self.0.seal_in_place_append_tag(unique, about, &mut sealed).map_err(|_| SealError::Seal)?;
        Ok([nonce.to_vec(), sealed].concat())
    }

    pub fn open(&self, about: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Open)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Open)?;
        let mut value = sealed.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(about.as_bytes()), &mut value);
        opened.map(|opened| opened.to_vec()).map_err(|_| SealError::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::of(&Secret::new(BASE64_STANDARD.encode([byte; 32]))).unwrap().unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_key_under_its_name_only() {
        let sealed = key(1).seal("connection warehouse", b"hunter22").unwrap();
        assert!(!sealed.windows(8).any(|part| part == b"hunter22"));
        assert_eq!(key(1).open("connection warehouse", &sealed).unwrap(), b"hunter22");
        assert!(key(2).open("connection warehouse", &sealed).is_err());
        assert!(key(1).open("connection other", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key(1).open("connection warehouse", &changed).is_err(), "byte {at}");
        }
        assert!(key(1).open("connection warehouse", b"short").is_err());
        assert_ne!(sealed, key(1).seal("connection warehouse", b"hunter22").unwrap());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(Key::of(&Secret::new("")).unwrap().is_none());
        for text in ["hunter2", &BASE64_STANDARD.encode([1; 31]), "not base64 !"] {
            let told = Key::of(&Secret::new(text)).err().unwrap().to_string();
            assert!(told.contains("openssl rand") && !told.contains(text), "{told}");
        }
    }
}
