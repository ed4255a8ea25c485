//! How large Dify lets a file be.

use airlock_form::FileKind;
use serde_json::Value;

/// Bytes of one file, by what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    image: usize,
    video: usize,
    audio: usize,
    other: usize,
}

impl Sizes {
    /// From `system_parameters` of Dify's `GET /parameters`, whose numbers are MiB; Dify's own defaults for what is not
    /// there.
    #[must_use]
    pub fn of(parameters: &Value) -> Self {
        let most = |name: &str, default: u64| {
            let stated = parameters["system_parameters"][name].as_u64();
            usize::try_from(stated.unwrap_or(default))
                .map_or(usize::MAX, |most| most.saturating_mul(1 << 20))
        };
        Self {
            image: most("image_file_size_limit", 10),
            video: most("video_file_size_limit", 100),
            audio: most("audio_file_size_limit", 50),
            other: most("file_size_limit", 15),
        }
    }

    /// The most for a file of this kind; the largest of all where that is not known yet.
    #[must_use]
    pub fn most(&self, kind: Option<FileKind>) -> usize {
        match kind {
            Some(FileKind::Image) => self.image,
            Some(FileKind::Video) => self.video,
            Some(FileKind::Audio) => self.audio,
            Some(FileKind::Document | FileKind::Custom) => self.other,
            None => self.image.max(self.video).max(self.audio).max(self.other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dify_s_own_limits_hold_by_kind() {
        let sizes = Sizes::of(
            &json!({"system_parameters": {"image_file_size_limit": 1, "file_size_limit": 2}}),
        );
        assert_eq!(sizes.most(Some(FileKind::Image)), 1 << 20);
        assert_eq!(sizes.most(Some(FileKind::Document)), 2 << 20);
        assert_eq!(sizes.most(Some(FileKind::Audio)), 50 << 20);
        assert_eq!(sizes.most(None), 100 << 20);
    }
}
