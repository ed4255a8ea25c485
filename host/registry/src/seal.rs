//! Authenticated encryption of what is stored or handed to clients.

use std::fmt;

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use zeroize::Zeroizing;

use crate::code;

/// XChaCha20's nonce: at 24 bytes, random ones do not meet under one key, however many are sealed.
const NONCE: usize = 24;

/// Seals bytes under one key with XChaCha20-Poly1305. What comes out is the nonce, the ciphertext and its tag: 40 bytes
/// more than went in.
pub struct Sealer(XChaCha20Poly1305);

/// The bytes were not sealed with this key for this purpose, or they were changed. Which of these, nobody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes do not open with this key")]
pub struct Unsealable;

impl Sealer {
    /// A sealer for one purpose: keys come from [`MasterKey::derive`](crate::MasterKey::derive), and no key is used for
    /// anything else.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// Seals `plain`. The same `aad` must be given to open it: it says what the bytes are for (an app's id, a credential's
    /// epoch), so that they cannot be moved to another place.
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        code::fill(&mut nonce);
        let sealed = self
            .0
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad })
            .expect("XChaCha20-Poly1305 takes any message under 256 GiB");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what [`seal`](Self::seal) made with the same key and `aad`.
    ///
    /// # Errors
    /// [`Unsealable`], also for bytes that nobody sealed.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(Unsealable)?;
        let plain = self
            .0
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad });
        plain.map(Zeroizing::new).map_err(|_| Unsealable)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_bytes_open_with_the_same_key_and_purpose() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal(b"here", b"words");
        assert_eq!(sealed.len(), b"words".len() + 40);
        assert_eq!(
            sealer
                .open(b"here", &sealed)
                .expect("the same key and purpose")
                .as_slice(),
            b"words"
        );
    }

    #[test]
    fn sealed_bytes_open_for_nothing_else() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal(b"here", b"words");
        assert_eq!(
            sealer.open(b"there", &sealed).expect_err("another purpose"),
            Unsealable
        );
        assert_eq!(
            Sealer::new(&[8; 32])
                .open(b"here", &sealed)
                .expect_err("another key"),
            Unsealable
        );
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(
                sealer.open(b"here", &changed).expect_err("a changed bit"),
                Unsealable
            );
        }
        assert_eq!(
            sealer.open(b"here", &[]).expect_err("nothing at all"),
            Unsealable
        );
    }

    #[test]
    fn the_same_words_never_look_the_same() {
        let sealer = Sealer::new(&[7; 32]);
        assert_ne!(sealer.seal(b"", b"words"), sealer.seal(b"", b"words"));
    }
}
