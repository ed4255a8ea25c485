//! Random text that people may have to read or type: app ids and address codes.

/// Lower-case letters and digits without `0`, `1`, `l` and `o`, which look like one another. 32 of them, so that five bits
/// of a random byte choose one without bias.
const ALPHABET: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";

/// `length` characters of five random bits each, safe in a path segment.
pub(crate) fn random(length: usize) -> String {
    let mut bytes = vec![0; length];
    fill(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect()
}

/// Fills `bytes` from the operating system's generator.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system's generator answers once it was seeded at boot");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_length_asked_for_and_differ() {
        let (one, other) = (random(32), random(32));
        assert_eq!((one.len(), other.len()), (32, 32));
        assert_ne!(one, other);
    }

    #[test]
    fn every_letter_of_the_alphabet_is_used_and_no_other() {
        let many = random(4096);
        assert!(
            ALPHABET
                .iter()
                .all(|letter| many.contains(char::from(*letter)))
        );
        assert!(many.bytes().all(|letter| ALPHABET.contains(&letter)));
    }
}
