//! The protocol versions.

/// A version of the protocol that this crate speaks, in order of age: comparisons say "from then on".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Offered as an answer to `initialize` only: its HTTP+SSE transport is not spoken here.
    V2024_11_05,
    /// Brings Streamable HTTP; the only one with batches.
    V2025_03_26,
    /// Brings `structuredContent`, `resource_link`, titles and the version header; the newest that Dify accepts.
    V2025_06_18,
    /// Brings icons and makes a wrong argument a tool error; the last that begins with `initialize`.
    V2025_11_25,
    /// Knows no sessions: each request says all that is needed to answer it.
    V2026_07_28,
}

impl Version {
    /// Oldest first; a version's place in this list is its discriminant.
    pub(crate) const ALL: [Self; 5] = [
        Self::V2024_11_05,
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];

    /// What `server/discover` offers, newest first. Not 2024-11-05, whose transport is not spoken here.
    pub(crate) const OFFERED: [Self; 4] = [
        Self::V2026_07_28,
        Self::V2025_11_25,
        Self::V2025_06_18,
        Self::V2025_03_26,
    ];

    /// What `initialize` answers to a client that asks for a version we do not speak.
    pub(crate) const LATEST: Self = Self::V2025_11_25;

    /// What a request without a version header and without a session speaks (2025-06-18, basic/transports).
    pub(crate) const ASSUMED: Self = Self::V2025_03_26;

    /// The version as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Does it belong to the stateless era?
    pub(crate) fn is_modern(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// A version that begins with `initialize`; none for all others.
    pub(crate) fn legacy(text: &str) -> Option<Self> {
        Self::parse(text).filter(|version| !version.is_modern())
    }

    /// None for a version that this crate does not speak.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stands_at_its_own_place() {
        for (place, version) in Version::ALL.into_iter().enumerate() {
            assert_eq!(version as usize, place);
            assert_eq!(Version::parse(version.as_str()), Some(version));
        }
    }
}
