//! Files that an app made, fetched from where Dify's signed addresses lead.

use bytes::Bytes;

use crate::{App, Error};

/// A file that was fetched.
#[derive(Debug, Clone)]
pub struct Download {
    /// What is in it.
    pub bytes: Bytes,
    /// What Dify says it is; may be empty.
    pub mime_type: String,
}

/// Why a file was not fetched.
#[derive(Debug, Clone)]
pub enum NoDownload {
    /// Dify does not give it any more, or never did: its address has expired, say.
    Gone {
        /// The HTTP status.
        status: u16,
    },
    /// It is larger than was asked for.
    TooLarge,
    /// Dify could not be asked.
    Failed(Error),
}

impl App {
    /// Fetches what a signed address leads to, `limit` bytes at most. Of the address only the path from `/files/` on and
    /// the query count: Dify writes the address by which browsers reach it, or none at all, and serves the same files
    /// where its API is. No key goes with it.
    ///
    /// # Errors
    /// [`NoDownload`]; also for an address without such a path.
    pub async fn download(&self, address: &str, limit: usize) -> Result<Download, NoDownload> {
        let path = file_path(address).ok_or(NoDownload::Gone { status: 0 })?;
        let _slot = self.brief_slot().await.map_err(NoDownload::Failed)?;
        self.transport().file(path, limit).await
    }
}

/// The part of a signed address that Dify's own server knows it by: `/files/…` with its query.
#[must_use]
pub fn file_path(address: &str) -> Option<&str> {
    let found = address.get(address.find("/files/")?..)?;
    let path = found.split('?').next().unwrap_or(found);
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#');
    // Dify's paths hold ids: nothing in them leads upwards, plainly or escaped.
    let straight = !path.contains("..") && !path.contains('%');
    (straight && found.bytes().all(plain)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signed_path_of_an_address_counts() {
        for (address, path) in [
            (
                "/files/tools/1.png?sign=a=",
                Some("/files/tools/1.png?sign=a="),
            ),
            (
                "https://dify.example/x/files/1/file-preview?sign=a",
                Some("/files/1/file-preview?sign=a"),
            ),
            ("https://other.example/picture.png", None),
            ("/files/../v1/info", None),
            ("/files/%2e%2e/v1/info", None),
            (
                "/files/1/file-preview?sign=a%3D",
                Some("/files/1/file-preview?sign=a%3D"),
            ),
            ("/files/a b", None),
        ] {
            assert_eq!(file_path(address), path, "{address}");
        }
    }
}
