//! The fuzz targets over their corpus, and over the same mutations of it each time.

use std::{fs, path::Path};

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets are another crate")]
mod fuzz;

/// Mutations of each seed: enough to reach every branch of the readers in about a second.
const MUTATIONS: u32 = 300;

fn run(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut seeds: Vec<_> = fs::read_dir(corpus)
        .expect("a corpus")
        .map(|seed| fs::read(seed.expect("a seed").path()).expect("a seed"))
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 5);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for seed in &seeds {
        check(seed);
        for _ in 0..MUTATIONS {
            let other = &seeds[random.below(seeds.len())];
            check(&mutated(seed, other, &mut random));
        }
    }
}

/// Marsaglia's xorshift: good enough to stir bytes, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).expect("below a bound of this type")
    }
}

fn mutated(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    const TOKENS: [&[u8]; 10] = [
        b"null", b"{}", b"[]", b"\"", b"\\u0000", b"-1e999", b",", b":", b"\xff", b"\n",
    ];
    let mut data = seed.to_vec();
    for _ in 0..=random.below(3) {
        let place = random.below(data.len() + 1);
        match random.below(5) {
            0 if place < data.len() => data[place] ^= 1 << random.below(8),
            1 => data.truncate(place),
            2 => {
                let token = TOKENS[random.below(TOKENS.len())];
                data.splice(place..place, token.iter().copied());
            }
            3 => {
                let end = place + random.below(data.len() - place + 1);
                data.drain(place..end);
            }
            _ => {
                let from = random.below(other.len() + 1);
                data.truncate(place);
                data.extend_from_slice(&other[from..]);
            }
        }
    }
    data
}

#[test]
fn no_body_breaks_the_reader_of_envelopes() {
    run("envelope", fuzz::envelope);
}

#[test]
fn no_header_breaks_the_reader_of_headers() {
    run("headers", fuzz::headers);
}

#[test]
fn no_token_of_a_strangers_making_is_one_of_ours() {
    run("tokens", fuzz::tokens);
}
