//! Ids and app keys in Dify's forms.

use std::time::{SystemTime, UNIX_EPOCH};

/// A random UUID, version 4.
pub(crate) fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    let mut n = u128::from_be_bytes(bytes);
    n = n & !(0xf << 76) | 4 << 76;
    n = n & !(0x3 << 62) | 0x2 << 62;
    let hex = format!("{n:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// A fresh app key: `app-` and 24 letters or digits.
pub(crate) fn app_key() -> String {
    format!("app-{}", random::<24>())
}

/// A fresh token of a form: 22 letters or digits.
pub(crate) fn token() -> String {
    random::<22>()
}

fn random<const LENGTH: usize>() -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut bytes = [0_u8; LENGTH];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    // The bias of the remainder does not matter: nothing real is behind these.
    let letters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    letters.into_iter().collect()
}

/// Whether Dify takes this for a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Seconds since 1970, as in every `created_at`.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_looks_like_version_4() {
        let id = uuid();
        assert!(is_uuid(&id), "{id}");
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]), "{id}");
    }
}
